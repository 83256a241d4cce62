"""Where each face's panel goes: beside its box, off the other faces, and where it was a moment ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.results.overlay.blur import Box
from aucli.results.overlay.film import FilmRows
from aucli.results.overlay.paint import AuReading, Painter

SMOOTH_S: Final = 0.3
"""Panels follow the mean place of their box over so much time before and after: text that trembles cannot be read."""
LINGER_S: Final = 1.0
"""How long an action unit stays in its panel, grey, after it was last present: rows that come and go cannot be read."""
MOST_HIDDEN: Final = 0.08
"""A panel may hide this share of another face, number or panel; else it shrinks, or is left out."""
MOST_OF_ITS_FACE: Final = 0.3
"""And this share of its own face: one that fills the picture leaves no other room."""
MOVING_COSTS: Final = 0.35
"""A panel changes its side only where the other one hides less by this."""


@dataclass(frozen=True)
class FaceReading:
    """What is shown of one face in one frame.

    Attributes:
        face: its number.
        box: where it is.
        anchor: the smoothed box, which its panel follows.
        readings: rows of its panel, in order of action units.
        left_out: whether it is not good enough to be read; it has no readings then.
    """

    face: int
    box: Box
    anchor: Box
    readings: tuple[AuReading, ...]
    left_out: bool = False


@dataclass(frozen=True)
class PlacedPanel:
    """A panel's place.

    Attributes:
        reading: of which face.
        x: left edge, px.
        y: top edge, px.
        bars: whether there was room for them.
    """

    reading: FaceReading
    x: int
    y: int
    bars: bool


class Readings:
    """Turns the rows of a film into what is shown of each face.

    Args:
        rows: of the film.
        au_columns: names of the action units.
        thresholds: (A,), probabilities from which they count as present.
    """

    def __init__(self, rows: FilmRows, au_columns: Sequence[str], thresholds: npt.NDArray[np.float64]) -> None:
        self._rows, self._au_columns = rows, au_columns
        self._threshold_percent = [round(100 * float(threshold)) for threshold in thresholds]
        self._percent = np.rint(100 * rows.probabilities).astype(np.int64)
        self._anchors = rows.boxes_xyxy.copy()
        self._listed = rows.present.copy()
        for face in rows.faces:
            its = np.flatnonzero(rows.face == face)
            self._anchors[its] = smoothed(rows.time_s[its], rows.boxes_xyxy[its])
            self._listed[its] = lingering(rows.time_s[its], rows.present[its])

    def of_row(self, row: int) -> FaceReading:
        """Return what is shown of the face in a row."""
        left_out = bool(self._rows.left_out[row])
        readings = tuple(
            AuReading(
                self._au_columns[a],
                int(self._percent[row, a]),
                self._threshold_percent[a],
                bool(self._rows.present[row, a]),
            )
            for a in ([] if left_out else np.flatnonzero(self._listed[row]).tolist())
        )
        box, anchor = _box(self._rows.boxes_xyxy[row]), _box(self._anchors[row])
        return FaceReading(int(self._rows.face[row]), box, anchor, readings, left_out)


def smoothed(time_s: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return for each time the mean box over `SMOOTH_S` before and after.

    Args:
        time_s: (K,), rising.
        boxes: (K, 4).
    """
    sums = np.concatenate([np.zeros((1, 4)), np.cumsum(boxes, axis=0)])
    begin = np.searchsorted(time_s, time_s - SMOOTH_S, side="left")
    end = np.searchsorted(time_s, time_s + SMOOTH_S, side="right")
    return np.asarray((sums[end] - sums[begin]) / (end - begin)[:, None])


def lingering(time_s: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return (K, A) whether each action unit is present, or was within the last `LINGER_S`."""
    last_s = np.maximum.accumulate(np.where(present, time_s[:, None], -np.inf), axis=0)
    return np.asarray(time_s[:, None] - last_s <= LINGER_S)


class PanelLayout:
    """Places the panels of one frame after the other.

    Args:
        painter: knows how large things are.
    """

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._side: dict[int, int] = {}

    def place(self, faces: Sequence[FaceReading], *, keep_off: Sequence[Box]) -> tuple[list[PlacedPanel], int]:
        """Find places, for the largest face first.

        Args:
            faces: those shown.
            keep_off: boxes of all faces in the frame, shown or not.

        Returns:
            The panels, and how many faces have none, or one without bars, for lack of room.
        """
        placed: list[PlacedPanel] = []
        taken = [self.tag_box(one) for one in faces]
        n_crowded = 0
        for face in sorted(faces, key=lambda one: -_area(one.box)):
            if not face.readings:
                continue
            others = [box for box in keep_off if box != face.box]
            panel = self._best(face, [*others, *taken], bars=True) or self._best(face, [*others, *taken], bars=False)
            n_crowded += panel is None or not panel.bars
            if panel is not None:
                placed.append(panel)
                w, h = self._painter.panel_size(len(face.readings), bars=panel.bars)
                taken.append((panel.x, panel.y, panel.x + w, panel.y + h))
        return placed, n_crowded

    def tag_box(self, face: FaceReading) -> Box:
        """Where a face's number is: on the box's upper left corner, above it where there is room."""
        w, h = self._painter.tag(face.face).size_wh
        x, y = max(round(face.box[0]), 0), round(face.box[1]) - h
        if y < 0:
            y = min(max(round(face.box[1]), 0), self._painter.height - h)
        return x, y, x + w, y + h

    def _best(self, face: FaceReading, taken: Sequence[Box], *, bars: bool) -> PlacedPanel | None:
        """The best place for a panel; None if it would hide too much, or be hidden."""
        w, h = self._painter.panel_size(len(face.readings), bars=bars)
        if w > self._painter.width or h > self._painter.height:
            return None
        best: tuple[float, int, int, int] | None = None
        for side, (x, y) in enumerate(self._candidates(face, w, h)):
            box = (x, y, x + w, y + h)
            hidden = [_overlap(box, other) / max(min(_area(other), w * h), 1.0) for other in taken]
            of_its_face = _overlap(box, face.box) / max(_area(face.box), 1.0)
            if max(hidden, default=0.0) > MOST_HIDDEN or of_its_face > MOST_OF_ITS_FACE:
                continue
            moved = MOVING_COSTS if self._side.get(face.face, side) != side else 0.0
            cost = sum(hidden) + 2 * of_its_face + moved + 0.01 * side
            if best is None or cost < best[0]:
                best = (cost, side, x, y)
        if best is None:
            return None
        self._side[face.face] = best[1]
        return PlacedPanel(face, best[2], best[3], bars)

    def _candidates(self, face: FaceReading, w: int, h: int) -> list[tuple[int, int]]:
        """Left top corners, within the frame, best first: right, left, below, above, each at both ends."""
        gap = self._painter.gap_px
        x0, y0, x1, y1 = (round(side) for side in face.anchor)
        above = min(y0, round(self.tag_box(face)[1])) - gap - h
        corners = [
            *((x1 + gap, y0), (x0 - gap - w, y0), (x1 + gap, y1 - h), (x0 - gap - w, y1 - h)),
            *((x0, y1 + gap), (x1 - w, y1 + gap), (x0, above), (x1 - w, above)),
        ]
        right, bottom = self._painter.width - w, self._painter.height - h
        return [(min(max(x, 0), right), min(max(y, 0), bottom)) for x, y in corners]


def _box(values: npt.NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = values.tolist()
    return x0, y0, x1, y1


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _overlap(one: Box, other: Box) -> float:
    """Square pixels that two boxes have in common."""
    return _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))
