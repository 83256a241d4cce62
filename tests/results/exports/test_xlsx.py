"""Workbooks as openpyxl reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from openpyxl.utils.escape import unescape

from aucli.errors import TableError
from aucli.results.exports import registry, xlsx
from aucli.results.exports.run import export
from tests.builders.films import steady_film
from tests.builders.studies import annotated, study


def test_openpyxl_reads_back_what_the_table_holds(tmp_path: Path) -> None:
    rows = study()
    export(rows, "xlsx", tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["frames", "columns"]
    header, *cells = book["frames"].iter_rows(values_only=True)
    assert list(header) == rows.columns
    expected = rows.with_columns(pl.col(pl.Boolean).cast(pl.Int8), pl.col(pl.Float32).cast(pl.String).cast(pl.Float64))
    assert cells == expected.rows()
    meanings = dict(book["columns"].iter_rows(values_only=True, min_row=2))
    assert list(meanings) == rows.columns
    assert meanings["AU12"] == "AU12 Lip corner puller: present"


@pytest.mark.parametrize("name", ["=1+1", "http://a.example/b.mp4", "007", "a\x0bb.mp4", " <a> & b_x000b_.mp4 "])
def test_a_name_stays_a_text(tmp_path: Path, name: str) -> None:
    export(annotated(steady_film(name, [0.5])), "xlsx", tmp_path / "a.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["frames"]["A2"]
    assert cell.data_type == "s"
    assert cell.hyperlink is None
    assert unescape(cell.value) == name


def test_more_rows_than_a_sheet_holds_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert xlsx.TARGET.most_rows == 1_048_575, "and the header"
    monkeypatch.setattr(registry, "TARGETS", (replace(xlsx.TARGET, most_rows=5),))
    rows = study()
    with pytest.raises(TableError, match=r"a\.xlsx would have 12 rows; xlsx takes 5: take csv"):
        export(rows.head(12), "xlsx", tmp_path / "a.xlsx")
    with pytest.raises(TableError, match="name a folder as `output`: a file per video, or take csv"):
        export(rows, "xlsx", tmp_path / "a.xlsx")
    assert not list(tmp_path.iterdir())


def test_columns_are_lettered_as_xlsxwriter_does() -> None:
    from xlsxwriter.utility import xl_col_to_name

    assert [xlsx._letters(at) for at in range(800)] == [xl_col_to_name(at) for at in range(800)]
