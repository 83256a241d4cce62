"""Runs of frames between whole pictures, and faces found in them: the same however frames arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.annotation.engine import Engine
from aucli.annotation.finding import SeenFrame, cut_into_runs, find_faces, frames_of_a_run
from aucli.annotation.options import AnnotateOptions
from aucli.faces.search import LOOK_EVERY_FRAMES, LOOK_EVERY_S
from aucli.video.values import FrameBatch

STRETCH = 20
Frames = npt.NDArray[Any]


def _batches(frames: Frames, time_s: Sequence[float], sizes: Sequence[int]) -> Iterator[FrameBatch]:
    first, n = 0, 0
    while first < len(frames):
        end = first + sizes[n % len(sizes)]
        index = np.arange(first, min(end, len(frames)), dtype=np.int32)
        yield FrameBatch(index, np.array(time_s[first:end], np.float64), frames[first:end])
        first, n = end, n + 1


def _runs(time_s: Sequence[float], sizes: Sequence[int]) -> list[tuple[list[int], bool]]:
    frames = np.zeros((len(time_s), 2, 2, 3), np.uint8)
    runs = cut_into_runs(_batches(frames, time_s, sizes), STRETCH)
    return [([frame.index for frame in run.frames], run.starts_stretch) for run in runs]


def test_no_frames_no_runs() -> None:
    assert _runs([], [8]) == []


@pytest.mark.parametrize(("width", "height", "most"), [(2, 2, 8), (1280, 720, 8), (1920, 1080, 6), (3840, 2160, 4)])
def test_runs_of_large_frames_are_short(width: int, height: int, most: int) -> None:
    assert frames_of_a_run(np.broadcast_to(np.uint8(0), (height, width, 3))) == most


steps = st.lists(st.sampled_from([0.0, 1 / 60, 0.04, 0.1, 0.2, 0.34, 5.0]), max_size=60)


@given(steps, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_runs_keep_order_and_bounds_whatever_the_batches(steps_s: list[float], sizes: list[int]) -> None:
    time_s = np.cumsum(steps_s).tolist()
    runs = _runs(time_s, sizes)
    assert [index for run, _ in runs for index in run] == list(range(len(time_s)))
    assert runs == _runs(time_s, [1])
    assert [run[0] for run, starts in runs if starts] == list(range(0, len(time_s), STRETCH))
    for (before, _), (run, starts) in pairwise(runs):
        assert len(run) <= LOOK_EVERY_FRAMES
        assert starts == (run[0] % STRETCH == 0)
        assert not starts or len(run) == 1
        assert len(run) == 1 or time_s[run[-1]] - time_s[before[-1]] <= LOOK_EVERY_S + 1e-6
        assert run[-1] // STRETCH == run[0] // STRETCH


@pytest.fixture(scope="module")
def clip(example: Path) -> Frames:
    """Frames of the rendered clip: one person, who is gone for a while."""
    with av.open(str(example)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 26)]
    pictures = np.stack(frames)[:, :, :320]
    pictures[11:14] = 100
    return pictures


def _find(frames: Frames, sizes: Sequence[int], workers: int, first: int = 0) -> list[SeenFrame]:
    time_s = [n / 25 for n in range(first, first + len(frames))]
    with Engine(AnnotateOptions(device="cpu", workers=workers)) as engine:
        assert engine.face_search == "windows"
        return list(find_faces(_batches(frames, time_s, sizes), engine, stretch_frames=STRETCH))


def _values(found: Sequence[SeenFrame]) -> list[tuple[bytes, ...]]:
    seen = [frame.seen for frame in found if frame.seen is not None]
    assert len(seen) == len(found)
    return [
        (one.faces.boxes_xyxy.tobytes(), one.faces.landmarks_xy.tobytes(), one.faces.scores.tobytes()) for one in seen
    ]


def test_batches_threads_and_an_earlier_stretch_change_no_value(clip: Frames) -> None:
    one = _find(clip, [1], workers=1)
    assert [len(frame.seen.faces) for frame in one if frame.seen] == [0 if 11 <= n <= 13 else 1 for n in range(26)]
    assert _values(_find(clip, [7, 3], workers=3)) == _values(one)
    assert _values(_find(clip[STRETCH:], [8], workers=2, first=STRETCH)) == _values(one)[STRETCH:]
