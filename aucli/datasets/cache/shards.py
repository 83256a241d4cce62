"""One shard of a cache: an Arrow file of labelled frames whose JPEGs can be read through a memory map.

A shard has one row per labelled frame. A frame without a face is a row without picture and landmarks, never left out:
whoever scores a model must know that it was there. The last record batch carries what was found while the shard was
made.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc
from PIL import Image

from aucli.datasets.label_values import Int8Array
from aucli.datasets.samples import SequenceInfo
from aucli.errors import DatasetError

JPEG_QUALITY: Final = 95
"""With full colour resolution (4:4:4)."""
ROWS_PER_BATCH: Final = 512
"""Rows that wait in memory for their record batch: some 10 MB of JPEG."""
METADATA_KEY: Final = b"aucli.cache"

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FaceRow:
    """One labelled frame.

    Attributes:
        sequence: index into the shard's sequences.
        frame: number of the frame, as in the label file.
        labels: (A,) int8, 1 present, 0 absent, -1 not known.
        jpeg: the picture; None where no face was found.
        size_wh: its width and height in pixels.
        channels: 1 (grey) or 3 (RGB).
        landmarks_xy: (5, 2) float32 in pixels of the picture.
        score: the detector's confidence; NaN where nobody said.
    """

    sequence: int
    frame: int
    labels: Int8Array
    jpeg: bytes | None = None
    size_wh: tuple[int, int] = (0, 0)
    channels: int = 0
    landmarks_xy: Float32Array | None = None
    score: float = math.nan

    def __post_init__(self) -> None:
        if (self.jpeg is None) != (self.landmarks_xy is None):
            raise DatasetError("a row needs picture and landmarks, or neither")
        if self.landmarks_xy is not None and self.landmarks_xy.shape != (5, 2):
            raise DatasetError(f"landmarks are {self.landmarks_xy.shape}; expected (5, 2)")

    @classmethod
    def of_picture(
        cls,
        picture: npt.NDArray[np.uint8],
        landmarks_xy: npt.NDArray[np.floating[Any]],
        labels: Int8Array,
        *,
        sequence: int,
        frame: int,
        score: float = math.nan,
        quality: int = JPEG_QUALITY,
    ) -> FaceRow:
        """Compress a picture, (H, W, 1 or 3) uint8; one whose three channels are alike becomes grey."""
        height, width = picture.shape[:2]
        is_grey = picture.shape[2] == 1 or bool((picture[..., :1] == picture[..., 1:]).all())
        image = Image.fromarray(np.ascontiguousarray(picture[..., 0] if is_grey else picture))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, subsampling=0)
        return cls(
            sequence=sequence,
            frame=frame,
            labels=labels,
            jpeg=buffer.getvalue(),
            size_wh=(width, height),
            channels=1 if is_grey else 3,
            landmarks_xy=np.asarray(landmarks_xy, np.float32),
            score=score,
        )


class ShardWriter:
    """Collects rows and writes them in record batches; made by `CacheWriter.shard`.

    Attributes:
        record: JSON values to be kept with the shard.
    """

    def __init__(self, sink: Any, schema: pa.Schema) -> None:
        self._sink, self._schema = sink, schema
        self._rows: list[FaceRow] = []
        self.record: dict[str, Any] = {}

    def append(self, row: FaceRow) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) == ROWS_PER_BATCH:
            self._sink.write_batch(_to_batch(self._rows, self._schema))
            self._rows = []

    def end(self) -> None:
        """Write what waits, and the record with it."""
        self._sink.write_batch(_to_batch(self._rows, self._schema), custom_metadata={METADATA_KEY: dumps(self.record)})
        self._rows = []


def shard_schema(aus: tuple[int, ...]) -> pa.Schema:
    """Columns of a shard."""
    return pa.schema(
        [
            pa.field("sequence", pa.int32(), nullable=False),
            pa.field("frame", pa.int32(), nullable=False),
            pa.field("labels", pa.list_(pa.int8(), len(aus)), nullable=False),
            pa.field("landmarks_xy", pa.list_(pa.float32(), 10), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("channels", pa.int8(), nullable=False),
            pa.field("jpeg", pa.large_binary()),
        ]
    )


def _to_batch(rows: Sequence[FaceRow], schema: pa.Schema) -> pa.RecordBatch:
    n_aus = schema.field("labels").type.list_size
    for row in rows:
        if row.labels.shape != (n_aus,):
            raise DatasetError(f"labels are {row.labels.shape}; expected ({n_aus},)")
    nowhere = np.full((5, 2), np.nan, np.float32)

    def lists(values: list[npt.NDArray[Any]], dtype: Any, size: int) -> pa.Array:
        flat = np.concatenate([np.empty(0, dtype), *(np.asarray(v, dtype).ravel() for v in values)])
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), size)

    arrays = [
        pa.array([row.sequence for row in rows], pa.int32()),
        pa.array([row.frame for row in rows], pa.int32()),
        lists([row.labels for row in rows], np.int8, n_aus),
        lists([nowhere if row.landmarks_xy is None else row.landmarks_xy for row in rows], np.float32, 10),
        pa.array(np.array([row.score for row in rows], np.float32)),
        pa.array([row.size_wh[0] for row in rows], pa.int32()),
        pa.array([row.size_wh[1] for row in rows], pa.int32()),
        pa.array([row.channels for row in rows], pa.int8()),
        pa.array([row.jpeg for row in rows], pa.large_binary()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class Shard:
    """What a shard's file holds.

    Attributes:
        head: digest of the cache's content, fingerprint of the input, and the sequences.
        record: what was noted when it was made.
        table: its rows; the JPEGs lie in the mapped file.
        address: where in memory the file is mapped.
    """

    head: dict[str, Any]
    record: dict[str, Any]
    table: pa.Table
    address: int


def read_shard(path: Path) -> Shard:
    """Map a shard's file; no picture is read.

    Raises:
        DatasetError: if the file is damaged or none of ours.
    """
    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read_buffer()
        reader = pa.ipc.open_file(whole)
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        _, last = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
        head, record = json.loads(reader.schema.metadata[METADATA_KEY]), json.loads(last[METADATA_KEY])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}); delete it and run the same aucli prepare again") from error
    return Shard(head, record, pa.Table.from_batches(batches, reader.schema), whole.address)


def shard_columns(table: pa.Table, *, address: int = 0) -> dict[str, npt.NDArray[Any]]:
    """A shard's columns as arrays, with ``start`` and ``length`` instead of the JPEGs: where each lies in the file.

    Args:
        table: its rows.
        address: where in memory the file is mapped.
    """
    plain = ("sequence", "frame", "score", "width", "height", "channels")
    columns = {name: table[name].to_numpy() for name in plain}
    for name in ("labels", "landmarks_xy"):
        size = table.schema.field(name).type.list_size
        flat = [chunk.flatten().to_numpy().reshape(-1, size) for chunk in table[name].chunks]
        empty = np.empty((0, size), table.schema.field(name).type.value_type.to_pandas_dtype())
        columns[name] = np.concatenate([empty, *flat])
    starts, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for chunk in table["jpeg"].chunks:
        if len(chunk):
            _, offsets, data = chunk.buffers()
            ends = np.frombuffer(offsets, np.int64, len(chunk) + 1, chunk.offset * 8)
            starts.append(ends[:-1] + (data.address - address if data is not None else 0))
            lengths.append(np.diff(ends).astype(np.int32))
    return {**columns, "start": np.concatenate(starts), "length": np.concatenate(lengths)}


def sequence_to_json(sequence: SequenceInfo) -> dict[str, Any]:
    """What a shard keeps of a sequence: all but where its pixels were. On disk `split` is called ``partition``."""
    kept = {name: getattr(sequence, name) for name in ("dataset", "subject", "name", "group", "side")}
    return {**kept, "partition": sequence.split}


def sequence_from_json(described: Mapping[str, Any], shard: Path) -> SequenceInfo:
    """The same again, with the shard as the container of its pixels."""
    kept = {name: value for name, value in described.items() if name != "partition"}
    return SequenceInfo(**kept, split=described["partition"], container=shard, kind="folder")


def dumps(value: Any) -> bytes:
    """JSON as bytes; keys keep their order, so that what is read again is written alike."""
    return json.dumps(value).encode()
