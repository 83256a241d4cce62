"""What a reader found on disk: every sequence, frame or label that was missing, dropped or doubtful, with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from aucli.errors import DatasetError

if TYPE_CHECKING:
    from rich.table import Table

Level = Literal["note", "warning"]
Effect = Literal["dropped", "masked", "ignored", "kept"]
Unit = Literal["subject", "sequence", "file", "frame", "label"]


@dataclass(frozen=True)
class Finding:
    """One thing that was not as expected.

    Attributes:
        level: ``note`` for what is usual in this benchmark, ``warning`` for what a reader should look at.
        kind: what it is, the same words each time, so that findings can be counted.
        effect: what was done: frames ``dropped``, labels ``masked`` (set to missing), files ``ignored``, or all
            ``kept`` although doubtful.
        count: how many.
        unit: of what.
        where: the subject, sequence or file concerned, or empty for the whole data set.
        detail: frame numbers, figures, or what to do.
    """

    level: Level
    kind: str
    effect: Effect
    count: int
    unit: Unit
    where: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        for value, allowed in ((self.level, Level), (self.effect, Effect), (self.unit, Unit)):
            if value not in get_args(allowed):
                raise DatasetError(f"a finding says {value!r}; allowed are {', '.join(get_args(allowed))}")


BROKEN_LABELS: Final = "labels cannot be read"
OTHER_RATE: Final = "frame rate of the film does not fit the labels"
NO_PIXELS: Final = "labelled sequence without pixels"
LOST_SEQUENCES: Final = (
    BROKEN_LABELS, NO_PIXELS, OTHER_RATE, "video cannot be opened", "zip archive cannot be read",
)  # fmt: skip
"""Kinds of findings by which a reader says that it left out a sequence that has labels."""


@dataclass
class Findings:
    """Collects findings while a reader reads."""

    items: list[Finding] = field(default_factory=list)

    def note(self, kind: str, effect: Effect, count: int, unit: Unit, where: str = "", detail: str = "") -> None:
        """Add what is usual, unless the count is 0."""
        if count:
            self.items.append(Finding("note", kind, effect, int(count), unit, where, detail))

    @contextmanager
    def reading(self, sequence: str) -> Iterator[None]:
        """The block reads one sequence: what is wrong with its labels is a finding, and the others are read."""
        try:
            yield
        except DatasetError as error:
            self.warn(BROKEN_LABELS, "dropped", 1, "sequence", sequence, str(error))

    def warn(self, kind: str, effect: Effect, count: int, unit: Unit, where: str = "", detail: str = "") -> None:
        """Add what a reader should look at, unless the count is 0."""
        if count:
            self.items.append(Finding("warning", kind, effect, int(count), unit, where, detail))


@dataclass(frozen=True)
class Report:
    """All findings about one data set on disk, with the totals of what is left to use.

    Attributes:
        dataset: short name.
        root: the folder that was read.
        subjects, sequences, frames: what the samples hold.
        aus: action unit numbers.
        labelled: labelled frames per AU.
        base_rates: share of them with the AU present; None where an AU has no labels.
        findings: in the order they were made.
    """

    dataset: str
    root: str
    subjects: int
    sequences: int
    frames: int
    aus: tuple[int, ...]
    labelled: tuple[int, ...]
    base_rates: tuple[float | None, ...]
    findings: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that a reader should look at."""
        return tuple(f for f in self.findings if f.level == "warning")

    def count(self, kind: str) -> int:
        """Sum of the counts of all findings of one kind."""
        return sum(f.count for f in self.findings if f.kind == kind)

    def counts(self) -> dict[str, int]:
        """Sum of the counts by kind, in order of appearance."""
        totals: Counter[str] = Counter()
        for finding in self.findings:
            totals[finding.kind] += finding.count
        return dict(totals)

    def to_table(self) -> Table:
        """A Rich table: one row per kind of finding."""
        from rich.table import Table

        title = f"{self.dataset}: {self.frames:,} frames, {self.sequences:,} sequences, {self.subjects:,} subjects"
        table = Table(title=title, caption=self._base_rate_line(), title_justify="left", caption_justify="left")
        for name in ("level", "finding", "effect"):
            table.add_column(name)
        table.add_column("count", justify="right")
        table.add_column("where")
        table.add_column("detail")
        for level, kind, effect, count, where, detail in self._rows():
            table.add_row(level, kind, effect, count, where, detail, style="yellow" if level == "warning" else None)
        return table

    def _base_rate_line(self) -> str:
        rates = (
            f"AU{au} {'-' if rate is None else f'{100 * rate:.1f}'}"
            for au, rate in zip(self.aus, self.base_rates, strict=True)
        )
        return "present, % of labelled frames: " + "  ".join(rates)

    def _rows(self) -> list[tuple[str, str, str, str, str, str]]:
        groups: dict[tuple[Level, str, Effect, Unit], list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault((finding.level, finding.kind, finding.effect, finding.unit), []).append(finding)
        rows: list[tuple[str, str, str, str, str, str]] = []
        for (level, kind, effect, unit), members in groups.items():
            places = list(dict.fromkeys(f.where for f in members if f.where))
            where = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
            detail = _short(members[0].detail) if len(members) == 1 else ""
            rows.append((level, kind, effect, _counted(sum(f.count for f in members), unit), where, detail))
        return rows


def _short(detail: str, limit: int = 120) -> str:
    """Long lists of frames are whole in the findings; a terminal gets their beginning."""
    return detail if len(detail) <= limit else f"{detail[: limit - 4]} ..."


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def number_ranges(numbers: npt.NDArray[Any]) -> str:
    """Numbers as ranges in ascending order: ``[1, 2, 3, 7]`` is ``"1-3, 7"``; no numbers are an empty text."""
    ordered = np.unique(numbers)
    if not ordered.size:
        return ""
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 2) > 1)
    ends = np.append(starts[1:], len(ordered)) - 1
    pairs = zip(ordered[starts], ordered[ends], strict=True)
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in pairs)
