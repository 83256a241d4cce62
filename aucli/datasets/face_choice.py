"""Which of several faces in a picture is the one whose labels are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import Side
from aucli.datasets.readers.published_counts import TOLERANCE
from aucli.datasets.report import Findings, number_ranges
from aucli.faces.values import START_SCORE, Faces, intersection_over_union

RIVAL_AREA: Final = 0.5
"""Another face with this share of the largest one's area makes the choice between them doubtful."""

SAME_FACE_IOU: Final = 0.3
"""Boxes of one face in frames that follow each other overlap by at least this."""


class FaceChoice:
    """Chooses the face of the person who is coded, frame after frame of one sequence, and counts what was doubtful.

    The largest face is taken; of faces of similar size, the one that continues the face of the frame before. A face
    that the detector doubts is taken only where it continues a face. Where the data set's owners code two people of one
    video (Aff-Wild2), the leftmost or rightmost of the two largest faces is taken, as seen in the picture; where one
    face alone is seen, it must continue the person's face.

    Args:
        side: which of two people is coded; None where there is one.
    """

    def __init__(self, side: Side | None = None) -> None:
        self._side = side
        self._last_xyxy: npt.NDArray[np.float32] | None = None
        self._doubts: dict[str, list[int]] = {"without_face": [], "several_faces": [], "low_score": []}

    def choose(self, frame: int, faces: Faces) -> int | None:
        """Which of the faces it is; None if the person's face is not there.

        Args:
            frame: number of the frame, for the counts.
            faces: all that the detector found, best first.
        """
        continues = np.zeros(len(faces), np.bool_)
        if self._last_xyxy is not None and len(faces):
            continues = intersection_over_union(faces.boxes_xyxy, self._last_xyxy[None])[:, 0] >= SAME_FACE_IOU
        candidates = np.flatnonzero((faces.scores >= START_SCORE) | continues)
        choice = self._among(candidates, faces, continues)
        if choice is None:
            self._doubts["without_face"].append(frame)
            return None
        if faces.scores[choice] < START_SCORE:
            self._doubts["low_score"].append(frame)
        areas = _areas(faces)
        rivals = [i for i in candidates if i != choice and areas[i] >= RIVAL_AREA * areas[choice]]
        if rivals and self._side is None:
            self._doubts["several_faces"].append(frame)
        self._last_xyxy = faces.boxes_xyxy[choice]
        return choice

    def _among(self, candidates: npt.NDArray[np.intp], faces: Faces, continues: npt.NDArray[np.bool_]) -> int | None:
        if not len(candidates):
            return None
        areas = _areas(faces)
        by_size = candidates[np.argsort(-areas[candidates], kind="stable")]
        if self._side is not None:
            if len(by_size) == 1:
                return int(by_size[0]) if continues[by_size[0]] else None
            centres_x = faces.boxes_xyxy[by_size[:2], ::2].sum(axis=1)
            return int(by_size[int(np.argmin(centres_x) if self._side == "left" else np.argmax(centres_x))])
        similar = by_size[areas[by_size] >= RIVAL_AREA * areas[by_size[0]]]
        return int(next((i for i in similar if continues[i]), by_size[0]))

    def counts(self) -> dict[str, int]:
        """How many frames were doubtful, by kind."""
        return {kind: len(frames) for kind, frames in self._doubts.items()}

    def report(self, findings: Findings, name: str, n_frames: int) -> None:
        """Report what was doubtful; a warning where no face, or several, were in more than a tenth of the frames."""

        def say(key: str) -> Callable[..., None]:
            return findings.warn if len(self._doubts[key]) > TOLERANCE * n_frames else findings.note

        what = "no face found" if self._side is None else "the person's face is not found"
        for add, kind, key in (
            (say("without_face"), what, "without_face"),
            (say("several_faces"), "several faces, one taken", "several_faces"),
            (findings.note, "face that the detector doubts", "low_score"),
        ):
            frames = np.array(self._doubts[key], np.int64)
            add(kind, "dropped" if key == "without_face" else "kept", len(frames), "frame", name,
                f"frames {number_ranges(frames)}")  # fmt: skip


def _areas(faces: Faces) -> npt.NDArray[np.float32]:
    sides = np.maximum(faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2], 0)
    return np.asarray(sides.prod(axis=1))
