"""Files and folders: written whole or not at all, held by one run at a time, known by their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from aucli.errors import OptionsError, TableError

LOCK_NAME: Final = "lock"


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it when the block ends well, remove it otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def lock_file(path: Path) -> int:
    """Hold a lock as long as this process lives, so that two runs never write to one table."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        import fcntl
    except ImportError:  # Windows
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise TableError(f"another run is writing here ({path.parent}); wait for it or choose another -o") from error
    return handle


def bundled_folder(kind: Literal["models", "train"]) -> Path:
    """Return the folder of bundled models or recipes: inside an installed wheel, or at the top of a source tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_data" / kind
    return installed if installed.is_dir() else package.parent / kind


def user_folder() -> Path:
    """Return where imported models lie: ``$AUCLI_HOME``, else the user's data folder by the XDG convention."""
    if home := os.environ.get("AUCLI_HOME"):
        return Path(home).expanduser()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "aucli"


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
