"""Where the faces of a film are: whole pictures now and then, and between two of them windows around known faces.

Two frames are searched whole. Where both show the same faces, each frame between is looked at only in windows that move
from where a face was to where it will be (`aucli.faces.windows`); so every frame's box and landmarks come from its own
pixels, and frames need nothing of each other: values don't depend on batches, order or threads. A frame between is
searched whole if it doesn't show every face there, distinct from the others, or if much of it looks like neither of the
two. Where the two frames do not agree (somebody came or went, a cut, a jump), the frame in the middle is searched whole
and both halves are asked the same: whoever comes or goes is found on the frame of coming or going.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from aucli.faces.appearance import Observation, described
from aucli.faces.scenes import SceneThumbnail, describe_scene, same_scene, unlike_cells
from aucli.faces.tracking import best_pairs
from aucli.faces.values import START_SCORE, Faces, WindowDetector, centres_and_sizes, working_scale
from aucli.faces.windows import Windows, find_in_windows, measured_anew, place_windows, windows_about
from aucli.video.yuv import FrameRGB

LOOK_EVERY_S: Final = 1 / 3
"""Whole pictures are searched at least this often: nobody is overlooked for longer..."""
LOOK_EVERY_FRAMES: Final = 8
"""...and on every frame of this number: rarer would save little, for frames wait in memory for the next search."""
MOVED_SIZES: Final = 1.0
"""A face that moved by more than this, in sizes of its box, between two searches is not taken for the same..."""
GROWN_LOG: Final = 0.4
"""...nor one that grew or shrank by more than this (logarithm)."""
MOST_NEW_CELLS: Final = 0.25
"""A frame is searched whole if more than this share of it looks like neither of the two frames around it."""
WINDOW_COST: Final = 1.6
"""What a window costs, pixel for pixel, when a whole picture costs 1 (measured, 640 x 360 and 1280 x 720)."""


@dataclass(frozen=True)
class Sighting:
    """A frame that was searched whole.

    Attributes:
        frame_rgb: (H, W, 3) uint8.
        faces: what the detector found in the whole picture.
        windows: (F, 3), in which each face is measured.
    """

    frame_rgb: FrameRGB
    faces: Faces
    windows: Windows

    @property
    def boxes_xyxy(self) -> npt.NDArray[np.float32]:
        """(F, 4) of its faces."""
        return self.faces.boxes_xyxy

    @cached_property
    def scene(self) -> SceneThumbnail:
        """What the frame shows."""
        return describe_scene(self.frame_rgb, self.faces)

    def after(self, before: Sighting | None) -> Sighting:
        """With the windows that an earlier frame has, where faces hardly moved."""
        if before is None or not same_size(before.frame_rgb, self.frame_rgb):
            return self
        return replace(self, windows=place_windows(self.faces.boxes_xyxy, before.windows))


class FaceSearch:
    """Searches frames with a detector that finds single faces in windows. Safe to use in several threads at once.

    Args:
        detector: which finds faces.
        min_face_px: smallest width of a face that must be found; None chooses by the frame's size.
    """

    def __init__(self, detector: WindowDetector, *, min_face_px: int | None = None) -> None:
        self._detector = detector
        self._min_face_px = min_face_px

    def search(self, frame_rgb: FrameRGB) -> Sighting:
        """Search a whole frame (H, W, 3)."""
        (faces,) = self._detector.detect([frame_rgb], min_face_px=self._min_face_px)
        return Sighting(frame_rgb, faces, windows_about(faces.boxes_xyxy))

    def _search_instead(self, frame_rgb: FrameRGB, expected: Expected | Sighting) -> Sighting:
        """Search a whole frame that does not show what was expected."""
        there = self.search(frame_rgb)
        return replace(there, windows=place_windows(there.boxes_xyxy, expected.windows))

    def search_run(self, before: Sighting | None, between_rgb: Sequence[FrameRGB], last: Sighting) -> list[Observation]:
        """Find the faces of frames in a row.

        Args:
            before: the frame before them, searched whole; None if there is nothing between.
            between_rgb: the frames before the last, in order.
            last: the last of them, searched whole.

        Returns:
            What was found in each of the frames between, and in the last.
        """
        frames = [*between_rgb, last.frame_rgb]
        if self._is_crowd(before, last):
            whole = [*(self.search(frame_rgb) for frame_rgb in between_rgb), last]
            return [described(one.frame_rgb, one.faces) for one in whole]
        looks: list[Expected | Sighting] = [*(self._plan(before, between_rgb, last) if before else ()), last]
        found = self._look(frames, looks)
        again = [place for place, one in enumerate(found) if one is None]
        instead = [self._search_instead(frames[place], looks[place]) for place in again]
        for place, one in zip(again, self._look([frames[place] for place in again], instead), strict=True):
            found[place] = one
        return [described(frame, one) for frame, one in zip(frames, found, strict=True) if one is not None]

    def _is_crowd(self, before: Sighting | None, last: Sighting) -> bool:
        """Whether there are so many faces that whole pictures cost less than their windows."""
        height, width = last.frame_rgb.shape[:2]
        whole_px = width * height * working_scale(width, height, self._min_face_px) ** 2
        n_faces = max(len(last.faces), len(before.faces) if before else 0)
        return bool(n_faces * WINDOW_COST * self._detector.window_px**2 > whole_px)

    def _plan(self, before: Sighting, between_rgb: Sequence[FrameRGB], after: Sighting) -> list[Expected | Sighting]:
        """Where to look in each frame between two that were searched whole; frames that tell it are searched whole."""
        n = len(between_rgb)
        if not n:
            return []
        ends = _same_faces(before, after)
        if ends is None:
            middle = n // 2
            there = self.search(between_rgb[middle]).after(before)
            first = self._plan(before, between_rgb[:middle], there)
            return [*first, there, *self._plan(there, between_rgb[middle + 1 :], after)]
        plan: list[Expected | Sighting] = []
        for place, frame_rgb in enumerate(between_rgb):
            expected = ends[0].towards(ends[1], (place + 1) / (n + 1))
            alike = _shows_what_is_around(frame_rgb, before, after)
            plan.append(expected if alike else self._search_instead(frame_rgb, expected))
        return plan

    def _look(self, frames_rgb: Sequence[FrameRGB], looks: Sequence[Expected | Sighting]) -> list[Faces | None]:
        """Look into the windows of frames; None for a frame that does not show every needed face in them."""
        results: list[Faces | None] = []
        windows = [(frame, look.windows, look.boxes_xyxy) for frame, look in zip(frames_rgb, looks, strict=True)]
        for look, (shown, found) in zip(looks, find_in_windows(windows, self._detector), strict=True):
            if isinstance(look, Sighting):
                results.append(measured_anew(look.faces, shown, found))
            elif found[look.needed].all():
                scores = np.minimum(shown.scores, look.most)
                seen = replace(shown, scores=scores.astype(np.float32))[found]
                results.append(seen[np.argsort(-seen.scores, kind="stable")])
            else:
                results.append(None)
        return results


@dataclass(frozen=True)
class Expected:
    """The F faces that a frame should show.

    Attributes:
        boxes_xyxy: (F, 4) where.
        windows: (F, 3) in which they are looked for.
        needed: (F,) bool: shown by both frames around it, so that it is overlooked if a window does not show it.
        most: (F,) what a face's score may be: a doubtful face goes on being one, for who may begin a number is for
            whole pictures to say.
    """

    boxes_xyxy: npt.NDArray[np.float64]
    windows: Windows
    needed: npt.NDArray[np.bool_]
    most: npt.NDArray[np.float32]

    @classmethod
    def of(cls, chosen: Sequence[tuple[Sighting, int]], other_scores: Sequence[float], n_needed: int) -> Self:
        """Where faces are in a frame that was searched whole, what their scores are in another, and how many, the
        first of them, both show."""
        boxes = np.array([one.faces.boxes_xyxy[i] for one, i in chosen], np.float64).reshape(-1, 4)
        windows = np.array([one.windows[i] for one, i in chosen], np.float64).reshape(-1, 3)
        scores = np.array([one.faces.scores[i] for one, i in chosen], np.float32)
        doubtful = np.maximum(scores, np.array(other_scores, np.float32))
        most = np.where(scores >= START_SCORE, np.float32(1), doubtful)
        return cls(boxes, windows, np.arange(len(chosen)) < n_needed, most)

    def towards(self, end: Expected, share: float) -> Expected:
        """On the way to where the same faces are later."""
        boxes = self.boxes_xyxy + share * (end.boxes_xyxy - self.boxes_xyxy)
        return replace(self, boxes_xyxy=boxes, windows=self.windows + share * (end.windows - self.windows))


def _shows_what_is_around(frame_rgb: FrameRGB, before: Sighting, after: Sighting) -> bool:
    """Whether a frame looks like the two around it, or like one of them."""
    if not same_size(frame_rgb, before.frame_rgb):
        return False
    scene = describe_scene(frame_rgb, before.faces)
    new = unlike_cells(before.scene, scene) & unlike_cells(after.scene, scene)
    return bool(new.mean() <= MOST_NEW_CELLS)


def same_size(a_rgb: Any, b_rgb: Any) -> bool:
    """Whether two frames have as many pixels across and down."""
    return bool(a_rgb.shape == b_rgb.shape)


def _same_faces(before: Sighting, after: Sighting) -> tuple[Expected, Expected] | None:
    """The faces of two frames, paired; None if they don't show the same.

    A doubtful face that only one of them shows is taken to be in its place in both.
    """
    if not same_size(before.frame_rgb, after.frame_rgb) or not same_scene(before.scene, after.scene):
        return None
    a, b = before.faces, after.faces
    pairs = best_pairs(_alike(a, b))
    sure_a, sure_b = a.scores >= START_SCORE, b.scores >= START_SCORE
    if any(sure_a[i] != sure_b[j] for i, j in pairs):
        return None
    alone_a = sorted(set(range(len(a))) - {i for i, _ in pairs})
    alone_b = sorted(set(range(len(b))) - {j for _, j in pairs})
    if sure_a[alone_a].any() or sure_b[alone_b].any():
        return None
    of_both = [(before, i, after, j) for i, j in pairs]
    of_both += [(before, i, before, i) for i in alone_a] + [(after, j, after, j) for j in alone_b]
    start, end = [(one, i) for one, i, _, _ in of_both], [(one, j) for _, _, one, j in of_both]
    scores_at_start, scores_at_end = ([float(one.faces.scores[i]) for one, i in ends] for ends in (start, end))
    n = len(pairs)
    return Expected.of(start, scores_at_end, n), Expected.of(end, scores_at_start, n)


def _alike(a: Faces, b: Faces) -> npt.NDArray[np.float64]:
    """(N, M): the nearer and the more alike in size, the higher; not above 0 for what cannot be one face."""
    (middle_a, size_a), (middle_b, size_b) = (centres_and_sizes(faces.boxes_xyxy) for faces in (a, b))
    apart = np.linalg.norm(middle_a[:, None] - middle_b[None], axis=2) / np.maximum(size_a[:, None], size_b[None])
    grown = np.abs(np.log(size_a[:, None] / size_b[None]))
    return np.where((apart <= MOVED_SIZES) & (grown <= GROWN_LOG), 2.0 - apart - grown, -np.inf)
