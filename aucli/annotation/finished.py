"""Videos that are finished: in a table that is there already, or in segments that wait for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.annotation.records import VideoRecord
from aucli.annotation.segments import Segments
from aucli.annotation.table import SCHEMA_VERSION, parse_metadata, table_schema
from aucli.errors import TableError
from aucli.runtime.parquet import open_parquet

ROW_GROUP_ROWS: Final = 50_000
"""Rows that a row group has at least where there are as many: half an hour of one person at 30 frames/s."""


@dataclass(frozen=True)
class RowRange:
    """Where the rows of a video lie in its table: some rows of some consecutive row groups.

    Attributes:
        first_group: number of the first row group.
        n_groups: how many; 0 if there is no row.
        first_row: number of the first row among all rows of the table.
    """

    first_group: int
    n_groups: int
    first_row: int

    def to_json(self) -> dict[str, Any]:
        """Return what stands beside the video's record in the metadata."""
        return {"row_groups": [self.first_group, self.n_groups], "first_row": self.first_row}


class ExistingTable:
    """A table that an earlier run wrote, and that a run may go on with.

    Earlier schemas are refused: in schema 1 videos are called otherwise, so rows of one video would stand there under
    two names; rows of schema 2 lack what the films alone can tell.

    Attributes:
        path: of the file.
        footer: what pyarrow read of it.
        metadata: of `read_metadata`.
        records: label -> what is known of the video, in the order of the table.
        places: label -> where its rows are.

    Raises:
        TableError: if it is no table of aucli, damaged, or of an earlier schema.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_parquet(path, error=TableError, wanted=None) as file:
            self.footer = file.metadata
        self.metadata = parse_metadata(path, self.footer)
        if self.metadata["schema"] != SCHEMA_VERSION:
            raise TableError(
                f"{path} was written by aucli {self.metadata.get('aucli', '')} (schema {self.metadata['schema']}), "
                f"and is not added to in schema {SCHEMA_VERSION}; choose another `output`, or have it replaced by "
                "`overwrite` (aucli.read reads it as it is, and both in one folder as one)"
            )
        group_rows = (self.footer.row_group(group).num_rows for group in range(self.footer.num_row_groups))
        self._group_begins = list(accumulate(group_rows, initial=0))
        self.records: dict[str, VideoRecord] = {}
        self.places: dict[str, RowRange] = {}
        try:
            for label, known in self.metadata["videos"].items():
                self.records[label] = VideoRecord.from_json(known)
                self.places[label] = self._place(known)
        except (TableError, TypeError, ValueError, KeyError, IndexError) as error:
            raise TableError(f"{path} has damaged metadata ({error})") from error
        if sum(record.n_rows for record in self.records.values()) != self.footer.num_rows:
            raise TableError(f"{path} has damaged metadata (its videos' rows are not those of the file)")
        self._read_group = lru_cache(maxsize=1)(self._read_group_once)  # small videos share row groups

    def _place(self, known: dict[str, Any]) -> RowRange:
        first, count = (int(number) for number in known["row_groups"])
        if not 0 <= first <= first + count < len(self._group_begins):
            raise ValueError(f"row groups {first} to {first + count} of {len(self._group_begins) - 1}")
        first_row = int(known["first_row"])
        end_of_groups = self._group_begins[first + count]
        if count == 0 and known["n_rows"] == 0:
            return RowRange(first, 0, first_row)
        if not self._group_begins[first] <= first_row <= first_row + int(known["n_rows"]) <= end_of_groups:
            raise ValueError(f"row {first_row} does not lie in row group {first}")
        return RowRange(first, count, first_row)

    @property
    def group_sizes(self) -> list[int]:
        """Rows of each row group."""
        return [end - begin for begin, end in zip(self._group_begins, self._group_begins[1:], strict=False)]

    def rows(self, label: str) -> Iterator[pa.Table]:
        """Yield the rows of a video, a row group at a time, in the form of `table_schema` without ``video``.

        Raises:
            TableError: if they cannot be read.
        """
        place, n_rows = self.places[label], self.records[label].n_rows
        for group in range(place.first_group, place.first_group + place.n_groups):
            begin = max(place.first_row, self._group_begins[group])
            end = min(place.first_row + n_rows, self._group_begins[group + 1])
            try:
                yield self._read_group(group).slice(begin - self._group_begins[group], end - begin)
            except (OSError, pa.ArrowException) as error:
                raise TableError(f"{self.path} cannot be read: {str(error).splitlines()[0]}") from error

    def _read_group_once(self, group: int) -> pa.Table:
        schema = table_schema(self.metadata["aus"], with_video=False)
        with pq.ParquetFile(self.path, metadata=self.footer, page_checksum_verification=True) as file:
            return file.read_row_group(group, columns=schema.names).select(schema.names).cast(schema)


@dataclass(frozen=True)
class FinishedVideo:
    """A video whose rows are all there.

    Attributes:
        label: its name in the table.
        record: what is known of it.
        source: where its rows can be read; None for a table of its own that stays as it is.
    """

    label: str
    record: VideoRecord
    source: Segments | ExistingTable | None = None

    @classmethod
    def of(cls, segments: Segments) -> FinishedVideo:
        """Take a video whose last stretch is written."""
        if segments.record is None:
            raise ValueError(f"{segments.label} is not finished")
        return cls(segments.label, segments.record, segments)

    def rows(self) -> Iterator[pa.Table]:
        """Yield its rows without the column ``video``, some at a time."""
        if isinstance(self.source, Segments):
            return self.source.row_groups(ROW_GROUP_ROWS)
        return self.source.rows(self.label) if self.source else iter(())
