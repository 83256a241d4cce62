from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.human_codes.names import MISSING, PRESENT
from aucli.human_codes.occurrence import ROUNDING_S, intensities, occurrence
from aucli.human_codes.values import ONE_SIDED, CodedIntervals, CodeOptions

# Begin, length, state and grade; 0 stands for no grade.
Drawn = tuple[int, int, int, int]
drawn = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(0, 2000), st.sampled_from([1, 0, -1, 2]), st.integers(0, 5)), max_size=8
)


def coded(intervals: list[Drawn], unit_s: float = 0.001, unit: str = "s") -> CodedIntervals:
    rows = np.array(intervals, np.float64).reshape(len(intervals), 4)
    onset, offset = rows[:, 0] * unit_s, (rows[:, 0] + rows[:, 1]) * unit_s
    return CodedIntervals(
        Path("x"), None, None, np.full(len(rows), 12, np.int32), onset, offset, unit,  # type: ignore[arg-type]
        rows[:, 2].astype(np.int8), np.where(rows[:, 3] == 0, np.nan, rows[:, 3]), (12,),
    )  # fmt: skip


def slow_label(covering: list[tuple[int, float]], options: CodeOptions) -> int:
    """One frame, from the states and grades of the intervals that cover it."""
    if any(state == MISSING for state, _ in covering):
        return MISSING
    strong = [state for state, grade in covering if np.isnan(grade) or grade >= options.min_intensity]
    if PRESENT in strong or (ONE_SIDED in strong and options.one_sided == "count"):
        return PRESENT
    return MISSING if ONE_SIDED in strong else 0


def slow_intensity(covering: list[tuple[int, float]], options: CodeOptions) -> float:
    if any(state == MISSING for state, _ in covering):
        return np.nan
    states = (PRESENT, ONE_SIDED) if options.one_sided == "count" else (PRESENT,)
    grades = [grade for state, grade in covering if state in states]
    known = [grade for grade in grades if not np.isnan(grade)]
    if known:
        return max(known)
    return np.nan if grades or any(state == ONE_SIDED for state, _ in covering) else 0.0


@settings(max_examples=40, deadline=None)
@given(
    spans=drawn,
    fps=st.sampled_from([12.5, 25.0, 29.97, 60.0]),
    min_intensity=st.integers(1, 5),
    one_sided=st.sampled_from(["leave_out", "count"]),
)
def test_every_frame_is_looked_at(spans: list[Drawn], fps: float, min_intensity: int, one_sided: str) -> None:
    codes = coded(spans)
    options = CodeOptions(min_intensity=min_intensity, one_sided=one_sided)  # type: ignore[arg-type]
    times = np.arange(150) / fps
    expected, strengths = [], []
    for k, t in enumerate(times):
        later = times[k + 1] if k + 1 < len(times) else np.inf
        covering = [
            (int(state), float(grade))
            for on, off, state, grade in zip(codes.onset, codes.offset, codes.states, codes.grades, strict=True)
            # A moment lies in the frame that is shown then; a moment before the film in its first frame.
            if (on - ROUNDING_S <= t < off - ROUNDING_S)
            or (on == off and (t <= on + ROUNDING_S or k == 0) and on + ROUNDING_S < later)
        ]
        expected.append(slow_label(covering, options))
        strengths.append(slow_intensity(covering, options))
    assert occurrence(codes, times, options)[:, 0].tolist() == expected
    np.testing.assert_array_equal(intensities(codes, times, options)[:, 0], strengths)


@settings(max_examples=40, deadline=None)
@given(spans=drawn, frames=st.lists(st.integers(0, 6000), unique=True, max_size=40))
def test_frame_numbers_are_half_open_too(spans: list[Drawn], frames: list[int]) -> None:
    codes, shown = coded(spans, 1.0, "frame"), np.sort(np.array(frames, np.int64))
    options = CodeOptions()
    slow = [
        slow_label(
            [
                (int(s), float(g))
                for a, b, s, g in zip(codes.onset, codes.offset, codes.states, codes.grades, strict=True)
                if a <= f < b
            ],
            options,
        )
        for f in shown
    ]
    assert occurrence(codes, shown / 25, options, shown)[:, 0].tolist() == slow


def test_no_frames_and_no_intervals() -> None:
    assert occurrence(coded([(0, 10, 1, 0)]), np.empty(0), CodeOptions()).shape == (0, 1)
    assert occurrence(coded([]), np.arange(3) / 25, CodeOptions())[:, 0].tolist() == [0, 0, 0]


def test_frames_outside_the_coded_stretch_are_missing() -> None:
    options = CodeOptions(coded_span_s=(0.04, 0.12))
    codes = coded([(0, 100, 1, 3)])
    assert occurrence(codes, np.arange(5) / 25, options)[:, 0].tolist() == [-1, 1, 1, -1, -1]
    assert np.isnan(intensities(codes, np.arange(5) / 25, options)[:, 0]).tolist() == [True, False, False, True, True]


@settings(max_examples=20, deadline=None)
@given(spans=drawn, marks=drawn)
def test_where_coded_stretches_are_marked_nothing_is_known_outside(spans: list[Drawn], marks: list[Drawn]) -> None:
    codes, marked = coded(spans), coded([(begin, length, PRESENT, 0) for begin, length, _, _ in marks])
    both = replace(
        codes,
        aus=np.concatenate([codes.aus, np.zeros(len(marks), np.int32)]),
        onset=np.concatenate([codes.onset, marked.onset]),
        offset=np.concatenate([codes.offset, marked.offset]),
        states=np.concatenate([codes.states, marked.states]),
        grades=np.concatenate([codes.grades, marked.grades]),
    )
    times, options = np.arange(150) / 25, CodeOptions()
    plain, plain_intensity = occurrence(codes, times, options), intensities(codes, times, options)
    inside = occurrence(marked, times, options) == PRESENT if marks else np.ones((150, 1), np.bool_)
    assert np.array_equal(occurrence(both, times, options), np.where(inside, plain, MISSING))
    assert np.array_equal(intensities(both, times, options), np.where(inside, plain_intensity, np.nan), equal_nan=True)
