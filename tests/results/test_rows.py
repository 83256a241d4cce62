"""Rows of a file: all or of one video, and what a damaged file gives."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.annotation import writing
from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import METADATA_KEY, read_metadata
from aucli.annotation.writing import write_table
from aucli.errors import TableError
from aucli.results.rows import rows_of_file
from tests.builders.annotated import RUN, finished_video


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with WorkFolder(tmp_path / "w.partial", RUN, overwrite=False) as work:
        videos = [finished_video(work, label, counts) for label, counts in (("a", [0, 2, 1]), ("b", [1]), ("c", []))]
        write_table(tmp_path / "t.parquet", RUN, videos, version="0")
    return tmp_path / "t.parquet"


def test_they_are_those_that_polars_reads(table: Path) -> None:
    metadata, plain = read_metadata(table), pl.read_parquet(table, glob=False)
    assert rows_of_file(table, metadata).equals(plain)
    for video in ("a", "b", "c", "nothing"):
        assert rows_of_file(table, metadata, video=video).equals(plain.filter(pl.col("video") == video))


def test_one_video_of_a_row_group_that_several_share(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_SMALL_GROUPS", 0)
    with WorkFolder(tmp_path / "s.partial", RUN, overwrite=False) as work:
        videos = [finished_video(work, label, [1]) for label in "xyz"]
        write_table(tmp_path / "s.parquet", RUN, videos, version="0")
    rows = rows_of_file(tmp_path / "s.parquet", read_metadata(tmp_path / "s.parquet"), video="y")
    assert rows["video"].to_list() == ["y"]


def test_changed_bytes_are_never_other_rows(table: Path) -> None:
    metadata, plain, data = read_metadata(table), rows_of_file(table, read_metadata(table)), table.read_bytes()
    end_of_pages = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    n_refused = 0
    for at in range(4, end_of_pages, max(1, end_of_pages // 150)):
        table.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            assert rows_of_file(table, metadata).equals(plain)  # a byte that means nothing, of a page's statistics
        except TableError:
            n_refused += 1
    assert n_refused > 100


@pytest.mark.parametrize("video", [None, "a"])
def test_columns_that_are_not_there_or_no_text(table: Path, video: str | None) -> None:
    metadata, whole = read_metadata(table), pq.read_table(table)
    about = {METADATA_KEY: json.dumps(metadata).encode()}
    pq.write_table(whole.drop_columns(["video"]).replace_schema_metadata(about), table)
    with pytest.raises(TableError, match="video"):
        rows_of_file(table, metadata, video=video)
    ends = pa.py_buffer((0).to_bytes(4, "little") + (1).to_bytes(4, "little"))
    broken = pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(b"\xff")])  # no UTF-8
    texts = pa.concat_arrays([broken] * len(whole))
    pq.write_table(whole.set_column(0, "video", texts).replace_schema_metadata(about), table)
    with pytest.raises(TableError, match="is damaged"):
        rows_of_file(table, metadata)
