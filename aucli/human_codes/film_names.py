"""Which film a name means: one rule, wherever people or programs write names of films (docs/table.md says it too).

A **name** is what a person writes: in a list of people or of faces, in a column ``video``, as the parameter `video`.

1. The name of a film, letter for letter, is that film; else one that is the same path, capitals aside.
2. A name with folders is the film whose path ends in it, or that it ends in: ``p01/a.mp4`` is ``study/p01/a.mp4``, and
   so is ``/data/study/p01/a.mp4``; of several that it ends in, the longest. It never is a film in another folder.
3. A name without folders is the film of that file name; if there is none, of that file name without suffix.

A **link** is the film's place on the coder's machine, as a coding program wrote it: folders may be called otherwise
there. It is taken for a name; if that fits none, for the film of the same file name (else the same without suffix) with
which it shares the longest end of the path.

A **file of codes** lies beside its film, or in a folder of codes: it may belong to the film that is called like it but
for the suffix; of several to the one that shares most folders with it.

What fits several films is never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

Parts = tuple[str, ...]
_SOUND: Final = (".wav", ".mp3", ".m4a", ".aif", ".aiff", ".flac", ".ogg")
_LISTED: Final = 5


class MediaLink(str):
    """A film's place on some machine, as a coding program wrote it: forward slashes, without root."""

    __slots__ = ()


def media_link(url: str) -> MediaLink | None:
    """The place in a ``file:///C:/films/a%20b.mp4`` or a plain path; None for nothing and for sound."""
    text = url.strip()
    if "://" in text:
        text = unquote(re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", text))
    text = "/".join(part.strip() for part in re.split(r"[\\/]", text) if part.strip() not in ("", "."))
    return None if not text or text.casefold().endswith(_SOUND) or re.search(r"[\\/]\s*$", url) else MediaLink(text)


def path_parts(name: str) -> Parts:
    """The folders and the file name, as they are compared: capitals and ways to write an accent do not count."""
    return PurePosixPath(unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()).parts


def without_suffix(parts: Parts) -> Parts:
    """The same, without the file name's suffix."""
    return (*parts[:-1], PurePosixPath(parts[-1]).stem) if parts else ()


class FilmNames:
    """Films that are found by name.

    Args:
        names: of all films, all different.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._exact = frozenset(self.names)

    def fitting(self, wanted: str) -> tuple[str, ...]:
        """Every film that a name, or a `MediaLink`, may mean, by the first rule that fits any; () for none."""
        named = self.named(wanted)
        return named if named or not isinstance(wanted, MediaLink) else self._of_link(path_parts(wanted))

    def named(self, wanted: str) -> tuple[str, ...]:
        """The same for a name, also where it is a link."""
        if wanted in self._exact:
            return (wanted,)
        parts = path_parts(wanted)
        if not parts:
            return ()
        if same := self._whole.get(parts):
            return tuple(same)
        if longer := self._ends.get(parts):
            return tuple(longer)
        if len(parts) > 1:
            ends = (self._whole.get(parts[at:]) for at in range(1, len(parts)))
            return tuple(next((films for films in ends if films), ()))
        return tuple(self._stem_ends.get(parts) or self._stem_ends.get(without_suffix(parts)) or ())

    def called_like(self, file: str) -> tuple[str, ...]:
        """The films whose file name without suffix is that of a file of codes, and that share most folders with it."""
        parts = without_suffix(path_parts(file))
        return nearest(file, self._stem_ends.get(parts[-1:], ()))

    def _of_link(self, parts: Parts) -> tuple[str, ...]:
        for ends, end in ((self._ends, parts), (self._stem_ends, without_suffix(parts))):
            if fits := next((films for at in range(len(end)) if (films := ends.get(end[at:]))), ()):
                return tuple(fits)
        return ()

    @cached_property
    def _whole(self) -> dict[Parts, list[str]]:
        found: dict[Parts, list[str]] = {}
        for name in self.names:
            found.setdefault(path_parts(name), []).append(name)
        return found

    @cached_property
    def _ends(self) -> dict[Parts, list[str]]:
        """Films by every end of their path."""
        return _by_end((name, path_parts(name)) for name in self.names)

    @cached_property
    def _stem_ends(self) -> dict[Parts, list[str]]:
        return _by_end((name, without_suffix(path_parts(name))) for name in self.names)


def file_name(name: str) -> str:
    """The last part of a name or link."""
    return name.replace("\\", "/").rpartition("/")[2]


def nearest(name: str, films: Sequence[str]) -> tuple[str, ...]:
    """Of films, those that share most folders with a file: of ``P1/codes/a.eaf``, ``P1/a.mp4`` and not ``P2/a.mp4``."""
    folders = set(path_parts(name)[:-1])
    shared = [len(folders & set(path_parts(film)[:-1])) for film in films]
    return tuple(film for film, n in zip(films, shared, strict=True) if n == max(shared))


def several(films: Sequence[str]) -> str:
    """The candidates in a message: ``p01/a.mp4 and p02/a.mp4``."""
    listed = list(films[:_LISTED])
    return ", ".join(listed) + " ..." if len(films) > _LISTED else f"{', '.join(listed[:-1])} and {listed[-1]}"


def _by_end(names: Iterable[tuple[str, Parts]]) -> dict[Parts, list[str]]:
    found: dict[Parts, list[str]] = {}
    for name, parts in names:
        for at in range(len(parts)):
            found.setdefault(parts[at:], []).append(name)
    return found
