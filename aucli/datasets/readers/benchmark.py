"""What a benchmark's reader declares: everything that the rest of aucli asks about a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aucli.datasets.choices import Numbering
from aucli.datasets.label_values import SplitName

if TYPE_CHECKING:
    from aucli.datasets.readers.options import DatasetOptions
    from aucli.datasets.readers.published_counts import PublishedCounts
    from aucli.datasets.report import Findings
    from aucli.datasets.samples import Samples


@dataclass(frozen=True)
class PublishedParts:
    """Published sets of subjects, the parts: a fold tests one and trains on the others.

    Attributes:
        parts: subjects of each part, without the data set's name, divided by blanks.
        paper_order: the part, from 1, that fold 1, 2, ... tests in the papers that count by ``paper``.
    """

    parts: tuple[str, ...]
    paper_order: tuple[int, ...]

    def __post_init__(self) -> None:
        if sorted(self.paper_order) != list(range(1, len(self.parts) + 1)):
            raise ValueError(f"paper_order is {self.paper_order} for {len(self.parts)} parts")

    def tested(self, numbering: Numbering) -> Mapping[str, frozenset[str]]:
        """Subjects that each fold tests, by the fold's name, in fold order."""
        order = self.paper_order if numbering == "paper" else range(1, len(self.parts) + 1)
        return {
            f"fold {k} (tests part {part})": frozenset(self.parts[part - 1].split())
            for k, part in enumerate(order, start=1)
        }


@dataclass(frozen=True)
class OwnersSplits:
    """One fold, by the splits that the data set's owners give their sequences (`SequenceInfo.split`).

    Attributes:
        name: of the fold, for tables.
        tested: the owners' split that is scored.
        names: what the owners call their train split and the one that is scored.
        remedy: what to do about a sequence without a split, for the message.
        subjects: published number of subjects in both, where known.
    """

    name: str
    tested: SplitName
    names: tuple[str, str]
    remedy: str
    subjects: tuple[int, int] | None = None


@dataclass(frozen=True)
class SeededFolds:
    """Folds that nobody published: the subjects in an order that the seed alone decides, each tested in one fold.

    Attributes:
        most: folds, if there are as many subjects; else each fold tests one.
    """

    most: int


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: the value ``BENCHMARK`` of its reader's module, which `registry.READERS` names.

    Attributes:
        name: short name, the one of ``--dataset``.
        title: as papers write it.
        aus: the action units that papers evaluate, in the order of published label files; none where the labels say.
        options: the reader's own options.
        read: reads the owners' folder; findings go into the last argument.
        counts: published counts and base rates, against which a copy is checked.
        folds: who is trained on and tested, as published or by a seed; None where nobody published that.
        subject_pattern: regular expression of a subject's name, by which lists of folds are read.
        splits: where the owners' splits stand in a file that its users write: reads it, by subject, and nothing else; a
            finished cache follows it.
        people_of: the data set whose people these are, under the same names; empty where they are its own.
        grows: whether films and codes are still added to it: its folder is read whenever it is given.
    """

    name: str
    title: str
    aus: tuple[int, ...]
    options: type[DatasetOptions]
    read: Callable[[Path, Any, Findings], Samples]
    counts: tuple[PublishedCounts, ...]
    folds: PublishedParts | OwnersSplits | SeededFolds | None
    subject_pattern: str
    splits: Callable[[Path, Any], Mapping[str, SplitName]] | None = None
    people_of: str = ""
    grows: bool = False
