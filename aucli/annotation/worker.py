"""The process that `annotate_supervised` leaves the work to: started by it, never by a user."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Mapping
from threading import Thread
from typing import IO

from aucli.annotation.supervised import Request, Told


def main() -> None:
    """Read a request from standard input, work, and report on what was standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that watches decides what an interrupt means
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not come between the reports
    request: Request = pickle.load(sys.stdin.buffer)
    Thread(target=_end_with_the_watcher, name="aucli-watch", daemon=True).start()
    told = _Reports(reports, request.given_up)
    from aucli.annotation.run import annotate

    try:
        outcome = annotate(
            request.videos, request.output, options=request.options, on_progress=told.progress, journal=told
        )
    except BaseException as error:
        told.send(Told(error=_portable(error)))
    else:
        told.send(Told(outcome=outcome))


class _Reports:
    """Sends what happens to the process that watches; a `Journal`."""

    def __init__(self, pipe: IO[bytes], given_up: Mapping[str, str]) -> None:
        self._pipe = pipe
        self.given_up = given_up

    def begin(self, label: str) -> None:
        self.send(Told(begun=label))

    def end(self, label: str, n_frames: int) -> None:
        self.send(Told(ended=(label, n_frames)))

    def progress(self, progress: object) -> None:
        self.send(Told(progress=progress))  # type: ignore[arg-type]

    def send(self, report: Told) -> None:
        pickle.dump(report, self._pipe)
        self._pipe.flush()


def _end_with_the_watcher() -> None:
    """End at once when the other process does: it holds the other end of this pipe. What is on disk is whole."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _portable(error: BaseException) -> BaseException:
    """An exception that can be sent, with its traceback as a note where it is nobody's mistake but ours."""
    from aucli.errors import AucliError

    if not isinstance(error, AucliError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
