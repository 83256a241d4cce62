"""Upright face crops by similarity transform, batched, on any device.

The template is insightface's five points (eyes, nose, mouth corners of a 112 px crop, as used by ArcFace),
shrunk towards the centre so that brows and chin stay inside the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

FloatArray = npt.NDArray[np.floating[Any]]

ARCFACE_TEMPLATE_112: Final = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
"""Left eye, right eye, nose tip, left and right mouth corner (as seen in the picture), x and y in pixels of a
112 x 112 crop. Source: insightface, ``face_align.arcface_dst``."""


@dataclass(frozen=True)
class CropSpec:
    """How a face is laid into a square crop.

    Attributes:
        size_px: side of the crop.
        scale: size of the face relative to ArcFace's crop; below 1 leaves a margin.
        shift_y: how far the face is moved down, as a share of the crop's side.
    """

    size_px: int = 160
    scale: float = 0.72
    shift_y: float = -0.02

    def __post_init__(self) -> None:
        if self.size_px < 16:
            raise ValueError(f"size_px is {self.size_px}; a crop needs at least 16 px")
        if not 0.2 <= self.scale <= 1.5:
            raise ValueError(f"scale is {self.scale}; allowed is 0.2 to 1.5")
        if not -0.3 <= self.shift_y <= 0.3:
            raise ValueError(f"shift_y is {self.shift_y}; allowed is -0.3 to 0.3")

    def template_xy(self) -> npt.NDArray[np.float64]:
        """Where the five landmarks come to lie: (5, 2) pixels of the crop."""
        unit = (ARCFACE_TEMPLATE_112 - 56.0) / 112.0 * self.scale + 0.5
        unit[:, 1] += self.shift_y
        return unit * self.size_px


def similarity_from_landmarks(landmarks_xy: FloatArray, template_xy: FloatArray) -> npt.NDArray[np.float64]:
    """Least-squares similarity transforms that lay landmarks onto a template.

    Rotation, uniform scale and translation without reflection, in closed form (Umeyama 1991 for two dimensions).

    Args:
        landmarks_xy: (N, K, 2) points in frame pixels.
        template_xy: (K, 2) points in crop pixels.

    Returns:
        (N, 2, 3) float64 matrices that map frame pixels to crop pixels. Landmarks that all coincide give the
        template's centre and scale 0, never NaN.
    """
    source = np.asarray(landmarks_xy, dtype=np.float64)
    target = np.asarray(template_xy, dtype=np.float64)
    source_mean = source.mean(axis=1, keepdims=True)
    target_mean = target.mean(axis=0)
    s, t = source - source_mean, target - target_mean
    # As complex numbers a similarity is one factor a + ib; these are its normal equations.
    spread = np.maximum((s**2).sum(axis=(1, 2)), 1e-12)
    a = (s[..., 0] * t[..., 0] + s[..., 1] * t[..., 1]).sum(axis=1) / spread
    b = (s[..., 0] * t[..., 1] - s[..., 1] * t[..., 0]).sum(axis=1) / spread
    matrices = np.empty((len(source), 2, 3), dtype=np.float64)
    matrices[:, 0, 0], matrices[:, 0, 1] = a, -b
    matrices[:, 1, 0], matrices[:, 1, 1] = b, a
    matrices[:, :, 2] = target_mean - np.einsum("nij,nj->ni", matrices[:, :, :2], source_mean[:, 0])
    return matrices


def invert_similarity(matrices: FloatArray) -> npt.NDArray[np.float64]:
    """Invert (N, 2, 3) similarity transforms; a transform of scale 0 gives zeros."""
    m = np.asarray(matrices, dtype=np.float64)
    a, b = m[:, 0, 0], m[:, 1, 0]
    norm = a**2 + b**2
    safe = np.where(norm > 0, norm, 1.0)
    inverse = np.zeros_like(m)
    inverse[:, 0, 0], inverse[:, 0, 1] = a / safe, b / safe
    inverse[:, 1, 0], inverse[:, 1, 1] = -b / safe, a / safe
    inverse[:, :, 2] = -np.einsum("nij,nj->ni", inverse[:, :, :2], m[:, :, 2])
    inverse[norm == 0] = 0.0
    return inverse
