"""What is finished of each video, safe on disk while a run is at work.

A run works in a folder beside its output (``aus.parquet.partial``). Every stretch of a video that is done is a small
Parquet file there, a *segment*. It is written to a temporary name, flushed and renamed, so that it is there whole or
not at all, and it holds what the stages remember (`Memory`), so that a run that was cut off goes on with the next
frame. When a video is in its table its segments go; what is left when a run ends belongs to videos that are not
finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.table import SCHEMA_VERSION
from aucli.errors import OptionsError, StorageError, TableError, VideoError
from aucli.runtime.files import folder_lock, is_temporary, whole_or_nothing

SEGMENT_KEY: Final = b"aucli-segment"
RUN_NOTE: Final = "run.json"
OTHER_CONTENT: Final = (
    "another file was annotated under this name, and its rows stay; to replace them use `overwrite`, to have both name "
    "the videos apart (`root`, or other folders) or choose another `output`"
)


@dataclass
class Segments:
    """The finished stretches of one video in the work folder.

    Attributes:
        folder: the work folder.
        label: the video's name in the table.
        fingerprint: of the video's content; segments of another content are not its own.
        paths: the segments, in order.
        next_frame: number of the first frame that is not yet in.
        n_frames: frames in all segments.
        n_rows: rows in all segments.
        n_faces: rows with a face in all segments.
        n_frames_with_face: frames with a face at least in all segments.
        state: of `Memory`, after the last segment.
        is_as_announced: whether all frames up to `next_frame` were those that the file's packets announce.
        record: set when the video is complete.
    """

    folder: Path
    label: str
    fingerprint: str
    paths: list[Path] = field(default_factory=list)
    next_frame: int = 0
    n_frames: int = 0
    n_rows: int = 0
    n_faces: int = 0
    n_frames_with_face: int = 0
    state: dict[str, Any] | None = None
    is_as_announced: bool = False
    record: VideoRecord | None = None

    def append(
        self,
        rows: pa.Table,
        *,
        next_frame: int,
        state: dict[str, Any] | None,
        is_as_announced: bool = False,
        record: VideoRecord | None = None,
    ) -> None:
        """Put down the next stretch, whole or not at all; when this returns it is safe on disk.

        Args:
            rows: of `to_rows`.
            next_frame: number of the first frame that is not yet in.
            state: of `Memory`, to go on with.
            is_as_announced: of the reader.
            record: given with the last stretch: the video is complete. The faces in all stretches are counted into it.

        Raises:
            StorageError: if it cannot be written.
        """
        n_frames = self.n_frames + len(pc.unique(rows["frame"]))
        with_face = rows["frame"].filter(pc.is_valid(rows["face"]))
        n_faces, n_frames_with_face = self.n_faces + len(with_face), self.n_frames_with_face + len(pc.unique(with_face))
        if record is not None:
            record = replace(record, n_faces=n_faces, n_frames_with_face=n_frames_with_face)
        note = {
            "label": self.label,
            "fingerprint": self.fingerprint,
            "next_frame": next_frame,
            "n_frames": n_frames,
            "n_rows": self.n_rows + len(rows),
            "n_faces": n_faces,
            "n_frames_with_face": n_frames_with_face,
            "state": state,
            "is_as_announced": is_as_announced,
            "record": record and asdict(record),
        }
        path = self.folder / f"{key_of(self.label)}-{len(self.paths):05d}.parquet"
        try:
            with whole_or_nothing(path) as temporary:
                pq.write_table(
                    rows.replace_schema_metadata({SEGMENT_KEY: json.dumps(note).encode()}),
                    temporary,
                    compression="zstd",
                    use_dictionary=False,
                    write_statistics=False,
                    write_page_checksum=True,
                )
        except OSError as error:
            raise StorageError(
                f"cannot write into {self.folder} ({error.strerror or error}); every finished stretch is kept: make "
                "room, and run the same command again"
            ) from error
        self.paths.append(path)
        self.n_frames, self.n_rows = n_frames, self.n_rows + len(rows)
        self.n_faces, self.n_frames_with_face = n_faces, n_frames_with_face
        self.next_frame, self.state, self.record = next_frame, state, record
        self.is_as_announced = is_as_announced

    def take_back(self, path: Path) -> bool:
        """Take in a segment that an earlier run put down, if it is whole and the next in order."""
        if path.name != f"{key_of(self.label)}-{len(self.paths):05d}.parquet" or self.record is not None:
            return False
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                note = json.loads(file.schema_arrow.metadata[SEGMENT_KEY])
                n_rows = self.n_rows + len(file.read())
            if (note["label"], note["fingerprint"], note["n_rows"]) != (self.label, self.fingerprint, n_rows):
                return False
            record = VideoRecord.from_json(note["record"]) if note["record"] else None
            n_faces, n_frames_with_face = int(note["n_faces"]), int(note["n_frames_with_face"])
            self.next_frame, self.n_frames, self.state = int(note["next_frame"]), int(note["n_frames"]), note["state"]
        except (OSError, pa.ArrowException, TableError, ValueError, TypeError, KeyError):
            return False  # torn: the machine went down, or somebody else wrote here
        self.n_rows, self.record = n_rows, record
        self.is_as_announced = note.get("is_as_announced") is True
        self.n_faces, self.n_frames_with_face = n_faces, n_frames_with_face
        self.paths.append(path)
        return True

    def row_groups(self, min_rows: int) -> Iterator[pa.Table]:
        """Yield the rows, several segments at a time: at least so many rows each but the last."""
        gathered: list[pa.Table] = []
        for path in self.paths:
            with pq.ParquetFile(path) as file:  # pq.read_table takes twice as long for a small file
                gathered.append(file.read())
            if sum(map(len, gathered)) >= min_rows:
                yield pa.concat_tables(gathered)
                gathered = []
        if gathered:
            yield pa.concat_tables(gathered)

    def discard(self) -> None:
        """Remove all segments."""
        for path in self.paths:
            path.unlink(missing_ok=True)
        self.paths, self.next_frame, self.n_frames, self.n_rows = [], 0, 0, 0
        self.n_faces = self.n_frames_with_face = 0
        self.state, self.record, self.is_as_announced = None, None, False


class WorkFolder:
    """Where a run keeps what is finished until it is in the table. One run at a time.

    A context manager. When it is left, the folder is removed unless segments of unfinished videos are in it.

    Args:
        folder: is made if it is not there.
        run: what the run does; segments of another one are not mixed with this one's.
        overwrite: those of another run are removed instead of being refused.

    Raises:
        BusyError: if another run is at work there.
        OptionsError: if the segments of another run are there.
        StorageError: if nothing can be written.
    """

    def __init__(self, folder: Path, run: RunRecord, *, overwrite: bool) -> None:
        self.folder = folder
        self._paths: dict[str, list[Path]] = {}
        with ExitStack() as stack:
            try:
                stack.enter_context(folder_lock(folder))  # before anything is looked at or removed
                self._begin(run, overwrite=overwrite)
            except OSError as error:
                raise StorageError(
                    f"cannot write into {folder.parent}: {error.strerror or error}; choose another `output`"
                ) from error
            self._stack = stack.pop_all()

    def _begin(self, run: RunRecord, *, overwrite: bool) -> None:
        segments = []
        for path in sorted(self.folder.iterdir()):
            if is_temporary(path):
                path.unlink()
            elif path.suffix == ".parquet":
                segments.append(path)
        if segments and (difference := self._difference(run)):
            if not overwrite:
                raise OptionsError(
                    f"{self.folder} holds an interrupted run with other options ({difference}); use the same, another "
                    "`output`, or `overwrite`"
                )
            for path in segments:
                path.unlink()
            segments = []
        for path in segments:
            self._paths.setdefault(path.name.rpartition("-")[0], []).append(path)
        with whole_or_nothing(self.folder / RUN_NOTE) as temporary:
            note = {"schema": SCHEMA_VERSION, **asdict(run)}
            temporary.write_text(json.dumps(note, indent=1), encoding="utf-8")

    def _difference(self, run: RunRecord) -> str:
        """Say what tells this run from the one whose segments are here; empty if nothing does."""
        try:
            before = json.loads((self.folder / RUN_NOTE).read_text(encoding="utf-8"))
            if before["schema"] != SCHEMA_VERSION:
                return f"aucli wrote schema {before['schema']} then, {SCHEMA_VERSION} now"
            return "; ".join(run.differences(before))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return "of an earlier version, or unreadable"

    def segments(self, label: str, fingerprint: str) -> Segments:
        """Return what is finished of a video. A torn segment and those after it are removed, to be done again.

        So are those of another content, unless the video was complete.

        Raises:
            VideoError: if a video of this name and another content is complete.
        """
        paths = self._paths.pop(key_of(label), [])
        segments = Segments(self.folder, label, fingerprint)
        for path in paths:
            if not segments.take_back(path):
                break
        else:
            return segments
        if not segments.paths and (other := self._of_other_content(paths)) and other.record is not None:
            self._paths[key_of(label)] = paths
            raise VideoError(OTHER_CONTENT)
        for path in paths[len(segments.paths) :]:
            path.unlink(missing_ok=True)
        return segments

    def complete_besides(self, labels: Collection[str]) -> Iterator[Segments]:
        """Yield the videos that an earlier run completed, and that are not among these labels."""
        known = {key_of(label) for label in labels}
        for key in sorted(self._paths.keys() - known):
            segments = self._of_other_content(self._paths[key])
            if segments is not None and segments.record is not None:
                del self._paths[key]
                yield segments

    def forget(self, labels: Collection[str]) -> None:
        """Remove the segments of videos that are in their table already, or that are to be done anew."""
        if self._paths:
            for label in labels:
                for path in self._paths.pop(key_of(label), []):
                    path.unlink(missing_ok=True)

    def _of_other_content(self, paths: list[Path]) -> Segments | None:
        """The segments of a file whose content is only known from themselves."""
        try:
            note = json.loads(pq.read_schema(paths[0]).metadata[SEGMENT_KEY])
            segments = Segments(self.folder, str(note["label"]), str(note["fingerprint"]))
        except (OSError, pa.ArrowException, ValueError, TypeError, KeyError, IndexError):
            return None
        for path in paths:
            if not segments.take_back(path):
                break
        return segments

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if not any(self.folder.glob("*.parquet")):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._stack.close()  # lets other runs in


def key_of(label: str) -> str:
    """Return what the names of a video's segments begin with."""
    return hashlib.sha256(label.encode()).hexdigest()[:16]
