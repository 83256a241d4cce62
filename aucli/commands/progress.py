"""What a run looks like while it runs: a bar on a terminal, a line per video elsewhere. Always on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from aucli.runtime.progress import Progress


class ProgressLines:
    """Draws `Progress` reports. A context manager; call it with each report."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = (
            Bars(
                TextColumn("{task.fields[number]} {task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            if self._console.is_terminal and not quiet
            else None
        )
        self._quiet = quiet

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        if self._bars is not None:
            if not self._bars.task_ids:
                self._bars.add_task(
                    progress.item,
                    total=progress.n_total or None,
                    number=f"{progress.number}/{progress.n_items}",
                    speed="",
                )
            self._bars.update(
                self._bars.task_ids[-1], completed=progress.n_done, speed=f"{progress.per_s:.0f} {progress.unit}/s"
            )
        if progress.ended:
            self._drop_bars()
            if progress.problem is None and not progress.kept and not self._quiet:
                self._console.print(
                    f"{progress.number}/{progress.n_items} {progress.item}: {progress.n_done} {progress.unit}, "
                    f"{progress.per_s:.0f} {progress.unit}/s",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )

    def _drop_bars(self) -> None:
        if self._bars is not None:
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
