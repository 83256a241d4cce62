"""Which film of a table a video is, and the rows of each of its frames."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from aucli.annotation.records import VideoRecord
from aucli.annotation.table import read_metadata
from aucli.errors import TableError, VideoError
from aucli.results.read import table_files
from aucli.results.row_filter import LEFT_OUT, LeftOut, RowFilter
from aucli.results.rows import rows_of_file
from aucli.runtime.files import why_not_a_file
from aucli.video.content import content_digest, content_size
from aucli.video.pictures import DEFAULT_PICTURE_RATE
from aucli.video.reader import probe
from aucli.video.times import TIME_TOLERANCE_S

if TYPE_CHECKING:
    import polars

NAMES_LISTED: Final = 3


@dataclass(frozen=True, eq=False)
class AnnotatedFilm:
    """A video that a table was made of.

    Attributes:
        path: the video.
        label: its name in the table.
        record: what the table knows of it.
        model: name of the model that read the faces.
        au_columns: ``("AU01", ...)``; A of them.
        thresholds: (A,) float64, probability from which each counts as present.
        options: of the run that made the table.
        rows: one per frame and face.
        left_out: which rows are not good enough to be read, in words; empty where all are.
    """

    path: Path
    label: str
    record: VideoRecord
    model: str
    au_columns: tuple[str, ...]
    thresholds: npt.NDArray[np.float64]
    options: dict[str, Any]
    rows: FilmRows
    left_out: str = ""

    @property
    def stream(self) -> int | None:
        """Number of the video stream that was read; None where there is one only."""
        return self.record.stream if self.record.n_streams > 1 else None

    @property
    def picture_rate(self) -> float:
        """Pictures a second at which a folder of pictures was read."""
        return float(self.options.get("picture_rate") or DEFAULT_PICTURE_RATE)

    @property
    def every_s(self) -> float:
        """Seconds between two frames that were annotated; 0 where all were."""
        return float(self.options.get("every_s") or 0.0)


@dataclass(frozen=True, eq=False)
class FilmRows:
    """The rows of one film, in order of frames, faces in order of their numbers.

    Attributes:
        frame: (R,) int64, number of the frame.
        time_s: (R,) float64, its presentation time.
        face: (R,) int64, number of the person; -1 for a frame without a face.
        boxes_xyxy: (R, 4) float64, pixels; zeros without a face.
        probabilities: (R, A) float64.
        present: (R, A) bool.
        left_out: (R,) bool: the face is too small or too far turned to be read.
    """

    frame: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]
    face: npt.NDArray[np.int64]
    boxes_xyxy: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]
    left_out: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: polars.DataFrame, au_columns: tuple[str, ...]) -> Self:
        """Take rows of a table, marked by `RowFilter.mark`.

        Raises:
            TableError: if a row has no frame or time.
        """
        import polars as pl

        rows = rows.sort("frame", "face", maintain_order=True)
        if rows["frame"].null_count() or rows["time_s"].null_count():
            raise TableError("the table has rows without frame or time_s")
        place = rows.select(pl.col("x", "y", "w", "h").cast(pl.Float64).fill_null(0.0)).to_numpy()
        return cls(
            rows["frame"].cast(pl.Int64).to_numpy(),
            rows["time_s"].cast(pl.Float64).to_numpy(),
            rows["face"].cast(pl.Int64).fill_null(-1).to_numpy(),
            np.concatenate([place[:, :2], place[:, :2] + place[:, 2:]], axis=1),
            rows.select(pl.col(f"{au}_p").cast(pl.Float64).fill_null(0.0) for au in au_columns).to_numpy(),
            rows.select(pl.col(au).cast(pl.Boolean).fill_null(False) for au in au_columns).to_numpy(),
            rows[LEFT_OUT].is_not_null().to_numpy(),
        )

    @property
    def faces(self) -> tuple[int, ...]:
        """Numbers of the people, ascending."""
        return tuple(int(face) for face in np.unique(self.face) if face >= 0)

    def of_frame(self, frame: int, time_s: float) -> slice | None:
        """Return where the rows of a frame are; None if the table does not hold it.

        Raises:
            TableError: if they lie at another time.
        """
        begin, end = (int(at) for at in np.searchsorted(self.frame, [frame, frame + 1]))
        if begin == end:
            return None
        if abs(self.time_s[begin] - time_s) > TIME_TOLERANCE_S:
            raise TableError(
                f"frame {frame} is shown at {time_s:.3f} s, and stands in the table at {self.time_s[begin]:.3f} s: the "
                "table was made by another way of reading this video; annotate it anew"
            )
        return slice(begin, end)

    def latest_before(self, frame: int) -> slice | None:
        """Return where the rows of the last frame before this one are that the table holds."""
        end = int(np.searchsorted(self.frame, frame))
        if end == 0:
            return None
        return slice(int(np.searchsorted(self.frame, self.frame[end - 1])), end)


def find_annotated_film(
    table: str | os.PathLike[str], video: str | os.PathLike[str], row_filter: RowFilter | None = None
) -> AnnotatedFilm:
    """Find a video in a table by its contents, whatever it is called now.

    Args:
        table: a ``.parquet`` file written by `annotate`, or the folder given to it.
        video: a video, a photograph or a folder of numbered pictures.
        row_filter: which rows are good enough to be read; None: all.

    Raises:
        VideoError: if there is no such video.
        TableError: if the table cannot be read, or was not made of this video.
    """
    place, path = Path(table), Path(video)
    if not path.exists():
        raise VideoError(f"{path}: there is no such file")
    if not path.is_dir() and (problem := why_not_a_file(path)):
        raise VideoError(f"{path} {problem}; name a video, a photograph or a folder of numbered pictures")
    files = table_files(place)
    try:
        size_bytes = content_size(path)
        sha256 = ""
        names: list[str] = []
        found: list[tuple[Path, str, VideoRecord, dict[str, Any]]] = []
        for file in files:
            metadata = read_metadata(file)
            for label, known in metadata["videos"].items():
                names.append(label)
                record = VideoRecord.from_json(known)
                if record.size_bytes == size_bytes:
                    sha256 = sha256 or content_digest(path)
                    if record.sha256 == sha256:
                        found.append((file, label, record, metadata))
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    if not found:
        raise TableError(_why_not_found(place, path, names))
    # The same film under several names has the same rows; its own name is the better one to show.
    file, label, record, metadata = min(found, key=lambda one: PurePosixPath(one[1]).name != path.name)
    au_columns = tuple(metadata["aus"])
    try:
        thresholds = np.array(metadata["thresholds"], np.float64)
        if thresholds.shape != (len(au_columns),):
            raise ValueError(f"{len(thresholds)} thresholds for {len(au_columns)} action units")
    except (KeyError, TypeError, ValueError) as error:
        raise TableError(f"{file} has damaged metadata ({error})") from None
    row_filter = row_filter or RowFilter()
    marked = row_filter.mark(rows_of_file(file, metadata, video=label))
    return AnnotatedFilm(
        path,
        label,
        record,
        str(metadata.get("model", "")),
        au_columns,
        thresholds,
        metadata["options"],
        FilmRows.of(marked, au_columns),
        LeftOut.of(marked, row_filter).sentence(),
    )


def _why_not_found(place: Path, path: Path, names: list[str]) -> str:
    """Why a table knows nothing of a video that can be read.

    Raises:
        VideoError: if it cannot.
    """
    probe(path)
    if any(_is_name_of(name, path) for name in names):
        return f"{place} was made of another {path.name}: the contents differ; name its own table, or annotate it first"
    listed = ", ".join(names[:NAMES_LISTED]) + (" ..." if len(names) > NAMES_LISTED else "")
    return f"{place} was not made of {path}, but of {listed or 'no video'}; name its own table, or annotate it first"


def _is_name_of(label: str, path: Path) -> bool:
    """Whether a table's name of a video, with all its folders, names what lies at a path."""
    parts = PurePosixPath(label).parts
    return path.absolute().parts[-len(parts) :] == parts
