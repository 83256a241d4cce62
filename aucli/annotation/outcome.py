"""What a run did, and what is told of it while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aucli.annotation.records import VideoRecord


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
    """

    tables: tuple[Path, ...]
    videos: Mapping[str, VideoRecord]
    skipped: tuple[str, ...]
    failures: Mapping[str, str]
    n_frames: int
    passed_over: tuple[str, ...] = ()


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
