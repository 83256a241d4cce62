"""What training looks like while it runs: a bar with the figures on a terminal, lines elsewhere. On standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from aucli.training.run_log import TrainingProgress


class TrainDisplay:
    """Draws the reports of a run. A context manager."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        columns = (
            TextColumn("fold {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeRemainingColumn(),
        )
        self._bars = Bars(*columns, console=self._console) if self._console.is_terminal and not quiet else None
        self._fold: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def tell(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, fold: int, now: TrainingProgress) -> None:
        """Take a report of a fold's stage 1."""
        if self._bars is None:
            self.tell(f"fold {fold}, {now}")
            return
        if fold != self._fold:
            self._bars.start()  # only now: before, preparing draws bars of its own
            self._bars.add_task(str(fold), total=now.total_steps, figures="")
            self._fold = fold
        self._bars.update(self._bars.task_ids[-1], completed=now.step, figures=figures(now))


def figures(now: TrainingProgress) -> str:
    """The figures beside the bar."""
    told = f"loss {now.loss:.4f}  {now.faces_per_s:.0f} faces/s"
    if now.validation_auc is None or now.validation_f1 is None:
        return told
    return f"{told}  AUC {now.validation_auc:.3f}  F1 {now.validation_f1:.3f}"
