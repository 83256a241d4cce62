"""The one value that every benchmark reader yields: labelled frames, column by column.

A frame is keyed by data set, subject, sequence and the *integer frame number of the label file*, never by its position
in a directory listing. Where its pixels are is kept beside it: an image in a folder, a member of a zip archive, or a
decoded frame of a video. Millions of frames stay a handful of numpy arrays; what is the same for a whole sequence
is kept once, in a `SequenceInfo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aucli.datasets.label_values import (
    MISSING,
    PRESENT,
    Float64Array,
    Int8Array,
    Int32Array,
    Int64Array,
    Side,
    SplitName,
)
from aucli.errors import DatasetError

PixelKind = Literal["folder", "zip", "video"]


@dataclass(frozen=True)
class SequenceInfo:
    """What all frames of one sequence share.

    Attributes:
        dataset: the benchmark's short name, e.g. ``bp4dplus``.
        subject: who is seen, with the data set in front: ``bp4dplus/F001`` is never the same subject as ``bp4d/F001``.
        name: the sequence within the data set, e.g. ``F001_T1``.
        container: the folder, the zip archive or the video that holds the pixels.
        kind: which of the three.
        split: where the data set's owners put the sequence, if they do.
        group: of subjects who must stay in one split (GFT's groups of three), where there are such.
        side: where two subjects are in one video, which of them, as the owners' file names say (Aff-Wild2).
    """

    dataset: str
    subject: str
    name: str
    container: Path
    kind: PixelKind
    split: SplitName | None = None
    group: str | None = None
    side: Side | None = None

    def __post_init__(self) -> None:
        if not self.dataset or not self.name:
            raise DatasetError(f"a sequence needs a data set and a name; got {self.dataset!r} and {self.name!r}")
        if not self.subject.startswith(f"{self.dataset}/") or self.subject == f"{self.dataset}/":
            raise DatasetError(f"the subject key {self.subject!r} must start with {self.dataset + '/'!r}")
        if self.kind not in get_args(PixelKind):
            raise DatasetError(f"pixels are in a {self.kind!r}; allowed are {', '.join(get_args(PixelKind))}")
        if self.split not in (None, *get_args(SplitName)):
            raise DatasetError(f"split is {self.split!r}; allowed are {', '.join(get_args(SplitName))}")
        if self.side not in (None, *get_args(Side)):
            raise DatasetError(f"side is {self.side!r}; allowed are {', '.join(get_args(Side))}")


@dataclass(frozen=True)
class Sample:
    """One labelled frame, as a row of `Samples`.

    Attributes:
        sequence: what it shares with its neighbours.
        frame: frame number as in the label file.
        member: image's path inside the folder or zip; None for a video.
        position: decoded frame, counting from 0; None for an image.
        labels: (A,) int8, 1 present, 0 absent, -1 missing.
    """

    sequence: SequenceInfo
    frame: int
    member: str | None
    position: int | None
    labels: Int8Array


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled frames of one or more data sets.

    Attributes:
        aus: (A) action unit numbers, the columns of `labels`.
        sequences: (S) sequences, in any order.
        sequence_index: (N,) int32 into `sequences`.
        frame: (N,) int32 frame numbers as in the label files.
        position: (N,) int32 position of the frame in decoding order, from 0; -1 for images.
        member: (N) pyarrow strings, the image's path inside its container; null for videos.
        labels: (N, A) int8: 1 present, 0 absent, -1 missing.

    Raises:
        DatasetError: if the columns disagree in length, type or range, or a frame occurs twice.
    """

    aus: tuple[int, ...]
    sequences: tuple[SequenceInfo, ...]
    sequence_index: Int32Array
    frame: Int32Array
    position: Int32Array
    member: Any = field(repr=False)
    labels: Int8Array

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_values()
        for column in (self.sequence_index, self.frame, self.position, self.labels):
            column.flags.writeable = False

    def _check_shapes(self) -> None:
        n = len(self.sequence_index)
        if not self.aus or len(set(self.aus)) != len(self.aus):
            raise DatasetError(f"samples need distinct action units; got {self.aus}")
        for name, dtype, shape in (
            ("sequence_index", np.int32, (n,)),
            ("frame", np.int32, (n,)),
            ("position", np.int32, (n,)),
            ("labels", np.int8, (n, len(self.aus))),
        ):
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != shape:
                raise DatasetError(f"{name} is {column.dtype}{column.shape}; expected {np.dtype(dtype)}{shape}")
        if len(self.member) != n or self.member.type != pa.string():
            raise DatasetError(f"member is {self.member.type}({len(self.member)}); expected string({n})")

    def _check_values(self) -> None:
        keys = [(s.dataset, s.subject, s.name) for s in self.sequences]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DatasetError(f"the sequence {twice[2]} of {twice[1]} occurs twice")
        if len(self) == 0:
            return
        if self.sequence_index.min() < 0 or self.sequence_index.max() >= len(self.sequences):
            raise DatasetError(f"sequence_index reaches outside the {len(self.sequences)} sequences")
        if self.labels.min() < MISSING or self.labels.max() > PRESENT:
            raise DatasetError(f"labels run from {self.labels.min()} to {self.labels.max()}; allowed are 1, 0 and -1")
        in_video = np.array([s.kind == "video" for s in self.sequences])[self.sequence_index]
        if not np.array_equal(self.position >= 0, in_video):
            raise DatasetError("frames of videos need a position from 0, and images none")
        if not np.array_equal(self.member.is_null().to_numpy(zero_copy_only=False), in_video):
            raise DatasetError("images need a member name, and frames of videos none")
        frame_keys = (self.sequence_index.astype(np.int64) << 32) | (self.frame.astype(np.int64) & 0xFFFFFFFF)
        ordered = np.sort(frame_keys)
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if repeated.size:
            sequence = self.sequences[int(repeated[0] >> 32)]
            raise DatasetError(f"frame {int(repeated[0] & 0xFFFFFFFF)} of {sequence.name} occurs twice")

    def __len__(self) -> int:
        return len(self.sequence_index)

    def __repr__(self) -> str:
        return (
            f"Samples({len(self):,} frames, {len(self.sequences)} sequences, "
            f"{len(self.subjects)} subjects, AUs {' '.join(map(str, self.aus))})"
        )

    def __getitem__(self, row: int) -> Sample:
        sequence = self.sequences[self.sequence_index[row]]
        in_video = sequence.kind == "video"
        return Sample(
            sequence=sequence,
            frame=int(self.frame[row]),
            member=self.member[row].as_py(),
            position=int(self.position[row]) if in_video else None,
            labels=self.labels[row],
        )

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """The subject keys that occur, sorted."""
        used = np.unique(self.sequence_index)
        return tuple(sorted({self.sequences[i].subject for i in used}))

    def take(self, rows: npt.NDArray[Any]) -> Samples:
        """The rows named by an index array or a boolean mask, in that order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        return Samples(
            aus=self.aus,
            sequences=self.sequences,
            sequence_index=self.sequence_index[index],
            frame=self.frame[index],
            position=self.position[index],
            member=self.member.take(pa.array(index)),
            labels=self.labels[index],
        )

    def of_subjects(self, subjects: Iterable[str]) -> npt.NDArray[np.bool_]:
        """(N,) mask of the frames that show one of the given subjects."""
        wanted = set(subjects)
        of_sequence = np.array([s.subject in wanted for s in self.sequences], dtype=np.bool_)
        mask: npt.NDArray[np.bool_] = of_sequence[self.sequence_index] if len(self) else np.empty(0, dtype=np.bool_)
        return mask

    @property
    def labelled(self) -> Int64Array:
        """(A,) number of frames with a label, per action unit."""
        counts: Int64Array = (self.labels != MISSING).sum(axis=0, dtype=np.int64)
        return counts

    @property
    def base_rates(self) -> Float64Array:
        """(A,) share of labelled frames in which the AU is present; NaN for an AU without labels."""
        positives = (self.labels == PRESENT).sum(axis=0, dtype=np.int64)
        rates: Float64Array = np.full(len(self.aus), np.nan)
        np.divide(positives, self.labelled, out=rates, where=self.labelled > 0)
        return rates


@dataclass
class SamplesBuilder:
    """Collects sequences one by one and joins them once.

    Attributes:
        aus: the columns of the labels that will be added.
    """

    aus: tuple[int, ...]
    _sequences: list[SequenceInfo] = field(default_factory=list)
    _columns: list[tuple[Int32Array, Int32Array, Any, Int8Array]] = field(default_factory=list)

    def add(
        self,
        sequence: SequenceInfo,
        *,
        frame: npt.NDArray[Any],
        labels: Int8Array,
        member: Sequence[str] | None = None,
        position: npt.NDArray[Any] | None = None,
    ) -> None:
        """Add one sequence with its K frames.

        Args:
            sequence: what the frames share.
            frame: (K,) integer frame numbers as in the label file.
            labels: (K, A) int8.
            member: (K) image paths inside the container, for folders and zips.
            position: (K,) decoded positions from 0, for videos.
        """
        n = len(frame)
        positions = np.full(n, -1, dtype=np.int32) if position is None else position.astype(np.int32)
        members = pa.nulls(n, pa.string()) if member is None else pa.array(member, pa.string())
        self._sequences.append(sequence)
        self._columns.append((frame.astype(np.int32), positions, members, labels.astype(np.int8)))

    def build(self) -> Samples:
        """Join what was added."""
        counts = [len(frame) for frame, _, _, _ in self._columns]
        frames, positions, members, labels = zip(*self._columns, strict=True) if counts else ((), (), (), ())
        return Samples(
            aus=self.aus,
            sequences=tuple(self._sequences),
            sequence_index=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
            frame=np.concatenate([np.empty(0, np.int32), *frames]),
            position=np.concatenate([np.empty(0, np.int32), *positions]),
            member=pa.concat_arrays([pa.nulls(0, pa.string()), *members]),
            labels=np.concatenate([np.empty((0, len(self.aus)), np.int8), *labels]),
        )
