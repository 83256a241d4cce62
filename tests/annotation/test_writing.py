"""How videos are joined into a table, and added to one: rows, places, row groups, bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import aucli
from aucli.annotation import finished, writing
from aucli.annotation.finished import ExistingTable, FinishedVideo, RowRange
from aucli.annotation.segments import Segments, WorkFolder
from aucli.annotation.table import read_metadata, table_schema
from aucli.annotation.writing import write_table
from aucli.errors import StorageError, TableError
from aucli.runtime.files import whole_or_nothing
from tests.builders.annotated import COLUMNS, RUN, VIDEO, finished_video


def _in(table: Path) -> list[FinishedVideo]:
    """The videos of a table that is there."""
    existing = ExistingTable(table)
    return [FinishedVideo(label, record, existing) for label, record in existing.records.items()]


def _rows_of(table: Path, label: str) -> pl.DataFrame:
    return aucli.read(table).filter(pl.col("video") == label).drop("video")


def _labels_of_groups(table: Path) -> list[list[str]]:
    with pq.ParquetFile(table) as file:
        groups = [file.read_row_group(group, columns=["video"])["video"] for group in range(file.num_row_groups)]
    return [list(dict.fromkeys(column.to_pylist())) for column in groups]


def _check(table: Path, videos: Sequence[FinishedVideo]) -> None:
    """Every reader's view, the places in the metadata and the segments say the same."""
    whole = aucli.read(table)
    assert pq.read_table(table).num_rows == len(whole) == sum(video.record.n_rows for video in videos)
    metadata = read_metadata(table)["videos"]
    assert list(metadata) == [video.label for video in videos]
    with pq.ParquetFile(table) as file:
        for video in videos:
            place, n_rows = metadata[video.label], video.record.n_rows
            assert whole["video"][place["first_row"] : place["first_row"] + n_rows].to_list() == [video.label] * n_rows
            first, count = place["row_groups"]
            groups = file.read_row_groups(range(first, first + count), columns=["video"])["video"].to_pylist()
            assert groups.count(video.label) == n_rows


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path / "w", RUN, overwrite=False)


def test_a_table_without_a_row_is_a_table(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", RUN, [], version="0")
    assert aucli.read(tmp_path / "t.parquet").shape == (0, len(table_schema(COLUMNS)))
    assert read_metadata(tmp_path / "t.parquet")["videos"] == {}


def test_a_video_without_a_row_takes_no_row_group(tmp_path: Path, work: WorkFolder) -> None:
    videos = [finished_video(work, "a.mp4", [1]), finished_video(work, "none.mp4", []), finished_video(work, "b", [2])]
    write_table(tmp_path / "t.parquet", RUN, videos, version="0")
    _check(tmp_path / "t.parquet", videos)
    assert read_metadata(tmp_path / "t.parquet")["videos"]["none.mp4"]["row_groups"] == [1, 0]
    assert [video.record for video in _in(tmp_path / "t.parquet")] == [video.record for video in videos]


def test_each_video_has_row_groups_of_its_own(tmp_path: Path, work: WorkFolder) -> None:
    table = tmp_path / "t.parquet"
    videos = [finished_video(work, "a.mp4", [0, 2], [1]), finished_video(work, "b.mp4", [1, 1], [1])]
    write_table(table, RUN, videos, version="0")
    _check(table, videos)
    frame = aucli.read(table)
    assert frame["frame"].to_list() == [0, 1, 1, 2, 0, 1, 2]
    assert frame["face"].null_count() == 1
    assert read_metadata(table)["options"] == {"detect_every": 1}
    assert _labels_of_groups(table) == [["a.mp4"], ["b.mp4"]]
    footer = pq.read_metadata(table)
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(0).statistics
        assert statistics.min == statistics.max


@pytest.mark.parametrize("rows_a_group", [1, 3, 5, 50_000])
@pytest.mark.parametrize("max_small", [0, 2, 1000])
def test_added_one_by_one_or_written_at_once_the_rows_are_the_same(
    tmp_path: Path, work: WorkFolder, monkeypatch: pytest.MonkeyPatch, rows_a_group: int, max_small: int
) -> None:
    monkeypatch.setattr(writing, "ROW_GROUP_ROWS", rows_a_group)
    monkeypatch.setattr(finished, "ROW_GROUP_ROWS", rows_a_group)
    monkeypatch.setattr(writing, "MAX_SMALL_GROUPS", max_small)
    videos = [
        finished_video(work, "a.mp4", [1, 0, 2], [1, 1]),
        finished_video(work, "b.mp4", []),
        finished_video(work, "c.mp4", [2] * 4, [0] * 5, [1]),
        finished_video(work, "d.mp4", [0]),
    ]
    at_once, added = tmp_path / "at_once.parquet", tmp_path / "added.parquet"
    write_table(at_once, RUN, videos, version="0")
    _check(at_once, videos)
    for number, video in enumerate(videos):
        write_table(added, RUN, [*(_in(added) if number else []), video], version="0")
        _check(added, videos[: number + 1])
    for video in videos:
        assert _rows_of(added, video.label).equals(_rows_of(at_once, video.label))
    if max_small == 1000:
        assert added.read_bytes() == at_once.read_bytes()


def test_a_video_that_is_added_leaves_the_pages_as_they_are(
    tmp_path: Path, work: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.parquet"
    write_table(table, RUN, [finished_video(work, f"{n}.mp4", [1, 2]) for n in range(5)], version="0")
    before = table.read_bytes()
    end_of_pages = len(before) - 8 - int.from_bytes(before[-8:-4], "little")
    monkeypatch.setattr(ExistingTable, "rows", None)  # nothing is decoded
    write_table(table, RUN, [*_in(table), finished_video(work, "new.mp4", [3])], version="0")
    assert table.read_bytes()[:end_of_pages] == before[:end_of_pages]
    labels = aucli.read(table)["video"].unique(maintain_order=True).to_list()
    assert labels == [*(f"{n}.mp4" for n in range(5)), "new.mp4"]


def test_many_short_videos_share_row_groups(tmp_path: Path, work: WorkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_SMALL_GROUPS", 3)
    monkeypatch.setattr(writing, "ROW_GROUP_ROWS", 4)
    table = tmp_path / "t.parquet"
    videos = [finished_video(work, f"{n}.mp4", [1, 1]) for n in range(6)]
    write_table(table, RUN, videos[:3], version="0")
    assert _labels_of_groups(table) == [["0.mp4"], ["1.mp4"], ["2.mp4"]]
    write_table(table, RUN, [*_in(table), videos[3]], version="0")  # one too many: all are gathered
    assert _labels_of_groups(table) == [["0.mp4", "1.mp4"], ["2.mp4", "3.mp4"]]
    write_table(table, RUN, [*_in(table), videos[4]], version="0")
    assert _labels_of_groups(table) == [["0.mp4", "1.mp4"], ["2.mp4", "3.mp4"], ["4.mp4"]]
    _check(table, videos[:5])


def test_tables_that_wait_are_joined_now_and_then_and_the_file_is_the_same(
    tmp_path: Path, work: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_SMALL_GROUPS", 3)
    monkeypatch.setattr(writing, "ROW_GROUP_ROWS", 9)
    videos = [finished_video(work, f"{n}.mp4", [1] * (n % 3)) for n in range(25)]
    write_table(tmp_path / "late.parquet", RUN, videos, version="0")
    most = 0

    class Counting(writing._RowGroups):
        def add(self, video: FinishedVideo) -> RowRange:
            nonlocal most
            place = super().add(video)
            most = max(most, len(self._waiting))
            return place

    monkeypatch.setattr(writing, "_RowGroups", Counting)
    monkeypatch.setattr(writing, "MAX_LOOSE_TABLES", 2)
    write_table(tmp_path / "now.parquet", RUN, videos, version="0")
    assert (tmp_path / "now.parquet").read_bytes() == (tmp_path / "late.parquet").read_bytes()
    _check(tmp_path / "now.parquet", videos)
    assert most <= 6  # 9 rows would be up to 9 tables


def test_a_video_can_be_replaced_or_left_out(tmp_path: Path, work: WorkFolder) -> None:
    table = tmp_path / "t.parquet"
    a, b, c = (finished_video(work, label, [1, 2]) for label in "abc")
    write_table(table, RUN, [a, b, c], version="0")
    old_a, _, old_c = _in(table)
    again = finished_video(work, "b2", [0, 0, 0])
    again = replace(again, label="b")
    write_table(table, RUN, [old_a, old_c, again], version="0")
    _check(table, [a, c, again])


def test_a_failing_write_leaves_the_old_table(tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    table.write_bytes(b"old")
    missing = Segments(tmp_path, "a.mp4", "f", paths=[tmp_path / "gone.parquet"])
    with pytest.raises(TableError, match="cannot write"):
        write_table(table, RUN, [FinishedVideo("a.mp4", VIDEO, missing)], version="0")
    assert table.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_what_a_killed_run_left_is_written_over(tmp_path: Path, work: WorkFolder) -> None:
    table = tmp_path / "t.parquet"
    video = finished_video(work, "a", [1])
    write_table(table, RUN, [video], version="0")
    whole = table.read_bytes()
    with whole_or_nothing(table) as temporary:
        name = temporary
        temporary.write_bytes(whole)
    name.write_bytes(b"x" * 10_000)  # as a kill leaves it
    write_table(table, RUN, [video], version="0")
    assert table.read_bytes() == whole
    assert not name.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told_apart(tmp_path: Path, work: WorkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    video = finished_video(work, "a", [1])

    def full(*_: object, **__: object) -> None:
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")

    monkeypatch.setattr(writing, "_write_footer", full)
    with pytest.raises(StorageError, match=r"No space left on device; what was annotated is kept"):
        write_table(tmp_path / "t.parquet", RUN, [video], version="0")
    assert not (tmp_path / "t.parquet").exists()
    assert next(iter(video.rows())).num_rows == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"row_groups": [0, 7]},
        {"row_groups": [-1, 1]},
        {"row_groups": 3},
        {"first_row": 5},
        {"first_row": "x"},
        {"n_rows": 10**9},
        {"n_rows": "2"},
        {"fps": "fast"},
        {"sha256": None},
    ],
)
def test_damaged_metadata_gives_one_line(tmp_path: Path, work: WorkFolder, damage: dict[str, object]) -> None:
    table = tmp_path / "t.parquet"
    write_table(table, RUN, [finished_video(work, "a", [1, 1])], version="0")
    metadata = read_metadata(table)
    metadata["videos"]["a"] |= damage
    rows = pq.read_table(table)
    pq.write_table(rows.replace_schema_metadata({"aucli": json.dumps(metadata)}), table)
    with pytest.raises(TableError, match="has damaged metadata") as caught:
        ExistingTable(table)
    assert "\n" not in str(caught.value)
