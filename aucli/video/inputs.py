"""Which videos a user means: files, folders, globs and lists become paths with labels."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from aucli.errors import OptionsError, printable
from aucli.video.folders import Listing, search_folder
from aucli.video.pictures import PICTURE_SUFFIXES, is_picture_folder
from aucli.video.suffixes import VIDEO_SUFFIXES

LIST_BYTES: Final = 64 * 2**20


@dataclass(frozen=True)
class VideoInput:
    """One video to annotate.

    Attributes:
        path: where it lies.
        label: the table's ``video``: the path as typed, in the form of `path_label`; in a folder: the folder as typed
            and the path in it. With a root: relative to that. It depends on nothing else that was typed.
        within: the label without what was typed in front of it: a file's name; in a folder the path in it; with a root
            all of the label. A table of its own is called so.
    """

    path: Path
    label: str
    within: str


@dataclass(frozen=True)
class Inputs:
    """What the words that a user typed stand for.

    Attributes:
        videos: in the order named, a folder's by name. No two have one label, none is there twice.
        problems: label or word -> why it gives no video.
        passed_over: a line for each folder: what of it was not taken, and why.
    """

    videos: tuple[VideoInput, ...]
    problems: Mapping[str, str]
    passed_over: tuple[str, ...]


def find_videos(words: Sequence[str], *, root: Path | None = None) -> Inputs:
    """Resolve what a user typed.

    A word is a file, a folder (searched to any depth; one of numbered pictures is one video), a glob (``**`` crosses
    folders), or ``@list.txt``: a text file with one word a line, relative to the list's folder, where lines that start
    with ``#`` are comments; or words ended by NULs, from ``find -print0``. A file that is named is tried whatever its
    suffix.

    A video that several words name, or that one names twice, is taken once, under the label that comes first. A link to
    a file that is among the videos itself is passed over; any other link is a video under the link's name.

    Args:
        words: as typed.
        root: folder that labels are relative to; a video outside of it is a problem.

    Raises:
        OptionsError: if the root is no folder.
    """
    if root is not None and not root.is_dir():
        raise OptionsError(f"`root` {root} is not a folder")
    search = _Search(root)
    for word in words:
        search.take_word(word, Path())
    return search.result()


def path_label(path: PurePath) -> str:
    r"""Return a path as a text that any table and terminal can hold, and that no other path has.

    Slashes go forward. Bytes that are no UTF-8, control characters and the backslash itself are written ``\xNN``.
    """
    return printable(path.as_posix().replace("\\", r"\x5c"))


class _Search:
    """Gathers videos, problems and what was passed over."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._videos: dict[tuple[str, str], VideoInput] = {}
        self._problems: dict[str, str] = {}
        self._passed_over: list[str] = []
        self._real_folders: dict[Path, str] = {}

    def result(self) -> Inputs:
        videos = []
        for place, video in self._videos.items():
            target = self._place(Path(os.path.realpath(video.path))) if video.path.is_symlink() else place
            if target != place and target in self._videos:
                self._passed_over.append(f"{video.label}: passed over, a link to {self._videos[target].label}")
            else:
                videos.append(video)
        return Inputs(tuple(videos), self._problems, tuple(self._passed_over))

    def take_word(self, word: str, base: Path, *, in_list: bool = False) -> None:
        if not word.strip():
            self._problems["''"] = "an empty name"
            return
        expanded = os.path.expanduser(word)  # noqa: PTH111  Path.expanduser raises for a file called ~x
        path = base / expanded
        status = _status(path)
        if word.startswith("@") and not isinstance(status, os.stat_result):
            self._take_list(base / os.path.expanduser(word[1:]), word, in_list=in_list)  # noqa: PTH111
        elif isinstance(status, os.stat_result) and stat.S_ISDIR(status.st_mode):
            if not self._take_folder(path):
                self._problems[printable(word)] = "the folder holds no video"
        elif isinstance(status, os.stat_result) or not glob.has_magic(word):
            self._take_file(path, status)
        else:
            self._take_glob(Path(glob.escape(str(base))) / expanded, word)

    def _take_list(self, path: Path, word: str, *, in_list: bool) -> None:
        key = printable(word)
        if in_list:
            self._problems[key] = "a list inside a list is not read"
            return
        status = _status(path)
        if isinstance(status, os.stat_result) and not stat.S_ISREG(status.st_mode):
            self._problems[key] = f"the list cannot be read (it is {_kind(status)}, not a file)"
            return
        try:
            wanted = _read_list(path)
        except (OSError, ValueError) as error:
            self._problems[key] = f"the list cannot be read ({getattr(error, 'strerror', None) or error})"
            return
        if not wanted:
            self._problems[key] = "the list is empty"
        for line in wanted:
            self.take_word(line, path.parent, in_list=True)

    def _take_glob(self, pattern: Path, word: str) -> None:
        """As a shell would: folders that match are searched, files are taken whatever they are called."""
        parts = pattern.parts
        at = parts.index("**") if "**" in parts else len(parts)
        matches = sorted(glob.glob(str(Path(*parts[:at]))))  # noqa: PTH207  Path.glob takes no absolute pattern
        rest = parts[at:]
        found = False
        for match in map(Path, matches):
            status = _status(match)
            is_folder = isinstance(status, os.stat_result) and stat.S_ISDIR(status.st_mode)
            if is_folder and rest not in ((), ("**",)):
                listing = search_folder(match)
                self._take_problems(listing)
                for path in listing.files:
                    if _fits(path.relative_to(match).parts, rest):
                        self._take_file(path, _status(path), top=match)
                        found = True
            elif is_folder:
                found |= self._take_folder(match)
            elif not rest:
                self._take_file(match, status)
                found = True
        if not found:
            self._problems[printable(word)] = "no video matches"

    def _take_folder(self, folder: Path) -> bool:
        """Take a folder's videos, photographs and numbered pictures; False if it holds none and could be read."""
        listing = search_folder(folder)
        videos = _videos_and_pictures(listing)
        self._take_problems(listing)
        if line := _tell_passed_over(listing):
            self._passed_over.append(f"{path_label(folder)}: {line}")
        for path in videos:
            self._take(path, folder)
        return bool(videos or listing.problems)

    def _take_problems(self, listing: Listing) -> None:
        for path, reason in listing.problems.items():
            self._problems[path_label(path)] = reason

    def _take_file(self, path: Path, status: os.stat_result | str, *, top: Path | None = None) -> None:
        if isinstance(status, os.stat_result) and not stat.S_ISREG(status.st_mode):
            self._problems[path_label(path)] = f"is {_kind(status)}, not a video file"
        else:
            self._take(path, top or path.parent)  # a file that is missing is reported when it is opened

    def _take(self, path: Path, top: Path) -> None:
        place = self._place(path)
        if place in self._videos:
            return
        label = self._label(path)
        if label is None:
            self._problems[path_label(path)] = f"lies outside `root` {path_label(self._root or Path())}"
        else:
            within = path.relative_to(top) if path != top else PurePath(path.name)
            self._videos[place] = VideoInput(path, label, path_label(within) if self._root is None else label)

    def _place(self, path: Path) -> tuple[str, str]:
        """The folder without links, and the name in it: the same for every way to one entry of a folder."""
        folder = path.parent
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return self._real_folders[folder], path.name

    def _label(self, path: Path) -> str | None:
        if self._root is None:
            return path_label(path)
        # As it is written; where links stand between the two, as it lies.
        as_typed = Path(os.path.abspath(path)), Path(os.path.abspath(self._root))  # noqa: PTH100  resolve follows links
        as_it_lies = Path(*self._place(path)), self._root.resolve()
        for place, root in (as_typed, as_it_lies):
            if place.is_relative_to(root):
                return path_label(place.relative_to(root))
        return None


def _status(path: Path) -> os.stat_result | str:
    """What the file system says of a path, or why it says nothing."""
    try:
        return path.stat()
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:  # a NUL in its name
        return "no file can be called so"


def _read_list(path: Path) -> list[str]:
    """The words of a list: a line each, or, as ``find -print0`` writes them, ended by NULs.

    Names are bytes to the file system, and need not be UTF-8.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no list; the message says why.
    """
    if path.stat().st_size > LIST_BYTES:
        raise ValueError(f"it is larger than {LIST_BYTES >> 20} MiB and so no list of names")
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is UTF-16; save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data:
        names = data.removesuffix(b"\0").split(b"\0")
        if not data.endswith(b"\0") or not all(names) or data.count(b"\0") > len(data) // 3:
            raise ValueError("it is no text")
        return [os.fsdecode(name) for name in names]
    lines = [line.strip() for line in data.split(b"\n")]
    return [os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a glob, part by part; ``**`` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _videos_and_pictures(listing: Listing) -> list[Path]:
    """What of a folder is annotated, in order of path: videos, photographs, and folders of numbered pictures as one."""
    videos = [path for path in listing.files if path.suffix.lower() in VIDEO_SUFFIXES]
    pictures = [path for path in listing.files if path.suffix.lower() in PICTURE_SUFFIXES - VIDEO_SUFFIXES]
    sequences = {folder for folder in {path.parent for path in pictures} if is_picture_folder(folder)}
    found = {*videos, *sequences, *(path for path in pictures if path.parent not in sequences)}
    return sorted(found, key=lambda path: [os.fsencode(part) for part in path.parts])


def _kind(status: os.stat_result) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for is_kind, name in kinds if is_kind(status.st_mode)), "a device")


def _tell_passed_over(listing: Listing) -> str:
    """One line on what a folder holds and is not annotated; empty if there is nothing to tell."""
    suffixes: dict[str, int] = {}
    for path in listing.files:
        if (suffix := path.suffix.lower()) not in VIDEO_SUFFIXES | PICTURE_SUFFIXES:
            suffixes[suffix] = suffixes.get(suffix, 0) + 1
    told = []
    if suffixes:
        often = sorted(suffixes, key=lambda suffix: (-suffixes[suffix], suffix))
        shown = ", ".join(f"{suffixes[suffix]} {printable(suffix) or 'without suffix'}" for suffix in often[:8])
        told.append(f"{sum(suffixes.values())} not called like a video ({shown}{', ...' if len(often) > 8 else ''})")
    if listing.n_hidden:
        told.append(f"{listing.n_hidden} hidden")
    told += [f"{path_label(path)}: {reason}" for path, reason in listing.passed_over.items()]
    return f"passed over {'; '.join(told)}" if told else ""
