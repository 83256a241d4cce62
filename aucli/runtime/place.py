"""Where a result may go, found out before any work.

What the words alone or the things at that place forbid is wrong usage: a folder or a device where a file is wanted, a
file on the way, a file that the run reads. What only this machine forbids, a read-only folder or a full disk, is a
failure. Folders that are missing are made when the result is written.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aucli.errors import OptionsError, StorageError


def require_place_for_file(path: Path, *, field: str = "output", inputs: Iterable[Path] = ()) -> None:
    """Make sure that a file can be written at a place.

    Args:
        path: of the file; what lies there already and is a file is for the caller to judge.
        field: of the library, for messages.
        inputs: files that the run reads, and the result may not replace.

    Raises:
        OptionsError: if no file can be there.
        StorageError: if this machine does not let one be written.
    """
    if str(path) == "-":
        raise OptionsError(f"`{field}` is -: the result is not written to standard output; name a file")
    mode = _mode(path, field)
    if mode is not None and stat.S_ISDIR(mode):
        raise OptionsError(f"`{field}` is {path}, a folder; name a file in it")
    _require_no_device(path, mode, field, "a file")
    for file in inputs:
        if mode is not None and file.exists() and path.samefile(file):
            raise OptionsError(f"`{field}` is {path}, which is read here; choose another name")
    _require_writable(path.parent, path, field)


def require_place_for_folder(path: Path, *, field: str = "output", wanted: str = "a folder") -> None:
    """Make sure that files can be written into a folder, there already or not.

    Args:
        path: of the folder.
        field: of the library, for messages.
        wanted: what may be named instead, for messages.

    Raises:
        OptionsError: if no folder can be there.
        StorageError: if this machine does not let one be written.
    """
    if str(path) == "-":
        raise OptionsError(f"`{field}` is -: files are not written to standard output; name {wanted}")
    mode = _mode(path, field)
    _require_no_device(path, mode, field, wanted)
    if mode is not None and not stat.S_ISDIR(mode):
        raise OptionsError(f"`{field}` is {path}, which is a file; name {wanted}")
    _require_writable(path, path, field)


def _mode(path: Path, field: str) -> int | None:
    """What lies there, behind links; None for nothing."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise StorageError(f"cannot write to {path}: {error.strerror}; choose another `{field}`") from error
    except (OSError, ValueError) as error:  # too long, links in a circle, a NUL
        raise OptionsError(f"`{field}` is {str(path)[:100]}: {getattr(error, 'strerror', None) or error}") from error


def _require_no_device(path: Path, mode: int | None, field: str, wanted: str) -> None:
    if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OptionsError(f"`{field}` is {path}, a pipe or device; name {wanted}")


def _require_writable(folder: Path, path: Path, field: str) -> None:
    """Write a nameless file into the folder, or into the one that would get it."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.is_file() else "is no folder"
        raise OptionsError(f"`{field}` is {path}; {folder} {kind}")
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".aucli-", suffix=".tmp"):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write into {folder}: {error.strerror or error}; choose another `{field}`"
        ) from error
