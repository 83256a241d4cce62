"""The bytes behind an input: a file, or all pictures of a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aucli.runtime.files import sha256_file
from aucli.runtime.fingerprint import fingerprint_files
from aucli.video.pictures import numbered_pictures


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


def _digest_of_lines(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")).hexdigest()
