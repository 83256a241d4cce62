"""Tables, and folders of tables, of this and of earlier versions, into polars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import read_metadata, to_rows
from aucli.annotation.writing import write_table
from aucli.errors import TableError
from aucli.results.read import read_table
from tests.builders.annotated import COLUMNS, RUN, VIDEO, annotated_frames, finished_video
from tests.builders.earlier_tables import as_schema_2, write_schema_1


@pytest.mark.parametrize("content", [b"", b"PAR1 no table PAR1"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        read_table(path)


def test_missing_and_foreign_tables(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="does not exist"):
        read_table(tmp_path / "no.parquet")
    with pytest.raises(TableError, match=r"holds no \.parquet"):
        read_table(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(TableError, match="not written by aucli"):
        read_table(tmp_path)


def test_a_table_of_schema_1_reads_as_one_of_today(tmp_path: Path) -> None:
    rows = to_rows(annotated_frames([0, 2, 1]), COLUMNS, (0.5, 0.5))
    old = write_schema_1(tmp_path / "old.parquet", RUN, {"a.mp4": (VIDEO, rows), "b.mp4": (VIDEO, rows.slice(0, 1))})
    assert "landmarks" in pq.read_schema(old).names
    read = read_table(old)
    assert read["video"].to_list() == ["a.mp4"] * 4 + ["b.mp4"]
    known = rows.drop_columns(["sharpness", "brightness"])
    assert read.head(4).select(known.column_names).to_arrow().cast(known.schema).equals(known)
    assert read["sharpness"].null_count() == read["brightness"].null_count() == 5
    assert read_metadata(old)["schema"] == 1


def test_tables_of_all_schemas_in_a_folder_read_as_one(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w.partial", RUN, overwrite=False) as work:
        video = finished_video(work, "n.mp4", [2, 1])
        write_table(tmp_path / "new.parquet", RUN, [video], version="0")
        write_table(tmp_path / "old2.parquet", RUN, [replace(video, label="o.mp4")], version="0")
    as_schema_2(tmp_path / "old2.parquet")
    rows = to_rows(annotated_frames([0, 1]), COLUMNS, (0.5, 0.5))
    write_schema_1(tmp_path / "old.parquet", RUN, {"a.mp4": (VIDEO, rows)})
    read = read_table(tmp_path)
    assert read["video"].to_list() == ["n.mp4"] * 3 + ["a.mp4"] * 2 + ["o.mp4"] * 3
    by_video = dict(read.group_by("video").agg(pl.exclude("video")).select("video", "yaw_deg").iter_rows())
    assert by_video["n.mp4"] == by_video["o.mp4"]
    assert read.filter(video="o.mp4")["sharpness"].null_count() == 3
