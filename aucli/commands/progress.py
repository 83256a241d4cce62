"""What a run looks like while it runs: one line that moves on a terminal, a few plain lines elsewhere.

For one item (``clip.mp4``) the line counts its steps; for several it counts items, film and failures, and shows the
time left for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from aucli.errors import printable
from aucli.runtime.progress import Progress

LINES_IN_PIPES: Final = 20
"""Of a run, in files and pipes: one for each twentieth of the work, but ..."""
PAUSE_S: Final = (10.0, 300.0)
"""... not sooner after the last one than the first of these, nor later than the second."""
BAR_CELLS: Final = (8, 24)
NAME_CELLS: Final = (8, 32)
GAP: Final = "  "


class ProgressDisplay:
    """Draws `Progress`. A context manager; call it with each report.

    Args:
        console: on standard error.
        failed: prints the name and the problem of an item that failed.
        silent: draw nothing; failures are printed all the same.
        clock: seconds.
    """

    def __init__(
        self,
        console: Console,
        *,
        failed: Callable[[str, str], None],
        silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._failed, self._silent, self._clock = console, failed, silent, clock
        moving = console.is_terminal and not console.is_dumb_terminal and not silent
        self._live = Live(console=console, transient=True, refresh_per_second=5) if moving else None
        self._printed = 0
        self._printed_s = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        if progress.problem is not None:
            self._failed(progress.item, progress.problem)
        if self._live is not None:
            self._live.update(ProgressLine(progress))
            self._live.start()  # again and again does no harm; only now, so that a run that starts slowly shows nothing
        elif not self._silent:
            self._print_now_and_then(progress)

    def _print_now_and_then(self, progress: Progress) -> None:
        at_end = progress.ended and progress.number == progress.n_items
        part = LINES_IN_PIPES if at_end else min(int(progress.share * LINES_IN_PIPES), LINES_IN_PIPES - 1)
        if part < self._printed:  # another stage of the run began
            self._printed = 0
        if progress.per_s == 0:  # nothing was done yet; what was finished before, the result says
            return
        if progress.share >= 1 and not at_end:  # the end is told in a moment
            return
        pause_s = self._clock() - self._printed_s
        if at_end or (part > self._printed and pause_s >= PAUSE_S[0]) or pause_s >= PAUSE_S[1]:
            self._printed, self._printed_s = part, self._clock()
            self._console.print(", ".join(words(progress)), markup=False, soft_wrap=True)


class ProgressLine:
    """One line for a terminal, never longer than that is wide."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield line(self.progress, options.max_width, ascii_only=options.ascii_only)


def line(progress: Progress, width: int, *, ascii_only: bool = False) -> Text:
    """Put counts, a bar, figures and the name of the item into a line of at most so many cells.

    Where they do not fit, the name at the end shrinks first and goes, then the bar, then figures from the left.
    """
    several = progress.n_items > 1
    head, *figures = words(progress)
    name = printable(progress.item).rpartition("/")[2] if several else ""
    head = shortened(head, NAME_CELLS[1])
    while figures and cell_len(GAP.join([head, *figures])) > width:
        del figures[0]
    text = Text(shortened(head, width), no_wrap=True, end="")
    room = width - cell_len(GAP.join([head, *figures]))
    name_cells = min(cell_len(name), NAME_CELLS[1]) if name else 0
    bar_cells = min(room - len(GAP) - (name_cells and name_cells + len(GAP)), BAR_CELLS[1])
    if bar_cells < BAR_CELLS[0]:
        bar_cells = BAR_CELLS[0]
        name_cells = room - bar_cells - 2 * len(GAP)
        if name_cells < NAME_CELLS[0]:
            bar_cells, name_cells = min(room - len(GAP), BAR_CELLS[1]), 0
    if bar_cells >= BAR_CELLS[0]:
        full = round(bar_cells * progress.share)
        mark, rest = ("#", "-") if ascii_only else ("━", "─")
        text.append(GAP).append(mark * full, "green").append(rest * (bar_cells - full), "bright_black")
    text.append("".join(GAP + part for part in figures))
    if name and name_cells >= NAME_CELLS[0]:
        text.append(GAP).append(shortened(name, name_cells), "bright_black")
    return text


def words(progress: Progress) -> list[str]:
    """Counts first, then figures, each in words."""
    several = progress.n_items > 1
    if several:
        done = progress.number if progress.ended else progress.number - 1
        failed = f", {progress.n_failed} failed" if progress.n_failed else ""
        parts = [f"{done}/{progress.n_items} {progress.items}{failed}"]
    else:
        parts = [printable(progress.item)] if progress.item else []
        count = f"{progress.n_done}/{progress.n_total}" if progress.n_total else f"{progress.n_done}"
        parts.append(f"{count} {progress.unit}")
    if several and progress.film_s > 0:
        parts.append(f"film {hours(progress.film_s)}")
    if progress.note:
        parts.append(progress.note)
    if progress.per_s > 0:
        parts.append(f"{rounded(progress.per_s)} {progress.unit}/s")
    if progress.left_s is not None and progress.share < 1:
        parts.append(f"{hours(progress.left_s)} left")
    return parts


def hours(seconds: float) -> str:
    """``1:04:05``."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def rounded(number: float) -> str:
    """Two digits at least: ``0.25``, ``4.2``, ``1,063``."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def shortened(text: str, cells: int) -> str:
    """A text of at most so many cells, both ends of it kept: one of them is where names of files differ."""
    if cell_len(text) <= cells:
        return text
    if cells <= 0:
        return ""
    before, after = text[: len(text) // 2], text[len(text) // 2 :]
    # Each step takes a character from a side that has cells left, so the loop ends: characters of no width at all
    # (combining accents) never make a text too long.
    while cell_len(before) + 1 + cell_len(after) > cells:
        before, after = (before[:-1], after) if cell_len(before) >= cell_len(after) else (before, after[1:])
    return f"{before}…{after}"
