"""Reading caches of faces: labels in memory, pictures decoded when they are asked for."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from aucli.datasets.cache.shards import Float32Array, read_shard, sequence_from_json, shard_columns, shard_schema
from aucli.datasets.cache.writer import INDEX_NAME, indexed_shards, is_whole, manifest_of, read_json, require_format
from aucli.datasets.faces import LabelledFaces
from aucli.datasets.label_values import MISSING, Int8Array, Int32Array, Int64Array, SplitName
from aucli.datasets.samples import Samples, SequenceInfo
from aucli.errors import DatasetError
from aucli.runtime.device import available_cores

DECODING_THREADS: Final = 4


@dataclass(frozen=True, eq=False)
class LostFrames:
    """Labelled frames in which no face was found.

    Attributes:
        labels: (L, A) int8.
        sequence_index: (L,) int32 into the cache's sequences.
        frames: (L,) int32.
        subjects: (L,) str.
    """

    labels: Int8Array
    sequence_index: Int32Array
    frames: Int32Array
    subjects: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class CachedFaces:
    """The faces of a cache: a `FaceSource` whose pictures stay on disk until they are asked for.

    Can be pickled, and read from several threads and processes at once.

    Attributes:
        aus: action units, in the order of the labels' columns.
        labels: (N, A) int8, 1 present, 0 absent, -1 not known.
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
        manifest = manifest_of(folder)
        if manifest is None:
            raise DatasetError(
                f"{folder} holds no cache of faces; make one with: "
                f"aucli prepare --dataset NAME --root DIR --out {folder}"
            )
        if not (folder / INDEX_NAME).is_file():
            raise DatasetError(f"the cache {folder} is unfinished; run the same aucli prepare again, it goes on")
        require_format(folder, manifest)
        index = read_json(folder / INDEX_NAME)
        shards = indexed_shards(folder, index)
        for path, n_bytes in shards:
            if not is_whole(path, n_bytes):
                raise DatasetError(
                    f"{path} is missing or damaged; run the same aucli prepare again, it repairs the cache"
                )
        return _from_shards(tuple(manifest["aus"]), [path for path, _ in shards], index.get("splits", {}))

    @cached_property
    def subjects(self) -> npt.NDArray[np.str_]:
        """(N,) str, who is seen."""
        return _subjects(self.sequences, self.sequence_index)

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
            self.aus, pictures, sizes, self.landmarks_xy[index], self.labels[index], self.subjects_of(index)
        )

    def subjects_of(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
        """(len(rows),) str, who is seen in some rows."""
        return _subjects(self.sequences, self.sequence_index[rows])

    def subset(self, rows: npt.NDArray[Any]) -> CachedFaces:
        """The same source with these faces only, in this order; no picture is read. `lost` stays whole."""
        index = _as_index(rows)
        names = (
            "labels", "sequence_index", "frames", "landmarks_xy", "sizes_wh", "scores",
            "_shard", "_start", "_length",
        )  # fmt: skip
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    def samples(self) -> Samples:
        """The same rows as `Samples`, so that `aucli.datasets.folds` can divide them."""
        return Samples(
            aus=self.aus,
            sequences=self.sequences,
            sequence_index=self.sequence_index.copy(),
            frame=self.frames.copy(),
            position=np.full(len(self), -1, np.int32),
            member=pa.array(self.frames.astype(str).tolist(), pa.string()),
            labels=self.labels.copy(),
        )

    def with_splits(self, splits: Mapping[str, SplitName]) -> CachedFaces:
        """The same faces with the owners' splits by subject; who is in none has none."""
        sequences = tuple(replace(one, split=splits.get(one.subject)) for one in self.sequences)
        return replace(self, sequences=sequences)

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
            lost=replace(self.lost, labels=chosen(self.lost.labels, MISSING)),
        )


class _JpegBytes:
    """The shards' files, each mapped when it is first needed, and the threads that decode."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._maps: dict[int, mmap.mmap] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._pool_of = 0

    def __getstate__(self) -> tuple[Path, ...]:
        return self.paths

    def __setstate__(self, paths: tuple[Path, ...]) -> None:
        self.__init__(paths)  # type: ignore[misc]

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Threads for decoding; Pillow gives the interpreter's lock free meanwhile."""
        if self._pool is None or self._pool_of != os.getpid():  # the threads of a pool do not survive a fork
            self._pool_of = os.getpid()
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


def _from_shards(aus: tuple[int, ...], paths: Sequence[Path], splits: Mapping[str, SplitName | None]) -> CachedFaces:
    known: dict[tuple[str, str, str], int] = {}
    sequences: list[SequenceInfo] = []
    columns = {name: [values] for name, values in shard_columns(shard_schema(aus).empty_table()).items()}
    shard_of: list[Int32Array] = []
    for number, path in enumerate(paths):
        shard = read_shard(path)
        codes = []
        for described in shard.head["sequences"]:
            info = sequence_from_json(described, path)
            own = f"{info.subject}/{info.name}"
            if own in splits:
                info = replace(info, split=splits[own])
            key = (info.dataset, info.subject, info.name)
            if key not in known:
                known[key] = len(sequences)
                sequences.append(info)
            codes.append(known[key])
        found = shard_columns(shard.table, address=shard.address)
        found["sequence"] = np.array(codes, np.int32)[found["sequence"]]
        for name, values in found.items():
            columns[name].append(values)
        shard_of.append(np.full(len(shard.table), number, np.int32))
    c = {name: np.concatenate(parts) for name, parts in columns.items()}
    shards = np.concatenate([np.empty(0, np.int32), *shard_of])
    seen, gone = np.flatnonzero(c["length"] > 0), np.flatnonzero(c["length"] == 0)
    infos = tuple(sequences)
    return CachedFaces(
        aus=aus,
        labels=c["labels"][seen],
        sequences=infos,
        sequence_index=c["sequence"][seen],
        frames=c["frame"][seen],
        landmarks_xy=c["landmarks_xy"][seen].reshape(-1, 5, 2),
        sizes_wh=np.stack([c["width"][seen], c["height"][seen]], axis=1).astype(np.int32),
        scores=c["score"][seen],
        channels=int(c["channels"][seen].max(initial=1)),
        lost=LostFrames(
            c["labels"][gone], c["sequence"][gone], c["frame"][gone], _subjects(infos, c["sequence"][gone])
        ),
        _bytes=_JpegBytes(paths),
        _shard=shards[seen],
        _start=c["start"][seen],
        _length=c["length"][seen],
    )


def _subjects(sequences: Sequence[SequenceInfo], index: Int32Array) -> npt.NDArray[np.str_]:
    return np.array([sequence.subject for sequence in sequences] or [""])[index]


def _as_index(rows: npt.NDArray[Any]) -> Int64Array:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else np.atleast_1d(rows.astype(np.int64))
