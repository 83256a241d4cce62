"""Stata's and SPSS's files as pyreadstat and pandas read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyreadstat
import pytest

from aucli.annotation.table import LANDMARK_COLUMNS
from aucli.errors import TableError
from aucli.facs import AU_NAMES
from aucli.results.exports.columns import column_label
from aucli.results.exports.run import export
from tests.builders.films import steady_film
from tests.builders.studies import annotated, study


def read(path: Path) -> tuple[pl.DataFrame, Any]:
    reader = pyreadstat.read_dta if path.suffix == ".dta" else pyreadstat.read_sav
    rows, about = reader(path, output_format="polars")
    return rows, about


@pytest.mark.parametrize(("target", "name"), [("stata", "a.dta"), ("spss", "a.sav")])
def test_pyreadstat_reads_back_what_the_table_holds(tmp_path: Path, target: str, name: str) -> None:
    rows = study()
    export(rows, target, tmp_path / name)
    back, about = read(tmp_path / name)
    assert back.columns == rows.columns
    assert back["video"].to_list() == rows["video"].to_list()
    for column in rows.columns[1:]:
        expected = rows[column].cast(pl.Float64)
        assert back[column].cast(pl.Float64).equals(expected, null_equal=True), column
    assert about.variable_value_labels["AU12"] == {0: "absent", 1: "present"}
    assert set(about.variable_value_labels) == {"AU01", "AU12", "detected"}
    assert about.column_names_to_labels["AU12_p"] == "AU12 Lip corner puller: probability"
    assert about.column_names_to_labels["time_s"] == "Time at which the frame is shown, seconds"
    assert about.file_label.startswith("aucli ")


def test_pandas_and_stata_14_open_it(tmp_path: Path) -> None:
    export(study(), "stata", tmp_path / "a.dta")
    assert b"<release>118</release>" in (tmp_path / "a.dta").read_bytes()[:200], "what Stata 14 and later read"
    values = pd.read_stata(tmp_path / "a.dta")["AU12"]
    assert values.astype(object).where(values.notna(), None).tolist()[4:8] == ["present", None, "absent", "present"]


def test_names_and_labels_fit_every_column_there_can_be() -> None:
    fixed = ["video", "frame", "time_s", "face", "detected", "score", "x", "y", "w", "h", *LANDMARK_COLUMNS]
    fixed += ["interocular_px", "yaw_deg", "pitch_deg", "roll_deg", "sharpness", "brightness", "left_out"]
    for name in [*fixed, *(f"AU{au:02d}{end}" for au in AU_NAMES for end in ("", "_p"))]:
        assert re.fullmatch(r"[A-Za-z_]\w{0,31}", name)
        assert name != column_label(name), f"{name} has no label"
        assert len(column_label(name)) <= 80
    assert column_label("of_a_later_version") == "of_a_later_version"


def test_a_name_longer_than_a_text_is_refused(tmp_path: Path) -> None:
    rows = annotated(steady_film("ä" * 1100, [0.5]))
    with pytest.raises(TableError, match="is a name of 2200 bytes; Stata takes 2045"):
        export(rows, "stata", tmp_path / "a.dta")
    assert not list(tmp_path.iterdir())
