"""What a run did, and what is told of it while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aucli.annotation.records import RunRecord, VideoRecord
    from aucli.annotation.writing import RunTables
    from aucli.video.inputs import Inputs


@dataclass(frozen=True)
class VideoOutcome:
    """What a run did with one video.

    Attributes:
        n_frames: frames annotated in this run.
        was_finished: an earlier run had annotated it to its end.
        problem: one line, if it failed, or did not end well.
    """

    n_frames: int = 0
    was_finished: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        tables: files that hold the result.
        videos: label -> record of every video in the tables.
        skipped: labels that an earlier run had finished.
        failures: label or pattern -> one line: what could not be done. A video that broke in the middle is here and
            in `videos`.
        n_frames: frames annotated in this run.
        passed_over: a line for each folder: what of it was not taken for a video, and why.
        experimental: columns of action units that the model's maker calls experimental, ``("AU14", ...)``.
        notes: a line for each thing about the whole run that a user should know.
    """

    tables: tuple[Path, ...]
    videos: Mapping[str, VideoRecord]
    skipped: tuple[str, ...]
    failures: Mapping[str, str]
    n_frames: int
    passed_over: tuple[str, ...] = ()
    experimental: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        results: Mapping[str, VideoOutcome],
        inputs: Inputs,
        tables: RunTables,
        run: RunRecord,
        *,
        notes: tuple[str, ...] = (),
    ) -> Outcome:
        """Sum up a run from what it did with each of its videos, in their order."""
        failures = {label: result.problem for label, result in results.items() if result.problem is not None}
        return cls(
            tables=tables.paths(results),
            videos={label: video.record for label, video in tables.finished.items()},
            skipped=tuple(label for label, result in results.items() if result.was_finished),
            failures={**inputs.problems, **failures},
            n_frames=sum(result.n_frames for result in results.values()),
            passed_over=inputs.passed_over,
            experimental=run.experimental,
            notes=notes,
        )

    def same_content(self) -> dict[str, str]:
        """Return label -> label of an earlier video in the tables with the same content, byte for byte.

        One film by two names (copied, or reached through a link) counts twice in whatever is counted over the tables.
        """
        first: dict[str, str] = {}
        found = {}
        for label, record in self.videos.items():
            if (other := first.setdefault(record.sha256, label)) != label:
                found[label] = other
        return found


class Journal(Protocol):
    """Who must know which video is at work, should the process die of it.

    Attributes:
        given_up: label -> why the video is not tried (again).
    """

    given_up: Mapping[str, str]

    def begin(self, label: str) -> None:
        """Take note that a video is at work."""

    def end(self, label: str, n_frames: int) -> None:
        """Take note that it is through, with so many frames annotated in this run."""


@dataclass
class NoJournal:
    """For a run that nobody starts again."""

    given_up: Mapping[str, str] = field(default_factory=dict)

    def begin(self, label: str) -> None:
        """Do nothing."""

    def end(self, label: str, n_frames: int) -> None:
        """Do nothing."""
