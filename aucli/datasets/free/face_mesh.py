"""Plain distances on MediaPipe's face mesh (Kartynnik et al. 2019, arXiv 1907.06724), turned to the front."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

OUTER_EYE: Final = (33, 263)

_RIGID: Final = (33, 133, 263, 362, 168, 6, 195, 5, 2, 98, 327, 127, 356, 54, 284, 10)
"""Mesh points that no expression moves much: eye corners, nose, temples, forehead."""


def turn_to_front(meshes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Turn meshes to the front by their rigid points; the unit becomes the distance of the outer eye corners.

    The front is the median shape of the meshes seen within 6 degrees of it; each mesh is laid onto it by rotation and
    scale (Kabsch 1976, Umeyama 1991).

    Args:
        meshes: (N, P, 3) with the 468 points first; one at least.

    Returns:
        (N, P, 3) meshes; yaw and pitch in degrees, (N,) each.
    """
    left, right = meshes[:, OUTER_EYE[0]], meshes[:, OUTER_EYE[1]]
    across = (right - left) / np.linalg.norm(right - left, axis=1, keepdims=True)
    frontal = np.abs(np.degrees(np.arctan2(across[:, 2], across[:, 0]))) < 6
    template = _upright_median(meshes[frontal] if frontal.any() else meshes)
    rigid = meshes[:, _RIGID]
    centre = rigid.mean(axis=1, keepdims=True)
    target = template[list(_RIGID)] - template[list(_RIGID)].mean(axis=0)
    u, singular, vt = np.linalg.svd(np.einsum("nki,kj->nij", rigid - centre, target))
    v, ut = vt.transpose(0, 2, 1), u.transpose(0, 2, 1)
    handed = np.ones_like(singular)
    handed[:, 2] = np.sign(np.linalg.det(v @ ut))  # no reflection
    rotations = (v * handed[:, None, :]) @ ut
    front = np.einsum("nij,nkj->nki", rotations, meshes - centre)
    front /= np.linalg.norm(front[:, 263] - front[:, 33], axis=1)[:, None, None]
    yaw = np.degrees(np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2]))
    pitch = np.degrees(np.arctan2(rotations[:, 1, 2], rotations[:, 2, 2]))
    return front, yaw, pitch


def measures(front: FloatArray) -> dict[str, FloatArray]:
    """Distances on meshes turned to the front, in outer eye distances: name -> (N,). y points down."""

    def height(*points: int) -> FloatArray:
        mean: FloatArray = front[:, points, 1].mean(axis=1)
        return mean

    def apart(a: int, b: int) -> FloatArray:
        distance: FloatArray = np.linalg.norm(front[:, a, :2] - front[:, b, :2], axis=1)
        return distance

    eyes = height(33, 133, 263, 362)
    return {
        "lip_gap": (apart(13, 14) + apart(82, 87) + apart(312, 317)) / 3,
        "mouth_width": apart(61, 291),
        "corners_up": height(0, 17) - height(61, 291),
        "jaw": height(152) - height(2),
        "brow_in": eyes - height(107, 55, 336, 285),
        "brow_out": eyes - height(70, 63, 300, 293),
        "brow_gap": apart(55, 285),
        "eye_open": height(145, 153, 144, 374, 380, 373) - height(159, 158, 160, 386, 385, 387),
        "cheek": height(50, 280) - eyes,
    }


def _upright_median(meshes: FloatArray) -> FloatArray:
    """The median mesh after turning each one's eye line level, centred and in outer eye distances."""
    across = meshes[:, 263] - meshes[:, 33]
    angle = np.arctan2(across[:, 1], across[:, 0])
    turn = np.zeros((len(meshes), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 0, 1], turn[:, 1, 0], turn[:, 2, 2] = np.sin(angle), -np.sin(angle), 1.0
    centred = meshes - meshes[:, _RIGID].mean(axis=1, keepdims=True)
    upright = np.einsum("nij,nkj->nki", turn, centred) / np.linalg.norm(across, axis=1)[:, None, None]
    median: FloatArray = np.median(upright, axis=0)
    return median
