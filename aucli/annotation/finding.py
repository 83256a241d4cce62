"""The stage that finds faces: frames in, frames with what was found in them out, in order.

By default the whole picture is searched a few times a second, and the frames between in windows around known faces
(`aucli.faces.search`). `detect_every` 1 searches every frame whole; larger, the frames between are not looked at here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from aucli.annotation.engine import Engine
from aucli.faces.appearance import Observation
from aucli.faces.search import LOOK_EVERY_FRAMES, LOOK_EVERY_S, FaceSearch, Sighting
from aucli.runtime.concurrency import map_ahead
from aucli.video.values import FrameBatch

RUN_BYTES: Final = 40 * 2**20
"""A run's frames take no more memory, unless a run would then be shorter than `FEWEST_FRAMES`."""
FEWEST_FRAMES: Final = 4


@dataclass(frozen=True)
class SeenFrame:
    """A decoded frame and, if it was looked at, what was found in it."""

    index: int
    time_s: float
    frame_rgb: Any
    seen: Observation | None


@dataclass(frozen=True)
class Run:
    """Frames in a row, the last of which is searched whole.

    Attributes:
        frames: at least one.
        starts_stretch: whether what lies before it must not matter.
        before: the last frame of the run before.
        last: this run's.
    """

    frames: Sequence[SeenFrame]
    starts_stretch: bool = False
    before: Sighting | None = None
    last: Sighting | None = None


def find_faces(batches: Iterable[FrameBatch], engine: Engine, *, stretch_frames: int) -> Iterator[SeenFrame]:
    """Find faces as the engine's options say.

    The first and the last frame of every full stretch are searched whole. A stretch therefore needs nothing of its
    neighbours but what `Memory` holds, and a run can be resumed at its end.
    """
    if engine.search is not None:
        return _find_in_windows(batches, engine, engine.search, stretch_frames)
    return _find_whole(batches, engine, stretch_frames)


def _find_in_windows(
    batches: Iterable[FrameBatch], engine: Engine, search: FaceSearch, stretch_frames: int
) -> Iterator[SeenFrame]:
    """Search the last frame of every run whole, then those before it, each run in a thread."""

    def look_at_last(run: Run) -> Run:
        return replace(run, last=search.search(run.frames[-1].frame_rgb))

    def placed() -> Iterator[Run]:
        before: Sighting | None = None
        # One run ahead is enough: a whole picture costs less than the frames before it.
        for run in map_ahead(engine.pool, look_at_last, cut_into_runs(batches, stretch_frames), ahead=1):
            assert run.last is not None
            before = None if run.starts_stretch else before
            last = run.last.after(before)
            yield replace(run, before=before, last=last)
            before = last

    def find(run: Run) -> deque[SeenFrame]:
        assert run.last is not None
        seen = search.search_run(run.before, [frame.frame_rgb for frame in run.frames[:-1]], run.last)
        return deque(replace(frame, seen=one) for frame, one in zip(run.frames, seen, strict=True))

    for frames in map_ahead(engine.pool, find, placed(), ahead=max(1, engine.workers - 1)):
        while frames:  # each is let go of when it is taken
            yield frames.popleft()


def frames_of_a_run(frame_rgb: Any) -> int:
    """How many frames a run has at most: fewer where frames are large, for whole runs lie in memory."""
    height, width = frame_rgb.shape[:2]
    return min(max(RUN_BYTES // (int(height) * int(width) * 3), FEWEST_FRAMES), LOOK_EVERY_FRAMES)


def cut_into_runs(batches: Iterable[FrameBatch], stretch_frames: int) -> Iterator[Run]:
    """Cut a film into runs whose last frames are searched whole; `LOOK_EVERY_S` and `frames_of_a_run` apart at most.

    The first frame of every stretch, and what follows a gap in time, is a run of its own.
    """
    run: list[SeenFrame] = []
    looked_s = float("-inf")
    position = 0
    for batch in batches:
        for i in range(len(batch.index)):
            frame = SeenFrame(int(batch.index[i]), float(batch.time_s[i]), batch.frames_rgb[i], None)
            if run and frame.time_s - looked_s > LOOK_EVERY_S + 1e-6:
                looked_s = run[-1].time_s
                yield Run(run)
                run = []
            run.append(frame)
            in_stretch = position % stretch_frames
            if in_stretch in (0, stretch_frames - 1) or len(run) >= frames_of_a_run(frame.frame_rgb):
                looked_s = frame.time_s
                yield Run(run, starts_stretch=in_stretch == 0)
                run = []
            position += 1
    if run:
        yield Run(run)


def _find_whole(batches: Iterable[FrameBatch], engine: Engine, stretch_frames: int) -> Iterator[SeenFrame]:
    """Search every N-th frame whole, and the first and last frame of every full stretch."""

    def numbered() -> Iterator[tuple[int, FrameBatch]]:
        position = 0
        for batch in batches:
            yield position, batch
            position += len(batch.index)

    def look_at(item: tuple[int, FrameBatch]) -> list[SeenFrame]:
        position, batch = item
        in_stretch = (position + np.arange(len(batch.index))) % stretch_frames
        chosen = np.flatnonzero((in_stretch % engine.detect_every == 0) | (in_stretch == stretch_frames - 1))
        frames: Any = batch.frames_rgb
        if len(chosen) < len(batch.index):
            frames = [frames[i] for i in chosen] if isinstance(frames, list) else frames[chosen]
        seen = dict(zip(chosen.tolist(), engine.look(frames), strict=True))
        return [
            SeenFrame(int(batch.index[i]), float(batch.time_s[i]), batch.frames_rgb[i], seen.get(i))
            for i in range(len(batch.index))
        ]

    for frames in map_ahead(engine.pool, look_at, numbered(), ahead=engine.workers):
        yield from frames
