"""The table: its schema, and how it is written, continued and read.

A run writes into a work folder beside the table (``aus.parquet.partial``). Every stretch of a video that is done is a
small Parquet file there, a *segment*, written to a temporary name and renamed when whole; the segment also holds the
tracker's state, so that a run that was cut off goes on with the next frame. When all videos are done, the segments are
joined into the table, several to a row group, again under a temporary name that is renamed when whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aucli.errors import TableError
from aucli.faces.tracking import TrackedFaces
from aucli.runtime.files import lock_file, sha256_file, whole_or_nothing
from aucli.video.reader import FrameReader

if TYPE_CHECKING:
    import polars

SCHEMA_VERSION: Final = 1
METADATA_KEY: Final = b"aucli"
SEGMENT_KEY: Final = b"aucli-segment"
COMPRESSION: Final = "zstd"
ROW_GROUP_ROWS: Final = 10_000
"""Stretches of a video are gathered into row groups of at least this many rows."""


def table_schema(au_columns: Sequence[str], *, with_video: bool = True) -> pa.Schema:
    """Return the table's schema: the single place where columns and their types are written down.

    Args:
        au_columns: ``("AU01", ...)`` in the model's order.
        with_video: segments leave the column ``video`` out.
    """
    video = [pa.field("video", pa.dictionary(pa.int32(), pa.string()))] if with_video else []
    return pa.schema(
        [
            *video,
            pa.field("frame", pa.int32()),
            pa.field("time_s", pa.float64()),
            pa.field("face", pa.int16()),
            pa.field("detected", pa.bool_()),
            pa.field("score", pa.float32()),
            *(pa.field(side, pa.float32()) for side in ("x", "y", "w", "h")),
            pa.field("landmarks", pa.list_(pa.float32(), 10)),
            pa.field("interocular_px", pa.float32()),
            *(pa.field(column, pa.bool_()) for column in au_columns),
            *(pa.field(f"{column}_p", pa.float32()) for column in au_columns),
        ]
    )


@dataclass(frozen=True)
class AnnotatedFrames:
    """Some consecutive frames of one video, with all that was found in them.

    Attributes:
        index: (B,) int32, frame numbers in presentation order.
        time_s: (B,) float64, presentation times.
        tracked: B frames' faces.
        probabilities: (F, A) float32, for all faces of all frames one after another.
    """

    index: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    tracked: Sequence[TrackedFaces]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n_frames, n_faces = len(self.index), sum(len(t.faces) for t in self.tracked)
        if not len(self.time_s) == len(self.tracked) == n_frames or len(self.probabilities) != n_faces:
            raise ValueError(
                f"{n_frames} frames, {len(self.time_s)} times, {len(self.tracked)} lists of faces, "
                f"{n_faces} faces, {len(self.probabilities)} rows of probabilities"
            )


def to_rows(frames: AnnotatedFrames, au_columns: Sequence[str], thresholds: Sequence[float]) -> pa.Table:
    """Lay frames out as rows, one per face; a frame without a face is one row of nulls.

    Args:
        frames: what was found.
        au_columns: the model's AUs.
        thresholds: per AU, the probability at and above which it counts as present.

    Returns:
        A table of `table_schema` without the column ``video``.
    """
    counts = np.array([len(t.faces) for t in frames.tracked], int)
    row_frame = np.repeat(np.arange(len(counts)), np.maximum(counts, 1))
    absent = np.repeat(counts == 0, np.maximum(counts, 1))
    boxes = _spread([t.faces.boxes_xyxy for t in frames.tracked], absent, (4,), np.float32)
    landmarks = _spread([t.faces.landmarks_xy for t in frames.tracked], absent, (5, 2), np.float32)
    probabilities = _spread([frames.probabilities], absent, (len(au_columns),), np.float32)
    limits = np.asarray(thresholds, np.float32)
    present = probabilities >= limits
    interocular_px = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)

    def column(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=absent)

    arrays = [
        pa.array(frames.index[row_frame], pa.int32()),
        pa.array(frames.time_s[row_frame], pa.float64()),
        column(_spread([t.tracks for t in frames.tracked], absent, (), np.int16), pa.int16()),
        column(_spread([t.detected for t in frames.tracked], absent, (), np.bool_), pa.bool_()),
        column(_spread([t.faces.scores for t in frames.tracked], absent, (), np.float32), pa.float32()),
        column(boxes[:, 0], pa.float32()),
        column(boxes[:, 1], pa.float32()),
        column(boxes[:, 2] - boxes[:, 0], pa.float32()),
        column(boxes[:, 3] - boxes[:, 1], pa.float32()),
        pa.FixedSizeListArray.from_arrays(pa.array(landmarks.reshape(-1), pa.float32()), 10, mask=pa.array(absent)),
        column(interocular_px, pa.float32()),
        *(column(present[:, a], pa.bool_()) for a in range(len(au_columns))),
        *(column(probabilities[:, a], pa.float32()) for a in range(len(au_columns))),
    ]
    return pa.Table.from_arrays(arrays, schema=table_schema(au_columns, with_video=False))


def _spread(
    parts: Sequence[npt.NDArray[Any]], absent: npt.NDArray[np.bool_], shape: tuple[int, ...], dtype: Any
) -> npt.NDArray[Any]:
    """Join per-face values and leave zeros in the rows of frames without a face."""
    rows = np.zeros((len(absent), *shape), dtype)
    rows[~absent] = np.concatenate([np.zeros((0, *shape), dtype), *parts])
    return rows


@dataclass(frozen=True)
class VideoRecord:
    """What the metadata tells of one video.

    Attributes:
        n_frames: frames decoded, whether or not they were sampled into the table.
        n_failed: frames that the container promises and that did not decode.
        n_rows: rows in the table.
        width: pixels, as displayed.
        height: pixels, as displayed.
        fps: frames a second on average.
        duration_s: seconds, None where the container does not say.
        rotation_deg: clockwise rotation that was applied.
        codec: name of the codec.
        decoder: who decoded it.
        size_bytes: size of the file.
        sha256: digest of the file.
        broken: why the video ended early, or None.
    """

    n_frames: int
    n_failed: int
    n_rows: int
    width: int
    height: int
    fps: float
    duration_s: float | None
    rotation_deg: int
    codec: str
    decoder: str
    size_bytes: int
    sha256: str
    broken: str | None

    @classmethod
    def of(cls, reader: FrameReader, n_rows: int, *, size_bytes: int, sha256: str) -> VideoRecord:
        """Sum up a video that was read to its end."""
        info = reader.info
        return cls(
            n_frames=reader.n_frames,
            n_failed=reader.n_failed,
            n_rows=n_rows,
            width=info.width,
            height=info.height,
            fps=info.fps,
            duration_s=info.duration_s,
            rotation_deg=info.rotation_deg,
            codec=info.codec,
            decoder=reader.decoder,
            size_bytes=size_bytes,
            sha256=sha256,
            broken=reader.broken,
        )


@dataclass(frozen=True)
class RunRecord:
    """What the metadata tells of a run: all that decides the table's values.

    Two runs may share a table only if these are equal.
    """

    model: str
    model_digest: str
    aus: tuple[str, ...]
    thresholds: tuple[float, ...]
    detector: str
    detector_digest: str
    options: dict[str, Any]

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Say what differs from a record read from a file: ``["detect_every 1 -> 5"]``; nothing if all agrees."""
        mine = json.loads(json.dumps(asdict(self)))
        names = ("model", "aus", "thresholds", "detector")
        found = [f"{name} {other.get(name)} -> {mine[name]}" for name in names if mine[name] != other.get(name)]
        if not found:
            digests = ("model_digest", "detector_digest")
            found = [f"another {name.replace('_', ' ')}" for name in digests if mine[name] != other.get(name)]
        before, now = other.get("options", {}), mine["options"]
        return found + [f"{k} {before.get(k)} -> {now[k]}" for k in now if now[k] != before.get(k)]


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
            pq.write_table(rows, temporary, compression=COMPRESSION, use_dictionary=False)
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
        self._lock = lock_file(folder / "lock")
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
        os.close(self._lock)  # lets other runs in


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
    labels = pa.array([video.label for video in videos], pa.string())
    schema = table_schema(run.aus)
    records: dict[str, Any] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            first = 0
            writer = pq.ParquetWriter(temporary, schema, compression=COMPRESSION, use_dictionary=["video"])
            with writer:
                for number, video in enumerate(videos):
                    count = 0
                    for rows in video.row_groups():
                        indices = pa.array(np.full(len(rows), number, np.int32))
                        column = pa.DictionaryArray.from_arrays(indices, labels)
                        whole = pa.Table.from_arrays([column, *rows.columns], schema=schema)
                        writer.write_table(whole, row_group_size=max(1, len(whole)))
                        count += 1 if len(whole) else 0
                    records[video.label] = asdict(video.record) | {"row_groups": [first, count]}
                    first += count
                metadata = {"schema": SCHEMA_VERSION, "aucli": version, **asdict(run), "videos": records}
                writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata).encode()})
    except OSError as error:
        raise TableError(f"cannot write {path}: {error.strerror or error}") from error


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the JSON under the key ``aucli`` of a table's metadata.

    Raises:
        TableError: if the file is not a table of aucli.
    """
    try:
        with pq.ParquetFile(path) as file:
            raw = file.metadata.metadata or {}
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if METADATA_KEY not in raw:
        raise TableError(f"{path} is a Parquet file but was not written by aucli")
    metadata = json.loads(raw[METADATA_KEY])
    if not isinstance(metadata, dict) or metadata.get("schema") != SCHEMA_VERSION:
        raise TableError(f"{path} has a schema that this version of aucli does not know")
    return metadata


def read_table(path: str | os.PathLike[str]) -> polars.DataFrame:
    """Read a table, or a folder of tables, into polars.

    Args:
        path: a ``.parquet`` file written by `annotate`, or the folder given to it.

    Returns:
        One row per video, frame and face; see `table_schema`.

    Raises:
        TableError: if there is no table, or the tables of a folder come from models with other AUs.
    """
    import polars

    place = Path(path)
    if not place.exists():
        raise TableError(f"{place} does not exist")
    files = sorted(p for p in place.rglob("*.parquet") if not _in_work_folder(p, place)) if place.is_dir() else [place]
    if not files:
        raise TableError(f"{place} holds no .parquet file")
    if len({tuple(read_metadata(file)["aus"]) for file in files}) > 1:
        raise TableError(f"the tables in {place} hold different action units; read them one by one")
    # Row groups of one file share no dictionary: polars joins categories by their text.
    return polars.concat([polars.read_parquet(file, use_pyarrow=False) for file in files])


def _in_work_folder(path: Path, top: Path) -> bool:
    return any(part.endswith(".partial") for part in path.relative_to(top).parts)
