"""A call in a process of its own, for what strangers wrote: native code may crash, hang or take all memory there."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from aucli.errors import AucliError

CPU_LIMIT_S: Final = 120
"""Seconds of CPU time, not of the clock: on a busy machine a good model waits, and is not worse for it."""
CLOCK_LIMIT_S: Final = 900
"""For what waits for ever without working; also the only limit where the system has none on CPU time (Windows)."""
MEMORY_LIMIT_BYTES: Final = 16 * 2**30
CPU_SIGNALS: Final = frozenset(getattr(signal, name) for name in ("SIGXCPU",) if hasattr(signal, name))
_MARK: Final = "aucli-child: "


def call_apart(function: str, *arguments: str, what: str, error: type[AucliError]) -> None:
    """Call a function in a child process and wait for it.

    Args:
        function: ``module:name``; of aucli.
        arguments: texts that it takes.
        what: is tried; begins the message if the child dies or takes too long.
        error: class of what is raised.

    Raises:
        AucliError: of the class `error`: with the function's own message if that raises an `AucliError`.
    """
    # The same modules as here, and nothing else of the folder that we happen to stand in.
    ours = Path(__file__).resolve().parents[2]
    places = os.pathsep.join([str(ours), *(os.path.abspath(place) for place in sys.path if place)])  # noqa: PTH100
    command = [sys.executable, "-P", "-c", "from aucli.runtime.child import serve; serve()"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps([CPU_LIMIT_S, function, *arguments]),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=CLOCK_LIMIT_S,
            env={**os.environ, "PYTHONPATH": places, "PYTHONIOENCODING": "utf-8"},
        )
    except subprocess.TimeoutExpired:
        raise error(
            f"{what} did not end within {CLOCK_LIMIT_S / 60:.3g} minutes; it is not used. "
            "If this machine is very busy, try again later"
        ) from None
    told = [line.removeprefix(_MARK) for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if -done.returncode in CPU_SIGNALS:
        raise error(f"{what} worked for more than {CPU_LIMIT_S} s of CPU time without an end; it is not used")
    if done.returncode < 0:
        raise error(f"{what} crashed ({_signal_name(-done.returncode)}); it is not used")
    if not told:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise error(f"{what} failed ({last}); it is not used")
    if message := json.loads(told[-1]):
        raise error(message)


def serve() -> None:
    """What the child does: read the call from standard input, make it, and tell how it ended."""
    cpu_limit_s, function, *arguments = json.load(sys.stdin)
    _limit("RLIMIT_AS", MEMORY_LIMIT_BYTES)
    _limit("RLIMIT_CPU", cpu_limit_s, slack=10)  # the signal that tells comes first, the one that kills after it
    _limit("RLIMIT_CORE", 0)
    module, _, name = function.partition(":")
    try:
        getattr(importlib.import_module(module), name)(*arguments)
        message = ""
    except AucliError as error:
        message = str(error)
    print(f"{_MARK}{json.dumps(message)}")


def _limit(what: str, most: int, *, slack: int = 0) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows, or a lower limit already
        import resource

        resource.setrlimit(getattr(resource, what), (most, most + slack))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"
