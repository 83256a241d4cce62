"""Which videos a user means: files, folders, globs and lists become paths with labels."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VIDEO_SUFFIXES: Final = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"}
    | {".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)
"""What is taken from a folder. A file that is named is tried whatever its suffix."""


@dataclass(frozen=True)
class VideoInput:
    """One video to annotate.

    Attributes:
        path: where it lies.
        label: its path relative to the folder that all inputs share, with forward slashes: the table's ``video``.
    """

    path: Path
    label: str


def find_videos(patterns: Sequence[str]) -> tuple[list[VideoInput], dict[str, str]]:
    """Resolve what a user typed.

    A pattern is a file, a folder (searched to any depth), a glob (``**`` crosses folders), or ``@list.txt``: a text
    file with one pattern a line, relative to the list's folder, where lines that start with ``#`` are comments. A video
    that several patterns name is taken once.

    Returns:
        The videos in the order named (a folder's in order of name), and pattern -> problem for those that gave none.
    """
    paths: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for pattern in patterns:
        _collect(pattern, Path(), paths, problems, inside_list=False)
    found = list(paths.values())
    shared = _shared_folder(found)
    return [VideoInput(path, _label(path, shared)) for path in found], problems


def _collect(pattern: str, base: Path, paths: dict[str, Path], problems: dict[str, str], *, inside_list: bool) -> None:
    place = base / Path(pattern).expanduser()
    if pattern.startswith("@") and not place.exists():
        _collect_list(base / Path(pattern[1:]).expanduser(), pattern, paths, problems, inside_list=inside_list)
        return
    if place.is_dir():
        matches = sorted(p for p in place.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and _is_plain(p, place))
        problem = "the folder holds no video"
    elif place.exists() or not glob.has_magic(pattern):
        matches = [place]  # a missing file is reported when it is opened
        problem = ""
    else:
        matches = sorted(Path(p) for p in glob.glob(str(place), recursive=True) if not Path(p).is_dir())  # noqa: PTH207
        problem = "nothing matches"
    if not matches:
        problems[pattern] = problem
    for path in matches:
        paths.setdefault(os.path.realpath(path), path)


def _collect_list(
    path: Path, pattern: str, paths: dict[str, Path], problems: dict[str, str], *, inside_list: bool
) -> None:
    if inside_list:
        problems[pattern] = "a list inside a list is not read"
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems[pattern] = f"the list cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8 text'})"
        return
    wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not wanted:
        problems[pattern] = "the list is empty"
    for line in wanted:
        _collect(line, path.parent, paths, problems, inside_list=True)


def _is_plain(path: Path, top: Path) -> bool:
    """Hidden files, such as the `._*` companions that macOS leaves on other disks, are not videos."""
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(top).parts)


def _label(path: Path, shared: str) -> str:
    """A path as text that any file can hold: a name that is not UTF-8 loses the bytes that are not."""
    relative = Path(os.path.relpath(path, shared)).as_posix()
    return relative.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _shared_folder(paths: Sequence[Path]) -> str:
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]) if paths else "."  # noqa: PTH100, PTH120
