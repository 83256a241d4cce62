"""What a run looks like while it runs: a bar on a terminal, a line per video elsewhere. Always on standard error."""

from __future__ import annotations

import time
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
        self._last: Progress | None = None
        self._since = (0.0, 0)

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end_video()
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        if self._last is None or progress.video_number != self._last.video_number:
            self._end_video()
            self._since = (time.perf_counter(), progress.n_frames_done)
            if self._bars is not None:
                self._bars.add_task(
                    progress.video,
                    total=progress.n_frames or None,
                    number=f"{progress.video_number}/{progress.n_videos}",
                    speed="",
                )
        if progress.problem is None:
            if self._bars is not None:
                self._bars.update(
                    self._bars.task_ids[-1],
                    completed=progress.n_frames_done,
                    speed=f"{self._speed(progress):.0f} frames/s",
                )
            self._last = progress
        else:
            self._last = None
            self._drop_bars()

    def _speed(self, progress: Progress) -> float:
        start_s, n_before = self._since
        return (progress.n_frames_done - n_before) / max(time.perf_counter() - start_s, 1e-6)

    def _end_video(self) -> None:
        if self._last is None:
            return
        done = self._last
        self._drop_bars()
        if not self._quiet:
            self._console.print(
                f"{done.video_number}/{done.n_videos} {done.video}: {done.n_frames_done} frames, "
                f"{self._speed(done):.0f} frames/s",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        self._last = None

    def _drop_bars(self) -> None:
        if self._bars is not None:
            for task in self._bars.task_ids:
                self._bars.remove_task(task)
