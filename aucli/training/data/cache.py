"""Faces ready for training, on disk: labels in memory, pictures as JPEG behind a memory map.

A cache is a folder::

    manifest.json     what decides its content, the digest of that, and the version of aucli that began it
    shards/*.arrow    one Arrow file per sequence (or block of faces), each whole or not there
    index.json        the shards in order; written last, so a cache without it is unfinished

A shard has one row per labelled frame. A frame without a face is a row without picture and landmarks, never left out:
whoever scores a model must know that it was there. The last record batch of a shard carries what was found while it
was made, so that a run that was killed goes on without doing anything twice.

Pictures keep a border around the face: training cuts its jittered crops by the code of `aucli.alignment` and
`aucli.training.augment`, as if the picture were the frame.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import mmap
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc
from PIL import Image

from aucli import __version__
from aucli.device import available_cores
from aucli.errors import DatasetError
from aucli.training.data.labelled_faces import LabelledFaces
from aucli.training.data.samples import MISSING, Int8Array, Int32Array, Int64Array, Samples, SequenceInfo

FORMAT: Final = 1
"""Raised when older caches can no longer be read."""
MANIFEST_NAME: Final = "manifest.json"
INDEX_NAME: Final = "index.json"
REPORT_NAME: Final = "report.json"
SHARDS_NAME: Final = "shards"
LOCK_NAME: Final = "lock"
JPEG_QUALITY: Final = 95
"""With full colour resolution (4:4:4)."""
ROWS_PER_BATCH: Final = 512
"""Rows that wait in memory for their record batch: some 10 MB of JPEG."""
FACES_PER_SHARD: Final = 4096
"""Rows in a shard of faces that belong to no film."""
DECODING_THREADS: Final = 4
_KEY: Final = b"aucli.cache"

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
        intensities: (A,) float32, where the data set has them; NaN where not known.
    """

    sequence: int
    frame: int
    labels: Int8Array
    jpeg: bytes | None = None
    size_wh: tuple[int, int] = (0, 0)
    channels: int = 0
    landmarks_xy: Float32Array | None = None
    score: float = math.nan
    intensities: Float32Array | None = None

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
        intensities: Float32Array | None = None,
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
            intensities=intensities,
        )


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of everything that decides what a cache holds."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **content}, sort_keys=True).encode()).hexdigest()


def is_finished(folder: Path, content: Mapping[str, Any]) -> bool:
    """Whether a folder holds a finished cache of this content without any failure.

    Raises:
        DatasetError: if it holds a cache of another content, or something else.
    """
    manifest = _manifest_of(folder)
    if manifest is None:
        return False
    _require_same(folder, manifest, content)
    index = folder / INDEX_NAME
    return index.is_file() and not _read_json(index)["failures"]


class CacheWriter:
    """Writes a cache, or goes on with one.

    Args:
        folder: new, empty, or a cache of the same content.
        aus: action units, in the order of the labels' columns.
        content: everything that decides what the cache holds, as JSON values.
        about: what a reader may like to know and that decides nothing, e.g. the folder the data came from.
        overwrite: begin anew, whatever the cache in this folder holds.

    Raises:
        DatasetError: if the folder holds a cache of another content, or something else.
    """

    def __init__(
        self,
        folder: Path,
        *,
        aus: tuple[int, ...],
        content: Mapping[str, Any],
        about: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.folder, self.aus, self.digest = folder, aus, content_digest(content)
        manifest = _manifest_of(folder)
        if manifest is not None and not overwrite:
            _require_same(folder, manifest, content)
        shards = folder / SHARDS_NAME
        # Without its index the cache counts as unfinished from here on.
        (folder / INDEX_NAME).unlink(missing_ok=True)
        shards.mkdir(parents=True, exist_ok=True)
        for path in shards.iterdir():
            if overwrite or path.name.endswith(".partial"):
                path.unlink()
        if manifest is None or overwrite:
            described = {"format": FORMAT, "digest": self.digest, "aucli": __version__, "aus": list(aus)}
            write_json(folder / MANIFEST_NAME, {**described, "content": dict(content), "about": dict(about or {})})

    def path_of(self, key: str) -> Path:
        """Where the shard of this key lies: a readable name, kept apart by a piece of digest."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", key)[-80:]
        return self.folder / SHARDS_NAME / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.arrow"

    def record_of(self, key: str, fingerprint: str) -> dict[str, Any] | None:
        """What was noted with a shard that an earlier run wrote from the same input; None where there is none."""
        path = self.path_of(key)
        if not path.is_file():
            return None
        try:
            head, record, _ = _read_shard(path)
        except DatasetError:
            return None
        return record if (head["digest"], head["fingerprint"]) == (self.digest, fingerprint) else None

    @contextmanager
    def shard(self, key: str, sequences: Sequence[SequenceInfo], fingerprint: str) -> Iterator[ShardWriter]:
        """Write one shard, whole or not at all: leave the block without an exception, and it is there."""
        path = self.path_of(key)
        partial = path.with_name(f".{path.name}.partial")
        head = {
            "digest": self.digest,
            "fingerprint": fingerprint,
            "sequences": [_sequence_to_json(sequence) for sequence in sequences],
        }
        schema = _schema(self.aus).with_metadata({_KEY: _dumps(head)})
        try:
            with partial.open("wb") as file:
                with pa.ipc.new_file(file, schema) as sink:
                    writer = ShardWriter(sink, schema)
                    yield writer
                    writer.end()
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def finish(self, keys: Sequence[str], failures: Mapping[str, str]) -> None:
        """Write the index: the cache can now be read.

        Args:
            keys: all shards, in the order in which they will be read; shards of other keys are removed.
            failures: sequence -> one line, for those that could not be written.
        """
        paths = [self.path_of(key) for key in keys]
        for stale in set((self.folder / SHARDS_NAME).iterdir()) - set(paths):
            stale.unlink()
        shards = [{"file": path.name, "bytes": path.stat().st_size} for path in paths]
        write_json(self.folder / INDEX_NAME, {"digest": self.digest, "shards": shards, "failures": dict(failures)})


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
        self._sink.write_batch(_to_batch(self._rows, self._schema), custom_metadata={_KEY: _dumps(self.record)})
        self._rows = []


def write_faces(
    faces: LabelledFaces,
    folder: Path,
    *,
    dataset: str,
    content: Mapping[str, Any] | None = None,
    frames: npt.NDArray[np.integer[Any]] | None = None,
    quality: int = JPEG_QUALITY,
    overwrite: bool = False,
) -> None:
    """Write faces that are in memory (rendered ones, photographs) as a cache; their pictures are kept as they are.

    Args:
        faces: pictures, landmarks, labels and people.
        folder: the cache.
        dataset: short name; a person ``p`` is called ``dataset/p`` in the cache.
        content: what the faces came from, as JSON values, so that a cache of others is not taken for this one.
        frames: (N,) a number for each face that is unique within a person; by default its row.
        quality: of the JPEG, 1 to 100.
        overwrite: replace the cache in this folder, whatever it holds; else a finished one of the same faces is left
            as it is.

    Raises:
        DatasetError: if the folder holds a cache of another content, or something else.
    """
    numbers = np.arange(len(faces)) if frames is None else frames
    described = {"dataset": dataset, "faces": _faces_digest(faces), "quality": quality, **(content or {})}
    keys = []
    if not overwrite and is_finished(folder, described):
        return
    with claimed(folder), ThreadPoolExecutor(min(DECODING_THREADS, available_cores())) as pool:
        writer = CacheWriter(folder, aus=faces.aus, content=described, overwrite=overwrite)
        for number, start in enumerate(range(0, len(faces), FACES_PER_SHARD)):
            rows = range(start, min(start + FACES_PER_SHARD, len(faces)))
            people, codes = np.unique(faces.identities[rows], return_inverse=True)
            sequences = [SequenceInfo(dataset, f"{dataset}/{name}", str(name), folder, "folder") for name in people]
            keys.append(f"{dataset}-{number:05d}")
            if writer.record_of(keys[-1], writer.digest) is not None:
                continue

            def encode(row: int, codes: Any = codes, start: int = start) -> FaceRow:
                width, height = faces.sizes_wh[row]
                return FaceRow.of_picture(
                    faces.pictures[row, :height, :width],
                    faces.landmarks_xy[row],
                    faces.labels[row],
                    sequence=int(codes[row - start]),
                    frame=int(numbers[row]),
                    quality=quality,
                )

            with writer.shard(keys[-1], sequences, writer.digest) as shard:
                for row in pool.map(encode, rows):
                    shard.append(row)
        writer.finish(keys, {})


@dataclass(frozen=True, eq=False)
class LostFrames:
    """Labelled frames in which no face was found.

    Attributes:
        labels: (L, A) int8.
        sequence_index: (L,) int32 into the cache's sequences.
        frames: (L,) int32.
        identities: (L,) str.
    """

    labels: Int8Array
    sequence_index: Int32Array
    frames: Int32Array
    identities: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class CachedFaces:
    """Faces of one or more caches: a `FaceSource` whose pictures stay on disk until they are asked for.

    Can be pickled, and read from several threads and processes at once.

    Attributes:
        aus: action units, in the order of the labels' columns.
        labels: (N, A) int8, 1 present, 0 absent, -1 not known.
        intensities: (N, A) float32, NaN where not known.
        sequences: what the frames of a sequence share; `container` is the shard.
        sequence_index: (N,) int32 into `sequences`.
        frames: (N,) int32, as in the label files.
        landmarks_xy: (N, 5, 2) float32, in pixels of the picture.
        sizes_wh: (N, 2) int32, width and height of the picture.
        scores: (N,) float32, the detector's confidence, NaN where nobody said.
        channels: of every batch: 1 if all pictures are grey, else 3.
        lost: the frames without a face.
    """

    aus: tuple[int, ...]
    labels: Int8Array
    intensities: Float32Array = field(repr=False)
    sequences: tuple[SequenceInfo, ...] = field(repr=False)
    sequence_index: Int32Array = field(repr=False)
    frames: Int32Array = field(repr=False)
    landmarks_xy: Float32Array = field(repr=False)
    sizes_wh: Int32Array = field(repr=False)
    scores: Float32Array = field(repr=False)
    channels: int
    lost: LostFrames = field(repr=False)
    _bytes: _JpegBytes = field(repr=False)
    _shard: Int32Array = field(repr=False)
    _start: Int64Array = field(repr=False)
    _length: Int32Array = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> CachedFaces:
        """Open a finished cache; no picture is read.

        Raises:
            DatasetError: if the folder holds no cache, an unfinished or a damaged one.
        """
        folder = Path(folder)
        manifest = _manifest_of(folder)
        if manifest is None:
            raise DatasetError(f"{folder} holds no cache of faces; make one with: aucli prepare --out {folder}")
        if not (folder / INDEX_NAME).is_file():
            raise DatasetError(f"the cache {folder} is unfinished; run the same aucli prepare again, it goes on")
        _require_format(folder, manifest)
        index = _read_json(folder / INDEX_NAME)
        paths = [folder / SHARDS_NAME / shard["file"] for shard in index["shards"]]
        for path, shard in zip(paths, index["shards"], strict=True):
            if not path.is_file() or path.stat().st_size != shard["bytes"]:
                raise DatasetError(f"{path} is missing or damaged; delete it and run the same aucli prepare again")
        return _from_shards(tuple(manifest["aus"]), paths)

    @property
    def identities(self) -> npt.NDArray[np.str_]:
        """(N,) str, one name per person."""
        return _identities(self.sequences, self.sequence_index)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: npt.NDArray[Any]) -> LabelledFaces:
        """Decode these faces, in this order; rows may repeat. Smaller pictures lie in the upper left corner."""
        index = _as_index(rows)
        sizes = self.sizes_wh[index]
        width, height = sizes.max(axis=0, initial=1)
        pictures = np.zeros((len(index), height, width, self.channels), np.uint8)

        def decode(i: int) -> None:
            row = int(index[i])
            picture = self._bytes.decode(int(self._shard[row]), int(self._start[row]), int(self._length[row]))
            pictures[i, : picture.shape[0], : picture.shape[1]] = picture

        if len(index) > 1:
            list(self._bytes.pool.map(decode, range(len(index))))
        elif len(index):
            decode(0)
        return LabelledFaces(
            self.aus, pictures, sizes, self.landmarks_xy[index], self.labels[index], self.identities_of(index)
        )

    def identities_of(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
        """Names of the people in some rows."""
        return _identities(self.sequences, self.sequence_index[rows])

    def subset(self, rows: npt.NDArray[Any]) -> CachedFaces:
        """The same source with these faces only, in this order; no picture is read. `lost` stays whole."""
        index = _as_index(rows)
        names = (
            "labels", "intensities", "sequence_index", "frames", "landmarks_xy", "sizes_wh", "scores",
            "_shard", "_start", "_length",
        )  # fmt: skip
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    def samples(self) -> Samples:
        """The same rows as `Samples`, so that `aucli.training.splits` can divide them."""
        return Samples(
            aus=self.aus,
            sequences=self.sequences,
            sequence_index=self.sequence_index.copy(),
            frame=self.frames.copy(),
            position=np.full(len(self), -1, np.int32),
            member=pa.array(self.frames.astype(str).tolist(), pa.string()),
            labels=self.labels.copy(),
        )

    def with_aus(self, aus: tuple[int, ...]) -> CachedFaces:
        """The same faces with these action units, in this order; one that is not coded is -1 (not known) throughout."""
        columns = np.array([self.aus.index(au) if au in self.aus else -1 for au in aus])

        def chosen(values: npt.NDArray[Any], absent: Any) -> npt.NDArray[Any]:
            padded = np.concatenate([values, np.full((len(values), 1), absent, values.dtype)], axis=1)
            return padded[:, columns]

        return replace(
            self,
            aus=tuple(aus),
            labels=chosen(self.labels, MISSING),
            intensities=chosen(self.intensities, np.nan),
            lost=replace(self.lost, labels=chosen(self.lost.labels, MISSING)),
        )


def concatenate(caches: Sequence[CachedFaces], *, aus: Literal["union", "intersection"] = "union") -> CachedFaces:
    """Join caches, for training on or testing on several data sets.

    Args:
        caches: one or more, in the order of their rows.
        aus: all action units that any of them codes, labels of the others being -1; or those that all of them code.

    Raises:
        DatasetError: if there is none, they share no action unit, or a sequence is in two of them.
    """
    if not caches:
        raise DatasetError("there are no caches to join")
    if aus not in ("union", "intersection"):
        raise DatasetError(f"aus is {aus!r}; allowed are 'union' and 'intersection'")
    coded = [set(cache.aus) for cache in caches]
    chosen = tuple(sorted(set.union(*coded) if aus == "union" else set.intersection(*coded)))
    if not chosen:
        raise DatasetError(f"the caches share no action unit: {', '.join(str(cache.aus) for cache in caches)}")
    keys = [(s.subject, s.name) for cache in caches for s in cache.sequences]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DatasetError(f"the sequence {twice[1]} of {twice[0]} is in two of the caches; join each cache once")
    parts = [cache.with_aus(chosen) for cache in caches]
    first_sequence = np.cumsum([0, *(len(part.sequences) for part in parts)]).astype(np.int32)
    first_shard = np.cumsum([0, *(len(part._bytes.paths) for part in parts)]).astype(np.int32)

    def joined(name: str, offsets: Int32Array | None = None) -> Any:
        columns = [getattr(part, name) for part in parts]
        return np.concatenate([c if offsets is None else c + offsets[i] for i, c in enumerate(columns)])

    return CachedFaces(
        aus=chosen,
        labels=joined("labels"),
        intensities=joined("intensities"),
        sequences=tuple(s for part in parts for s in part.sequences),
        sequence_index=joined("sequence_index", first_sequence),
        frames=joined("frames"),
        landmarks_xy=joined("landmarks_xy"),
        sizes_wh=joined("sizes_wh"),
        scores=joined("scores"),
        channels=max(part.channels for part in parts),
        lost=LostFrames(
            np.concatenate([part.lost.labels for part in parts]),
            np.concatenate([part.lost.sequence_index + first_sequence[i] for i, part in enumerate(parts)]),
            np.concatenate([part.lost.frames for part in parts]),
            np.concatenate([part.lost.identities for part in parts]),
        ),
        _bytes=_JpegBytes([path for part in parts for path in part._bytes.paths]),
        _shard=joined("_shard", first_shard),
        _start=joined("_start"),
        _length=joined("_length"),
    )


class _JpegBytes:
    """The shards' files, each mapped when it is first needed, and the threads that decode."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._maps: dict[int, mmap.mmap] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __getstate__(self) -> tuple[Path, ...]:
        return self.paths

    def __setstate__(self, paths: tuple[Path, ...]) -> None:
        self.__init__(paths)  # type: ignore[misc]

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Threads for decoding; Pillow gives the interpreter's lock free meanwhile."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(min(DECODING_THREADS, available_cores()), thread_name_prefix="aucli-jpeg")
        return self._pool

    def decode(self, shard: int, start: int, length: int) -> npt.NDArray[np.uint8]:
        """One picture, (H, W, 1 or 3).

        Raises:
            DatasetError: if it is damaged.
        """
        if shard not in self._maps:
            with self.paths[shard].open("rb") as file:
                self._maps[shard] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            with Image.open(io.BytesIO(self._maps[shard][start : start + length])) as image:
                picture = np.asarray(image)
        except (OSError, ValueError, SyntaxError) as error:
            raise DatasetError(
                f"{self.paths[shard]} is damaged ({error}); delete it and run the same aucli prepare again"
            ) from error
        return picture if picture.ndim == 3 else picture[:, :, None]


def _from_shards(aus: tuple[int, ...], paths: Sequence[Path]) -> CachedFaces:
    known: dict[tuple[str, str, str], int] = {}
    sequences: list[SequenceInfo] = []
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _columns(_schema(aus).empty_table(), 0)}
    shard_of: list[Int32Array] = []
    for number, path in enumerate(paths):
        head, _, table = _read_shard(path)
        codes = []
        for described in head["sequences"]:
            info = SequenceInfo(**described, container=path, kind="folder")
            key = (info.dataset, info.subject, info.name)
            if key not in known:
                known[key] = len(sequences)
                sequences.append(info)
            codes.append(known[key])
        found = _columns(table, path.stat().st_size)
        found["sequence"] = np.array(codes, np.int32)[found["sequence"]] if codes else found["sequence"]
        for name, values in found.items():
            columns[name].append(values)
        shard_of.append(np.full(len(table), number, np.int32))
    empty = _columns(_schema(aus).empty_table(), 0)
    c = {name: np.concatenate([empty[name], *parts]) for name, parts in columns.items()}
    shards = np.concatenate([np.empty(0, np.int32), *shard_of])
    seen, gone = np.flatnonzero(c["length"] > 0), np.flatnonzero(c["length"] == 0)
    infos = tuple(sequences)
    return CachedFaces(
        aus=aus,
        labels=c["labels"][seen],
        intensities=c["intensities"][seen],
        sequences=infos,
        sequence_index=c["sequence"][seen],
        frames=c["frame"][seen],
        landmarks_xy=c["landmarks_xy"][seen].reshape(-1, 5, 2),
        sizes_wh=np.stack([c["width"][seen], c["height"][seen]], axis=1).astype(np.int32),
        scores=c["score"][seen],
        channels=int(c["channels"][seen].max(initial=1)),
        lost=LostFrames(
            c["labels"][gone], c["sequence"][gone], c["frame"][gone], _identities(infos, c["sequence"][gone])
        ),
        _bytes=_JpegBytes(paths),
        _shard=shards[seen],
        _start=c["start"][seen],
        _length=c["length"][seen],
    )


def _schema(aus: tuple[int, ...]) -> pa.Schema:
    return pa.schema(
        [
            pa.field("sequence", pa.int32(), nullable=False),
            pa.field("frame", pa.int32(), nullable=False),
            pa.field("labels", pa.list_(pa.int8(), len(aus)), nullable=False),
            pa.field("intensities", pa.list_(pa.float32(), len(aus)), nullable=False),
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
    unknown, nowhere = np.full(n_aus, np.nan, np.float32), np.full((5, 2), np.nan, np.float32)

    def lists(values: list[npt.NDArray[Any]], dtype: Any, size: int) -> pa.Array:
        flat = np.concatenate([np.empty(0, dtype), *(np.asarray(v, dtype).ravel() for v in values)])
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), size)

    arrays = [
        pa.array([row.sequence for row in rows], pa.int32()),
        pa.array([row.frame for row in rows], pa.int32()),
        lists([row.labels for row in rows], np.int8, n_aus),
        lists([unknown if row.intensities is None else row.intensities for row in rows], np.float32, n_aus),
        lists([nowhere if row.landmarks_xy is None else row.landmarks_xy for row in rows], np.float32, 10),
        pa.array(np.array([row.score for row in rows], np.float32)),
        pa.array([row.size_wh[0] for row in rows], pa.int32()),
        pa.array([row.size_wh[1] for row in rows], pa.int32()),
        pa.array([row.channels for row in rows], pa.int8()),
        pa.array([row.jpeg for row in rows], pa.large_binary()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _columns(table: pa.Table, file_bytes: int) -> dict[str, npt.NDArray[Any]]:
    """A shard's columns in memory, and where in the file each JPEG begins."""
    plain = ("sequence", "frame", "score", "width", "height", "channels")
    columns = {name: table[name].to_numpy() for name in plain}
    for name in ("labels", "intensities", "landmarks_xy"):
        flat = table[name].combine_chunks()
        flat = flat if isinstance(flat, pa.Array) else pa.concat_arrays(flat.chunks)
        size = table.schema.field(name).type.list_size
        columns[name] = flat.flatten().to_numpy(zero_copy_only=False).reshape(-1, size)
    starts, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    base = int(table.schema.metadata[b"address"]) if file_bytes else 0
    for chunk in table["jpeg"].chunks:
        _, offsets, data = chunk.buffers()
        ends = (
            np.frombuffer(offsets, np.int64, len(chunk) + 1, chunk.offset * 8) if len(chunk) else np.zeros(1, np.int64)
        )
        starts.append(ends[:-1] + ((data.address if data is not None else 0) - base))
        lengths.append(np.diff(ends).astype(np.int32))
    return {**columns, "start": np.concatenate(starts), "length": np.concatenate(lengths)}


def _read_shard(path: Path) -> tuple[dict[str, Any], dict[str, Any], pa.Table]:
    """Head, record and rows of a shard; the table's JPEG column lies in the mapped file.

    Raises:
        DatasetError: if the file is damaged or none of ours.
    """
    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read_buffer()
        reader = pa.ipc.open_file(whole)
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        _, last = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
        head, record = json.loads(reader.schema.metadata[_KEY]), json.loads(last[_KEY])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}); delete it and run the same aucli prepare again") from error
    table = pa.Table.from_batches(batches, reader.schema)
    return head, record, table.replace_schema_metadata({b"address": str(whole.address)})


def _identities(sequences: Sequence[SequenceInfo], index: Int32Array) -> npt.NDArray[np.str_]:
    return np.array([sequence.subject for sequence in sequences] or [""])[index]


def _as_index(rows: npt.NDArray[Any]) -> Int64Array:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else np.atleast_1d(rows.astype(np.int64))


def _sequence_to_json(sequence: SequenceInfo) -> dict[str, Any]:
    return {name: getattr(sequence, name) for name in ("dataset", "subject", "name", "partition", "group", "side")}


def _faces_digest(faces: LabelledFaces) -> str:
    digest = hashlib.sha256()
    for column in (faces.pictures, faces.sizes_wh, faces.landmarks_xy, faces.labels):
        digest.update(np.ascontiguousarray(column).data)
    digest.update("\n".join(map(str, faces.identities)).encode())
    return digest.hexdigest()


def _manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of a cache; None for a folder that does not exist or is empty.

    Raises:
        DatasetError: if the folder holds something else.
    """
    path = folder / MANIFEST_NAME
    if path.is_file():
        return _read_json(path)
    if folder.exists() and (not folder.is_dir() or _foreign(folder)):
        raise DatasetError(f"{folder} holds something else than a cache of faces; choose another --out")
    return None


def _foreign(folder: Path) -> bool:
    """Whether a folder without manifest holds anything: a kill may leave an empty folder, or half a manifest."""
    return any(entry.name not in (SHARDS_NAME, LOCK_NAME, f".{MANIFEST_NAME}.partial") for entry in folder.iterdir())


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other runs from writing to a cache; the claim ends with the block, or with the process.

    Raises:
        DatasetError: if another run is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
            pass
        except BlockingIOError:
            raise DatasetError(f"another run is writing to {folder}; wait for it or choose another --out") from None
        yield


def _require_format(folder: Path, manifest: Mapping[str, Any]) -> None:
    if manifest.get("format") != FORMAT:
        raise DatasetError(
            f"{folder} has cache format {manifest.get('format')!r}, and this aucli reads {FORMAT}; prepare it again, "
            "with --overwrite or into another --out"
        )


def _require_same(folder: Path, manifest: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    _require_format(folder, manifest)
    if manifest["digest"] == content_digest(content):
        return
    now = json.loads(_dumps(content))
    was = manifest["content"]
    changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    before, after = (", ".join(f"{name}={_short(found.get(name))}" for name in changed) for found in (was, now))
    raise DatasetError(
        f"{folder} holds a cache made with {before}, not {after}; choose another --out, or replace it with --overwrite"
    )


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _dumps(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}); prepare the cache again with --overwrite") from error
    if not isinstance(value, dict):
        raise DatasetError(f"{path} is damaged; prepare the cache again with --overwrite")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
