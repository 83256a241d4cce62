"""The stages between decoded frames and rows: follow faces (`finding` finds them), hold crops, read action units.

Each stage is a generator over the one before, so frames flow through one by one; the heavy work of each runs ahead in
the engine's threads, and results come out in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.annotation.engine import Engine
from aucli.annotation.finding import SeenFrame
from aucli.annotation.table import AnnotatedFrames
from aucli.faces.appearance import describe, same_person_scores
from aucli.faces.scenes import describe_scene, unlike_cells
from aucli.faces.steadying import SteadyLandmarks
from aucli.faces.tracking import SCORE_ANYWHERE, TrackedFaces, Tracker, interpolate
from aucli.faces.values import START_SCORE
from aucli.runtime.concurrency import map_ahead

FACES_PER_TASK: Final = 8
"""Faces read in one task on the CPU: small enough to keep all threads busy."""
JUMP_SIZES: Final = 0.2
"""A face that moved or grew by more than this share of its size between two detections is detected, not carried."""
NEW_CELLS: Final = 0.04
"""Nor are faces carried to a frame of which more than this share looks like neither of the two detections' frames."""


@dataclass(frozen=True)
class FollowedFrame:
    """A frame whose faces have the numbers of their people."""

    index: int
    time_s: float
    frame_rgb: Any
    tracked: TrackedFaces


@dataclass(frozen=True)
class AlignedFrame:
    """A frame with the landmarks that its faces are cut out by: (F, 5, 2) pixels."""

    followed: FollowedFrame
    crop_landmarks_xy: npt.NDArray[np.float32]


def follow(frames: Iterable[SeenFrame], tracker: Tracker, engine: Engine) -> Iterator[FollowedFrame]:
    """Number the faces, and carry them to the frames that were not looked at.

    Between two detections that show the same people, hardly moved, boxes and landmarks are interpolated, if every frame
    between shows these faces there and nothing new beside them. Else the frames between are looked at after all.
    """
    before: FollowedFrame | None = None
    waiting: list[SeenFrame] = []

    def close_gap(frame: SeenFrame) -> Iterator[FollowedFrame]:
        nonlocal before
        assert frame.seen is not None
        carried = _carry(before, waiting, frame, tracker) if before is not None else None
        if carried is None:
            found = engine.pool.map(lambda skipped: engine.look_at(skipped.frame_rgb), waiting)
            for skipped, seen in zip(waiting, found, strict=True):
                yield _followed(skipped, tracker.update(seen, skipped.time_s))
        else:
            yield from carried
        waiting.clear()
        before = _followed(frame, tracker.update(frame.seen, frame.time_s))
        yield before

    for frame in frames:
        if frame.seen is None:
            waiting.append(frame)
        else:
            yield from close_gap(frame)
    if waiting:
        last = waiting.pop()
        seen = engine.look_at(last.frame_rgb)
        yield from close_gap(SeenFrame(last.index, last.time_s, last.frame_rgb, seen))


def _followed(frame: SeenFrame, tracked: TrackedFaces) -> FollowedFrame:
    return FollowedFrame(frame.index, frame.time_s, frame.frame_rgb, tracked)


def _carry(
    before: FollowedFrame, skipped: Sequence[SeenFrame], after: SeenFrame, tracker: Tracker
) -> list[FollowedFrame] | None:
    """The frames between two detections with the faces that both have; None if they must be looked at.

    Args:
        before: the earlier one, the last that the tracker knows.
        skipped: what lies between.
        after: the later one, not yet known to the tracker.
        tracker: is asked and not changed.
    """
    if not skipped:
        return []
    seen = after.seen
    assert seen is not None
    if any(frame.frame_rgb.shape != before.frame_rgb.shape for frame in (*skipped, after)):
        return None
    continued = tracker.match(seen, after.time_s)
    numbers = before.tracked.tracks.tolist()
    newcomers = int((seen.faces.scores >= START_SCORE).sum()) - len(continued)
    if set(continued) != set(numbers) or newcomers > 0:
        return None
    faces = seen.faces[[continued[number] for number in numbers]]
    boxes = before.tracked.faces.boxes_xyxy
    sizes = np.sqrt(np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-6))
    if (np.abs(faces.boxes_xyxy - boxes).max(axis=1, initial=0.0) > JUMP_SIZES * sizes).any():
        return None
    ends = [
        (describe(frame.frame_rgb, found).features, describe_scene(frame.frame_rgb, found))
        for frame, found in ((before, before.tracked.faces), (after, faces))
    ]
    carried = []
    for frame in skipped:
        share = (frame.time_s - before.time_s) / max(after.time_s - before.time_s, 1e-9)
        between = interpolate(
            before.tracked, TrackedFaces(faces, before.tracked.tracks, before.tracked.detected), share
        )
        here = describe(frame.frame_rgb, between.faces).features
        scene = describe_scene(frame.frame_rgb, between.faces)
        alike = np.max([np.diagonal(same_person_scores(end, here)[..., 0]) for end, _ in ends], axis=0)
        new_cells = np.logical_and(*(unlike_cells(end, scene) for _, end in ends))
        if (alike < SCORE_ANYWHERE).any() or new_cells.mean() > NEW_CELLS:
            return None
        carried.append(_followed(frame, between))
    return carried


@dataclass(frozen=True)
class CutFrame:
    """What is left of a frame once its faces are cut out: their crops, as the predictor takes them."""

    index: int
    time_s: float
    tracked: TrackedFaces
    crops: Any


def align(frames: Iterable[FollowedFrame], steady: SteadyLandmarks) -> Iterator[AlignedFrame]:
    """Hold the landmarks that crops are cut by steady; those of the table stay what was measured."""
    for frame in frames:
        yield AlignedFrame(frame, steady.update(frame.frame_rgb, frame.tracked, frame.time_s))


def read_action_units(frames: Iterable[AlignedFrame], engine: Engine) -> Iterator[AnnotatedFrames]:
    """Give every face its probabilities."""

    def cut(aligned: AlignedFrame) -> CutFrame:
        frame = aligned.followed
        crops = engine.predictor.cut(frame.frame_rgb, aligned.crop_landmarks_xy)
        return CutFrame(frame.index, frame.time_s, frame.tracked, crops)

    def read(group: Sequence[CutFrame]) -> AnnotatedFrames:
        readings = engine.predictor.read([frame.crops for frame in group])
        return AnnotatedFrames(
            np.array([frame.index for frame in group], np.int32),
            np.array([frame.time_s for frame in group], np.float64),
            [frame.tracked for frame in group],
            readings.probabilities,
            readings.sharpness,
            readings.brightness,
        )

    # Crops wait for the network, not frames: those are large.
    crops = map_ahead(engine.pool, cut, frames, ahead=engine.workers)
    yield from map_ahead(engine.pool, read, _grouped(crops), ahead=engine.workers)


def _grouped(frames: Iterable[CutFrame]) -> Iterator[list[CutFrame]]:
    """Gather frames until they hold enough faces, or are many."""
    group: list[CutFrame] = []
    n_faces = 0
    for frame in frames:
        group.append(frame)
        n_faces += len(frame.crops)
        if n_faces >= FACES_PER_TASK or len(group) >= 2 * FACES_PER_TASK:
            yield group
            group, n_faces = [], 0
    if group:
        yield group


class Stretches:
    """Cuts a stream into stretches of a fixed number of items; `is_last` tells when the stream has ended."""

    def __init__(self, items: Iterator[SeenFrame], length: int) -> None:
        self._items = items
        self._length = length
        self._next = next(items, None)

    @property
    def is_last(self) -> bool:
        """Whether the stretch just taken was the last."""
        return self._next is None

    def take(self) -> Iterator[SeenFrame]:
        """Yield the next stretch, item by item."""
        for _ in range(self._length):
            if self._next is None:
                return
            item, self._next = self._next, next(self._items, None)
            yield item
