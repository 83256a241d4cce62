"""Files and folders: written whole or not at all, held by one run at a time, known by their digest."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from aucli.errors import BusyError

try:
    import fcntl
except ImportError:  # Windows: no protection from other runs there
    fcntl = None  # type: ignore[assignment]

LOCK_NAME: Final = "lock"
TEMPORARY_SUFFIX: Final = ".tmp"

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """Write a file that appears under its name when it is complete and safe on disk, or not at all.

    The name to write to lies beside `path`, is hidden, ends in ``.tmp`` and depends on `path` alone: what a killed run
    left there is written over by the next. Two runs that write the same file do so one after the other. Folders that
    are missing are made.

    Yields:
        The temporary name. When the block ends well it is flushed to disk and renamed to `path`, else removed.

    Raises:
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".aucli-{_key(path)}{TEMPORARY_SUFFIX}")
    with _held(temporary, _open_file):
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    _flush_folder(path.parent)


@contextmanager
def whole_folder_or_nothing(folder: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name when it is complete and safe on disk, or not at all.

    A folder of that name that is there already is exchanged for the new one; where the system can (Linux), there is
    no moment at which neither is there.

    Yields:
        An empty hidden folder beside it. When the block ends well it is flushed to disk and takes the name, else it is
        removed; so are those that killed runs left there, whatever they were to be called.

    Raises:
        OSError: if something cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".aucli-{_key(folder)}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    temporary.mkdir()
    with _held(temporary, _open_folder):
        try:
            yield temporary
            for path in sorted(temporary.rglob("*")):
                _flush_folder(path) if path.is_dir() else _flush(path)
            _flush_folder(temporary)
            _put_in_place(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    for left in folder.parent.glob(f".aucli-*-*{TEMPORARY_SUFFIX}"):
        _remove_unless_held(left)
    _flush_folder(folder.parent)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keep other runs from writing to a folder, made if it is not there; ends with the block, or with the process.

    No protection where the system or the file system knows no such locks.

    Raises:
        BusyError: if another run is at work there.
    """
    path = folder / LOCK_NAME
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        if not _lock(handle, wait=False):
            holder = os.read(handle, 200).decode("utf-8", "replace").strip()
            os.close(handle)
            raise BusyError(
                f"another run is writing to {folder}{f' ({holder})' if holder else ''}; wait for it, or choose another "
                "place"
            )
        if _is_same(handle, path):
            break
        os.close(handle)  # a run that ended just now took the folder away
    try:
        with contextlib.suppress(OSError):  # who holds it: for the message of others
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        os.close(handle)


def why_not_a_file(path: Path) -> str | None:
    """Say why a path is not that of a file that can be read, and never wait for a pipe; None if it is one.

    Returns:
        What follows the path in a sentence: ``does not exist``, ``is a folder``, ``is empty``.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return "does not exist"
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be looked into, a NUL
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISDIR(status.st_mode):
        return "is a folder"
    if not stat.S_ISREG(status.st_mode):
        return "is a pipe or device"
    if not os.access(path, os.R_OK):
        return "cannot be read (Permission denied)"
    return None if status.st_size else "is empty"


def is_temporary(path: Path) -> bool:
    """Whether a name is one of those that `whole_or_nothing` and `whole_folder_or_nothing` write to."""
    return path.name.startswith(".aucli-") and path.name.endswith(TEMPORARY_SUFFIX)


def is_disk_failure(error: OSError) -> bool:
    """Whether nothing at all can be written any more: the disk is full, read-only, failing or gone."""
    names = ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "ENODEV", "ENXIO", "ESTALE")
    return error.errno in {getattr(errno, name) for name in names if hasattr(errno, name)}


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


def cache_folder() -> Path:
    """Return where lies what can be made again: in ``$AUCLI_HOME``, else the user's cache by the XDG convention."""
    if os.environ.get("AUCLI_HOME"):
        return user_folder() / "cache"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "aucli"


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the files right inside a folder, in hexadecimal."""
    if path.is_file():
        return sha256_file(path)
    inside = [f"{one.name} {sha256_file(one)}" for one in sorted(path.iterdir()) if one.is_file()]
    return hashlib.sha256("\n".join(inside).encode()).hexdigest()


def _key(path: Path) -> str:
    """Stands for a name in a temporary one: the name itself, if long, would pass the file system's limit."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]


@contextmanager
def _held(path: Path, opened: Callable[[Path], int]) -> Iterator[None]:
    """Open a temporary file or folder, made if it is not there, wait until nobody else holds it, and hold it."""
    if fcntl is None:
        yield
        return
    while True:
        handle = opened(path)
        _lock(handle, wait=True)
        if _is_same(handle, path):  # else it was renamed or removed while we waited
            break
        os.close(handle)
    try:
        yield
    finally:
        os.close(handle)


def _open_file(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o666)


def _open_folder(path: Path) -> int:
    while True:
        path.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # a run that ended just now took it for what a killed one left
            return os.open(path, os.O_RDONLY)


def _remove_unless_held(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            if _lock(handle, wait=False):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _lock(handle: int, *, wait: bool) -> bool:
    """Take the lock of an open file; False if another process has it. Closing the handle gives it back."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF):
            return True  # a network drive without locks
        raise
    return True


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _flush(path: Path) -> None:
    """Wait until a file is on disk: a power cut after the renaming must not leave an empty file under the name."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(path: Path) -> None:
    """Wait until the names in a folder are on disk, where the system offers that."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a folder to its name; what has that name already gets the temporary one."""
    try:
        there = stat.S_ISDIR(folder.lstat().st_mode)
    except FileNotFoundError:
        there = False
    if not there:
        temporary.rename(folder)
    elif not _exchange(temporary, folder):
        old = temporary.with_name(temporary.name.replace("-", "-old-", 1))
        folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step, which Linux can since 3.15 (man 2 renameat2); False elsewhere."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    code = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return bool(code == 0)
