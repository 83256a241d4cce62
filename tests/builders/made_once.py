"""What is dear to make and only read: made once, also where several workers of pytest run the tests."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first worker to ask for it fills; the others wait for that one.

    Args:
        factory: pytest's.
        name: of the folder, the same in all workers.
        make: is given the folder, empty, and fills it; if it fails, the next to ask tries again.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each worker has a folder of its own in that of the run
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = root / name
        if not folder.exists():
            partial = factory.mktemp(name)
            make(partial)
            partial.rename(folder)
    return folder
