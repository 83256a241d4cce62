"""The one door through which commands print.

Results go to standard output, everything else to standard error. Colours and moving lines appear on a terminal only,
and no colours where ``NO_COLOR`` is set. What a file is called cannot make a terminal do anything.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from aucli.commands.options import as_options
from aucli.errors import printable
from aucli.runtime.json_text import strict_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from aucli.runtime.progress import Progress

JSON_SCHEMA: Final = 1
"""Raised when a name in a command's JSON goes, or means something else."""
WIDTH_IN_PIPES: Final = 200
"""Of tables that go into files and pipes; on a terminal its own width is used."""
TO_COPY: Final = re.compile(r"^-> |\b(aucli|pip|apt-get) [a-z]|['\"][^'\"]* [^'\"]*['\"]")
"""What is copied from a terminal: the place of a result, a command, what stands in quotation marks and has spaces."""
MOST_NOTES: Final = 10
"""Notes of one kind that are printed; a line says how many more there are."""


class Printer:
    """What one run of a command prints.

    Args:
        command: its name, for JSON: ``models list``.
        as_json: print one JSON object on standard output, and no other result.
        quiet: print nothing but errors, and a text that a program reads (`asked_for`).
        option_of: option by field of the library, whose messages name fields, see `as_options`.
    """

    def __init__(
        self,
        command: str,
        *,
        as_json: bool = False,
        quiet: bool = False,
        option_of: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.command, self.as_json, self.quiet = command, as_json, quiet
        self._option_of = option_of
        self._failed: set[str] = set()

    @cached_property
    def _stdout(self) -> Console:
        return _console(stderr=False)

    @cached_property
    def _stderr(self) -> Console:
        return _console(stderr=True)

    def result(self, line: str, *, style: str = "") -> None:
        """Print a line of the result."""
        if not self.quiet and not self.as_json:
            _print_line(self._stdout, line, style)

    def table(self, renderable: RenderableType) -> None:
        """Print a table or a text of Rich as a result."""
        if not self.quiet and not self.as_json:
            _print_table(self._stdout, renderable)

    def note_table(self, renderable: RenderableType) -> None:
        """Print a table that a reader should know, on standard error."""
        if not self.quiet and not self.as_json:
            _print_table(self._stderr, renderable)

    def text(self, text: str) -> None:
        """Print a text of several lines, a file's content, as it is."""
        if not self.quiet and not self.as_json:
            self._stdout.file.write(text)

    def asked_for(self, text: str) -> None:
        """Print a text that a program reads, as it was asked for by its format: also with ``--quiet``."""
        if not self.as_json:
            self._stdout.file.write(text)

    def note(self, line: str) -> None:
        """Say what a reader should know, on standard error."""
        if not self.quiet and not self.as_json:
            _print_line(self._stderr, self.as_typed(line))

    def notes(self, lines: list[str]) -> None:
        """Say several things of one kind: the first ones, and how many more there are."""
        for line in lines[:MOST_NOTES]:
            self.note(f"note: {line}")
        if len(lines) > MOST_NOTES:
            self.note(f"note: {len(lines) - MOST_NOTES} more of this kind; --json lists all")

    def warn(self, line: str) -> None:
        """Say what may be wrong, on standard error."""
        if not self.quiet and not self.as_json:
            _print_line(self._stderr, f"warning: {self.as_typed(line)}", "yellow")

    def warnings(self, lines: list[str]) -> None:
        """Say what may be wrong with several things: the first ones, and how many more there are."""
        for line in lines[:MOST_NOTES]:
            self.warn(line)
        if len(lines) > MOST_NOTES:
            self.warn(f"{len(lines) - MOST_NOTES} more of this kind; --json lists all")

    def failed(self, name: str, problem: str) -> None:
        """Say at once what could not be done, on standard error, also with ``--quiet``."""
        self._failed.add(name)
        _print_line(self._stderr, f"failed: {name}: {self.as_typed(problem)}", "red")

    def failures(self, problems: Mapping[str, str], *, of: int, what: str) -> None:
        """At the end: print what was not printed at once, and say how many there are.

        Args:
            problems: name -> one line.
            of: how many there were to do.
            what: in words: ``videos``.
        """
        printed = len(self._failed)
        for name, problem in problems.items():
            if name not in self._failed:
                self.failed(name, problem)
        if problems and not self.as_json:
            above = ", listed above" if printed else ""
            _print_line(self._stderr, f"{len(problems)} of {of} {what} failed{above}", "red")

    def as_typed(self, message: str) -> str:
        """A message of the library with this command's options in place of fields."""
        return as_options(message, self._option_of)

    def json(self, *, exit_status: int = 0, **values: Any) -> None:
        """Print the result as one JSON object, if that was asked for."""
        if self.as_json:
            print_json(self.command, exit_status=exit_status, **values)

    def progress(self) -> AbstractContextManager[Callable[[Progress], None]]:
        """How far the run is, on standard error; with ``--json`` on a terminal only, with ``--quiet`` nowhere.

        Failures of items are printed when they happen, also with ``--quiet``.
        """
        from aucli.commands.progress import ProgressDisplay

        silent = self.quiet or (self.as_json and not self._stderr.is_terminal)
        return ProgressDisplay(self._stderr, failed=self.failed, silent=silent)


def print_json(command: str, *, exit_status: int, **values: Any) -> None:
    """Print one JSON object: schema, command and exit status stand in each."""
    about = {"schema": JSON_SCHEMA, "command": command, "exit_status": exit_status}
    print(strict_json({**about, **values}), flush=True)


def print_error(message: str) -> None:
    """Print the one line that says why a command ends, on standard error."""
    _print_line(_console(stderr=True), f"error: {message}", "red")


def quoted(path: Path) -> str:
    """A path as it is typed in a shell."""
    return shlex.quote(str(path))


def _print_table(console: Console, renderable: RenderableType) -> None:
    """In files and pipes without padding."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    for line in captured.get().splitlines():
        _print_line(console, line.rstrip())


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_IN_PIPES
    return console


def _print_line(console: Console, line: str, style: str = "") -> None:
    """On a terminal a long line is broken between words; a word longer than that, a path, stays in one piece.

    What is there to be copied is left to the terminal, which copies it as one line: a place, a command.
    """
    text = printable(line)
    if console.is_terminal and not TO_COPY.search(text):
        text = "\n".join(broken_between_words(text, console.width))
    console.print(text, style=style or None, markup=False, soft_wrap=True)


def broken_between_words(text: str, cells: int) -> list[str]:
    """Lines of at most so many cells; one word that is longer has a line of its own."""
    from rich.cells import cell_len

    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(f"{lines[-1]} {word}") <= cells:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
