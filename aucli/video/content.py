"""The bytes behind an input: a file, or all pictures of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aucli.errors import VideoError
from aucli.runtime.files import sha256_file
from aucli.runtime.fingerprint import fingerprint_files
from aucli.video.pictures import numbered_pictures

CHANGED: Final = "it changed while it was read; run the same command again when the file is complete"
GONE: Final = "it was renamed, moved or deleted while it was read; run the same command again when it is back"


def content_files(path: Path) -> tuple[Path, ...]:
    """Return the files whose bytes make up an input: its pictures for a folder, else the file itself."""
    sequence = numbered_pictures(path) if path.is_dir() else None
    return sequence.paths if sequence else (path,)


def content_size(path: Path) -> int:
    """Return the size of an input in bytes."""
    return sum(file.stat().st_size for file in content_files(path))


def content_fingerprint(path: Path) -> str:
    """Return `fingerprint_files` of an input; of a folder the pictures' names, which give their times, count too."""
    files = content_files(path)
    mark = fingerprint_files(files)
    return _digest_of_lines([mark, *(file.name for file in files)]) if path.is_dir() else mark


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file; for a folder of pictures, that of their digests and names, a line each."""
    if not path.is_dir():
        return sha256_file(path)
    return _digest_of_lines([f"{sha256_file(file)}  {file.name}" for file in content_files(path)])


class ContentWatch:
    """Notices that an input is replaced, renamed or written to while it is read.

    Files are opened more than once while they are read, so rows could come from two contents. What the file system says
    of a file costs next to nothing and tells that it is untouched; where it was touched, its bytes decide.

    Args:
        path: of the input.
        fingerprint: of what is to be read, `content_fingerprint`.
        digest: returns `content_digest`, taken when reading began.
    """

    def __init__(self, path: Path, fingerprint: str, digest: Callable[[], str]) -> None:
        self._path, self._fingerprint, self._digest = path, fingerprint, digest
        self._marks = self._look()

    def check(self, *, at_end: bool = False) -> None:
        """Make sure that what was read so far is what is to be read.

        Args:
            at_end: compare the bytes in any case, by their fingerprint at least.

        Raises:
            VideoError: if it is not, or the file is gone.
        """
        marks = self._look()
        if marks == self._marks and not at_end:
            return
        try:
            is_same = content_fingerprint(self._path) == self._fingerprint
            if is_same and marks != self._marks:
                is_same = content_digest(self._path) == self._digest()
        except FileNotFoundError:
            raise VideoError(GONE) from None
        if not is_same:
            raise VideoError(CHANGED)
        self._marks = marks

    def _look(self) -> list[tuple[int, ...]]:
        try:
            stats = [file.stat() for file in content_files(self._path)]
        except FileNotFoundError:
            raise VideoError(GONE) from None
        return [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in stats]


def _digest_of_lines(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")).hexdigest()
