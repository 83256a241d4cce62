"""Faces of one frame, what a detector is, and the geometry of boxes that all detectors share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

START_SCORE: Final = 0.5
"""A face starts a track at this confidence, as CenterFace's and insightface's own demos do."""

KEEP_SCORE: Final = 0.3
"""A face that is already followed is kept down to this confidence (hysteresis as in ByteTrack, Zhang et al. 2022)."""

NMS_IOU: Final = 0.3

SMALLEST_FOUND_PX: Final = 20
"""A face of this width in the picture given to the detector is found reliably."""

STRIDE: Final = 32


@dataclass(frozen=True)
class Faces:
    """The faces of one frame, best first.

    Attributes:
        boxes_xyxy: (F, 4) float32, left, top, right, bottom in pixels of the frame; may reach beyond its edges.
        landmarks_xy: (F, 5, 2) float32, left eye, right eye, nose tip, left and right mouth corner as seen in the
            picture, in pixels of the frame.
        scores: (F,) float32, the detector's confidence, 0 to 1.
    """

    boxes_xyxy: npt.NDArray[np.float32]
    landmarks_xy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.scores)
        shapes = (self.boxes_xyxy.shape, self.landmarks_xy.shape, self.scores.shape)
        if shapes != ((n, 4), (n, 5, 2), (n,)):
            raise ValueError(f"expected shapes ((F, 4), (F, 5, 2), (F,)), got {shapes}")

    @classmethod
    def empty(cls) -> Faces:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: Sequence[int] | npt.NDArray[Any]) -> Faces:
        """Choose faces by a list of indices or a boolean mask."""
        rows = np.asarray(which)
        rows = rows if rows.dtype == bool else rows.astype(np.intp)
        return Faces(self.boxes_xyxy[rows], self.landmarks_xy[rows], self.scores[rows])


class Detector(Protocol):
    """Finds faces. Safe to call from several threads at once."""

    @property
    def name(self) -> str:
        """Short name, for the table's metadata."""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights' file."""

    def detect(self, frames_rgb: Any, *, min_face_px: int | None = None) -> list[Faces]:
        """Find the faces of (B, H, W, 3) uint8 RGB frames with a confidence of at least `KEEP_SCORE`.

        Args:
            frames_rgb: numpy array, list of frames (`aucli.video.yuv.FrameRGB`), or torch tensor on a GPU.
            min_face_px: smallest width of a face that must be found; None chooses by the frame's size.

        Returns:
            One `Faces` per frame, best first.
        """


@runtime_checkable
class WindowDetector(Detector, Protocol):
    """A detector that also finds a known face in a small window (`aucli.faces.windows`)."""

    @property
    def window_px(self) -> int:
        """Side of the windows that it takes."""

    def look_into(self, windows_rgb: npt.NDArray[np.uint8]) -> list[Faces]:
        """Find the faces of windows (N, S, S, 3) uint8, S = `window_px`, on the CPU; in pixels of each window."""


def working_scale(width: int, height: int, min_face_px: int | None = None) -> float:
    """How much a frame is shrunk before detection, at most 1 (a frame is never enlarged).

    Given `min_face_px`, a face of that width comes to be `SMALLEST_FOUND_PX` wide. By default the longer side becomes
    320 px for a frame of 640 px and grows with the square root of the frame's size: a face must be 40 px wide in a
    frame of 640 px, 69 px in one of 1920 px. Detection costs time in proportion to the area.
    """
    if min_face_px is not None:
        return min(1.0, SMALLEST_FOUND_PX / min_face_px)
    longer = max(width, height)
    return min(1.0, 320.0 * math.sqrt(max(longer, 640) / 640.0) / longer)


def centres_and_sizes(boxes_xyxy: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centres (F, 2) of boxes (F, 4) and the geometric means (F,) of their sides, px."""
    boxes = boxes_xyxy.astype(np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.sqrt(sides[:, 0] * sides[:, 1])


def intersection_over_union(a_xyxy: npt.NDArray[Any], b_xyxy: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Overlap of every box of `a_xyxy` (N, 4) with every box of `b_xyxy` (M, 4): (N, M), 0 to 1."""
    a, b = np.asarray(a_xyxy, np.float64)[:, None], np.asarray(b_xyxy, np.float64)[None]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0.0, None)
    common = sides.prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - common
    return np.asarray(common / np.maximum(union, 1e-12))


def non_maximum_suppression(
    boxes_xyxy: npt.NDArray[Any], scores: npt.NDArray[Any], iou: float = NMS_IOU
) -> npt.NDArray[np.intp]:
    """Return the indices of boxes that no better box overlaps by `iou` or more, best first.

    Args:
        boxes_xyxy: (N, 4) left, top, right, bottom, px.
        scores: (N,) higher is better; of equal ones the first counts as better.
        iou: intersection over union, 0 to 1.

    Returns:
        (K,) indices into the boxes, K from 0 to N.
    """
    order = np.argsort(-scores, kind="stable")
    overlaps = intersection_over_union(boxes_xyxy[order], boxes_xyxy[order]) >= iou
    keep: list[int] = []
    for candidate in range(len(order)):
        if not overlaps[candidate, keep].any():
            keep.append(candidate)
    return order[keep]


def ceil_to_stride(length: float) -> int:
    """Return the next multiple of the detectors' stride, in pixels."""
    return max(STRIDE, int(np.ceil(length / STRIDE)) * STRIDE)
