"""Which videos a user means: files, folders, globs and lists become paths with labels."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from aucli.errors import OptionsError, printable
from aucli.video.folders import Listing, search_folder
from aucli.video.suffixes import VIDEO_SUFFIXES


@dataclass(frozen=True)
class VideoInput:
    """One video to annotate.

    Attributes:
        path: where it lies.
        label: the table's ``video``: the path as typed, in the form of `path_label`; in a folder: the folder as typed
            and the path in it. With a root: relative to that. It depends on nothing else that was typed.
    """

    path: Path
    label: str


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

    A word is a file, a folder (searched to any depth), a glob (``**`` crosses folders), or ``@list.txt``: a text file
    with one word a line, relative to the list's folder, where lines that start with ``#`` are comments. A file that is
    named is tried whatever its suffix.

    A video that several words name, or that one names twice, is taken once, under the label that comes first. A link to
    a file that is among the videos itself is passed over; any other link is a video under the link's name.

    Args:
        words: as typed.
        root: folder that labels are relative to; a video outside of it is a problem.

    Raises:
        OptionsError: if the root is no folder.
    """
    if root is not None and not root.is_dir():
        raise OptionsError(f"--root {root} is not a folder")
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
            self._take_folder(path, word)
        elif isinstance(status, os.stat_result) or not glob.has_magic(word):
            self._take_file(path, status)
        elif matches := sorted(glob.glob(str(Path(glob.escape(str(base))) / expanded), recursive=True)):  # noqa: PTH207
            for match in map(Path, matches):
                if not match.is_dir():
                    self._take_file(match, _status(match))
        else:
            self._problems[printable(word)] = "nothing matches"

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
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            self._problems[key] = f"the list cannot be read ({reason})"
            return
        wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not wanted:
            self._problems[key] = "the list is empty"
        for line in wanted:
            self.take_word(line, path.parent, in_list=True)

    def _take_folder(self, folder: Path, word: str) -> None:
        listing = search_folder(folder)
        videos = [path for path in listing.files if path.suffix.lower() in VIDEO_SUFFIXES]
        for path, reason in listing.problems.items():
            self._problems[path_label(path)] = reason
        if line := _tell_passed_over(listing):
            self._passed_over.append(f"{path_label(folder)}: {line}")
        if not videos and not listing.problems:
            self._problems[printable(word)] = "the folder holds no video"
        for path in videos:
            self._take(path)

    def _take_file(self, path: Path, status: os.stat_result | str) -> None:
        if isinstance(status, os.stat_result) and not stat.S_ISREG(status.st_mode):
            self._problems[path_label(path)] = f"is {_kind(status)}, not a video file"
        else:
            self._take(path)  # a file that is missing is reported when it is opened

    def _take(self, path: Path) -> None:
        place = self._place(path)
        if place in self._videos:
            return
        label = self._label(path)
        if label is None:
            self._problems[path_label(path)] = f"lies outside --root {path_label(self._root or Path())}"
        else:
            self._videos[place] = VideoInput(path, label)

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


def _kind(status: os.stat_result) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for is_kind, name in kinds if is_kind(status.st_mode)), "a device")


def _tell_passed_over(listing: Listing) -> str:
    """One line on what a folder holds and is not annotated; empty if there is nothing to tell."""
    suffixes: dict[str, int] = {}
    for path in listing.files:
        if (suffix := path.suffix.lower()) not in VIDEO_SUFFIXES:
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
