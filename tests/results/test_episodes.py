"""Episodes: what a slow loop finds, the rules one by one, and tables that make trouble."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import OptionsError, TableError
from aucli.results import episodes as module
from aucli.results.episodes import EpisodeRules, episode_schema, episodes
from aucli.results.row_filter import RowFilter
from tests.builders.films import film_rows, steady_film

RAW: dict[str, Any] = {"smooth_s": 0.0, "min_duration_s": 0.0, "join_gap_s": 0.0}


def found(table: pl.DataFrame, **options: Any) -> list[tuple[float, float]]:
    rows = episodes(table, **options)
    return [(round(a, 6), round(b, 6)) for a, b in rows.select("onset_s", "offset_s").iter_rows()]


def test_no_rows_give_no_episodes() -> None:
    none = steady_film("a.mp4", [0.9]).head(0)
    assert episodes(none).schema == pl.Schema(episode_schema())
    assert len(episodes(none)) == 0
    assert len(episodes(steady_film("a.mp4", [None, None]), **RAW)) == 0


def test_an_episode_with_all_its_columns() -> None:
    table = steady_film("a.mp4", [0.1, 0.6, 0.9, 0.75, 0.1, 0.2], rate=10)
    (row,) = episodes(table, **RAW).rows(named=True)
    assert row == {
        "video": "a.mp4",
        "face": 0,
        "au": "AU12",
        "episode": 0,
        "onset_s": 0.1,
        "apex_s": 0.2,
        "offset_s": 0.4,
        "duration_s": 0.3,
        "onset_frame": 1,
        "apex_frame": 2,
        "offset_frame": 3,
        "n_frames": 3,
        "mean_probability": pytest.approx(0.75),
        "peak_probability": pytest.approx(0.9),
        "unseen_s": 0.0,
        "onset_reason": "probability",
        "offset_reason": "probability",
    }


def test_a_still_face_near_its_threshold_does_not_flicker() -> None:
    near = [0.5 + 0.03 * (-1) ** (i // 2) for i in range(250)]
    assert found(steady_film("a.mp4", near), **RAW) != [(0.0, 10.0)]
    assert found(steady_film("a.mp4", near)) == [(0.0, 10.0)]
    assert found(steady_film("a.mp4", [0.5] * 50)) == [(0.0, 2.0)]
    assert found(steady_film("a.mp4", [0.45] * 50)) == []


def test_a_single_frame_is_smoothed_away_and_a_short_dip_is_bridged() -> None:
    blip = [0.05] * 20 + [0.95] + [0.05] * 20
    assert found(steady_film("a.mp4", blip)) == []
    dip = [0.95] * 20 + [0.05] + [0.95] * 20
    assert found(steady_film("a.mp4", dip)) == [(0.0, 1.64)]


def test_pauses_are_joined_and_short_ones_left_out_afterwards() -> None:
    on, off = 0.9, 0.1
    table = steady_film("a.mp4", [on, off, on, off, off, off, on], rate=10)
    assert found(table, **RAW) == [(0.0, 0.1), (0.2, 0.3), (0.6, 0.7)]
    assert found(table, **RAW | {"join_gap_s": 0.1}) == [(0.0, 0.3), (0.6, 0.7)]
    assert found(table, **RAW | {"join_gap_s": 0.1, "min_duration_s": 0.2}) == [(0.0, 0.3)]


def test_a_face_that_is_not_seen_ends_an_episode_and_says_so() -> None:
    table = steady_film("a.mp4", [0.9, 0.9, None, 0.9, 0.9], rate=10)
    rows = episodes(table, **RAW | {"join_gap_s": 10.0})
    assert rows.select("onset_s", "offset_s", "onset_reason", "offset_reason").rows() == [
        (0.0, 0.2, "film_edge", "face_not_seen"),
        (0.3, 0.5, "face_not_seen", "film_edge"),
    ]


def test_a_break_is_bridged_where_that_is_asked_for_and_the_time_is_told() -> None:
    table = steady_film("a.mp4", [0.9, 0.9, None, 0.9, 0.9], rate=10)
    (row,) = episodes(table, bridge_gap_s=0.1).rows(named=True)
    assert (row["onset_s"], row["offset_s"], row["n_frames"]) == (0.0, 0.5, 4)
    assert row["unseen_s"] == pytest.approx(0.1)


def test_another_face_in_the_frame_does_not_stand_in() -> None:
    on = [0.9] * 5
    table = film_rows("a.mp4", [i / 10 for i in range(5)], {0: {"AU12": [0.9, 0.9, None, 0.9, 0.9]}, 7: {"AU12": on}})
    rows = episodes(table, **RAW)
    assert rows.select("face", "onset_s", "offset_s").rows() == [(0, 0.0, 0.2), (0, 0.3, 0.5), (7, 0.0, 0.5)]


def test_variable_frame_rates_count_time_and_not_frames() -> None:
    times = [0.0, 0.1, 0.2, 0.6, 0.7, 0.8, 0.9, 1.0]
    table = film_rows("a.mp4", times, {0: {"AU12": [0.1, 0.1, 0.6, 1.0, 0.1, 0.1, 0.1, 0.1]}})
    (row,) = episodes(table, **RAW).rows(named=True)
    assert (row["onset_s"], row["offset_s"]) == (0.2, 0.7)
    assert row["mean_probability"] == pytest.approx((0.6 * 0.4 + 1.0 * 0.1) / 0.5)


def test_missing_frames_are_not_bridged() -> None:
    """As where a stretch did not decode (frames are numbered on), and where rows without a face were thrown away."""
    times = [i / 25 for i in range(10)] + [2 + i / 25 for i in range(10)]
    table = film_rows("a.mp4", times, {0: {"AU12": [0.9] * 20}})
    rows = episodes(table)
    assert rows.select("onset_s", "offset_s", "onset_reason", "offset_reason").rows() == [
        (0.0, pytest.approx(0.4), "film_edge", "no_frame"),
        (2.0, pytest.approx(2.4), "no_frame", "film_edge"),
    ]
    thrown = steady_film("a.mp4", [0.9] * 8 + [None] + [0.9] * 8).drop_nulls("face")
    assert episodes(thrown)["offset_reason"].to_list() == ["no_frame", "film_edge"]


def test_a_table_with_one_frame_a_second_is_whole() -> None:
    table = film_rows(
        "a.mp4", range(6), {0: {"AU12": [0.1, 0.9, 0.9, 0.9, 0.1, 0.1]}}, frames=[0, 29, 60, 88, 120, 151]
    )
    assert found(table) == [(1.0, 4.0)]


def test_a_photograph_has_no_episode_of_any_length() -> None:
    photograph = film_rows("a.jpg", [0.0], {0: {"AU12": [0.9]}})
    assert found(photograph) == []
    (row,) = episodes(photograph, **RAW).rows(named=True)
    assert (row["duration_s"], row["mean_probability"]) == (0.0, pytest.approx(0.9))


def test_rows_that_are_left_out_are_unknown_and_not_absent() -> None:
    table = steady_film("a.mp4", [0.9] * 6, rate=10).with_columns(
        pl.Series("interocular_px", [50.0, 50.0, 20.0, 50.0, None, 50.0])
    )
    rows = episodes(table, row_filter=RowFilter(min_interocular_px=30), **RAW)
    assert rows.select("onset_frame", "offset_frame", "onset_reason", "offset_reason").rows() == [
        (0, 1, "film_edge", "left_out"),
        (3, 3, "left_out", "left_out"),
        (5, 5, "left_out", "film_edge"),
    ]


def test_what_the_table_says_most_of_the_time_is_present() -> None:
    """Where the column of occurrences and the probabilities disagree (annotate's hysteresis), the column counts."""
    table = steady_film("a.mp4", [0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1], rate=10)
    flags = table.with_columns(AU12_p=pl.lit(0.2, pl.Float32))
    rows = episodes(flags, smooth_s=0.3)
    assert rows["offset_s"].to_list() == [0.4]
    assert rows["peak_probability"].to_list() == [pytest.approx(0.2)]
    assert episodes(table.drop("AU12_p"), smooth_s=0.3)["offset_s"].to_list() == [0.4]


def test_action_units_are_chosen_by_name_or_number() -> None:
    table = film_rows("a.mp4", [0, 0.2, 0.4], {0: {"AU01": [0.9] * 3, "AU12": [0.9] * 3}})
    assert episodes(table, aus=["12", "AU1"])["au"].to_list() == ["AU12", "AU01"]
    with pytest.raises(OptionsError, match="AU45, which the table has not; it has AU01, AU12"):
        episodes(table, aus=["45"])


def test_lazy_frames_and_any_order_of_rows() -> None:
    table = pl.concat([steady_film("b.mp4", [0.9] * 9), steady_film("a.mp4", [0.1] * 3 + [0.9] * 9)])
    expected = episodes(table)
    assert expected["video"].to_list() == ["b.mp4", "a.mp4"]
    assert episodes(table.lazy()).equals(expected)
    mixed = table.sort("time_s")
    assert episodes(mixed).equals(expected)


def test_faces_in_chunks_are_the_faces_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pl.concat([steady_film(f"{n}.mp4", [0.9, 0.2, 0.9, 0.9, 0.9, 0.1] * (n + 1)) for n in range(5)])
    expected = episodes(table, **RAW)
    monkeypatch.setattr(module, "CHUNK_ROWS", 20)
    assert episodes(table, **RAW).equals(expected)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda t: t.drop("time_s"), "no column time_s"),
        (lambda t: t.drop("AU12", "AU12_p"), "no action units"),
        (lambda t: pl.concat([t, t]), "a.mp4 has two rows of face 0 in frame 0; was one table read twice"),
        (lambda t: t.with_columns(pl.lit(None, pl.Int32).alias("frame")), "rows without frame"),
        (lambda t: t.with_columns(-pl.col("time_s")), "go backwards"),
        (lambda t: t.with_columns(pl.lit(-1).alias("face")), r"face -1 \(3 rows\).*where there is no face.* null"),
        (lambda t: t.with_columns(pl.lit(2**40).alias("face")), "face 1099511627776"),
        (lambda t: t.with_columns(pl.lit(2**63, pl.UInt64).alias("face")), "face 9223372036854775808"),
        (lambda t: t.with_columns(pl.col("frame") - 1), "frame -1"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(broken: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        episodes(broken(steady_film("a.mp4", [0.9] * 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smooth_s": -1}, "`smooth_s` is -1"),
        ({"min_duration_s": float("nan")}, "`min_duration_s` is nan"),
        ({"thresholds": {"AU12": 2}}, "`thresholds` has 2.0 for AU12"),
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        episodes(steady_film("a.mp4", [0.9] * 3), **options)


# The slow version: one frame after the other, in exact fractions of a second.

Frame = tuple[Fraction, Fraction, Fraction | None]  # begin, end, probability


def _slow_runs(
    times_us: list[int], numbers: list[int], values: list[float | None], bridge: Fraction
) -> list[list[Any]]:
    """The rows of one face as runs of (begin, end, probability, index)."""
    steps = [b - a for a, b in pairwise(times_us)]
    jumps = [b - a for a, b in pairwise(numbers)]
    middle = round(median(steps)) if steps else 0
    usual = round(median(jumps)) if jumps else 0
    runs: list[list[Any]] = []
    for i, value in enumerate(values):
        if value is None:
            continue
        shown = middle
        if i < len(steps):
            missing = jumps[i] >= 2 * usual and steps[i] >= 1.5 * middle
            still = steps[i] > 5 * middle and steps[i] > 500_000
            shown = middle if missing or still else steps[i]
        begin = Fraction(times_us[i], 10**6)
        frame = (begin, begin + Fraction(shown, 10**6), Fraction(round(value * 2**24), 2**24), i)
        if runs and begin - runs[-1][-1][1] <= bridge:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _slow_mean(run: list[Any], values: list[Fraction], at: int, smooth_us: int) -> Fraction:
    frame = run[at]
    middle = frame[0] + Fraction(int((frame[1] - frame[0]) * 10**6) // 2, 10**6)
    begin = middle - Fraction(smooth_us // 2, 10**6)
    end = begin + Fraction(smooth_us, 10**6)
    weights = [max(Fraction(0), min(end, b) - max(begin, a)) for a, b, *_ in run]
    if not sum(weights):
        return values[at]
    return Fraction(sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights))


def _slow_episodes(
    times_us: list[int], numbers: list[int], values: list[float | None], rules: EpisodeRules
) -> list[tuple[int, int, int]]:
    """First, apex and last frame of each episode of one face."""

    def exact(seconds: float) -> Fraction:
        return Fraction(round(seconds * 10**6), 10**6)

    result = []
    for run in _slow_runs(times_us, numbers, values, exact(rules.bridge_gap_s)):
        smooth_us = round(rules.smooth_s * 10**6)
        probabilities = [frame[2] for frame in run]
        present = [Fraction(p >= 0.5) for p in probabilities]
        levels = [_slow_mean(run, probabilities, at, smooth_us) for at in range(len(run))]
        stretches: list[list[int]] = []
        is_on = False
        for i in range(len(run)):
            was_on, is_on = is_on, _slow_mean(run, present, i, smooth_us) >= Fraction(1, 2)
            if is_on and was_on:
                stretches[-1][1] = i
            elif is_on:
                if stretches and run[i][0] - run[stretches[-1][1]][1] <= exact(rules.join_gap_s):
                    stretches[-1][1] = i
                else:
                    stretches.append([i, i])
        for first, last in stretches:
            if run[last][1] - run[first][0] >= exact(rules.min_duration_s):
                apex = max(range(first, last + 1), key=lambda i: (levels[i], run[i][2], -i))
                result.append((run[first][3], run[apex][3], run[last][3]))
    return result


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_episodes_are_those_of_a_slow_loop(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    steps = data.draw(
        st.lists(st.sampled_from([40_000, 40_000, 33_367, 80_000, 250_000, 900_000]), min_size=n, max_size=n)
    )
    jumps = data.draw(st.lists(st.sampled_from([1, 1, 1, 2]), min_size=n, max_size=n))
    levels = st.sampled_from([0.0, 0.25, 0.375, 0.4375, 0.5, 0.625, 0.9375, None])
    values = data.draw(st.lists(levels, min_size=n, max_size=n))
    rules = EpisodeRules(
        smooth_s=data.draw(st.sampled_from([0.0, 0.1, 0.2, 0.5])),
        min_duration_s=data.draw(st.sampled_from([0.0, 0.1, 0.3])),
        join_gap_s=data.draw(st.sampled_from([0.0, 0.08, 0.2])),
        bridge_gap_s=data.draw(st.sampled_from([0.0, 0.04, 0.5])),
    )
    times_us, numbers = [0], [0]
    for step, jump in zip(steps[1:], jumps[1:], strict=True):
        times_us.append(times_us[-1] + step)
        numbers.append(numbers[-1] + jump)
    table = film_rows("a.mp4", [t / 1e6 for t in times_us], {0: {"AU12": values}}, frames=numbers)
    other = steady_film("b.mp4", [0.9, None, 0.2])
    rows = episodes(pl.concat([other, table]), **asdict(rules)).filter(pl.col("video") == "a.mp4")
    expected = [tuple(numbers[i] for i in frames) for frames in _slow_episodes(times_us, numbers, values, rules)]
    assert rows.select("onset_frame", "apex_frame", "offset_frame").rows() == expected
    # What holds of any episode.
    assert (rows["mean_probability"] <= rows["peak_probability"]).all()
    assert (rows["unseen_s"] >= 0).all()
    assert (rows["unseen_s"] <= rows["duration_s"]).all()
    assert rows.sort("onset_s").equals(rows)
