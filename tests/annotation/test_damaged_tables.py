"""Whatever stands in the place of a table: read, asked for its metadata, or gone on with, it gives one line at most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aucli
from aucli.annotation.finished import ExistingTable
from aucli.annotation.resume import Output, plan_run
from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import METADATA_KEY, table_schema
from aucli.annotation.writing import write_table
from aucli.errors import AucliError
from aucli.video.inputs import VideoInput
from tests.builders.annotated import COLUMNS, RUN, finished_video, half_done
from tests.builders.damage import CHANGES, Change, damaged, ends_in_one_line, with_another_value
from tests.builders.earlier_tables import write_schema_1

FEW = settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of either schema, and a video."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "a").write_bytes(b"a")
    with WorkFolder(folder / "w.partial", RUN, overwrite=False) as work:
        videos = [finished_video(work, label, counts) for label, counts in (("a", [0, 2]), ("b", [1]))]
        write_table(folder / "2.parquet", RUN, videos, version="0")
        rows = {video.label: (video.record, next(iter(video.rows()))) for video in videos}
        write_schema_1(folder / "1.parquet", RUN, rows)
        work.forget(["a", "b"])
        for video in videos:
            video.source.discard()  # type: ignore[union-attr]
    return folder


def _use(table: Path, video: Path) -> None:
    """All that is ever done with a table that is there."""
    ends_in_one_line(lambda: aucli.read(table))
    ends_in_one_line(lambda: aucli.read_metadata(table))
    one, several = Output.of(table), Output.of(table.parent / "out")
    several.path.mkdir(exist_ok=True)
    (several.path / "a.parquet").write_bytes(table.read_bytes())
    for output in (one, several):
        for overwrite in (False, True):

            def go_on(output: Output = output, overwrite: bool = overwrite) -> None:
                with WorkFolder(output.work_folder, RUN, overwrite=overwrite) as work:
                    plan_run(output, [VideoInput(video, "a", "a")], RUN, work, overwrite=overwrite)

            ends_in_one_line(go_on)

    def copy() -> None:
        existing = ExistingTable(table)
        for label in existing.records:
            for rows in existing.rows(label):
                rows.validate()

    ends_in_one_line(copy)


@FEW
@given(st.sampled_from(["1.parquet", "2.parquet"]), CHANGES)
def test_changed_bytes(folder: Path, name: str, changes: list[Change]) -> None:
    table = folder / "damaged.parquet"
    table.write_bytes(damaged((folder / name).read_bytes(), changes))
    _use(table, folder / "a")


@FEW
@given(st.sampled_from(["1.parquet", "2.parquet"]), st.data())
def test_changed_metadata(folder: Path, name: str, data: st.DataObject) -> None:
    rows = pl.read_parquet(folder / name).to_arrow()
    metadata = with_another_value(aucli.read_metadata(folder / name), data.draw)
    table = folder / "damaged.parquet"
    pq.write_table(rows.replace_schema_metadata({METADATA_KEY: json.dumps(metadata).encode()}), table)
    _use(table, folder / "a")


KINDS: tuple[pa.DataType, ...] = (
    *(pa.string(), pa.int8(), pa.float16(), pa.bool_(), pa.null(), pa.timestamp("ns"), pa.list_(pa.int8())),
    *(pa.binary(), pa.dictionary(pa.int8(), pa.string()), pa.struct([("a", pa.int8())]), pa.decimal128(5, 2)),
)


@FEW
@given(st.sampled_from(table_schema(COLUMNS).names), st.one_of(st.none(), st.sampled_from(KINDS)))
def test_columns_of_another_kind_or_none(folder: Path, column: str, kind: pa.DataType | None) -> None:
    rows = pq.read_table(folder / "2.parquet")
    at = rows.schema.names.index(column)
    metadata = {METADATA_KEY: json.dumps(aucli.read_metadata(folder / "2.parquet")).encode()}
    rows = rows.remove_column(at)
    if kind is not None:
        rows = rows.add_column(at, column, pa.nulls(len(rows), kind))
    table = folder / "damaged.parquet"
    pq.write_table(rows.replace_schema_metadata(metadata), table)
    _use(table, folder / "a")


@FEW
@given(st.sampled_from(["segment", "note"]), CHANGES)
def test_changed_segments(folder: Path, what: str, changes: list[Change]) -> None:
    """What a killed run left, and a disk changed: a torn stretch is done again."""
    place = folder / "t.parquet.partial"
    with WorkFolder(place, RUN, overwrite=True) as work:
        work.forget(["a"])
        half_done(work, "a", [1, 0], [2])
    target = sorted(place.glob("*.parquet"))[0] if what == "segment" else place / "run.json"
    target.write_bytes(damaged(target.read_bytes(), changes, marks=b'{}[],:"'))
    found: list[Any] = []

    def go_on() -> None:
        with WorkFolder(place, RUN, overwrite=False) as work:
            found.extend(work.segments("a", "f").row_groups(1))

    ends_in_one_line(go_on)
    assert all(rows.schema.names[0] == "frame" for rows in found)


@pytest.mark.parametrize("depth", [100_000])
def test_metadata_nested_without_end(folder: Path, depth: int) -> None:
    table = folder / "deep.parquet"
    rows = pq.read_table(folder / "2.parquet")
    pq.write_table(rows.replace_schema_metadata({METADATA_KEY: b"[" * depth}), table)
    with pytest.raises(AucliError, match="damaged metadata"):
        aucli.read_metadata(table)


@pytest.mark.parametrize(
    ("field", "value"),
    [("size_bytes", "12"), ("n_frames", -1), ("fps", float("nan")), ("notes", [1]), ("mirrored", 0), ("n_rows", True)],
)
def test_a_damaged_record_of_a_video_is_one_line_for_every_reader(folder: Path, field: str, value: object) -> None:
    table = pq.read_table(folder / "2.parquet")
    metadata = json.loads(pq.read_metadata(folder / "2.parquet").metadata[METADATA_KEY])
    damages: list[object] = [{**metadata["videos"]["a"], field: value}, [], None]
    for damage in damages:
        videos = {**metadata["videos"], "a": damage}
        told = table.replace_schema_metadata({METADATA_KEY: json.dumps({**metadata, "videos": videos}).encode()})
        pq.write_table(told, folder / "record.parquet")
        with pytest.raises(AucliError, match="a video's record is damaged"):
            aucli.read_metadata(folder / "record.parquet")


@pytest.mark.parametrize("name", ["every_s", "picture_rate"])
@pytest.mark.parametrize("value", ["1", [1], True, -1.0, float("nan")])
def test_damaged_options_are_one_line_for_every_reader(folder: Path, name: str, value: object) -> None:
    table = pq.read_table(folder / "2.parquet")
    metadata = json.loads(pq.read_metadata(folder / "2.parquet").metadata[METADATA_KEY])
    metadata["options"][name] = value
    told = table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata).encode()})
    pq.write_table(told, folder / "options.parquet")
    with pytest.raises(AucliError, match=f"damaged metadata .{name} is"):
        aucli.read_metadata(folder / "options.parquet")
