"""Upright face crops by similarity transform, batched, on any device.

The template is insightface's five points (eyes, nose, mouth corners of a 112 px crop, as used by ArcFace),
shrunk towards the centre so that brows and chin stay inside the crop.

A crop is made in two steps, the same on every device: the part of the frame around the face is averaged over squares
of k x k pixels, k being how much the face must shrink (against aliasing), and the result is sampled bilinearly. What
lies outside the frame is black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.averaging import averaged
from aucli.video.yuv import FrameRGB

if TYPE_CHECKING:
    import torch

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


def crop_faces(frame_rgb: FrameRGB, landmarks_xy: FloatArray, spec: CropSpec) -> npt.NDArray[np.uint8]:
    """Cut upright faces out of one frame, on the CPU.

    Args:
        frame_rgb: (H, W, 3) uint8.
        landmarks_xy: (F, 5, 2) points in frame pixels (pixel centres at .5).
        spec: the crop.

    Returns:
        (F, S, S, 3) uint8.
    """
    from PIL import Image

    crops = np.zeros((len(landmarks_xy), spec.size_px, spec.size_px, 3), np.uint8)
    to_frame = invert_similarity(similarity_from_landmarks(landmarks_xy, spec.template_xy()))
    for crop, matrix in zip(crops, to_frame, strict=True):
        region = _region(matrix, frame_rgb.shape[0], frame_rgb.shape[1], spec.size_px)
        if region is None:
            continue
        left, top, right, bottom, k = region
        # A black border lets the edge of the frame fade into what lies outside it.
        picture = averaged(frame_rgb, (left, top, right, bottom), (k, k))
        coefficients = _to_region(matrix, left, top, k)
        size = (spec.size_px, spec.size_px)
        sampled = picture.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        crop[:] = np.asarray(sampled)[..., :3]
    return crops


def crop_faces_on_device(
    frames_rgb: torch.Tensor | Sequence[torch.Tensor],
    frame_of_face: npt.NDArray[np.integer[Any]],
    landmarks_xy: FloatArray,
    spec: CropSpec,
) -> torch.Tensor:
    """Cut upright faces out of a batch of frames, in torch, where the frames lie.

    Agrees with `crop_faces` within rounding to whole grey levels (tested).

    Args:
        frames_rgb: (B, H, W, 3) uint8 on any device, or B such frames.
        frame_of_face: (F,) index into the batch, per face.
        landmarks_xy: (F, 5, 2) points in frame pixels.
        spec: the crop.

    Returns:
        (F, 3, S, S) float32, 0 to 255, on the same device.
    """
    import torch
    import torch.nn.functional as F

    size = spec.size_px
    device = frames_rgb[0].device if len(frames_rgb) else torch.device("cpu")
    crops = torch.zeros((len(landmarks_xy), 3, size, size), device=device)
    to_frame = invert_similarity(similarity_from_landmarks(landmarks_xy, spec.template_xy()))
    for crop, frame_index, matrix in zip(crops, frame_of_face, to_frame, strict=True):
        frame = frames_rgb[int(frame_index)]
        region = _region(matrix, frame.shape[0], frame.shape[1], size)
        if region is None:
            continue
        left, top, right, bottom, k = region
        part = frame[max(0, top) : bottom, max(0, left) : right].permute(2, 0, 1).float()
        pad_left, pad_top = max(0, -left), max(0, -top)
        pad_right = right - left - pad_left - part.shape[2]
        pad_bottom = bottom - top - pad_top - part.shape[1]
        part = F.pad(part, (pad_left, pad_right, pad_top, pad_bottom))[None]
        if k > 1:
            part = F.avg_pool2d(part, k)
        a, b, c, d, e, f = _to_region(matrix, left, top, k)
        # grid_sample counts from -1 to 1 over the picture and over the grid, edges included.
        w, h = part.shape[3], part.shape[2]
        theta = torch.tensor(
            [
                [a * size / w, b * size / w, ((a + b) * size + 2 * c) / w - 1],
                [d * size / h, e * size / h, ((d + e) * size + 2 * f) / h - 1],
            ],
            dtype=torch.float32,
            device=part.device,
        )
        grid = F.affine_grid(theta[None], [1, 3, size, size], align_corners=False)
        crop.copy_(F.grid_sample(part, grid, mode="bilinear", align_corners=False)[0])
    return crops


def _region(
    to_frame: npt.NDArray[np.float64], height: int, width: int, size_px: int
) -> tuple[int, int, int, int, int] | None:
    """The part of a frame that a crop needs: left, top, right, bottom (a whole number of k x k squares) and k.

    May reach a few pixels beyond the frame, so that its edge fades into black; None if crop and frame do not meet or
    the crop has no extent.
    """
    shrink = float(np.hypot(to_frame[0, 0], to_frame[1, 0]))
    if shrink == 0.0 or not np.isfinite(to_frame).all():
        return None
    k = max(1, int(shrink + 0.5))
    corners = np.array([[0, 0], [size_px, 0], [0, size_px], [size_px, size_px]]) @ to_frame[:, :2].T + to_frame[:, 2]
    low, high = corners.min(axis=0) - 2 * k, corners.max(axis=0) + 2 * k
    left, top = max(-2 * k, int(np.floor(low[0]))), max(-2 * k, int(np.floor(low[1])))
    columns = int(np.ceil((min(high[0], width + 2 * k) - left) / k))
    rows = int(np.ceil((min(high[1], height + 2 * k) - top) / k))
    right, bottom = left + columns * k, top + rows * k
    if columns <= 0 or rows <= 0 or right <= 0 or bottom <= 0 or left >= width or top >= height:
        return None
    return left, top, right, bottom, k


def _to_region(
    to_frame: npt.NDArray[np.float64], left: int, top: int, k: int
) -> tuple[float, float, float, float, float, float]:
    """The transform from crop pixels (u, v) to pixels of a region that was shrunk k times.

    Returns a, b, c, d, e, f of x = a u + b v + c, y = d u + e v + f, pixel centres at .5.
    """
    m = to_frame
    return (
        float(m[0, 0] / k),
        float(m[0, 1] / k),
        float((m[0, 2] - left) / k),
        float(m[1, 0] / k),
        float(m[1, 1] / k),
        float((m[1, 2] - top) / k),
    )
