"""Finding a known face anew in a small window around where it should be.

A window is a square about a face, brought to a fixed number of pixels and given to the detector as a picture of its
own: on a CPU that costs a fraction of a search through the whole picture, whatever the picture's size. All faces are
found at the same size and nearly in the middle, so their landmarks shake less than those of a whole picture.

A window stays where it is while its face hardly moves. What a detector tells depends on where its grid of cells lies on
the face; a window that followed every tremble of a box would make landmarks of a face that stands still tremble, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.averaging import resized
from aucli.faces.values import (
    NMS_IOU,
    START_SCORE,
    Detector,
    Faces,
    WindowDetector,
    intersection_over_union,
    non_maximum_suppression,
)
from aucli.video.yuv import FrameRGB

WINDOW_SCALE: Final = 1.4
"""Side of a window, in longer sides of the face's box."""
HELD_SHIFT: Final = 0.03
"""A window is kept while its face's centre is off its own by no more than this share of the box's longer side..."""
HELD_LOG_SIZE: Final = 0.045
"""...and the face's size (logarithm) by no more than this."""
SAME_FACE_IOU: Final = 0.4
"""What is found in a window is its face if it overlaps the box expected by this."""

Windows = npt.NDArray[np.float64]
"""(F, 3): centre x, centre y and side of F windows, pixels of the frame."""


def windows_about(boxes_xyxy: npt.NDArray[Any]) -> Windows:
    """Windows with boxes (F, 4) in their middle."""
    boxes = np.asarray(boxes_xyxy, np.float64)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    longer = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0), 1.0)
    return np.column_stack([middle, WINDOW_SCALE * longer])


def place_windows(boxes_xyxy: npt.NDArray[Any], known: Windows) -> Windows:
    """Windows for boxes (F, 4): one of those known where the face hardly left its middle, else a new one."""
    own = windows_about(boxes_xyxy)
    if not len(own) or not len(known):
        return own
    size = own[:, 2:] / WINDOW_SCALE
    off = np.abs(own[:, None, :2] - known[None, :, :2]).max(axis=2) / size
    grown = np.abs(np.log(own[:, 2:] / known[None, :, 2]))
    off = np.where((off <= HELD_SHIFT) & (grown <= HELD_LOG_SIZE), off, np.inf)
    nearest = off.argmin(axis=1)
    held = np.isfinite(off[np.arange(len(own)), nearest])
    return np.where(held[:, None], known[nearest], own)


def find_in_windows(
    looks: Sequence[tuple[FrameRGB, Windows, npt.NDArray[Any]]], detector: WindowDetector
) -> list[tuple[Faces, npt.NDArray[np.bool_]]]:
    """Find each face of some frames in its window.

    Args:
        looks: for each frame (H, W, 3) F windows and, (F, 4), where the faces are expected, pixels of the frame.
        detector: which finds them; all windows are handed to it at once.

    Returns:
        Per frame F faces, and (F,) bool, whether each was found. None is found twice: of two windows that show the same
        face the one that shows it better has it. A face that was not found has its expected box, no landmarks and no
        score.
    """
    cut = [cut_window(frame, window, detector.window_px) for frame, windows, _ in looks for window in windows]
    pictures = np.stack([one.picture_rgb for one in cut]) if cut else np.zeros((0, 1, 1, 3), np.uint8)
    seen = iter([one.in_frame(faces) for one, faces in zip(cut, detector.look_into(pictures), strict=True)])
    return [_choose([next(seen) for _ in windows], boxes) for _, windows, boxes in looks]


def _choose(seen: Sequence[Faces], expected_xyxy: npt.NDArray[Any]) -> tuple[Faces, npt.NDArray[np.bool_]]:
    """Of what each window shows the face that was expected in it."""
    n = len(seen)
    boxes, landmarks = np.asarray(expected_xyxy, np.float32).copy(), np.zeros((n, 5, 2), np.float32)
    scores, found = np.zeros(n, np.float32), np.zeros(n, bool)
    for face, shown in enumerate(seen):
        overlaps = intersection_over_union(shown.boxes_xyxy, expected_xyxy[face : face + 1])[:, 0]
        if len(shown) and overlaps.max() >= SAME_FACE_IOU:
            best = int(overlaps.argmax())
            boxes[face], landmarks[face] = shown.boxes_xyxy[best], shown.landmarks_xy[best]
            scores[face], found[face] = shown.scores[best], True
    where = np.flatnonzero(found)
    if len(where) > 1:
        kept = where[non_maximum_suppression(boxes[where], scores[where], NMS_IOU)]
        found[np.setdiff1d(where, kept)] = False
    return Faces(boxes, landmarks, scores), found


def measured_anew(faces: Faces, shown: Faces, found: npt.NDArray[np.bool_]) -> Faces:
    """Faces of the whole picture with the boxes and landmarks that their windows show, if they show them.

    So all frames of a video are measured alike. Whether a face may begin a number is for the whole picture to say.
    """
    sure = faces.scores >= START_SCORE
    scores = np.where(sure, np.maximum(shown.scores, START_SCORE), np.minimum(shown.scores, faces.scores))
    return Faces(
        np.where(found[:, None], shown.boxes_xyxy, faces.boxes_xyxy),
        np.where(found[:, None, None], shown.landmarks_xy, faces.landmarks_xy),
        np.where(found, scores, faces.scores).astype(np.float32),
    )


def aligned_as_in_film(frame_rgb: FrameRGB, faces: Faces, detector: Detector) -> Faces:
    """Faces of a whole picture, measured as every frame of a film is: what a network learns from is laid out like that.

    Landmarks of a window differ from those of a whole picture by more than chance (docs/model-log.md).

    Args:
        frame_rgb: (H, W, 3).
        faces: what the detector found in it.
        detector: if it does not look into windows, nothing changes.
    """
    if not len(faces) or not isinstance(detector, WindowDetector):
        return faces
    looks = [(frame_rgb, windows_about(faces.boxes_xyxy), faces.boxes_xyxy)]
    ((shown, found),) = find_in_windows(looks, detector)
    return measured_anew(faces, shown, found)


@dataclass(frozen=True)
class Cut:
    """A window that was cut out of a frame.

    Attributes:
        picture_rgb: (S, S, 3) uint8.
        left_px, top_px: where its corner lies in the frame.
        px: how many pixels of the frame one of its pixels is.
    """

    picture_rgb: npt.NDArray[np.uint8]
    left_px: float
    top_px: float
    px: float

    def in_frame(self, faces: Faces) -> Faces:
        """Faces of the picture in pixels of the frame."""
        corner = np.array([self.left_px, self.top_px])
        return Faces(
            (faces.boxes_xyxy * self.px + np.tile(corner, 2)).astype(np.float32),
            (faces.landmarks_xy * self.px + corner).astype(np.float32),
            faces.scores,
        )


def cut_window(frame_rgb: FrameRGB, window: Sequence[float] | Windows, size_px: int) -> Cut:
    """Cut a window out of a frame (H, W, 3) and bring it to `size_px`; black where it reaches beyond the frame."""
    x, y, side = (float(value) for value in window)
    left, top = x - side / 2, y - side / 2
    first_x, first_y = int(np.floor(left)), int(np.floor(top))
    part = first_x, first_y, int(np.ceil(left + side)) + 1, int(np.ceil(top + side)) + 1
    box = (left - first_x, top - first_y, left - first_x + side, top - first_y + side)
    return Cut(resized(frame_rgb, part, box, (size_px, size_px), gap=2.0), left, top, side / size_px)
