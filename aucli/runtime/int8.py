"""Networks in int8 on a CPU: made at first use, kept in the user's cache, and whether they pay on this machine.

With instructions for products of bytes (VNNI) a processor does four in place of one; without, float is faster.
`is_worth_it` therefore asks three things: whether the processor has such instructions, whether the network really takes
less time here, and whether its results stay close to the float ones. What it found is kept beside the network, so that
a machine does not change its mind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from aucli.errors import AucliError
from aucli.runtime.files import cache_folder, sha256_file, whole_or_nothing
from aucli.runtime.int8_graph import Feed, in_int8
from aucli.runtime.onnx import import_onnxruntime, open_session

Precision = Literal["float32", "int8"]
"""In what numbers a network computes on a CPU."""

RECIPE: Final = 1
"""Counts up when `in_int8` or the pictures change what it gives: what older ones made is not taken any more."""
MOST_OF_THE_TIME: Final = 0.8
"""A network is worth it if it takes no more than this share of the float network's time."""
TIMED_CALLS: Final = 12
VNNI: Final = frozenset({"avx512_vnni", "avx_vnni"})
"""Flags of x86 processors in ``/proc/cpuinfo``."""


@dataclass(frozen=True)
class FloatNetwork:
    """A network that can be brought to int8.

    Attributes:
        name: for messages.
        digest: SHA-256 that names the graph with its weights beyond doubt.
        pictures: the file from which `feeds` are made.
        graph: gives the serialised graph, its weights in it.
        feeds: gives inputs as the network will meet them, one call each.
        output: whose change counts.
        most_change: of `output`, mean over all values and feeds, at which the network still counts as the same.
        error: what to raise.
    """

    name: str
    digest: str
    pictures: Path
    graph: Callable[[], bytes]
    feeds: Callable[[], Sequence[Feed]]
    output: str
    most_change: float
    error: type[AucliError]

    @cached_property
    def key(self) -> str:
        """Names what is made of it: from the network, the pictures, the recipe and ONNX Runtime."""
        parts = [self.digest, sha256_file(self.pictures), str(RECIPE), str(import_onnxruntime().__version__)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def has_int8_instructions() -> bool:
    """Whether this processor multiplies bytes faster than floats: x86 with VNNI, on Linux. Elsewhere unknown: no."""
    return bool(VNNI & _processor()[1])


def open_int8_session(network: FloatNetwork, *, threads: int) -> Any:
    """Open a network in int8. It is made in seconds if it is not in the cache, or if what lies there is damaged.

    Raises:
        AucliError: of the network's class, if it cannot be brought to int8.
    """
    kept = cache_folder() / "int8" / f"{network.key}.onnx"
    if kept.is_file():
        with contextlib.suppress(AucliError):
            return open_session(kept, device="cpu", threads=threads, error=network.error)
    graph = _made(network)
    with contextlib.suppress(OSError), whole_or_nothing(kept) as temporary:  # no room for a cache: made anew each time
        temporary.write_bytes(graph)
    return open_session(graph, device="cpu", threads=threads, name=f"{network.name} in int8", error=network.error)


def is_worth_it(network: FloatNetwork) -> tuple[bool, str]:
    """Say whether a network should run in int8 on this machine, and why not.

    Timing is asked once a machine: the answer lies in the cache, or is no where nothing can be kept.
    """
    model, flags = _processor()
    if not VNNI & flags:
        return False, "the processor has no instructions for it"
    kept = cache_folder() / "int8" / f"{network.key}-{hashlib.sha256(model.encode()).hexdigest()[:12]}.json"
    found = _read(kept)
    if found is None:
        try:
            found = _compared(network)
        except AucliError as error:
            return False, str(error)
        try:
            with whole_or_nothing(kept) as temporary:
                temporary.write_text(json.dumps({"processor": model, **found}) + "\n", encoding="utf-8")
        except OSError as error:
            return False, f"nothing can be kept in {kept.parent} ({error.strerror or error})"
        found = _read(kept) or found  # the same for two that asked at once
    if found["change"] > network.most_change:
        return False, f"{network.name} would change by {found['change']:.3f} on average"
    if found["time"] > MOST_OF_THE_TIME:
        return False, f"{network.name} would take {found['time']:.2f} of the time"
    return True, ""


def _made(network: FloatNetwork) -> bytes:
    try:
        return in_int8(network.graph(), network.feeds())
    except AucliError:
        raise
    except Exception as problem:  # those of onnx and ONNX Runtime share no parent
        reason = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
        raise network.error(
            f"{network.name} cannot be brought to int8 ({reason}); use `precision` float32"
        ) from problem


def _compared(network: FloatNetwork) -> dict[str, float]:
    """Share of the float network's CPU time, the least of several calls by turns, and mean change of its output."""
    feeds = network.feeds()
    own = open_session(network.graph(), device="cpu", threads=1, name=network.name, error=network.error)
    other = open_int8_session(network, threads=1)
    names = [network.output]
    changes = [np.abs(own.run(names, dict(feed))[0] - other.run(names, dict(feed))[0]).mean() for feed in feeds]
    least = {id(own): float("inf"), id(other): float("inf")}
    for _ in range(TIMED_CALLS):
        for session in (own, other):
            begin = time.process_time()
            for feed in feeds[:: max(1, len(feeds) // 4)]:
                session.run(None, dict(feed))
            least[id(session)] = min(least[id(session)], time.process_time() - begin)
    return {"time": least[id(other)] / max(least[id(own)], 1e-9), "change": float(np.mean(changes))}


def _read(kept: Path) -> Mapping[str, float] | None:
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        return {"time": float(found["time"]), "change": float(found["change"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _processor() -> tuple[str, frozenset[str]]:
    """Name and flags of the processor, as Linux on x86 tells them; no flags elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    name = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.*)$", text, re.MULTILINE)
    return name[1] if name else platform.processor(), frozenset(flags[1].split() if flags else ())
