"""How a head is turned, from the five landmarks alone: a generic face seen in weak perspective.

The five points of a generic head, turned by (R) and scaled, are laid onto the landmarks by least squares (POS, the
first step of DeMenthon and Davis 1995): a 2 x 3 matrix, of which the nearest pair of orthogonal rows of equal length is
taken. In closed form, so that it costs nothing.

The generic head was fitted to CenterFace's landmarks in 1,491 renders whose pose is known, its depth so that the yaw is
neither too large nor too small. Fitted to one half of the people, the median errors in the other half were 2.0 degrees
of yaw (3.1 beyond 30), 5.1 of pitch and 1.8 of roll; ``benchmarks/head_pose.py`` measures them anew. Landmarks of other
detectors follow other habits. Pitch is the least sure: an open mouth looks like a lowered head.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

HEAD_XYZ: Final = np.array(
    [
        [-0.500, 0.524, -0.108],
        [0.500, 0.524, -0.108],
        [0.000, -0.023, 0.440],
        [-0.414, -0.513, -0.059],
        [0.414, -0.513, -0.059],
    ]
)
"""Left eye, right eye, nose tip, left and right mouth corner (as seen in the picture): x to the right of the picture, y
up, z towards the camera, in eye distances from their mean."""

_WEIGHTS: Final = np.linalg.pinv(HEAD_XYZ - HEAD_XYZ.mean(axis=0))
"""(3, 5); each row sums to 0, so that it does not matter where in the picture the head is."""
_LEAST_AREA: Final = 1e-9


def head_pose(landmarks_xy: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Estimate how heads are turned.

    Args:
        landmarks_xy: (F, 5, 2) left eye, right eye, nose tip, left and right mouth corner, pixels of the frame.

    Returns:
        (F, 3) float32 yaw, pitch and roll in degrees relative to the camera: yaw positive towards the person's left,
        pitch positive upwards, roll positive clockwise in the picture. NaN where the landmarks span no area.
    """
    points = np.asarray(landmarks_xy, np.float64)
    # (F, 3) each: the picture's axes, right and up, in the head's. Sums in a fixed order: same bytes in any batch.
    right, up = np.zeros((2, len(points), 3))
    for k in range(5):
        right += points[:, k, 0, None] * _WEIGHTS[:, k]
        up -= points[:, k, 1, None] * _WEIGHTS[:, k]
    # The nearest orthogonal rows of equal length: (M M^T)^(-1/2) M, in closed form for two rows.
    a, b, c = (right * right).sum(axis=1), (right * up).sum(axis=1), (up * up).sum(axis=1)
    area = np.sqrt(np.maximum(a * c - b * b, 0.0))
    known = area > _LEAST_AREA
    area = np.where(known, area, 1.0)
    scale = area * np.sqrt(np.where(known, a + c + 2 * area, 1.0))
    x_axis = (right * (c + area)[:, None] - up * b[:, None]) / scale[:, None]
    y_axis = (up * (a + area)[:, None] - right * b[:, None]) / scale[:, None]
    forward = np.stack([x_axis[:, 2], y_axis[:, 2], x_axis[:, 0] * y_axis[:, 1] - x_axis[:, 1] * y_axis[:, 0]], axis=1)
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    pitch = np.arcsin(np.clip(forward[:, 1], -1.0, 1.0))
    # What is left when yaw and pitch are taken back is roll: the picture's axes seen from the level head.
    level_x = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=1)
    to_right = np.stack([x_axis[:, 0], y_axis[:, 0], x_axis[:, 1] * y_axis[:, 2] - x_axis[:, 2] * y_axis[:, 1]], axis=1)
    to_up = np.stack([x_axis[:, 1], y_axis[:, 1], x_axis[:, 2] * y_axis[:, 0] - x_axis[:, 0] * y_axis[:, 2]], axis=1)
    roll = np.arctan2((level_x * to_up).sum(axis=1), (level_x * to_right).sum(axis=1))
    angles = np.degrees(np.stack([yaw, pitch, roll], axis=1))
    angles[~known] = np.nan
    return np.asarray(angles, np.float32)
