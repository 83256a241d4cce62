"""One run at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aucli.errors import OptionsError

LOCK_NAME: Final = "lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other runs from writing to a folder, made if it is not there; the claim ends with the block, or the process.

    No protection where the system has no flock.

    Raises:
        OptionsError: if another run is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
            pass
        except BlockingIOError:
            raise OptionsError(f"another run is writing to {folder}; wait for it, or choose another folder") from None
        yield
