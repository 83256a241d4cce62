"""Presence: one decision that shares, episodes and exports follow, and annotate's rule with other thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.annotation.occurrence import OccurrenceRule
from aucli.annotation.options import AnnotateOptions
from aucli.errors import OptionsError, TableError
from aucli.faces.tracking import TrackedFaces
from aucli.results.episodes import EpisodeRules, episodes
from aucli.results.exports.intervals import RAW, UNSCORABLE, find_intervals
from aucli.results.presence import decided_anew
from aucli.results.row_filter import RowFilter
from aucli.results.summary import summary
from tests.builders.films import film_rows, steady_film

PROBABILITIES = st.sampled_from([0.02, 0.3, 0.36, 0.45, 0.5, 0.62, 0.66, 0.97, None])
STEPS = st.sampled_from([0.04, 0.04, 0.08, 0.4, 0.6])


def test_no_rows_and_no_thresholds() -> None:
    rows = steady_film("a.mp4", [0.9, 0.1])
    assert decided_anew(rows, None) is rows
    assert decided_anew(rows, {"AU04": 0.5}) is rows, "of an action unit that is not looked at"
    assert decided_anew(rows.head(0), {"AU12": 0.5}).equals(rows.head(0))


def _by_annotates_own_rule(rows: pl.DataFrame, threshold: float) -> list[bool | None]:
    """One face, frame by frame, by the object that `annotate` uses."""
    rule = OccurrenceRule([threshold], AnnotateOptions().hysteresis_logit)
    present: list[bool | None] = []
    for row in rows.iter_rows(named=True):
        if row["face"] is None:
            rule.update(_faces(0), row["time_s"], np.zeros((0, 1), np.float32))
            present.append(None)
            continue
        p = np.array([[row["AU12_p"]]], np.float32)
        present.append(bool(rule.update(_faces(1), row["time_s"], p)[0, 0]))
    return present


class _Faces:
    """What `OccurrenceRule` looks at of `TrackedFaces`."""

    def __init__(self, count: int) -> None:
        self.faces, self.tracks, self.shot = [None] * count, np.arange(count), 0


def _faces(count: int) -> TrackedFaces:
    faces: Any = _Faces(count)
    return faces  # type: ignore[no-any-return]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(PROBABILITIES, STEPS), min_size=1, max_size=25), st.sampled_from([0.36, 0.5, 0.7]))
def test_other_thresholds_decide_as_annotate_would_have(frames: list[tuple[float | None, float]], limit: float) -> None:
    times = np.cumsum([step for _, step in frames]).round(6).tolist()
    rows = film_rows("a.mp4", times, {0: {"AU12": [p for p, _ in frames]}})
    other = steady_film("b.mp4", [0.9, None, 0.2])
    both = pl.concat([other, rows])
    decided = decided_anew(both.reverse(), {12: limit}).reverse()
    assert decided.filter(pl.col("video") == "a.mp4")["AU12"].to_list() == _by_annotates_own_rule(rows, limit)
    assert decided.drop("AU12").equals(both.drop("AU12"))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from([True, False, None]), STEPS), min_size=2, max_size=30),
    st.sampled_from([0.0, 0.1, 0.2, 0.5]),
)
def test_shares_episodes_and_exports_never_contradict_each_other(
    frames: list[tuple[bool | None, float]], smooth_s: float
) -> None:
    """Probabilities that say the opposite of the occurrences: nothing but the occurrences counts."""
    times = np.cumsum([step for _, step in frames]).round(6).tolist()
    rows = film_rows("a.mp4", times, {0: {"AU12": [None if on is None else 0.9 - 0.8 * on for on, _ in frames]}})
    rows = rows.with_columns(~pl.col("AU12"))
    rules = EpisodeRules(smooth_s=smooth_s, min_duration_s=0.0)
    figures = summary(rows, rules=rules).faces
    if figures.is_empty():
        return
    (row,) = figures.rows(named=True)
    found = episodes(rows, smooth_s=smooth_s, min_duration_s=0.0)
    assert row["n_episodes"] == len(found)
    if row["share_present"] == 0:
        assert len(found) == 0
    if row["share_present"] == 1:
        assert found["duration_s"].sum() == pytest.approx(row["seconds_usable"])
        assert set(found["onset_reason"]) | set(found["offset_reason"]) <= {"film_edge", "face_not_seen", "no_frame"}
    film = find_intervals(RowFilter().mark(rows), RAW, RowFilter())["a.mp4"]
    exported_s = sum(one.offset_ms - one.onset_ms for one in film.intervals if one.code != UNSCORABLE) / 1000
    assert exported_s == pytest.approx(
        row["share_present"] * row["seconds_usable"], abs=0.001 * len(film.intervals) + 1e-6
    )


@pytest.mark.parametrize(
    ("change", "thresholds", "error", "message"),
    [
        (lambda t: t, {"smile": 0.5}, OptionsError, "`thresholds` has smile, which is no action unit"),
        (lambda t: t, {12: 1}, OptionsError, "`thresholds` has 1.0 for AU12; allowed is more than 0 and less than 1"),
        (lambda t: t.drop("AU12_p"), {12: 0.5}, TableError, "no column AU12_p, by which `thresholds` would decide"),
    ],
)
def test_what_cannot_be_decided_is_refused(change: Any, thresholds: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        episodes(change(steady_film("a.mp4", [0.9])), thresholds=thresholds)
