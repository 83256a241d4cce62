"""How finished videos become a table: whole or not at all, in time and memory that grow with what is new.

A video has row groups of its own, so that a filter on ``video`` reads nothing else. But every reader pays for every row
group (10,000 of them cost pyarrow 0.7 GB and a minute), so where a table holds more than `MAX_SMALL_GROUPS` short
videos, those that follow one another share row groups.

A video that is added to a table leaves what is there as it is: the pages of the old file are copied byte by byte, those
of the new rows are written behind them, and a footer that names both is put at the end. The file is the same, byte by
byte, as one that was written in one go.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from aucli import __version__
from aucli.annotation.finished import ROW_GROUP_ROWS, ExistingTable, FinishedVideo, RowRange
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.resume import Output, Plan
from aucli.annotation.segments import Segments
from aucli.annotation.table import METADATA_KEY, SCHEMA_VERSION, open_writer, table_schema
from aucli.errors import StorageError, TableError
from aucli.runtime.files import is_disk_failure, whole_or_nothing
from aucli.runtime.parquet import MAGIC

MAX_SMALL_GROUPS: Final = 1000
"""Row groups of fewer than `ROW_GROUP_ROWS` rows that a table may hold."""
COPY_BYTES: Final = 2**23
MAX_LOOSE_TABLES: Final = 256
"""Tables of short videos that wait for their row group one by one: each costs 100 kB for its columns, however few its
rows. More are joined."""


class RunTables:
    """Takes what a run finishes, and writes it: each video's own table at once, the one table of all at the end.

    Args:
        output: where tables go.
        run: its record.
        plan: what is there already, and where each video's table is.
    """

    def __init__(self, output: Output, run: RunRecord, plan: Plan) -> None:
        self._output, self._run, self._tables = output, run, plan.tables
        self.finished = dict(plan.finished)

    def add(self, segments: Segments) -> VideoRecord:
        """Take a video that was annotated to its end, and return its record."""
        video = self.finished[segments.label] = FinishedVideo.of(segments)
        if not self._output.is_one_table:
            self._write_own_table(segments)
        return video.record

    def write_what_waits(self) -> None:
        """Write the videos whose segments wait in the work folder; earlier runs may have left some, too."""
        waiting = [video.source for video in self.finished.values() if isinstance(video.source, Segments)]
        if not self._output.is_one_table:
            for segments in waiting:
                self._write_own_table(segments)
        elif waiting:
            write_table(self._output.path, self._run, list(self.finished.values()), version=__version__)
            for segments in waiting:
                segments.discard()

    def paths(self, labels: Iterable[str]) -> tuple[Path, ...]:
        """Return the tables that hold the finished ones of these videos, each once."""
        return tuple(dict.fromkeys(self._tables[label] for label in labels if label in self.finished))

    def _write_own_table(self, segments: Segments) -> None:
        video = self.finished[segments.label]
        write_table(self._tables[video.label], self._run, [video], version=__version__)
        segments.discard()
        self.finished[video.label] = FinishedVideo(video.label, video.record)


def write_table(path: Path, run: RunRecord, videos: Sequence[FinishedVideo], *, version: str) -> None:
    """Join finished videos into one table, whole or not at all; memory stays at one row group.

    Args:
        path: of the table.
        run: the run's record.
        videos: in the order wanted. Where those of the table that is there come first, only the others cost time.
        version: of aucli.

    Raises:
        StorageError: if the disk takes no more.
        TableError: if the file cannot be written.
    """
    schema = table_schema(run.aus)
    old, new, shared = _divide(videos, schema)
    places = dict(old.places) if old else {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            footer = _write_pages(temporary, schema, old, new, places, shared=shared)
            records = {video.label: asdict(video.record) | places[video.label].to_json() for video in videos}
            metadata = {"schema": SCHEMA_VERSION, "aucli": version, **asdict(run), "videos": records}
            _write_footer(temporary, schema, [old.footer, footer] if old else [footer], metadata)
    except OSError as error:
        kind = StorageError if is_disk_failure(error) else TableError
        raise kind(
            f"cannot write {path}: {error.strerror or error}; what was annotated is kept for the next run"
        ) from error


def _divide(
    videos: Sequence[FinishedVideo], schema: pa.Schema
) -> tuple[ExistingTable | None, list[FinishedVideo], bool]:
    """Say which table's pages are copied, which videos are written behind them, and whether short ones share groups."""
    if not videos:
        return None, [], False
    old = videos[0].source
    if isinstance(old, ExistingTable) and _can_be_copied(old, videos, schema):
        new = list(videos[len(old.records) :])
        shared = _n_short(new) > MAX_SMALL_GROUPS
        n_small = sum(n_rows < ROW_GROUP_ROWS for n_rows in old.group_sizes)
        if n_small + (1 if shared else _n_short(new)) <= MAX_SMALL_GROUPS:
            return old, new, shared
    return None, list(videos), _n_short(videos) > MAX_SMALL_GROUPS


def _n_short(videos: Sequence[FinishedVideo]) -> int:
    return sum(0 < video.record.n_rows < ROW_GROUP_ROWS for video in videos)


def _can_be_copied(old: ExistingTable, videos: Sequence[FinishedVideo], schema: pa.Schema) -> bool:
    """Whether the old table's videos, all of them and in its order, come first, in columns like the new ones."""
    first = videos[: len(old.records)]
    return (
        [video.label for video in first] == list(old.records)
        and all(video.source is old for video in first)
        and old.footer.schema.equals(_footer_of(schema, {}).schema)
    )


def _write_pages(
    path: Path,
    schema: pa.Schema,
    old: ExistingTable | None,
    new: Sequence[FinishedVideo],
    places: dict[str, RowRange],
    *,
    shared: bool,
) -> pq.FileMetaData:
    """Write a file without its footer: the pages of the old table, then those of new videos.

    Notes the places of the new videos, and returns the footer of their part.
    """
    footers: list[pq.FileMetaData] = []
    with pa.OSFile(os.fsdecode(path), "wb") as sink, open_writer(sink, schema, metadata_collector=footers) as writer:
        # The writer has written the mark that a file begins with, and asks the stream for each page's position.
        if old:
            _copy_pages(old, sink)
        groups = _RowGroups(writer, schema, *((old.footer.num_row_groups, old.footer.num_rows) if old else (0, 0)))
        for video in new:
            places[video.label] = groups.add(video)
            if not shared:
                groups.close()
        groups.close()
    with path.open("r+b") as file:
        file.truncate(_end_of_pages(file))
    return footers[0]


def _copy_pages(old: ExistingTable, sink: pa.NativeFile) -> None:
    """Copy what stands between the mark at the beginning of a table's file and its footer."""
    with old.path.open("rb") as file:
        left = _end_of_pages(file) - file.seek(len(MAGIC))
        while left and (data := file.read(min(left, COPY_BYTES))):
            sink.write(data)
            left -= len(data)
    if left:
        raise OSError(f"{old.path} became shorter while it was read")


def _end_of_pages(file: IO[bytes]) -> int:
    """Where a Parquet file's footer begins: its last 8 bytes are the footer's length and the mark."""
    end = file.seek(-4 - len(MAGIC), io.SEEK_END)
    return end - int.from_bytes(file.read(4), "little")


class _RowGroups:
    """Gathers rows into row groups."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, first_group: int, first_row: int) -> None:
        self._writer, self._schema = writer, schema
        self._n_groups, self._n_rows = first_group, first_row
        self._waiting: list[pa.Table] = []
        self._n_loose = 0  # of these, at their end, those that are not joined yet

    def add(self, video: FinishedVideo) -> RowRange:
        first_group, first_row = self._n_groups, self._n_rows
        for rows in video.rows():
            if len(rows):
                label = pa.repeat(pa.scalar(video.label, pa.string()), len(rows))
                self._waiting.append(pa.Table.from_arrays([label, *rows.columns], schema=self._schema))
                self._n_loose += 1
                self._n_rows += len(rows)
            if self._n_loose >= MAX_LOOSE_TABLES:
                loose = self._waiting[-self._n_loose :]
                self._waiting[-self._n_loose :] = [pa.concat_tables(loose).combine_chunks()]
                self._n_loose = 0
            if sum(map(len, self._waiting)) >= ROW_GROUP_ROWS:
                self.close()
        n_groups = self._n_groups + bool(self._waiting) - first_group if self._n_rows > first_row else 0
        return RowRange(first_group, n_groups, first_row)

    def close(self) -> None:
        """End the row group."""
        if self._waiting:
            whole = pa.concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(whole, row_group_size=len(whole))
            self._n_groups += 1
            self._waiting, self._n_loose = [], 0


def _write_footer(path: Path, schema: pa.Schema, parts: Sequence[pq.FileMetaData], metadata: dict[str, Any]) -> None:
    """Put a footer behind the pages: the row groups of all parts, and the metadata."""
    whole = _footer_of(schema, metadata)
    for part in parts:
        whole.append_row_groups(part)
    footer = io.BytesIO()
    whole.write_metadata_file(footer)
    with path.open("ab") as file:
        file.write(footer.getvalue()[len(MAGIC) :])


def _footer_of(schema: pa.Schema, metadata: dict[str, Any]) -> pq.FileMetaData:
    """The footer of a file without rows."""
    empty = io.BytesIO()
    with open_writer(empty, schema) as writer:
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata).encode()})
    return pq.read_metadata(io.BytesIO(empty.getvalue()))
