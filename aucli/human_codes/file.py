"""A file of codes before anybody has read it, and what a coding program's reader consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from aucli.errors import TableError
from aucli.human_codes.text import decode
from aucli.human_codes.values import CodeOptions, Codes
from aucli.runtime.files import why_not_a_file

_HEAD_BYTES: Final = 65536
FilmRate = Callable[[str | None, Path], float | None]
"""Frames per second of the film that codes belong to: name in the file of codes (None if it names none), that file."""


class CodeFile:
    """A file of codes: opened once, decoded when somebody asks.

    Raises:
        TableError: if it is no readable, ordinary file (never waits for a pipe).
    """

    def __init__(self, source: Path, film_rate: FilmRate | None = None) -> None:
        self.source, self._film_rate = source, film_rate
        try:
            if problem := why_not_a_file(source):
                raise TableError(f"{source} {problem}; name a file of codes")
            with source.open("rb") as opened:
                self.head = opened.read(_HEAD_BYTES)
        except (OSError, ValueError) as error:
            raise TableError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from error

    @cached_property
    def text(self) -> str:
        """The whole file as text with plain line ends.

        Raises:
            TableError: if it is no text.
        """
        if not self.is_text:
            raise TableError(f"{self.source} is not text; export the codes again as CSV or tab-delimited text")
        try:
            return decode(self.source.read_bytes(), self.source)
        except OSError as error:
            raise TableError(f"{self.source} cannot be read: {error.strerror or error}") from error

    @property
    def is_text(self) -> bool:
        """Whether it may be text: UTF-16 says so by its mark, and nothing else holds zero bytes."""
        return self.head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" not in self.head

    @cached_property
    def first_lines(self) -> list[str]:
        """The first lines that are not blank, at most 60; [] if it is no text."""
        return [line for line in self.text.split("\n", 200)[:200] if line.strip()][:60] if self.is_text else []

    def film_rate(self, video: str | None) -> float | None:
        """Frames per second of a film that the codes name; None if nobody knows."""
        return self._film_rate(video, self.source) if self._film_rate is not None else None


@dataclass(frozen=True)
class CodingProgram:
    """How the files of one program are recognised and read.

    Attributes:
        name: for `CodeOptions.format`.
        writes: what its files are, for readers.
        recognises: whether a file is one of them; never fails.
        read: reads one, a value per video and subject.
        is_by_people: whether people code with it; else another program of analyses wrote the file.
    """

    name: str
    writes: str
    recognises: Callable[[CodeFile], bool]
    read: Callable[[CodeFile, CodeOptions], list[Codes]]
    is_by_people: bool = True
