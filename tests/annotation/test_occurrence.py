"""Occurrence with a margin: what a slow obvious loop decides, the plain threshold where there is no past."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.annotation.occurrence import OccurrenceRule, shifted
from aucli.annotation.table import AnnotatedFrames
from aucli.faces.steadying import FORGET_S
from aucli.faces.tracking import TrackedFaces
from aucli.faces.values import Faces

LIMITS = (0.3, 0.6)
MARGIN = 0.4
seeds = st.integers(0, 2**32 - 1)


def _tracked(numbers: Sequence[int], shot: int = 0) -> TrackedFaces:
    n = len(numbers)
    faces = Faces(np.zeros((n, 4), np.float32), np.zeros((n, 5, 2), np.float32), np.ones(n, np.float32))
    return TrackedFaces(faces, np.array(numbers, np.int32), np.ones(n, bool), shot)


def _film(seed: int, n: int = 40) -> AnnotatedFrames:
    """Up to three faces that come and go, probabilities near the thresholds, irregular times, a cut."""
    rng = np.random.default_rng(seed)
    times_s = np.cumsum(rng.choice([0.02, 0.04, 0.3, 0.7], n))
    numbers = [np.flatnonzero(rng.uniform(size=3) < 0.8).tolist() for _ in range(n)]
    tracked = [_tracked(seen, shot=int(k > n // 2)) for k, seen in enumerate(numbers)]
    logits = np.log(np.array(LIMITS) / (1 - np.array(LIMITS))) + rng.normal(0, 0.3, (sum(map(len, numbers)), 2))
    return _frames(times_s, tracked, (1 / (1 + np.exp(-logits))).astype(np.float32))


def _frames(
    times_s: npt.NDArray[np.float64], tracked: Sequence[TrackedFaces], probabilities: npt.NDArray[np.float32]
) -> AnnotatedFrames:
    quality = np.zeros(len(probabilities), np.float32)
    return AnnotatedFrames(np.arange(len(times_s), dtype=np.int32), times_s, tracked, probabilities, quality, quality)


def _part(frames: AnnotatedFrames, begin: int, end: int) -> AnnotatedFrames:
    counts = [len(tracked.faces) for tracked in frames.tracked]
    faces = slice(sum(counts[:begin]), sum(counts[:end]))
    return _frames(frames.time_s[begin:end], frames.tracked[begin:end], frames.probabilities[faces])


def _slow(frames: AnnotatedFrames, margin: float) -> list[list[bool]]:
    """Number by number, in the definition's words."""
    seen: dict[int, tuple[float, int, list[bool]]] = {}
    decided = []
    row = 0
    for time_s, tracked in zip(frames.time_s.tolist(), frames.tracked, strict=True):
        for number in tracked.tracks.tolist():
            when, shot, was = seen.get(number, (-math.inf, -1, []))
            now = []
            for au, limit in enumerate(LIMITS):
                p = float(frames.probabilities[row, au])
                needed = math.log(limit / (1 - limit))
                if shot == tracked.shot and time_s - when <= FORGET_S:
                    needed += -margin / 2 if was[au] else margin / 2
                now.append(math.log(p / (1 - p)) >= needed)
            seen[number] = (time_s, tracked.shot, now)
            decided.append(now)
            row += 1
    return decided


def test_no_frames_and_no_faces() -> None:
    occurrence = OccurrenceRule(LIMITS, MARGIN)
    nothing = np.zeros((0, 2), np.float32)
    assert occurrence.decide(_frames(np.zeros(0), [], nothing)).shape == (0, 2)
    assert occurrence.decide(_frames(np.arange(2.0), [_tracked([])] * 2, nothing)).shape == (0, 2)


@settings(deadline=None, max_examples=50)
@given(seeds, st.sampled_from([0.0, 0.1, 0.4, 2.0]))
def test_it_decides_what_a_slow_loop_does(seed: int, margin: float) -> None:
    frames = _film(seed)
    assert OccurrenceRule(LIMITS, margin).decide(frames).tolist() == _slow(frames, margin)


@settings(deadline=None, max_examples=30)
@given(seeds, st.lists(st.integers(0, 40), max_size=4))
def test_batches_and_breaks_change_nothing(seed: int, at: list[int]) -> None:
    frames = _film(seed)
    whole = OccurrenceRule(LIMITS, MARGIN)
    expected = whole.decide(frames)
    found, occurrence = [], OccurrenceRule(LIMITS, MARGIN)
    for begin, end in pairwise([0, *sorted(at), len(frames.index)]):
        found.append(occurrence.decide(_part(frames, begin, end)))
        state = json.loads(json.dumps(occurrence.state()))
        occurrence = OccurrenceRule(LIMITS, MARGIN)
        occurrence.restore(state)
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert occurrence.state() == whole.state()


def _single(p: Sequence[float], fps: float = 25.0, margin: float = MARGIN) -> list[bool]:
    """One face, one AU with threshold 0.5."""
    occurrence = OccurrenceRule([0.5], margin)
    return [
        bool(occurrence.update(_tracked([0]), k / fps, np.array([[value]], np.float32))[0, 0])
        for k, value in enumerate(p)
    ]


def test_the_threshold_itself_counts_as_present() -> None:
    for limit in (0.5, 0.2669, 0.7529):
        p = np.array([[limit]], np.float32)
        below = np.nextafter(p, np.float32(0))
        for margin in (0.0, MARGIN):
            assert OccurrenceRule([limit], margin).update(_tracked([0]), 0.0, p).all()
            assert not OccurrenceRule([limit], margin).update(_tracked([0]), 0.0, below).any()


def test_it_begins_above_and_ends_below() -> None:
    #                0.2 logits from 0.5 are 0.45 and 0.55
    assert _single([0.52, 0.48, 0.46, 0.44, 0.52, 0.54, 0.56, 0.48]) == [1, 1, 1, 0, 0, 0, 1, 1]


def test_without_a_margin_the_threshold_alone_decides() -> None:
    assert _single([0.52, 0.48, 0.52, 0.5], margin=0.0) == [1, 0, 1, 1]


def test_frames_far_apart_are_judged_alone() -> None:
    assert _single([0.52, 0.48, 0.52, 0.48], fps=1.0) == [1, 0, 1, 0]


@pytest.mark.parametrize("how", ["cut", "gap", "another person"])
def test_it_begins_anew(how: str) -> None:
    occurrence = OccurrenceRule([0.5], MARGIN)
    assert occurrence.update(_tracked([0]), 0.0, np.array([[0.6]], np.float32)).all()
    shot, number, time_s = int(how == "cut"), int(how == "another person"), 0.04 + FORGET_S * (how == "gap")
    assert not occurrence.update(_tracked([number], shot), time_s, np.array([[0.48]], np.float32)).any()


def test_a_face_missed_for_a_moment_goes_on() -> None:
    occurrence = OccurrenceRule([0.5], MARGIN)
    occurrence.update(_tracked([0]), 0.0, np.array([[0.6]], np.float32))
    occurrence.update(_tracked([]), 0.04, np.zeros((0, 1), np.float32))
    assert occurrence.update(_tracked([0]), 0.08, np.array([[0.48]], np.float32)).all()


def test_probabilities_move_by_logits() -> None:
    p = np.array([0.1, 0.5, 0.9], np.float32)
    moved = shifted(p, 0.7).astype(np.float64)
    np.testing.assert_allclose(np.log(moved / (1 - moved)), np.log(p / (1 - p)) + 0.7, atol=1e-5)
    assert shifted(p, 0.0) is p
