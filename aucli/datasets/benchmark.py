"""A benchmark's prepared faces, and which of them a published fold trains on, chooses with and tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.cache.writer import INDEX_NAME, REPORT_NAME, failures_of, require_options
from aucli.datasets.readers.options import as_json, options_from_mapping
from aucli.datasets.readers.registry import BENCHMARKS
from aucli.datasets.splits import SplitOptions, SplitRows, make_splits
from aucli.errors import DatasetError, OptionsError
from aucli.runtime.files import user_folder
from aucli.runtime.progress import OnProgress

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class DatasetSource:
    """A benchmark, where its faces are, and how it is split.

    Attributes:
        dataset: its short name.
        root: its folder, needed where there is no finished cache.
        cache: of ``aucli prepare``; with a root it is made or completed first. None is a folder of the user's own, by
            data set and root: the owners' folder stays as it is.
        fold: number of a published fold, ``all`` for each of them, None for every frame as one test.
        dataset_options: the benchmark's own options, for reading it.
        splits: how it is split.
        device: as for annotate.
    """

    dataset: str
    root: Path | None = None
    cache: Path | None = None
    fold: int | str | None = None
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    splits: SplitOptions = field(default_factory=SplitOptions)
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.dataset not in BENCHMARKS:
            raise OptionsError(f"--dataset is {self.dataset!r}; allowed are {', '.join(BENCHMARKS)}")
        if self.cache is None and self.root is None:
            raise OptionsError(
                "give --root, the data set's folder, or --cache, the faces that aucli prepare made of it"
            )
        if isinstance(self.fold, str) and self.fold != "all":
            raise OptionsError(f"--fold is {self.fold!r}; allowed are a number or all")


def open_faces(what: DatasetSource, *, on_progress: OnProgress | None = None) -> tuple[CachedFaces, tuple[str, ...]]:
    """The prepared faces of a benchmark, and what is wrong with them, one line each.

    They are prepared now if that was not done, not finished, or something could not be read then and the root is given.
    A finished cache is else taken as it is, unless options of the data set are given: then it must have been made with
    these.

    Raises:
        AucliError: if there is no finished cache and no root, or the cache is of another data set or options.
    """
    cache = what.cache
    if cache is None:
        assert what.root is not None
        root = hashlib.sha256(str(what.root.resolve()).encode()).hexdigest()
        cache = user_folder() / "caches" / f"{what.dataset}-{root[:12]}"
    finished = (cache / INDEX_NAME).is_file()
    if what.root is not None and (what.dataset_options or not finished or failures_of(cache)):
        from aucli.datasets.prepare import PrepareOptions, prepare

        prepare(
            PrepareOptions(
                dataset=what.dataset,
                root=what.root,
                out=cache,
                dataset_options=what.dataset_options,
                device=what.device,
            ),
            on_progress=on_progress,
        )
    faces = CachedFaces.open(cache)
    held = sorted({sequence.dataset for sequence in faces.sequences})
    if held != [what.dataset]:
        raise DatasetError(f"the cache {cache} holds {', '.join(held) or 'nobody'}, not {what.dataset}")
    if what.dataset_options:
        given = as_json(options_from_mapping(BENCHMARKS[what.dataset].options, what.dataset_options))
        require_options(cache, {name: given[name] for name in what.dataset_options})
    failed = failures_of(cache)
    if not failed:
        return faces, ()
    shown = "; ".join(f"{name} ({problem})" for name, problem in list(failed.items())[:3])
    more = "; ..." if len(failed) > 3 else ""
    return faces, (
        f"{len(failed)} sequences could not be read, or not wholly, when the faces were prepared: {shown}{more}; "
        f"all are in {cache / REPORT_NAME}; repair them and give --root to read them again",
    )


def fold_rows(faces: CachedFaces, what: DatasetSource) -> tuple[list[tuple[int, SplitRows, Rows]], tuple[str, ...]]:
    """Number, rows of the three sides and rows of lost test frames of each fold that is asked for, and warnings."""
    if what.fold is None:
        nobody = np.zeros(0, np.int64)
        return [(0, SplitRows(nobody, nobody, np.arange(len(faces))), np.arange(len(faces.lost)))], ()
    samples = faces.samples()
    splits, warnings = make_splits(samples, what.splits)
    chosen = [split for split in splits if what.fold in ("all", split.number)]
    if not chosen:
        numbers = ", ".join(str(split.number) for split in splits)
        raise OptionsError(f"--fold is {what.fold}; {what.dataset} has the folds {numbers}")
    folds = []
    for split in chosen:
        lost = np.isin(faces.lost.subjects, split.test)
        if split.test_split is not None:
            scored = np.array([s.split == split.test_split for s in faces.sequences], dtype=np.bool_)
            lost &= scored[faces.lost.sequence_index]
        folds.append((split.number, split.rows(samples), np.flatnonzero(lost)))
    return folds, warnings
