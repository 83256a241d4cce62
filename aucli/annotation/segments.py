"""The work folder of a run, and the table that is written from it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aucli.annotation.earlier import read_rows_as_schema_2
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.table import METADATA_KEY, SCHEMA_VERSION, open_writer, read_metadata, table_schema
from aucli.errors import TableError
from aucli.runtime.files import folder_lock, sha256_file, whole_or_nothing

SEGMENT_KEY: Final = b"aucli-segment"

ROW_GROUP_ROWS: Final = 10_000
"""Stretches of a video are gathered into row groups of at least this many rows."""


@dataclass
class Segments:
    """The finished stretches of one video in the work folder.

    Attributes:
        folder: the work folder.
        key: begins the names of the stretches' files.
        stamp: size and time of the video's file, to notice that it was replaced.
        paths: the stretches, in order.
        next_frame: number of the first frame that is not yet in.
        n_frames: frames in all stretches.
        n_rows: rows in all stretches.
        state: the tracker's, after the last stretch.
        record: set when the video is complete.
    """

    folder: Path
    key: str
    stamp: list[int]
    paths: list[Path] = field(default_factory=list)
    next_frame: int = 0
    n_frames: int = 0
    n_rows: int = 0
    state: dict[str, Any] | None = None
    record: VideoRecord | None = None

    def append(
        self, rows: pa.Table, *, next_frame: int, state: dict[str, Any] | None, record: VideoRecord | None = None
    ) -> None:
        """Write the next stretch, whole or not at all.

        Args:
            rows: of `to_rows`.
            next_frame: number of the first frame that is not yet in.
            state: the tracker's, to go on with.
            record: given with the last stretch: the video is complete.
        """
        path = self.folder / f"{self.key}-{len(self.paths):05d}.parquet"
        note = {"next_frame": next_frame, "state": state, "record": record and asdict(record), "stamp": self.stamp}
        rows = rows.replace_schema_metadata({SEGMENT_KEY: json.dumps(note).encode()})
        with whole_or_nothing(path) as temporary:
            pq.write_table(rows, temporary, compression="zstd", use_dictionary=False)
        self.paths.append(path)
        self.n_frames += len(pc.unique(rows["frame"]))
        self.n_rows += len(rows)
        self.next_frame, self.state, self.record = next_frame, state, record

    def discard(self) -> None:
        """Forget all stretches."""
        for path in self.folder.glob(f"{self.key}-*.parquet"):
            path.unlink()
        self.paths, self.next_frame, self.n_frames, self.n_rows = [], 0, 0, 0
        self.state, self.record = None, None


class WorkFolder:
    """Where a run keeps what is finished until the table is whole. One run at a time.

    A context manager: left with `done` set, the folder is removed.
    """

    done = False

    def __init__(self, folder: Path, run: RunRecord, *, overwrite: bool) -> None:
        self.folder = folder
        note = folder / "run.json"
        if overwrite:
            shutil.rmtree(folder, ignore_errors=True)
        elif note.is_file() and (differences := run.differences(json.loads(note.read_text(encoding="utf-8")))):
            raise TableError(
                f"{folder} holds an interrupted run with other options ({'; '.join(differences)}); repeat that run's "
                "options to finish it, or begin anew with --overwrite"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        self._stack.enter_context(folder_lock(folder))
        with whole_or_nothing(note) as temporary:
            temporary.write_text(json.dumps(asdict(run), indent=1), encoding="utf-8")

    def segments(self, video: Path) -> Segments:
        """Return the stretches of a video that are finished; those of a file that has changed since are discarded."""
        status = video.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        key = hashlib.sha256(str(video.resolve()).encode()).hexdigest()[:16]
        segments = Segments(self.folder, key, stamp)
        for path in sorted(self.folder.glob(f"{key}-*.parquet")):
            note = json.loads(pq.read_schema(path).metadata[SEGMENT_KEY])
            if note["stamp"] != stamp:
                segments.discard()
                break
            segments.paths.append(path)
            frames = pq.read_table(path, columns=["frame"])["frame"]
            segments.n_frames += len(pc.unique(frames))
            segments.n_rows += len(frames)
            segments.next_frame, segments.state = note["next_frame"], note["state"]
            segments.record = VideoRecord(**note["record"]) if note["record"] else None
        return segments

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.done:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._stack.close()  # lets other runs in


class ExistingTable:
    """A table that an earlier run wrote to the same place, whose videos need not be done again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata = read_metadata(path)
        self.labels = [str(label) for label in self.metadata["videos"]]

    def find(self, video: Path, *, exclude: Collection[str] = ()) -> str | None:
        """Return under which label a video is in the table, judged by name, size and digest; None if it is not."""
        status = video.stat()
        for label in self.labels:
            record = self.metadata["videos"][label]
            if label in exclude or Path(label).name != video.name or record["size_bytes"] != status.st_size:
                continue
            unchanged = status.st_mtime_ns <= self.path.stat().st_mtime_ns
            if unchanged or sha256_file(video) == record["sha256"]:
                return label
        return None

    def record(self, label: str) -> VideoRecord:
        """Return what is known of a video."""
        known = {name: self.metadata["videos"][label][name] for name in VideoRecord.__dataclass_fields__}
        return VideoRecord(**known)

    def row_groups(self, label: str) -> Iterator[pa.Table]:
        """Yield the row groups of a video without the column ``video``."""
        first, count = self.metadata["videos"][label]["row_groups"]
        with pq.ParquetFile(self.path) as file:
            for group in range(first, first + count):
                if self.metadata["schema"] == 1:
                    before = sum(file.metadata.row_group(g).num_rows for g in range(group))
                    n_rows = file.metadata.row_group(group).num_rows
                    yield read_rows_as_schema_2(self.path, before, n_rows, self.metadata["aus"])
                else:
                    yield file.read_row_group(group).drop_columns(["video"])


@dataclass(frozen=True)
class FinishedVideo:
    """One video ready to go into the table."""

    label: str
    record: VideoRecord
    source: Segments | tuple[ExistingTable, str]

    @classmethod
    def of(cls, label: str, segments: Segments) -> FinishedVideo:
        """Take a video whose last stretch is written."""
        if segments.record is None:
            raise ValueError(f"{label} is not finished")
        return cls(label, segments.record, segments)

    def row_groups(self) -> Iterator[pa.Table]:
        """Yield its rows, a row group at a time."""
        if isinstance(self.source, Segments):
            gathered: list[pa.Table] = []
            for path in self.source.paths:
                gathered.append(pq.read_table(path))
                if sum(map(len, gathered)) >= ROW_GROUP_ROWS:
                    yield pa.concat_tables(gathered)
                    gathered = []
            if gathered:
                yield pa.concat_tables(gathered)
        else:
            existing, label = self.source
            yield from existing.row_groups(label)


def write_table(path: Path, run: RunRecord, videos: Sequence[FinishedVideo], *, version: str) -> None:
    """Join finished videos into one table, whole or not at all; memory stays at one row group.

    Args:
        path: of the table.
        run: the run's record.
        videos: in the order wanted.
        version: of aucli.

    Raises:
        TableError: if the file cannot be written.
    """
    schema = table_schema(run.aus)
    records: dict[str, Any] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            first = 0
            with open_writer(temporary, schema) as writer:
                for video in videos:
                    count = 0
                    for rows in video.row_groups():
                        column = pa.repeat(pa.scalar(video.label, pa.string()), len(rows))
                        whole = pa.Table.from_arrays([column, *rows.columns], schema=schema)
                        writer.write_table(whole, row_group_size=max(1, len(whole)))
                        count += 1 if len(whole) else 0
                    records[video.label] = asdict(video.record) | {"row_groups": [first, count]}
                    first += count
                metadata = {"schema": SCHEMA_VERSION, "aucli": version, **asdict(run), "videos": records}
                writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata).encode()})
    except OSError as error:
        raise TableError(f"cannot write {path}: {error.strerror or error}") from error
