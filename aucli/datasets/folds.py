"""Who is trained on, who is tuned on, who is tested on: folds as published, whose splits share no subject.

Fold numbers mean different test subjects in different papers, so folds carry the part they test in their name. The test
split is for one final score; every choice made in training uses the validation split, which is cut from the training
subjects. What was published stands with each benchmark's reader (`aucli.datasets.readers`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import numpy as np
import numpy.typing as npt

from aucli.datasets.choices import Numbering
from aucli.datasets.fold_lists import read_fold_lists
from aucli.datasets.label_values import SplitName
from aucli.datasets.readers.benchmark import OwnersSplits, PublishedParts, SeededFolds
from aucli.datasets.readers.registry import find_benchmark
from aucli.errors import DatasetError, OptionsError

if TYPE_CHECKING:
    from aucli.datasets.cache.reader import CachedFaces
    from aucli.datasets.samples import Samples

DEFAULT_VALIDATION_SHARE: Final = 0.15
"""Share of the training subjects that validation takes: 4 of 28 in BP4D, 3 of 18 in DISFA. Our choice; the papers
have no validation split and publish the best epoch on the test fold."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Three splits that share no subject.

    Attributes:
        name: what it is called in tables, e.g. ``bp4d fold 1 (tests part 3)``.
        train, validation, test: subject keys, sorted. Validation may be empty.
        tested_split: the owners' split that is scored, where they gave one: of a test subject only these sequences
            count.
        number: from 1; 1 where there is one fold only.

    Raises:
        DatasetError: if a subject is in two splits, or training or testing has nobody.
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    tested_split: SplitName | None = None
    number: int = 1

    def __post_init__(self) -> None:
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        for split, subjects in splits.items():
            if tuple(sorted(set(subjects))) != subjects:
                raise DatasetError(f"the {split} subjects of {self.name} are not sorted and distinct")
        for split in ("train", "test"):
            if not splits[split]:
                raise DatasetError(f"{self.name} leaves nobody to {split} on; is a part of the data set missing?")
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            both = set(splits[one]) & set(splits[other])
            if both:
                raise DatasetError(f"{self.name} has {', '.join(sorted(both))} in {one} and in {other}")

    def rows(self, samples: Samples) -> FoldRows:
        """Row indices of each split. Frames of subjects who are in no split are in none."""
        tested = samples.of_subjects(self.test)
        if self.tested_split is not None and len(samples):
            scored = np.array([s.split == self.tested_split for s in samples.sequences], dtype=np.bool_)
            tested &= scored[samples.sequence_index]
        return FoldRows(
            train=np.flatnonzero(samples.of_subjects(self.train)),
            validation=np.flatnonzero(samples.of_subjects(self.validation)),
            test=np.flatnonzero(tested),
        )


@dataclass(frozen=True, eq=False)
class FoldRows:
    """Ascending row indices, int64, of the three splits."""

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True, kw_only=True)
class FoldOptions:
    """Which folds, and how they are made.

    Attributes:
        fold: number of a fold, ``all`` for each of them, None for every frame as one test.
        numbering: which part fold k tests: ``paper`` counts as ME-GraphAU and AUNCE do (BP4D and DISFA: fold 1 tests
            part 3, fold 3 tests part 1), ``part`` as JAA-Net, FG-Net and FMAE-IAT do (fold k tests part k). BP4D+ has
            one numbering.
        folds_dir: folder of files ``Split1_Test_Subjects.csv`` ... to use in place of the published folds.
        allow_shared_videos: where a subject is in the owners' training and test splits (in Aff-Wild2, whose subjects
            are videos), leave it out of training instead of refusing.
        validation_share: share of the training subjects (GFT: groups) that validation takes; 0 for none.
        seed: which of them, and whom a fold tests where nobody published that. Independent of machine and library
            versions.

    Raises:
        OptionsError: for a value that is not allowed.
    """

    fold: int | str | None = None
    numbering: Numbering = "paper"
    folds_dir: Path | None = None
    allow_shared_videos: bool = False
    validation_share: float = DEFAULT_VALIDATION_SHARE
    seed: int = 3407

    def __post_init__(self) -> None:
        if isinstance(self.fold, str) and self.fold != "all":
            raise OptionsError(f"`fold` is {self.fold!r}; allowed are a number or all")
        if self.numbering not in get_args(Numbering):
            raise OptionsError(f"`numbering` is {self.numbering!r}; allowed are {', '.join(get_args(Numbering))}")
        if not 0 <= self.validation_share <= 0.5:
            raise OptionsError(f"`validation_share` is {self.validation_share}; allowed is 0 to 0.5")


def check_folds(dataset: str, options: FoldOptions) -> None:
    """Refuse a fold that there is not before any work: to prepare a benchmark may take hours.

    Raises:
        OptionsError: if there is no such fold.
        DatasetError: if the data set has none, or a user's lists cannot be read.
    """
    if options.fold is None:
        return
    benchmark, n_folds = find_benchmark(dataset), 1
    if options.folds_dir is not None:
        n_folds = len(read_fold_lists(options.folds_dir, benchmark.subject_pattern))
    elif isinstance(benchmark.folds, PublishedParts):
        n_folds = len(benchmark.folds.tested(options.numbering))
    elif isinstance(benchmark.folds, SeededFolds):
        n_folds = benchmark.folds.most
    elif not isinstance(benchmark.folds, OwnersSplits):
        raise DatasetError(_without_folds(benchmark.name))
    if isinstance(options.fold, int) and not 1 <= options.fold <= n_folds:
        raise OptionsError(_no_such_fold(options, dataset, range(1, n_folds + 1)))


def make_folds(samples: Samples, options: FoldOptions | None = None) -> tuple[tuple[Fold, ...], tuple[str, ...]]:
    """All folds of a benchmark, as published, by the seed, or from a user's lists.

    Args:
        samples: of one data set.
        options: None for the defaults.

    Returns:
        The folds in order, and warnings, each one line.

    Raises:
        DatasetError: if the samples are of several data sets, a subject is in no fold, the owners' splits are missing
            or contradict each other, or a split would be empty.
    """
    options = options or FoldOptions()
    datasets = sorted({subject.partition("/")[0] for subject in samples.subjects})
    if len(datasets) != 1:
        raise DatasetError(f"the samples are of {', '.join(datasets) or 'no data set'}; divide one data set at a time")
    benchmark = find_benchmark(datasets[0])
    if options.folds_dir is not None:
        tests = read_fold_lists(options.folds_dir, benchmark.subject_pattern)
        return _by_tests(samples, benchmark.name, tests, options)
    if isinstance(benchmark.folds, PublishedParts):
        return _by_tests(samples, benchmark.name, benchmark.folds.tested(options.numbering), options)
    if isinstance(benchmark.folds, SeededFolds):
        names = [subject.partition("/")[2] for subject in samples.subjects]
        drawn = seeded_tests(names, most=benchmark.folds.most, seed=options.seed)
        return _by_tests(samples, benchmark.name, drawn, options)
    if isinstance(benchmark.folds, OwnersSplits):
        return _by_owners(samples, benchmark.name, benchmark.folds, options)
    raise DatasetError(_without_folds(benchmark.name))


def _without_folds(dataset: str) -> str:
    return f"{dataset} has no published folds; give `folds_dir`, or use it whole as the test of a model"


def _no_such_fold(options: FoldOptions, dataset: str, numbers: Iterable[int]) -> str:
    return f"`fold` is {options.fold}; {dataset} has the folds {', '.join(map(str, numbers))}"


def fold_rows(
    faces: CachedFaces, dataset: str, options: FoldOptions
) -> tuple[list[tuple[int, FoldRows, Rows]], tuple[str, ...]]:
    """Number, rows of the three splits and rows of lost test frames of each fold that is asked for, and warnings.

    Raises:
        DatasetError: as `make_folds`.
        OptionsError: if there is no such fold.
    """
    if options.fold is None:
        nobody = np.zeros(0, np.int64)
        return [(0, FoldRows(nobody, nobody, np.arange(len(faces))), np.arange(len(faces.lost)))], ()
    samples = faces.samples()
    made, warnings = make_folds(samples, options)
    chosen = [fold for fold in made if options.fold in ("all", fold.number)]
    if not chosen:
        raise OptionsError(_no_such_fold(options, dataset, [fold.number for fold in made]))
    folds = []
    for fold in chosen:
        lost = np.isin(faces.lost.subjects, fold.test)
        if fold.tested_split is not None:
            scored = np.array([s.split == fold.tested_split for s in faces.sequences], dtype=np.bool_)
            lost &= scored[faces.lost.sequence_index]
        folds.append((fold.number, fold.rows(samples), np.flatnonzero(lost)))
    return folds, warnings


def seeded_tests(subjects: Sequence[str], *, most: int, seed: int) -> Mapping[str, frozenset[str]]:
    """Whom each fold tests, by the fold's name: every subject is tested once, in folds that differ by one at most.

    Raises:
        DatasetError: if there is one subject: nobody would be trained on.
    """
    if len(subjects) < 2:
        raise DatasetError(
            f"there are films of {len(subjects)} person; whoever is tested must not be trained on, so two are needed"
        )
    order = _drawn(subjects, f"test {seed}")
    n_folds = min(most, len(order))
    return {f"fold {k + 1} of {n_folds}": frozenset(order[k::n_folds]) for k in range(n_folds)}


def _drawn(names: Iterable[str], seed: str) -> list[str]:
    """Names in the order of a hash of seed and name."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())


def _by_tests(
    samples: Samples, dataset: str, tests: Mapping[str, frozenset[str]], options: FoldOptions
) -> tuple[tuple[Fold, ...], tuple[str, ...]]:
    """Folds that each test a set of subjects and train on all others."""
    everyone = frozenset().union(*tests.values())
    present = {subject.partition("/")[2] for subject in samples.subjects}
    in_none = sorted(present - everyone)
    if in_none:
        raise DatasetError(f"{dataset} subject {in_none[0]} is in no fold; remove it or give `folds_dir`")
    absent = sorted(everyone - present)
    warnings = (
        [f"{len(absent)} of {len(everyone)} {dataset} subjects are not there: {', '.join(absent)}"] if absent else []
    )
    folds = []
    for number, (name, test) in enumerate(tests.items(), start=1):
        if not present & test:
            warnings.append(f"{dataset} {name} is left out: none of its test subjects is there")
            continue
        train, validation = cut_validation(
            [f"{dataset}/{s}" for s in sorted(present - test)], share=options.validation_share, seed=options.seed
        )
        tested = tuple(f"{dataset}/{s}" for s in sorted(present & test))
        folds.append(Fold(f"{dataset} {name}", train, validation, tested, number=number))
    return tuple(folds), tuple(warnings)


def _by_owners(
    samples: Samples, dataset: str, owners: OwnersSplits, options: FoldOptions
) -> tuple[tuple[Fold, ...], tuple[str, ...]]:
    """One fold, by the owners' splits; validation is cut from their training subjects, whole groups."""
    used = [samples.sequences[i] for i in np.unique(samples.sequence_index)]
    lacking = sorted({s.subject for s in used if s.split is None})
    if lacking:
        raise DatasetError(f"the splits of {dataset} lack {', '.join(lacking)}; {owners.remedy}")
    group = {s.subject: s.group or s.subject for s in used}
    train = {s.subject for s in used if s.split == "train"}
    test = {s.subject for s in used if s.split == owners.tested}
    warnings = []
    if shared := sorted(train & test):
        both = " and ".join(owners.names)
        if not options.allow_shared_videos:
            raise DatasetError(
                f"{', '.join(shared)} are in {both}; set `allow_shared_videos` to leave them out of training"
            )
        warnings.append(f"left out of training, as {owners.names[1]} has them too: {', '.join(shared)}")
    if owners.subjects is not None and (len(train), len(test)) != owners.subjects:
        warnings.append(
            f"{dataset} has {len(train)} training and {len(test)} test subjects here; published are "
            f"{owners.subjects[0]} and {owners.subjects[1]}"
        )
    train -= test
    divided = sorted({group[s] for s in train} & {group[s] for s in test})
    if divided:
        warnings.append(f"the splits of {dataset} divide the groups {', '.join(divided)}, who saw each other")
    kept, validation = cut_validation(sorted(train), share=options.validation_share, seed=options.seed, groups=group)
    fold = Fold(f"{dataset} {owners.name}", kept, validation, tuple(sorted(test)), tested_split=owners.tested)
    return (fold,), tuple(warnings)


def cut_validation(
    subjects: Sequence[str], *, share: float, seed: int, groups: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cut a validation split from training subjects; subjects of one group stay together.

    The groups are put in the order of a hash of seed and name, so the same subjects are drawn on any machine, and
    leaving a subject out does not reshuffle the others.

    Args:
        subjects: training subjects.
        share: share of the groups to cut; at least one is cut if share > 0 and there are two, and one is always left.
        seed: any integer.
        groups: group by subject; None where each subject is one.

    Returns:
        Remaining training subjects and validation subjects, each sorted.
    """
    group_of = {s: groups[s] if groups else s for s in subjects}
    names = sorted(set(group_of.values()))
    wanted = round(share * len(names))
    if share > 0:
        wanted = max(1, wanted)
    wanted = min(wanted, max(len(names) - 1, 0))
    chosen = set(_drawn(names, str(seed))[:wanted])
    train = tuple(sorted(s for s in subjects if group_of[s] not in chosen))
    validation = tuple(sorted(s for s in subjects if group_of[s] in chosen))
    return train, validation
