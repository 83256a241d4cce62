"""Stretches in milliseconds: what they cover, what is unscorable, and that readers get every frame back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.human_codes.occurrence import occurrence
from aucli.human_codes.values import CodedIntervals, CodeOptions
from aucli.results.episodes import EpisodeRules
from aucli.results.exports.intervals import RAW, UNSCORABLE, FilmIntervals, Interval, find_intervals, to_ms
from aucli.results.row_filter import RowFilter
from tests.builders.films import film_rows, steady_film
from tests.builders.studies import study


def intervals(
    rows: pl.DataFrame, rules: EpisodeRules = RAW, row_filter: RowFilter | None = None
) -> dict[str, FilmIntervals]:
    row_filter = row_filter or RowFilter()
    return dict(find_intervals(row_filter.mark(rows), rules, row_filter))


def test_the_raw_stretches_of_a_study() -> None:
    found = intervals(study())
    anna, none = found["day 1/anna.mp4"], found["day 2/none.mov"]
    assert none == FilmIntervals((), (), 150, 0.05005), "the last frame is shown for the usual step"
    assert (anna.faces, anna.end_ms, anna.frame_interval_s) == ((0, 1), 400, 0.04)
    assert anna.intervals == (
        Interval(0, "AU12", 80, 200, 2, 5),
        Interval(0, "AU12", 280, 400, 7, 10),
        Interval(0, UNSCORABLE, 200, 240, 5, 6),
        Interval(1, "AU01", 320, 360, 8, 9),
        Interval(1, "AU12", 320, 360, 8, 9),
        Interval(1, UNSCORABLE, 0, 320, 0, 8),
    )


def test_episodes_follow_the_occurrences_of_the_table_and_their_rules() -> None:
    rules = EpisodeRules(smooth_s=0, min_duration_s=0.1, join_gap_s=0, bridge_gap_s=0.1)
    found = intervals(study(), rules)["day 1/anna.mp4"].intervals
    assert [one[1:4] for one in found if one.face == 0 and one.code != UNSCORABLE] == [
        ("AU12", 80, 200),
        ("AU12", 280, 400),
    ]
    shorter = EpisodeRules(smooth_s=0, min_duration_s=0, join_gap_s=0)
    assert intervals(study(), shorter) == intervals(study(), RAW)


def test_rows_that_are_left_out_are_unscorable() -> None:
    found = intervals(study(), row_filter=RowFilter(min_interocular_px=30))["day 1/anna.mp4"]
    assert [one for one in found.intervals if one.face == 1] == [Interval(1, UNSCORABLE, 0, 400, 0, 10)]


def test_one_frame_lasts_a_millisecond_and_sampled_frames_end_with_the_next_of_the_table() -> None:
    assert intervals(steady_film("a.mp4", [0.9]))["a.mp4"].intervals == (Interval(0, "AU12", 0, 1, 0, 1),)
    rows = film_rows("a.mp4", [0, 1, 2, 3], {0: {"AU12": [0.9, 0.1, 0.9, 0.9]}}, frames=[0, 25, 50, 75])
    assert intervals(rows)["a.mp4"].intervals == (
        Interval(0, "AU12", 0, 1000, 0, 25),
        Interval(0, "AU12", 2000, 4000, 50, 76),
    )


def test_frames_closer_than_a_millisecond_never_make_stretches_overlap() -> None:
    rows = film_rows("a.mp4", [0, 0.0002, 0.0004, 0.0006, 0.04], {0: {"AU12": [0.9, 0.1, 0.9, 0.1, 0.1]}})
    assert intervals(rows)["a.mp4"].intervals == (Interval(0, "AU12", 0, 1, 0, 3),)


def test_milliseconds() -> None:
    assert [to_ms(t) for t in (0.0, 0.0004, 0.0125, 0.0135, 0.0126, -0.001)] == [0, 0, 12, 13, 13, 0]
    assert to_ms(3 / 240) == to_ms(0.0125)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([24000 / 1001, 25, 30000 / 1001, 60, 119.88, 240, 480, 960]),
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.integers(0, 7200),
)
def test_a_reader_gets_every_frame_back(rate: float, present: list[bool], start_s: int) -> None:
    times_s = [start_s + i / rate for i in range(len(present))]
    rows = film_rows("a.mp4", times_s, {0: {"AU12": [0.9 if one else 0.1 for one in present]}})
    stretches = [one for one in intervals(rows)["a.mp4"].intervals if one.code == "AU12"]
    count = len(stretches)
    codes = CodedIntervals(
        Path("a"), "a.mp4", None, np.full(count, 12, np.int32),
        np.array([one.onset_ms / 1000 for one in stretches]), np.array([one.offset_ms / 1000 for one in stretches]),
        "s", np.ones(count, np.int8), np.full(count, np.nan), (12,),
    )  # fmt: skip
    assert occurrence(codes, np.array(times_s), CodeOptions())[:, 0].tolist() == [int(one) for one in present]
