from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import OptionsError, TableError
from aucli.human_codes.occurrence import ROUNDING_S
from aucli.human_codes.pairing import FilmFrames, lay_on_frames, nearest_codes
from aucli.human_codes.values import CodedFrames, CodedIntervals, CodeOptions

times = st.lists(st.integers(0, 4000), unique=True, max_size=40).map(lambda ms: np.array(ms) / 1000)


@settings(max_examples=200, deadline=None)
@given(frame_time_s=times.map(np.sort), code_time_s=times, tolerance_ms=st.sampled_from([0, 1, 20, 500, 5000]))
def test_the_nearest_code_by_looking_at_every_pair(
    frame_time_s: np.ndarray, code_time_s: np.ndarray, tolerance_ms: int
) -> None:
    found = nearest_codes(frame_time_s, code_time_s, tolerance_ms / 1000)
    for t, k in zip(frame_time_s, found, strict=True):
        # Whole milliseconds, so that "as near" is no matter of rounding.
        distances = [(abs(round(1000 * c) - round(1000 * t)), c) for c in code_time_s]
        near = [pair for pair in distances if pair[0] <= tolerance_ms + 1000 * ROUNDING_S]
        assert (k >= 0) == bool(near)
        if near:
            least = min(near)[0]
            ties = sorted(c for distance, c in near if distance == least)
            assert code_time_s[k] in ties
            assert abs(code_time_s[k] - t) <= abs(ties[0] - t) + 1e-12


def film(n: int = 100, fps: float = 25.0, every: int = 1) -> FilmFrames:
    frame = np.arange(0, n, every)
    return FilmFrames("a.mp4", frame, frame / fps)


def rows(time_s: np.ndarray | None = None, frame: np.ndarray | None = None, *, by_time: bool = False) -> CodedFrames:
    """AU12 is present in [0.4, 1.2) s; at 25 frames/s, in frames 10 to 29."""
    key = time_s if time_s is not None else frame
    assert key is not None
    seconds = time_s if time_s is not None else key / 25
    labels = ((seconds >= 0.4 - 1e-9) & (seconds < 1.2 - 1e-9)).astype(np.int8)[:, None]
    return CodedFrames(Path("codes.csv"), None, None, (12,), labels, None, frame, time_s, by_time=by_time)


def intervals(*spans: tuple[float, float], unit: str = "s") -> CodedIntervals:
    onset, offset = np.array(spans, np.float64).reshape(-1, 2).T
    k = len(onset)
    return CodedIntervals(
        Path("codes.txt"), None, None, np.full(k, 12, np.int32), onset, offset, unit,  # type: ignore[arg-type]
        np.ones(k, np.int8), np.full(k, np.nan), (12,),
    )  # fmt: skip


@pytest.mark.parametrize("every", [1, 5, 25])
@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97])
def test_a_sampled_table_takes_the_codes_of_its_own_frames(every: int, fps: float) -> None:
    sampled = film(200, fps, every)
    all_times = (np.arange(200) / fps).round(3)
    laid = lay_on_frames(rows(all_times), sampled, (12,), CodeOptions())
    expected = (sampled.time_s >= 0.4 - 0.0006) & (sampled.time_s < 1.2 - 0.0006)
    assert laid.labels[:, 0].tolist() == expected.astype(int).tolist()
    assert laid.unmatched == 200 - len(sampled.frame)


def test_few_codes_for_many_frames() -> None:
    """Codes of every tenth frame say nothing of the frames between."""
    laid = lay_on_frames(rows(np.arange(0, 4, 0.4)), film(), (12,), CodeOptions())
    assert np.flatnonzero(laid.labels[:, 0] >= 0).tolist() == list(range(0, 100, 10))
    wide = lay_on_frames(rows(np.arange(0, 4, 0.4)), film(), (12,), CodeOptions(), tolerance_s=0.2)
    assert np.flatnonzero(wide.labels[:, 0] >= 0).tolist() == list(range(96)), "to 0.2 s after the last code"


def test_by_number_or_by_time() -> None:
    both = rows(np.arange(100) / 25 + 1 / 25, np.arange(100))
    by_number = lay_on_frames(both, film(), (12,), CodeOptions()).labels[:, 0]
    by_time = lay_on_frames(both, film(), (12,), CodeOptions(), align="time").labels[:, 0]
    assert (np.roll(by_number, 1) == by_time)[1:].all()
    preferring_time = rows(np.arange(100) / 25 + 1 / 25, np.arange(100), by_time=True)
    np.testing.assert_array_equal(lay_on_frames(preferring_time, film(), (12,), CodeOptions()).labels[:, 0], by_time)
    with pytest.raises(OptionsError, match="`shift_s` moves times only"):
        lay_on_frames(both, film(), (12,), CodeOptions(shift_s=1))


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([(100.6, 102.367)], r"1 of 1 .*: the codes run from 100\.600 to 102\.367 s, the film from 0\.000 to 4\.000 s"),
        ([(0.4, 1.2), (4.2, 4.4)], r"1 of 2 .* from 0\.400 to 4\.400 s"),
        ([(3.0, 5.5)], "1 of 1"),
        ([(-3.0, -1.0)], "1 of 1"),
        ([(18.0, 71.0)], "1 of 1"),
    ],
)  # fmt: skip
def test_intervals_outside_the_film_are_refused(spans: list[tuple[float, float]], said: str) -> None:
    with pytest.raises(TableError, match=said):
        lay_on_frames(intervals(*spans), film(), (12,), CodeOptions())


def test_intervals_that_end_with_the_film_or_a_little_later() -> None:
    for spans in ([(3.0, 4.0)], [(3.0, 4.9)], [(3.96, 3.96)], [(0.0, 4.0)], []):
        lay_on_frames(intervals(*spans), film(), (12,), CodeOptions())
    # The stretch that was coded excuses what lies outside it.
    span = CodeOptions(coded_span_s=(0.0, 2.0))
    laid = lay_on_frames(intervals((0.4, 1.2), (100.0, 101.0)), film(), (12,), span)
    assert laid.labels[:, 0].tolist() == [int(10 <= f < 30) if f < 50 else -1 for f in range(100)]


def test_frame_numbers_outside_the_film_are_refused() -> None:
    with pytest.raises(
        TableError, match=r"199 of 300 codes lie outside a\.mp4: the codes run from frame 0 to 299, the film"
    ):
        lay_on_frames(rows(frame=np.arange(300)), film(99, fps=1.0), (12,), CodeOptions())
    with pytest.raises(TableError, match="lie outside"):
        lay_on_frames(intervals((90, 200), unit="frame"), film(), (12,), CodeOptions())
    laid = lay_on_frames(rows(frame=np.arange(2, 101)), film(), (12,), CodeOptions())
    assert laid.unmatched == 1
    laid = lay_on_frames(intervals((90, 100), unit="frame"), film(), (12,), CodeOptions())
    assert np.flatnonzero(laid.labels[:, 0]).tolist() == list(range(90, 100))


def test_frame_numbers_that_count_from_1_are_no_numbers_from_0() -> None:
    with pytest.raises(TableError, match=r"run from frame 1 to 100, the film from 0 to 99.*`frame_base`"):
        lay_on_frames(rows(frame=np.arange(1, 101)), film(), (12,), CodeOptions())
    assert lay_on_frames(rows(frame=np.arange(1, 100)), film(), (12,), CodeOptions()).unmatched == 0


def test_rows_that_match_no_frame_are_refused() -> None:
    off = rows(np.arange(0, 4, 0.04) + 0.02)
    with pytest.raises(
        TableError,
        match=r"no code matches .* the codes run from 0\.020 to 3\.980 s, the film from 0\.000 to 4\.000 s",
    ):
        lay_on_frames(off, film(), (12,), CodeOptions(), tolerance_s=0.001)
    with pytest.raises(TableError, match="lie outside"):
        lay_on_frames(rows(np.arange(50) / 25 + 30), film(), (12,), CodeOptions())


def test_what_was_not_coded_is_missing() -> None:
    laid = lay_on_frames(intervals((0.4, 1.2)), film(), (6, 12), CodeOptions())
    assert (laid.labels[:, 0] == -1).all()
    assert laid.labels[:, 1].tolist() == [int(10 <= f < 30) for f in range(100)]
    empty = FilmFrames("a.mp4", np.empty(0, np.int64), np.empty(0))
    assert lay_on_frames(intervals((0.4, 1.2)), empty, (12,), CodeOptions()).labels.shape == (0, 1)
