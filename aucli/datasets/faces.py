"""Faces with labels, in memory: what every source of training data becomes before training starts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import SplitName
from aucli.errors import DatasetError
from aucli.runtime.files import whole_or_nothing

ON_DISK: Final = {"subjects": "identities"}
"""Columns that are called otherwise in the files that earlier versions wrote."""


class FaceSource(Protocol):
    """What training reads: labels and subjects in memory, pictures there or on disk.

    Attributes:
        aus: action units, in the order of the labels' columns.
        labels: (N, A) int8, 1 present, 0 absent, -1 not known.
        subjects: (N,) str, who is seen.
    """

    @property
    def aus(self) -> tuple[int, ...]:
        """See above."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int8]:
        """See above."""
        ...

    @property
    def subjects(self) -> npt.NDArray[np.str_]:
        """See above."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: npt.NDArray[Any]) -> LabelledFaces:
        """Bring these faces into memory, in this order; rows may repeat."""
        ...

    def subset(self, rows: npt.NDArray[Any]) -> FaceSource:
        """The same source with these faces only; no pixel is read."""
        ...


@dataclass(frozen=True)
class LabelledFaces:
    """Pictures with five landmarks, AU labels and the subject they show.

    Attributes:
        aus: action units, in the order of the labels' columns.
        pictures: (N, H, W, C) uint8, C = 1 (grey) or 3 (RGB); smaller pictures lie in the upper left corner.
        sizes_wh: (N, 2) int32, the part of each picture that is filled.
        landmarks_xy: (N, 5, 2) float32, as `aucli.faces.values.Faces` has them, in pixels of the picture.
        labels: (N, A) int8, 1 present, 0 absent, -1 not known.
        subjects: (N,) str, who is seen: what keeps splits apart.
    """

    aus: tuple[int, ...]
    pictures: npt.NDArray[np.uint8]
    sizes_wh: npt.NDArray[np.int32]
    landmarks_xy: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int8]
    subjects: npt.NDArray[np.str_]

    def __post_init__(self) -> None:
        n = len(self.pictures)
        if self.pictures.ndim != 4 or self.pictures.shape[3] not in (1, 3) or self.pictures.dtype != np.uint8:
            raise DatasetError(
                f"pictures are {self.pictures.shape} {self.pictures.dtype}; expected (N, H, W, 1 or 3) uint8"
            )
        expected = ((n, 2), (n, 5, 2), (n, len(self.aus)), (n,))
        found = (self.sizes_wh.shape, self.landmarks_xy.shape, self.labels.shape, self.subjects.shape)
        if found != expected:
            raise DatasetError(f"sizes, landmarks, labels and subjects have shapes {found}; expected {expected}")
        if not np.isin(self.labels, (-1, 0, 1)).all():
            raise DatasetError(f"labels are {np.unique(self.labels).tolist()}; allowed are 1, 0 and -1")

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: npt.NDArray[Any]) -> LabelledFaces:
        """Choose faces by indices or a boolean mask."""
        return replace(
            self,
            pictures=self.pictures[rows],
            sizes_wh=self.sizes_wh[rows],
            landmarks_xy=self.landmarks_xy[rows],
            labels=self.labels[rows],
            subjects=self.subjects[rows],
        )

    def subset(self, rows: npt.NDArray[Any]) -> LabelledFaces:
        """Choose faces by indices or a boolean mask: as a `FaceSource`."""
        return self[rows]

    def save(self, path: Path) -> None:
        """Write one ``.npz`` file, whole or not at all."""
        columns: dict[str, Any] = {ON_DISK.get(name, name): np.asarray(value) for name, value in self.__dict__.items()}
        with whole_or_nothing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **columns)

    @classmethod
    def load(cls, path: Path) -> LabelledFaces:
        """Read what `save` wrote.

        Raises:
            DatasetError: if the file is missing or holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                columns = {name: file[ON_DISK.get(name, name)] for name in cls.__dataclass_fields__}
        except (OSError, KeyError, ValueError) as error:
            raise DatasetError(f"{path} is not a cache of labelled faces ({error}); prepare it again") from error
        return cls(**{**columns, "aus": tuple(int(au) for au in columns["aus"])})


@dataclass(frozen=True, eq=False)
class MixedFaces:
    """Faces of several sources in one order, each as often as wanted. No pixel is copied before it is asked for.

    Attributes:
        parts: where the pictures are; alike in action units and channels.
        places: (N, 2) int64: which part, and which row of it.

    Raises:
        DatasetError: if there are no parts, or they differ in action units or channels.
    """

    parts: tuple[LabelledFaces, ...]
    places: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        kinds = {(part.aus, part.pictures.shape[3]) for part in self.parts}
        if len(kinds) != 1:
            raise DatasetError(f"faces can be mixed if action units and channels are the same; got {sorted(kinds)}")

    @classmethod
    def of(cls, *chosen: tuple[LabelledFaces, npt.NDArray[Any]]) -> MixedFaces:
        """Some rows of each part, one part after the other; rows may repeat."""
        places = [np.column_stack([np.full(len(rows), i), rows]) for i, (_, rows) in enumerate(chosen)]
        return cls(tuple(part for part, _ in chosen), np.concatenate(places or [np.zeros((0, 2))]).astype(np.int64))

    @property
    def aus(self) -> tuple[int, ...]:
        """See `FaceSource`."""
        return self.parts[0].aus

    @cached_property
    def labels(self) -> npt.NDArray[np.int8]:
        """See `FaceSource`."""
        return self._column(lambda part: part.labels)

    @cached_property
    def subjects(self) -> npt.NDArray[np.str_]:
        """See `FaceSource`."""
        return self._column(lambda part: part.subjects)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: npt.NDArray[Any]) -> LabelledFaces:
        """Copy these faces, in this order; rows may repeat. Smaller pictures lie in the upper left corner."""
        chosen = self.subset(rows)
        height, width = (max(part.pictures.shape[axis] for part in self.parts) for axis in (1, 2))
        pictures = np.zeros((len(chosen), height, width, self.parts[0].pictures.shape[3]), np.uint8)
        for number, part in enumerate(self.parts):
            here = chosen.places[:, 0] == number
            of_part = part.pictures[chosen.places[here, 1]]
            pictures[here, : of_part.shape[1], : of_part.shape[2]] = of_part
        return LabelledFaces(
            aus=self.aus,
            pictures=pictures,
            sizes_wh=chosen._column(lambda part: part.sizes_wh),
            landmarks_xy=chosen._column(lambda part: part.landmarks_xy),
            labels=chosen.labels,
            subjects=chosen.subjects,
        )

    def subset(self, rows: npt.NDArray[Any]) -> MixedFaces:
        """The same source with these faces only; no pixel is copied."""
        return MixedFaces(self.parts, self.places[rows])

    def _column(self, column: Callable[[LabelledFaces], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        columns = [column(part) for part in self.parts]
        starts = np.cumsum([0, *(len(part) for part in self.parts)])
        together: npt.NDArray[Any] = np.concatenate(columns)
        return together[starts[self.places[:, 0]] + self.places[:, 1]]


def split_of_subject(subject: str, *, seed: int, test: float, validation: float) -> SplitName:
    """Which split a subject belongs to: a function of the name alone, so nobody can ever be in two.

    Args:
        subject: the name.
        seed: another seed, another division.
        test: share of the subjects held out for the test.
        validation: share of the remaining ones for every choice made in training.
    """

    def uniform(purpose: str) -> float:
        digest = hashlib.sha256(f"{seed}:{purpose}:{subject}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    if uniform("test") < test:
        return "test"
    return "validation" if uniform("validation") < validation else "train"
