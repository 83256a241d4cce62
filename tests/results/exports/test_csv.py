"""CSV as pandas and the standard library read it."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import polars as pl

from aucli.results.exports.run import ExportOptions, export
from aucli.results.row_filter import RowFilter
from tests.builders.films import steady_film
from tests.builders.studies import annotated, study


def test_pandas_reads_back_what_the_table_holds(tmp_path: Path) -> None:
    rows = study()
    done = export(rows, "csv", tmp_path / "a.csv")
    assert (done.files, done.n_rows, done.n_videos, done.notes) == ((tmp_path / "a.csv",), 15, 2, ())
    read = pd.read_csv(tmp_path / "a.csv")
    assert list(read.columns) == rows.columns
    assert read["video"].tolist() == rows["video"].to_list()
    assert read["AU12"].tolist()[:5] == [0, 0, 1, 1, 1]
    assert read["AU12"].isna().tolist() == rows["AU12"].is_null().to_list()
    assert read["x"].dropna().unique().tolist() == [10.1], "single precision does not show"
    assert read["time_s"].tolist() == rows["time_s"].to_list()


def test_text_is_plain_in_every_locale(tmp_path: Path) -> None:
    rows = annotated(steady_film('täglich, "eins"\n=2.mp4', [1e-9, None, 0.5]))
    export(rows, "csv", tmp_path / "a.csv")
    data = (tmp_path / "a.csv").read_bytes()
    assert b"\r" not in data
    assert not data.startswith(b"\xef\xbb\xbf")
    cells = list(csv.DictReader(data.decode().splitlines(keepends=True)))
    assert cells[0]["video"] == 'täglich, "eins"\n=2.mp4'
    assert cells[0]["AU12_p"] == "0.000000001", "no exponent"
    assert (cells[1]["AU12"], cells[1]["AU12_p"], cells[2]["AU12"]) == ("", "", "1")


def test_rows_that_are_left_out_stay_with_their_action_units_missing(tmp_path: Path) -> None:
    chosen = ExportOptions(row_filter=RowFilter(min_interocular_px=30))
    done = export(study(), "csv", tmp_path / "a.csv", chosen)
    assert done.notes == ("left out 2 of 11 rows with a face: 2 eyes closer than 30 px",)
    read = pl.read_csv(tmp_path / "a.csv")
    assert len(read) == 15
    small = read.filter(pl.col("face") == 1)
    assert small["left_out"].to_list() == ["min_interocular_px"] * 2
    assert small["AU12"].null_count() == small["AU12_p"].null_count() == 2
    assert small["interocular_px"].to_list() == [20, 20]
    assert read.filter(pl.col("face") == 0)["AU12"].null_count() == 0


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for target, suffix in (
        ("csv", ".csv"),
        ("xlsx", ".xlsx"),
        ("stata", ".dta"),
        ("spss", ".sav"),
        ("boris", ".boris"),
    ):
        first, second = (tmp_path / f"{k}{suffix}" for k in (1, 2))
        export(study(), target, first)
        export(study(), target, second)
        assert first.read_bytes() == second.read_bytes(), target
