"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aucli.errors import RecipeError

LOCK_NAME: Final = ".lock"


@contextlib.contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; a killed process gives it free. No protection where the system has no flock.

    Raises:
        RecipeError: if another run is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
            pass
        except BlockingIOError:
            raise RecipeError(f"another run is at work in {folder}; wait for it, or choose another folder") from None
        yield
