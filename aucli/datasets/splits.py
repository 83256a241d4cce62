"""Who is trained on, who is tuned on, who is tested on: subject-exclusive splits as published.

Fold numbers mean different test parts in different papers, so folds carry the part they test in their name. The test
side is for one final score; every choice made in training uses the validation side, which is cut from the training
subjects.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from aucli.datasets.published_folds import PARTS, Numbering, person, published_folds
from aucli.datasets.readers.gft import PARTITION_COUNTS
from aucli.datasets.readers.label_files import read_text
from aucli.datasets.samples import Samples, SplitName
from aucli.errors import DatasetError, OptionsError

DEFAULT_VALIDATION_SHARE: Final = 0.15
"""Share of the training subjects that validation takes: 4 of 28 in BP4D, 3 of 18 in DISFA. Our choice; the papers
have no validation part and publish the best epoch on the test fold."""


@dataclass(frozen=True)
class Split:
    """Three sides that share no person.

    Attributes:
        name: what it is called in tables, e.g. ``bp4d fold 1 (tests part 3)``.
        number: of the fold, from 1; 1 where there is one split only.
        train, validation, test: subject keys, sorted. Validation may be empty.
        test_split: the owners' partition that is scored, where they gave one: of a person on the test side only
            these sequences count.

    Raises:
        DatasetError: if a person is on two sides, or training or testing has nobody.
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    test_split: SplitName | None = None
    number: int = 1

    def __post_init__(self) -> None:
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        for side, subjects in sides.items():
            if tuple(sorted(set(subjects))) != subjects:
                raise DatasetError(f"the {side} subjects of {self.name} are not sorted and distinct")
        for side in ("train", "test"):
            if not sides[side]:
                raise DatasetError(f"{self.name} leaves nobody to {side} on; is a part of the data set missing?")
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            both = {person(s) for s in sides[one]} & {person(s) for s in sides[other]}
            if both:
                raise DatasetError(f"{self.name} has {', '.join(sorted(both))} in {one} and in {other}")

    def rows(self, samples: Samples) -> SplitRows:
        """Row indices of each side. Frames of people who are on no side are on none."""
        tested = samples.of_subjects(self.test)
        if self.test_split is not None and len(samples):
            scored = np.array([s.split == self.test_split for s in samples.sequences], dtype=np.bool_)
            tested &= scored[samples.sequence_index]
        return SplitRows(
            train=np.flatnonzero(samples.of_subjects(self.train)),
            validation=np.flatnonzero(samples.of_subjects(self.validation)),
            test=np.flatnonzero(tested),
        )


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Ascending row indices, int64, of the three sides."""

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How to split.

    Attributes:
        numbering: which part fold k tests: ``paper`` counts as ME-GraphAU and AUNCE do (BP4D and DISFA: fold 1 tests
            part 3, fold 3 tests part 1), ``part`` as JAA-Net, FG-Net and FMAE-IAT do (fold k tests part k). BP4D+ has
            one numbering.
        validation_share: share of the training subjects (GFT: groups) that validation takes; 0 for none.
        seed: which of them. Independent of machine and library versions.
        folds_dir: folder of files ``Split1_Test_Subjects.csv`` ... to use in place of the published folds.
        allow_counts: accept a GFT partition that is not 78 to 18.
        allow_shared_videos: accept Aff-Wild2 videos of which one person is in training and another in validation.
    """

    numbering: Numbering = "paper"
    validation_share: float = DEFAULT_VALIDATION_SHARE
    seed: int = 3407
    folds_dir: str | None = None
    allow_counts: bool = False
    allow_shared_videos: bool = False

    def __post_init__(self) -> None:
        if self.numbering not in get_args(Numbering):
            raise OptionsError(f"numbering is {self.numbering!r}; allowed are {', '.join(get_args(Numbering))}")
        if not 0 <= self.validation_share <= 0.5:
            raise OptionsError(f"validation_share is {self.validation_share}; allowed is 0 to 0.5")


def make_splits(samples: Samples, options: SplitOptions | None = None) -> tuple[tuple[Split, ...], tuple[str, ...]]:
    """The published splits of a benchmark: three folds, four folds, or one split.

    Args:
        samples: of one data set.
        options: None for the defaults.

    Returns:
        The splits in fold order, and warnings, each one line.

    Raises:
        DatasetError: if the samples are of several data sets, a subject is in no published part, the owners'
            partition is missing or contradicts itself, or a side would be empty.
    """
    options = options or SplitOptions()
    datasets = sorted({subject.partition("/")[0] for subject in samples.subjects})
    if len(datasets) != 1:
        raise DatasetError(f"the samples are of {', '.join(datasets) or 'no data set'}; split one data set at a time")
    dataset = datasets[0]
    if options.folds_dir is not None:
        return _folds(samples, dataset, folds_from_files(Path(options.folds_dir)), options)
    if dataset in PARTS:
        return _folds(samples, dataset, published_folds(dataset, options.numbering), options)
    if dataset == "gft":
        return _gft(samples, options)
    if dataset == "affwild2":
        return _affwild2(samples, options)
    raise DatasetError(f"{dataset} has no published split; give folds_dir, or use it as the test set of another one")


def folds_from_files(folder: Path) -> dict[str, frozenset[str]]:
    """Test subjects of each fold from a user's files, e.g. rPPG-Toolbox's three-fold split of BP4D+.

    Files are named ``Split<k>_Test_Subjects.csv``, with ``Split<k>_Train_Subjects.csv`` beside them where there are
    such; subjects are picked out by their shape (``F001``, ``SN001``, ``001A``), whatever the columns are.

    Raises:
        DatasetError: if there are no such files, a person is tested twice, or trained on and tested in one fold.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; folds_dir must hold Split1_Test_Subjects.csv and so on")
    tests: dict[str, frozenset[str]] = {}
    numbered = {
        int(match.group(1)): path
        for path in sorted(folder.iterdir())
        if (match := re.fullmatch(r"split[ _]?(\d+)[ _]test[ _]subjects\.csv", path.name, re.IGNORECASE))
    }
    for k, path in sorted(numbered.items()):
        tests[f"fold {k} ({path.name})"] = subjects = _subjects_in(path)
        train = path.with_name(re.sub("test", "Train", path.name, flags=re.IGNORECASE))
        both = subjects & _subjects_in(train) if train.is_file() else frozenset()
        if both:
            raise DatasetError(f"{path} and {train.name} share {', '.join(sorted(both))}")
    if not tests:
        raise DatasetError(f"no files such as Split1_Test_Subjects.csv in {folder}")
    seen: set[str] = set()
    for name, subjects in tests.items():
        if seen & subjects:
            raise DatasetError(f"{name} tests {', '.join(sorted(seen & subjects))}, whom an earlier fold tests too")
        seen |= subjects
    return tests


def _subjects_in(path: Path) -> frozenset[str]:
    found = re.findall(r"(?<![A-Za-z0-9])(?:[FM]\d{3}|SN\d{3}|\d{3}[A-C])(?![A-Za-z0-9])", read_text(path))
    if not found:
        raise DatasetError(f"{path} names no subjects such as F001")
    return frozenset(found)


def _folds(
    samples: Samples, dataset: str, tests: Mapping[str, frozenset[str]], options: SplitOptions
) -> tuple[tuple[Split, ...], tuple[str, ...]]:
    everyone = frozenset().union(*tests.values())
    present = {subject.partition("/")[2] for subject in samples.subjects}
    strangers = sorted(present - everyone)
    if strangers:
        raise DatasetError(f"{dataset} subject {strangers[0]} is in no fold; remove it or give folds_dir")
    absent = sorted(everyone - present)
    warnings = (
        [f"{len(absent)} of {len(everyone)} {dataset} subjects are not there: {', '.join(absent)}"] if absent else []
    )
    splits = []
    for number, (name, test) in enumerate(tests.items(), start=1):
        if not present & test:
            warnings.append(f"{dataset} {name} is left out: none of its test subjects is there")
            continue
        train, validation = cut_validation(
            [f"{dataset}/{s}" for s in sorted(present - test)], share=options.validation_share, seed=options.seed
        )
        tested = tuple(f"{dataset}/{s}" for s in sorted(present & test))
        splits.append(Split(f"{dataset} {name}", train, validation, tested, number=number))
    return tuple(splits), tuple(warnings)


def _gft(samples: Samples, options: SplitOptions) -> tuple[tuple[Split, ...], tuple[str, ...]]:
    side = {s.subject: s.split for s in samples.sequences}
    group = {s.subject: s.group or s.subject for s in samples.sequences}
    lacking = [subject for subject in samples.subjects if side[subject] is None]
    if lacking:
        raise DatasetError(
            f"the GFT partition lacks {', '.join(lacking)}; put them into gft_partition.csv as "
            "participant,split and run the same aucli prepare again"
        )
    train = [s for s in samples.subjects if side[s] == "train"]
    test = [s for s in samples.subjects if side[s] == "test"]
    warnings = []
    if (len(train), len(test)) != PARTITION_COUNTS and not options.allow_counts:
        expected = f"{PARTITION_COUNTS[0]} and {PARTITION_COUNTS[1]}"
        warnings.append(
            f"the GFT partition has {len(train)} training and {len(test)} test people; published {expected}"
        )
    divided = sorted({group[s] for s in train} & {group[s] for s in test})
    if divided:
        warnings.append(f"the GFT partition divides the groups {', '.join(divided)}, who saw each other")
    kept, validation = cut_validation(train, share=options.validation_share, seed=options.seed, groups=group)
    return (Split("gft published split", kept, validation, tuple(test)),), tuple(warnings)


def _affwild2(samples: Samples, options: SplitOptions) -> tuple[tuple[Split, ...], tuple[str, ...]]:
    """Train on Train_Set, score on Validation_Set, tune on a part cut from Train_Set."""
    used = {samples.sequences[i] for i in np.unique(samples.sequence_index)}
    train = {s.subject for s in used if s.split == "train"}
    test = {s.subject for s in used if s.split == "validation"}
    shared = sorted(train & test)
    warnings = []
    if shared and not options.allow_shared_videos:
        raise DatasetError(
            f"the videos {', '.join(shared)} are in Train_Set and Validation_Set; set allow_shared_videos to leave "
            "them out of training"
        )
    if shared:
        warnings.append(f"left out of training, as Validation_Set has them too: {', '.join(shared)}")
    kept, validation = cut_validation(sorted(train - test), share=options.validation_share, seed=options.seed)
    split = Split("affwild2 Validation_Set", kept, validation, tuple(sorted(test)), test_split="validation")
    return (split,), tuple(warnings)


def cut_validation(
    subjects: Sequence[str], *, share: float, seed: int, groups: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cut a validation part from training subjects; people of one group stay together.

    The groups are put in the order of a hash of seed and name, so the same people are drawn on any machine, and
    leaving a subject out does not reshuffle the others.

    Args:
        subjects: training subjects.
        share: share of the groups to cut; at least one is cut if share > 0 and there are two, and one is always left.
        seed: any integer.
        groups: group by subject; None where everyone is alone.

    Returns:
        Remaining training subjects and validation subjects, each sorted.
    """
    group_of = {s: groups[s] if groups else s for s in subjects}
    names = sorted(set(group_of.values()))
    wanted = round(share * len(names))
    if share > 0:
        wanted = max(1, wanted)
    wanted = min(wanted, max(len(names) - 1, 0))
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
    chosen = set(order[:wanted])
    train = tuple(sorted(s for s in subjects if group_of[s] not in chosen))
    validation = tuple(sorted(s for s in subjects if group_of[s] in chosen))
    return train, validation
