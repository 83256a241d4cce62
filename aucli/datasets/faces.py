"""Faces with labels, in memory: what every source of training data becomes before training starts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from aucli.datasets.samples import SplitName
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

    def split(
        self,
        name: SplitName,
        *,
        seed: int,
        test: float,
        validation: float,
        known: Mapping[str, SplitName] | None = None,
    ) -> LabelledFaces:
        """The faces of one split, by subject (see `split_of_subject`); ``known`` subjects are where it says."""
        fixed = known or {}
        split_of = {
            subject: fixed.get(subject) or split_of_subject(subject, seed=seed, test=test, validation=validation)
            for subject in np.unique(self.subjects).tolist()
        }
        return self[np.isin(self.subjects, [subject for subject, split in split_of.items() if split == name])]

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


def join(parts: Sequence[LabelledFaces]) -> LabelledFaces:
    """Put faces of several sources together; smaller pictures get a border on the right and below.

    Raises:
        DatasetError: if there are none, or they differ in action units or colour.
    """
    if not parts:
        raise DatasetError("there are no faces to join")
    kinds = {(part.aus, part.pictures.shape[3]) for part in parts}
    if len(kinds) > 1:
        raise DatasetError(f"faces with different action units or channels cannot be joined: {sorted(kinds)}")
    height, width = (max(part.pictures.shape[axis] for part in parts) for axis in (1, 2))
    padded = [
        np.pad(
            p.pictures, ((0, 0), (0, height - p.pictures.shape[1]), (0, width - p.pictures.shape[2]), (0, 0)), "edge"
        )
        for p in parts
    ]
    return LabelledFaces(
        aus=parts[0].aus,
        pictures=np.concatenate(padded),
        sizes_wh=np.concatenate([part.sizes_wh for part in parts]),
        landmarks_xy=np.concatenate([part.landmarks_xy for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        subjects=np.concatenate([part.subjects for part in parts]),
    )


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
