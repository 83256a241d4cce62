"""Tables, and folders of tables, of this and of earlier versions, into polars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.annotation.records import RunRecord
from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import read_metadata
from aucli.annotation.writing import write_table
from aucli.errors import OptionsError, TableError
from aucli.results.read import read_metadata_of, read_table, read_tables
from tests.builders.annotated import RUN, VIDEO, annotated_frames, finished_video, rows_of
from tests.builders.earlier_tables import as_schema_2, write_schema_1


@pytest.mark.parametrize("content", [b"", b"PAR1 no table PAR1"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"is (empty|no Parquet file|damaged)"):
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
    rows = rows_of(annotated_frames([0, 2, 1]))
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
    rows = rows_of(annotated_frames([0, 1]))
    write_schema_1(tmp_path / "old.parquet", RUN, {"a.mp4": (VIDEO, rows)})
    read = read_table(tmp_path)
    assert read["video"].to_list() == ["n.mp4"] * 3 + ["a.mp4"] * 2 + ["o.mp4"] * 3
    by_video = dict(read.group_by("video").agg(pl.exclude("video")).select("video", "yaw_deg").iter_rows())
    assert by_video["n.mp4"] == by_video["o.mp4"]
    assert read.filter(video="o.mp4")["sharpness"].null_count() == 3


def _write(path: Path, video: str, *, run: RunRecord = RUN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with WorkFolder(path.parent / "w.partial", RUN, overwrite=False) as work:
        write_table(path, run, [finished_video(work, video, [0, 2])], version="0")
    return path


def test_files_folders_and_globs_read_as_one_each_file_once(tmp_path: Path) -> None:
    a, b = _write(tmp_path / "s" / "a.parquet", "a.mp4"), _write(tmp_path / "s" / "p2" / "b.parquet", "b.mp4")
    odd = _write(tmp_path / "t[1].parquet", "odd.mp4")
    for path in (tmp_path / "s", [a, b], [a, b, a], str(tmp_path / "s" / "**" / "*.parquet"), str(tmp_path / "[s]")):
        assert read_table(path)["video"].unique(maintain_order=True).sort().to_list() == ["a.mp4", "b.mp4"]
    assert read_table(odd)["video"].unique().to_list() == ["odd.mp4"]
    for path, message in (
        (tmp_path / "no*.parquet", r"no\*.parquet fits no file"),
        ([], "no table is named"),
    ):
        with pytest.raises(TableError, match=message):
            read_table(path)


def test_what_tables_of_one_run_say_together(tmp_path: Path) -> None:
    a, b = _write(tmp_path / "s" / "a.parquet", "a.mp4"), _write(tmp_path / "s" / "p2" / "b.parquet", "b.mp4")
    one, other = read_metadata(a), read_metadata(b)
    assert read_metadata_of(a) == one
    assert read_metadata_of(tmp_path / "s") == one | {"videos": one["videos"] | other["videos"]}
    c = _write(tmp_path / "c.parquet", "c.mp4", run=replace(RUN, model_digest="other"))
    with pytest.raises(TableError, match=r"a\.parquet and .*c\.parquet differ in model_digest; read"):
        read_metadata_of([a, b, c])


def test_tables_that_do_not_go_together_are_refused_by_name(tmp_path: Path) -> None:
    a, b = _write(tmp_path / "a.parquet", "a.mp4"), _write(tmp_path / "b.parquet", "a.mp4")
    with pytest.raises(TableError, match=r"a.mp4 is in .*a.parquet and in .*b.parquet; name one of them"):
        read_table([a, b])


def test_thresholds_that_tables_share_and_those_that_differ(tmp_path: Path) -> None:
    a = _write(tmp_path / "a.parquet", "a.mp4")
    b = _write(tmp_path / "b.parquet", "b.mp4", run=replace(RUN, thresholds=(0.5, 0.4), model_digest="other"))
    assert read_tables(a).thresholds == {"AU01": 0.5, "AU12": 0.5}
    both = read_tables([a, b])
    assert both.thresholds == {"AU01": 0.5}
    assert "different thresholds for AU12" in both.notes[0]
    assert "2 models" in both.notes[1]


def test_pandas_gets_types_that_know_what_is_missing(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = _write(tmp_path / "a.parquet", "a.mp4")
    table = read_table(path, as_="pandas")
    kinds = {str(kind) for kind in table.dtypes}
    assert kinds == {"string", "Int32", "Float64", "Float32", "boolean"}
    assert table["AU01"].isna().tolist() == [True, False, False]
    assert table["face"].tolist()[1:] == [0, 1]
    assert table["AU01"].mean() == read_table(path)["AU01"].mean()
    merged = table.merge(pandas.DataFrame({"video": ["a.mp4"], "condition": ["x"]}), on="video")
    assert merged["condition"].tolist() == ["x"] * 3
    with pytest.raises(OptionsError, match="`as_` is 'R'"):
        read_table(path, as_="R")  # type: ignore[call-overload]
