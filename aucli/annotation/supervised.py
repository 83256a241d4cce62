"""A run in a process of its own, started again without the video that took it down.

Decoders and networks are native code: a damaged file, or a lack of memory, can end the process at once, without an
exception. So the command line leaves the work to a second process and only watches. Every frame stays where it is, and
the usual run pays one start of Python; decoding in a process apart would pay for every frame, take memory twice, and
would not help where a network crashes or the system ends the larger process for want of memory. After a crash the video
that was at work is given up, and a new process goes on with the others from what lies safe on disk.

The two talk through pipes: requests and reports are pickled. When this process ends, however it ends, its pipe closes
and the other one stops at once; a run can be killed at any moment.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aucli.annotation.options import AnnotateOptions
from aucli.annotation.outcome import Outcome
from aucli.errors import CrashError
from aucli.runtime.progress import OnProgress, Progress

START: Final = "import sys; sys.path[:] = {path!r}; from aucli.annotation.worker import main; main()"
END_WAIT_S: Final = 10.0


@dataclass(frozen=True)
class Request:
    """What the other process is to do.

    Attributes:
        videos: as of `annotate`.
        output: likewise.
        options: likewise.
        given_up: label -> why a video is not tried again.
    """

    videos: Sequence[str]
    output: str
    options: AnnotateOptions
    given_up: dict[str, str]


@dataclass(frozen=True)
class Told:
    """What the other process tells: one of these.

    Attributes:
        begun: label of the video that is at work now.
        ended: label of a video that is through, and the frames annotated in it.
        progress: for whoever draws it.
        outcome: the run is through.
        error: the run cannot go on.
    """

    begun: str | None = None
    ended: tuple[str, int] | None = None
    progress: Progress | None = None
    outcome: Outcome | None = None
    error: BaseException | None = None


@dataclass
class _Standing:
    """What is known of the whole run, over all processes."""

    at_work: str | None = None
    ended: dict[str, int] = field(default_factory=dict)
    given_up: dict[str, str] = field(default_factory=dict)


def annotate_supervised(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    options: AnnotateOptions | None = None,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Do what `annotate` does, in a process of its own; a video that takes that down is in `Outcome.failures`.

    Raises:
        AucliError: as `annotate`.
        CrashError: if the process ends for no video's sake.
    """
    if not sys.executable:  # Python inside another program: there is nothing to start
        from aucli.annotation.run import annotate

        return annotate(videos, output, options=options, on_progress=on_progress)
    paths = [videos] if isinstance(videos, str | os.PathLike) else videos
    request = Request([os.fsdecode(path) for path in paths], os.fsdecode(output), options or AnnotateOptions(), {})
    standing = _Standing()
    while True:
        before = set(standing.ended)
        outcome, status = _run_once(replace(request, given_up=standing.given_up), standing, before, on_progress)
        if outcome is not None:
            skipped = tuple(label for label in outcome.skipped if label not in before)
            n_frames = outcome.n_frames + sum(standing.ended[label] for label in before)
            return replace(outcome, skipped=skipped, n_frames=n_frames)
        if standing.at_work is None:
            raise CrashError(f"{_describe_end(status)}, while no video was at work; what was finished is kept")
        standing.given_up[standing.at_work] = (
            f"{_describe_end(status)} while this video was read; its finished stretches are kept for another try"
        )
        standing.at_work = None


def _run_once(
    request: Request, standing: _Standing, before: set[str], on_progress: OnProgress | None
) -> tuple[Outcome | None, int]:
    """Let one process work until it is through or dead, and return its outcome, if any, and its exit status."""
    with _worker(request) as process:
        for report in _reports(process):
            if report.begun is not None:
                standing.at_work = report.begun
            elif report.ended is not None:
                label, n_frames = report.ended
                standing.at_work = None
                standing.ended[label] = standing.ended.get(label, 0) + n_frames
            elif report.progress is not None:
                # What a process before this one has told is not told again.
                if on_progress is not None and report.progress.item not in before:
                    on_progress(report.progress)
            elif report.error is not None:
                raise report.error
            else:
                return report.outcome, 0
        return None, process.wait()


@contextlib.contextmanager
def _worker(request: Request) -> Iterator[subprocess.Popen[bytes]]:
    """Start the other process; leaving the block ends it."""
    path = [entry or str(Path.cwd()) for entry in sys.path]
    command = [sys.executable, "-c", START.format(path=path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it ended already: its status says how
                pickle.dump(request, process.stdin)
                process.stdin.flush()
            yield process
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # the other side stops when it sees this
            try:
                process.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _reports(process: subprocess.Popen[bytes]) -> Iterator[Told]:
    assert process.stdout is not None
    # A process that dies while it writes leaves half a report.
    with contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            report: Any = pickle.load(process.stdout)
            yield report


def _describe_end(status: int) -> str:
    if status >= 0:
        return f"the process ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if name == "SIGKILL":
        return "the system ended the process (SIGKILL; most often for want of memory)"
    return f"a native library crashed ({name})"
