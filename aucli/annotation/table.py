"""The table: its columns, how rows are laid out in it, and what its file is made of.

Schema 3 is what is written. Still read, see `earlier`: schema 2, which had no `QUALITY_COLUMNS`, and schema 1, which
also had a list of ten numbers for the landmarks and a dictionary of all videos' names in each row group. Files hold
nothing but flat columns in plain encodings, so that every reader opens them: arrow before release 26 cannot open a list
of fixed length with nulls, R's nanoparquet no list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.annotation.records import check_record
from aucli.errors import TableError
from aucli.faces.head_pose import head_pose
from aucli.faces.tracking import TrackedFaces
from aucli.runtime.parquet import open_parquet

SCHEMA_VERSION: Final = 3
READABLE_SCHEMAS: Final = (1, 2, 3)
METADATA_KEY: Final = b"aucli"
WANTED: Final = "a table of annotate (x.parquet)"
"""What to name instead, where a path is no table's."""
LANDMARK_COLUMNS: Final = tuple(
    f"{point}_{axis}" for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
)
"""Left and right as seen in the picture; pixels of the frame as displayed."""
POSE_COLUMNS: Final = ("yaw_deg", "pitch_deg", "roll_deg")
"""How the head is turned, see `head_pose`; null where the landmarks span no area."""
QUALITY_COLUMNS: Final = (*POSE_COLUMNS, "sharpness", "brightness")
"""How far to trust a row, besides ``interocular_px``; see `crop_quality`."""
SEARCHED_COLUMNS: Final = ("video", "frame", "time_s", "face")
"""What rows are searched by: only these keep their least and greatest value in the file's footer, which grows by some
30 bytes for each row group and column that does."""


def table_schema(au_columns: Sequence[str], *, with_video: bool = True) -> pa.Schema:
    """Return the table's schema: the single place where columns and their types are written down.

    Args:
        au_columns: ``("AU01", ...)`` in the model's order.
        with_video: segments leave the column ``video`` out.
    """
    video = [pa.field("video", pa.string())] if with_video else []
    return pa.schema(
        [
            *video,
            pa.field("frame", pa.int32()),
            pa.field("time_s", pa.float64()),
            pa.field("face", pa.int32()),
            pa.field("detected", pa.bool_()),
            pa.field("score", pa.float32()),
            *(pa.field(side, pa.float32()) for side in ("x", "y", "w", "h")),
            *(pa.field(column, pa.float32()) for column in LANDMARK_COLUMNS),
            pa.field("interocular_px", pa.float32()),
            *(pa.field(column, pa.float32()) for column in QUALITY_COLUMNS),
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
        sharpness: (F,) float32, of their crops, see `crop_quality`.
        brightness: (F,) float32, likewise.
    """

    index: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    tracked: Sequence[TrackedFaces]
    probabilities: npt.NDArray[np.float32]
    sharpness: npt.NDArray[np.float32]
    brightness: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n_frames, n_faces = len(self.index), sum(len(t.faces) for t in self.tracked)
        of_faces = [len(self.probabilities), len(self.sharpness), len(self.brightness)]
        if not len(self.time_s) == len(self.tracked) == n_frames or of_faces != [n_faces] * 3:
            raise ValueError(
                f"{n_frames} frames, {len(self.time_s)} times, {len(self.tracked)} lists of faces, "
                f"{n_faces} faces, {of_faces} rows of probabilities, sharpness and brightness"
            )


def to_rows(frames: AnnotatedFrames, au_columns: Sequence[str], present: npt.NDArray[np.bool_]) -> pa.Table:
    """Lay frames out as rows, one per face; a frame without a face is one row of nulls.

    Args:
        frames: what was found.
        au_columns: the model's AUs.
        present: (F, A) bool, what each face shows, in the order of `AnnotatedFrames.probabilities`.

    Returns:
        A table of `table_schema` without the column ``video``.
    """
    counts = np.array([len(t.faces) for t in frames.tracked], int)
    row_frame = np.repeat(np.arange(len(counts)), np.maximum(counts, 1))
    absent = np.repeat(counts == 0, np.maximum(counts, 1))
    boxes = _spread([t.faces.boxes_xyxy for t in frames.tracked], absent, (4,), np.float32)
    landmarks = _spread([t.faces.landmarks_xy for t in frames.tracked], absent, (5, 2), np.float32)
    probabilities = _spread([frames.probabilities], absent, (len(au_columns),), np.float32)
    shown = _spread([present], absent, (len(au_columns),), np.bool_)
    interocular_px = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)
    pose_deg = head_pose(landmarks)
    quality = [_spread([values], absent, (), np.float32) for values in (frames.sharpness, frames.brightness)]

    def column(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=absent)

    arrays = [
        pa.array(frames.index[row_frame], pa.int32()),
        pa.array(frames.time_s[row_frame], pa.float64()),
        column(_spread([t.tracks for t in frames.tracked], absent, (), np.int32), pa.int32()),
        column(_spread([t.detected for t in frames.tracked], absent, (), np.bool_), pa.bool_()),
        column(_spread([t.faces.scores for t in frames.tracked], absent, (), np.float32), pa.float32()),
        column(boxes[:, 0], pa.float32()),
        column(boxes[:, 1], pa.float32()),
        column(boxes[:, 2] - boxes[:, 0], pa.float32()),
        column(boxes[:, 3] - boxes[:, 1], pa.float32()),
        *(column(landmarks[:, point, axis], pa.float32()) for point in range(5) for axis in range(2)),
        column(interocular_px, pa.float32()),
        *(pa.array(angle, pa.float32(), mask=absent | np.isnan(angle)) for angle in pose_deg.T),
        *(column(values, pa.float32()) for values in quality),
        *(column(shown[:, a], pa.bool_()) for a in range(len(au_columns))),
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


def open_writer(sink: Any, schema: pa.Schema, **more: Any) -> pq.ParquetWriter:
    """Return a writer of Parquet that readers of the last years open: nothing newer than plain pages of flat columns.

    Args:
        sink: path, or an open stream of pyarrow.
        schema: of `table_schema`.
        more: for pyarrow's writer.
    """
    return pq.ParquetWriter(
        sink,
        schema,
        version="2.4",
        data_page_version="1.0",
        compression="zstd",
        use_dictionary=["video"],
        write_statistics=[column for column in SEARCHED_COLUMNS if column in schema.names],
        store_schema=False,
        write_page_checksum=True,
        **more,
    )


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the JSON under the key ``aucli`` of a table's metadata.

    ``aus`` lists the table's action units, ``experimental`` those of them that the model's maker calls experimental.

    Raises:
        TableError: if the file is not a table of aucli.
    """
    with open_parquet(Path(path), error=TableError, wanted=WANTED) as file:
        return parse_metadata(path, file.metadata)


def parse_metadata(path: str | os.PathLike[str], footer: pq.FileMetaData) -> dict[str, Any]:
    """Return what `read_metadata` does, from a footer that was read already.

    Raises:
        TableError: if it is not that of a table of aucli.
    """
    raw = footer.metadata or {}
    if METADATA_KEY not in raw:
        raise TableError(f"{path} is a Parquet file but was not written by aucli")
    try:
        metadata = json.loads(raw[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path} has damaged metadata ({error})") from error
    if not isinstance(metadata, dict) or metadata.get("schema") not in READABLE_SCHEMAS:
        raise TableError(f"{path} has a schema that this version of aucli does not know")
    for name, kind in (("aus", list), ("videos", dict), ("options", dict)):
        if not isinstance(metadata.get(name), kind):
            raise TableError(f"{path} has damaged metadata ({name} is {metadata.get(name)!r:.40})")
    try:
        for known in metadata["videos"].values():
            check_record(known)
    except TableError as error:
        raise TableError(f"{path} has damaged metadata ({error})") from error
    metadata.setdefault("experimental", [])  # tables of earlier versions do not say
    for name in ("aus", "experimental"):
        if not isinstance(metadata[name], list) or not all(isinstance(column, str) for column in metadata[name]):
            raise TableError(f"{path} has damaged metadata ({name} is {metadata[name]!r:.40})")
    # What readers use of the rest, where it is there at all.
    for name in ("model", "model_digest"):
        if not isinstance(metadata.get(name, ""), str):
            raise TableError(f"{path} has damaged metadata ({name} is {metadata[name]!r:.40})")
    for name in ("every_s", "picture_rate"):
        value = metadata["options"].get(name) or 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise TableError(f"{path} has damaged metadata ({name} is {value!r:.40})")
    thresholds = metadata.get("thresholds", [])
    if not isinstance(thresholds, list) or not all(isinstance(t, float) and 0 <= t <= 1 for t in thresholds):
        raise TableError(f"{path} has damaged metadata (thresholds is {thresholds!r:.40})")
    return metadata
