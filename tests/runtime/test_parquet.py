"""Foreign Parquet files: read whole, or one line that says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from aucli.errors import DatasetError, TableError
from aucli.runtime.parquet import read_parquet
from tests.builders.damage import CHANGES, Change, damaged, ends_in_one_line

ROWS = pa.table({"name": ["a", "b", "c"], "n": [1, 2, 3], "points": [[0.5, 1.5]] * 3})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(ROWS, tmp_path / "x.parquet", compression="zstd", write_page_checksum=True)
    return tmp_path / "x.parquet"


def test_a_table_without_rows(tmp_path: Path) -> None:
    pq.write_table(ROWS.slice(0, 0), tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet", error=TableError).num_rows == 0


def test_all_columns_or_some(file: Path) -> None:
    assert read_parquet(file, error=TableError).equals(ROWS)
    assert read_parquet(file, ["n", "not there"], error=TableError).column_names == ["n"]
    assert pl.DataFrame(read_parquet(file, error=TableError)).equals(pl.read_parquet(file))


def _make(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "nothing":
        path.write_bytes({"empty": b"", "text": b"video,frame\na,1\n", "head": b"PAR1" + b"x" * 40}[kind])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nothing", "x does not exist; name a table of codes"),
        ("folder", "x is a folder; name a table of codes"),
        ("pipe", "x is a pipe or device; name a table of codes"),
        ("empty", "x is empty; name a table of codes"),
        ("text", "x is no Parquet file; name a table of codes"),
        ("head", "x is damaged: its end is missing; copy or make it again"),
    ],
)
def test_what_is_no_parquet_is_told_by_what_it_is(tmp_path: Path, kind: str, message: str) -> None:
    _make(tmp_path / "x", kind)
    with pytest.raises(TableError) as told:
        read_parquet(tmp_path / "x", error=TableError, wanted="a table of codes")
    assert str(told.value) == f"{tmp_path}/{message}"


def test_a_changed_page_is_noticed(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    with pytest.raises(DatasetError, match=r"x\.parquet is damaged: "):
        read_parquet(file, error=DatasetError)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_no_damage_ends_in_more_than_a_line(tmp_path_factory: pytest.TempPathFactory, changes: list[Change]) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    pq.write_table(ROWS, folder / "x.parquet", write_page_checksum=False)
    (folder / "x.parquet").write_bytes(damaged((folder / "x.parquet").read_bytes(), changes))
    ends_in_one_line(lambda: read_parquet(folder / "x.parquet", error=TableError))
