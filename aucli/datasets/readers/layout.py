"""Finding things in a benchmark's folder: copies differ in case, spelling and nesting, never in meaning."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from aucli.datasets.label_values import Int32Array
from aucli.datasets.report import NO_PIXELS, Findings, number_ranges
from aucli.errors import DatasetError

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
BENCHMARK_VIDEO_SUFFIXES: Final = frozenset({".avi", ".mp4", ".mov", ".mkv", ".mpg", ".wmv"})

ARCHIVE_SUFFIXES: Final = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"})

MAX_DIGITS: Final = 9
"""A longer number in an image's name is no frame number (a time stamp, say)."""


def require_root(root: Path) -> Path:
    """The data set's folder, if it is one.

    Raises:
        DatasetError: if there is no such folder.
    """
    if root.suffix.lower() in ARCHIVE_SUFFIXES and root.is_file():
        raise DatasetError(f"{root} is an archive; unpack it and give the folder")
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; give the folder that holds the data set")
    return root


def visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, sorted by name, without hidden files (macOS leaves ``._`` files beside images)."""
    with os.scandir(folder) as entries:
        yield from sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name."""
    return [Path(entry.path) for entry in visible(folder) if entry.is_dir()]


def resolve(root: Path, relative: str) -> Path | None:
    """Follow a relative path without regard to case; None where it leads nowhere."""
    current = root
    for part in relative.split("/"):
        exact = current / part
        if not exact.exists():
            if not current.is_dir():
                return None
            matches = [e.name for e in visible(current) if e.name.casefold() == part.casefold()]
            if not matches:
                return None
            exact = current / matches[0]
        current = exact
    return current


def find_folder(root: Path, candidates: Sequence[str], *, chosen: str | None = None) -> Path | None:
    """The first of several folders that exists, in the root or one folder below it.

    Args:
        root: the data set's folder.
        candidates: relative paths, best first, matched without regard to case.
        chosen: the user's own choice, absolute or relative to the root; nothing else is tried then.

    Raises:
        DatasetError: if the user's choice is not a folder.
    """
    if chosen is not None:
        path = Path(chosen) if Path(chosen).is_absolute() else root / chosen
        if not path.is_dir():
            raise DatasetError(f"{path} is not a folder; it was chosen in the data set's options")
        return undoubled(path)
    for base in (root, *subfolders(root)):
        for candidate in candidates:
            found = resolve(base, candidate)
            if found is not None and found.is_dir():
                return undoubled(found)
    return None


def undoubled(folder: Path) -> Path:
    """A folder, or the one in it of the same name if it is alone there: so some archives unpack."""
    while True:
        inside = list(visible(folder))
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.casefold() != folder.name.casefold():
            return folder
        folder = Path(inside[0].path)


def require_folder(root: Path, candidates: Sequence[str], *, what: str, option: str, chosen: str | None = None) -> Path:
    """As `find_folder`, for a folder that must be there.

    Raises:
        DatasetError: if none of the candidates exists; the message names them and the option that overrides them.
    """
    path = find_folder(root, candidates, chosen=chosen)
    if path is None:
        raise DatasetError(
            f"no {what} under {root}: looked for {', '.join(candidates)}; {packed(root)}set the option {option}"
        )
    return path


def packed(root: Path) -> str:
    """What a message says of archives in a folder where something was not found; empty if there are none."""
    archives = [entry.name for entry in visible(root) if Path(entry.name).suffix.lower() in ARCHIVE_SUFFIXES]
    more = f" and {len(archives) - 1} more" if len(archives) > 1 else ""
    return f"unpack {archives[0]}{more}, or " if archives else ""


def walk_files(root: Path, suffixes: Iterable[str], *, depth: int, skip: Iterable[Path] = ()) -> Iterator[Path]:
    """Files with one of these suffixes (lower case), at most `depth` folders below the root, in sorted order."""
    wanted, skipped = frozenset(suffixes), set(skip)
    for entry in visible(root):
        path = Path(entry.path)
        if entry.is_dir():
            if depth > 0 and path not in skipped:
                yield from walk_files(path, wanted, depth=depth - 1, skip=skipped)
        elif path.suffix.lower() in wanted:
            yield path


@dataclass(frozen=True)
class NumberedImages:
    """The images of one sequence by the number in their name.

    Attributes:
        container: folder or zip archive.
        in_zip: which of the two.
        numbers: (M,) int32, ascending, distinct.
        members: (M) paths inside the container.
        doubled: numbers that two images claim; the first name in text order is kept.
        unnumbered: images whose name is not a number.
    """

    container: Path
    in_zip: bool
    numbers: Int32Array
    members: tuple[str, ...]
    doubled: tuple[int, ...]
    unnumbered: tuple[str, ...]

    def pick(self, frames: Int32Array) -> tuple[Int32Array, list[str]]:
        """Which of the wanted frames have an image, and that image.

        Returns:
            Indices into `frames`, and as many member names.
        """
        if not len(self.numbers) or not len(frames):
            return np.empty(0, dtype=np.int32), []
        slot = np.minimum(np.searchsorted(self.numbers, frames), len(self.numbers) - 1)
        found = np.flatnonzero(self.numbers[slot] == frames).astype(np.int32)
        return found, [self.members[i] for i in slot[found]]

    def take(
        self, frames: Int32Array, findings: Findings, where: str, *, first: int = 0, holes: str = ""
    ) -> tuple[Int32Array, list[str]]:
        """As `pick`, and report what is odd: frames without an image, too.

        Args:
            frames: wanted.
            findings: where the report goes.
            where: the sequence.
            first: number of frame 0's image.
            holes: what frames without an image are called where they are usual; empty where they are not.
        """
        self.report(findings, where)
        found, members = self.pick(frames + np.int32(first))
        lacking = np.delete(frames, found)
        if len(lacking) and not len(found):
            findings.warn(
                NO_PIXELS, "dropped", 1, "sequence", where, f"{self.container} has none of {len(frames)} frames"
            )
            return found, members
        say = findings.note if holes else findings.warn
        kind = holes or "frame without image"
        say(kind, "dropped", len(lacking), "frame", where, f"frames {number_ranges(lacking)}")
        return found, members

    def report(self, findings: Findings, where: str) -> None:
        """Report doubled and unnumbered images."""
        findings.warn(
            "two images claim one frame number", "ignored", len(self.doubled), "file", where,
            f"frames {number_ranges(np.array(self.doubled))}",
        )  # fmt: skip
        findings.note(
            "image name is not a number", "ignored", len(self.unnumbered), "file", where, self.unnumbered[0]
            if self.unnumbered else "",
        )  # fmt: skip


def images_in_folder(folder: Path, *, stem_pattern: str = r"(\d+)") -> NumberedImages:
    """Index a folder by the integer in each image's name: ``7.jpg``, ``007.jpg`` and ``0007.JPG`` are frame 7.

    Args:
        folder: images lie directly in it.
        stem_pattern: what the whole name without suffix must match; its first group is the number.
    """
    return _numbered(folder, [e.name for e in visible(folder) if e.is_file()], in_zip=False, pattern=stem_pattern)


def images_in_zip(archive: Path, members: Sequence[str]) -> NumberedImages:
    """Index members of a zip archive in the same way."""
    return _numbered(archive, sorted(members), in_zip=True, pattern=r"(\d+)")


def _numbered(container: Path, names: Sequence[str], *, in_zip: bool, pattern: str) -> NumberedImages:
    rule = re.compile(pattern)
    by_number: dict[int, str] = {}
    doubled: list[int] = []
    unnumbered: list[str] = []
    for name in names:
        stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
        if f"{dot}{suffix.lower()}" not in IMAGE_SUFFIXES:
            continue
        match = rule.fullmatch(stem)
        if match is None or len(match.group(1).lstrip("0")) > MAX_DIGITS:
            unnumbered.append(name)
        elif (number := int(match.group(1))) in by_number:
            doubled.append(number)
        else:
            by_number[number] = name
    numbers = np.array(sorted(by_number), dtype=np.int32)
    return NumberedImages(
        container=container,
        in_zip=in_zip,
        numbers=numbers,
        members=tuple(by_number[n] for n in numbers.tolist()),
        doubled=tuple(doubled),
        unnumbered=tuple(unnumbered),
    )


def zip_members(archive: Path) -> list[str]:
    """Names of the files in a zip archive, without hidden ones.

    Raises:
        DatasetError: if the archive is damaged.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(f"{archive} cannot be read as a zip archive ({error}); unpack or copy it again") from error
    return [n for n in names if not n.endswith("/") and not any(p.startswith((".", "__MACOSX")) for p in n.split("/"))]
