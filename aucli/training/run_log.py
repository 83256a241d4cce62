"""The course of a run in its folder: ``log.csv``, and the same curves for TensorBoard where that is installed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aucli.runtime.packages import is_installed

LOG_NAME: Final = "log.csv"
BOARD_NAME: Final = "tensorboard"
COLUMNS: Final = ("step", "epoch", "loss", "lr", "faces_per_s", "waiting", "validation_auc", "validation_f1")


@dataclass(frozen=True)
class TrainingProgress:
    """How a run stands.

    Attributes:
        step, total_steps: of the encoder's training.
        epoch: from 0.
        loss: of the last step.
        lr: of everything behind the backbone.
        faces_per_s: since the last report, all processes together.
        waiting: share of that time in which the network waited for pictures and their views.
        validation_auc, validation_f1: means over AUs on the validation subjects at the end of the last epoch; F1 at
            0.5. None before that, or where nobody is there to validate on.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    lr: float
    faces_per_s: float
    waiting: float
    validation_auc: float | None
    validation_f1: float | None

    def __str__(self) -> str:
        told = (
            f"step {self.step} of {self.total_steps}: loss {self.loss:.4f}, {self.faces_per_s:.0f} faces/s, "
            f"{self.waiting:.0%} waiting for pictures"
        )
        if self.validation_auc is None or self.validation_f1 is None:
            return told
        return f"{told}, validation AUC {self.validation_auc:.3f}, F1 {self.validation_f1:.3f}"


class RunLog:
    """Writes reports. A context manager.

    Args:
        folder: of the run.
        step: where the run goes on; what was logged beyond it is dropped, for it will be logged again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / LOG_NAME
        if self._path.is_file():
            head, *rows = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= step]
            self._path.write_text("".join([head, *kept]), encoding="utf-8")
        else:
            self._path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
        self._board: Any = None
        if is_installed("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter  # half a second, and only training needs it

            self._board = SummaryWriter(str(folder / BOARD_NAME), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()

    def write(self, now: TrainingProgress) -> None:
        """Take a report."""
        values = {name: getattr(now, name) for name in COLUMNS}
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(
                "" if value is None else f"{value:.5g}" if isinstance(value, float) else value
                for value in values.values()
            )
        if self._board is None:
            return
        for name, value in values.items():
            if name not in ("step", "epoch") and value is not None:
                self._board.add_scalar(name, value, now.step)
        self._board.flush()
