"""Which rows are left out, by which rule, and how that is said."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import OptionsError, TableError
from aucli.results.row_filter import LEFT_OUT, LeftOut, RowFilter

ROWS = pl.DataFrame(
    {
        "video": ["a", "a", "a", "a", "b"],
        "face": [0, 1, None, 0, 0],
        "interocular_px": [40.0, 20.0, None, 30.0, float("nan")],
        "yaw_deg": [-50.0, 50.0, None, 10.0, 0.0],
    }
)


def test_without_rules_nothing_is_left_out() -> None:
    marked = RowFilter().mark(ROWS.select("video", "face"))
    assert marked[LEFT_OUT].to_list() == [None] * 5
    assert marked.schema[LEFT_OUT] == pl.String
    assert LeftOut.of(marked, RowFilter()).sentence() == ""


def test_a_row_counts_to_the_first_rule_that_it_breaks() -> None:
    row_filter = RowFilter(min_interocular_px=30, max_yaw_deg=45)
    marked = row_filter.mark(ROWS)
    by_eyes = "min_interocular_px"
    assert marked[LEFT_OUT].to_list() == ["max_yaw_deg", by_eyes, None, None, by_eyes]
    left_out = LeftOut.of(marked, row_filter)
    assert (left_out.n_faces, left_out.n_left_out, left_out.by_rule) == (4, 3, {by_eyes: 2, "max_yaw_deg": 1})
    assert left_out.sentence() == (
        "left out 3 of 4 rows with a face: 2 eyes closer than 30 px, 1 turned by more than 45 degrees"
    )


def test_a_table_without_the_column_is_refused_with_the_remedy() -> None:
    for rows, who in (
        (ROWS.drop("yaw_deg"), "the table has no column yaw_deg"),
        (ROWS.with_columns(yaw_deg=pl.when(video="a").then("yaw_deg")), "b has no yaw_deg"),
    ):
        with pytest.raises(TableError, match=f"{who}, as an earlier version wrote it; .*do without `max_yaw_deg`"):
            RowFilter(max_yaw_deg=30).mark(rows)
        assert len(RowFilter(min_interocular_px=1).mark(rows)) == len(rows)


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf")])
def test_limits_that_make_no_sense(limit: float) -> None:
    with pytest.raises(OptionsError, match="`max_pitch_deg` is"):
        RowFilter(max_pitch_deg=limit)


VALUES = st.one_of(st.none(), st.just(float("nan")), st.floats(-90, 90, width=32))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 2)), VALUES, VALUES), max_size=20), st.floats(0, 90))
def test_rows_are_judged_as_a_slow_loop_judges_them(rows: list[tuple[Any, Any, Any]], limit: float) -> None:
    known = [(0, 89.0, 0.0), *rows]  # so that the table has the columns
    schema = {"face": pl.Int32, "interocular_px": pl.Float32, "pitch_deg": pl.Float32}
    table = pl.DataFrame(known, schema, orient="row").with_columns(video=pl.lit("a"))
    row_filter = RowFilter(min_interocular_px=limit, max_pitch_deg=limit)
    expected: list[str | None] = []
    for face, interocular_px, pitch_deg in known:
        if face is None:
            expected.append(None)
        elif interocular_px is None or not interocular_px >= limit:
            expected.append("min_interocular_px")
        elif pitch_deg is None or not abs(pitch_deg) <= limit:
            expected.append("max_pitch_deg")
        else:
            expected.append(None)
    marked = row_filter.mark(table)
    assert marked[LEFT_OUT].to_list() == expected
    assert LeftOut.of(marked, row_filter).n_left_out == sum(rule is not None for rule in expected)
