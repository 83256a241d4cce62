"""Which film a study's codes belong to, whatever people call their files; what is not sure is told, and not guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from aucli.datasets.report import Findings
from aucli.human_codes.film_names import FilmNames, MediaLink, nearest, path_parts
from aucli.human_codes.names import plain_words
from aucli.human_codes.values import Codes

REMEDY = "say which file is which film's in the column codes of the table of people"


@dataclass(frozen=True)
class CodedBy:
    """A file of codes, and what it holds.

    Attributes:
        name: of the file, relative to the folder of codes.
        codes: one value per film and subject.
    """

    name: str
    codes: tuple[Codes, ...]


def pair(
    files: Sequence[CodedBy], films: FilmNames, listed: Mapping[str, Sequence[str]], findings: Findings
) -> dict[str, list[Codes]]:
    """Codes by film.

    The first of these that tells: the table of people; the film that the codes name; the file's own name; and where
    the film has no other codes, the likeness of the names: all words of one stand, in their order, in the other.

    Args:
        files: of codes.
        films: that are there.
        listed: name of a file -> its films in the table of people.
        findings: where it is told what was paired by likeness, is contradictory, or belongs to no film.
    """
    found: dict[str, list[Codes]] = {}
    unsure: list[tuple[CodedBy, Codes]] = []
    for file in files:
        n_films = len({one.video for one in file.codes})
        for one in file.codes:
            film, is_settled = _by_name(file, one, n_films, films, listed.get(file.name, ()), findings)
            if film is not None:
                found.setdefault(film, []).append(one)
            elif not is_settled:
                unsure.append((file, one))
    taken = set(found)
    for file, one in unsure:
        names = [one.video] if one.video and _may_be_alike(one.video) else []
        names += [file.name] if len({c.video for c in file.codes}) == 1 else []
        fitting = next((likely for name in names if (likely := most_alike(name, films.names))), ())
        about = f"{file.name}, which names {one.video}" if one.video else file.name
        if len(fitting) == 1 and fitting[0] not in taken:
            found.setdefault(fitting[0], []).append(one)
            findings.warn("codes paired by the likeness of names", "kept", 1, "file", file.name, f"with {fitting[0]}")
        elif len(fitting) == 1:
            why = f"{about} is like {fitting[0]}, which has codes that name it; {REMEDY}"
            findings.warn("codes without film", "dropped", 1, "file", file.name, why)
        elif fitting:
            why = f"{about} fits {', '.join(fitting[:5])}; {REMEDY}"
            findings.warn("codes that fit several films", "dropped", 1, "file", file.name, why)
        else:
            findings.warn("codes without film", "dropped", 1, "file", file.name, f"no film is called like {about}")
    return found


def _may_be_alike(video: str) -> bool:
    """Whether a film may be called otherwise than codes say: a name with folders is no film in another one."""
    return isinstance(video, MediaLink) or len(path_parts(video)) == 1


def _by_name(
    file: CodedBy, one: Codes, n_films: int, films: FilmNames, listed: Sequence[str], findings: Findings
) -> tuple[str | None, bool]:
    """The film, and whether that is the end of it."""
    if len(listed) == 1 and n_films == 1:
        return listed[0], True
    known = films if not listed else FilmNames(listed)
    named = known.fitting(one.video) if one.video else ()
    named = nearest(file.name, named)
    own = known.called_like(file.name) if n_films == 1 else ()
    fitting = named or own
    if len(named) == len(own) == 1 and named != own:
        # Somebody coded from a copy of another film's file, or renamed one of the two.
        why = f"it names {named[0]} and is called like {own[0]}; {REMEDY}"
        findings.warn("codes whose name contradicts the film they name", "dropped", 1, "file", file.name, why)
        return None, True
    if len(fitting) > 1:
        why = f"it fits {', '.join(fitting[:5])}; {REMEDY}"
        findings.warn("codes that fit several films", "dropped", 1, "file", file.name, why)
        return None, True
    return (fitting[0], True) if fitting else (None, False)


def most_alike(name: str, films: Sequence[str]) -> tuple[str, ...]:
    """The films whose name holds all words of a name, or all of whose words it holds; the longest match alone, and of
    equally long ones those with the same words.

    Where no film's name does, the folders that films lie in count as part of it.
    """
    wanted = words_of(PurePosixPath(name).name)
    for of_film in (lambda film: PurePosixPath(film).name, lambda film: film):
        words = [words_of(of_film(film)) for film in films]
        likeness = [(_shared(wanted, one), wanted == one) for one in words]
        if (best := max(likeness, default=(0, False)))[0]:
            return tuple(film for film, one in zip(films, likeness, strict=True) if one == best)
    return ()


def words_of(name: str) -> tuple[str, ...]:
    """Words and numbers of a name without its suffix: ``P01_Visit-2.mp4`` is p, 1, visit, 2."""
    stem = str(PurePosixPath(name.replace("\\", "/")).with_suffix(""))
    words = re.findall(r"[a-z]+|\d+", plain_words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)))
    return tuple(word.lstrip("0") or "0" if word.isdigit() else word for word in words)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many words the shorter has, if they stand in the longer one in a row; else 0."""
    short, long = sorted((one, other), key=len)
    rows = (long[i : i + len(short)] for i in range(len(long) - len(short) + 1))
    return len(short) if short and any(row == short for row in rows) else 0


def listed_films(
    codes_of_film: Mapping[str, Sequence[str]], files: Sequence[str], findings: Findings
) -> dict[str, list[str]]:
    """Name of a file of codes -> the films that a table of people gives it.

    Args:
        codes_of_film: film -> files as the table writes them.
        files: of codes that are there.
        findings: where files are told that are not there, or not clear.
    """
    known = FilmNames(files)
    found: dict[str, list[str]] = {}
    for film, wanted in codes_of_film.items():
        for name in wanted:
            fitting = known.fitting(name)
            if len(fitting) != 1:
                what = "is not there" if not fitting else f"fits {', '.join(fitting[:5])}"
                findings.warn("codes of the table of people not found", "ignored", 1, "file", name, f"{name} {what}")
            else:
                found.setdefault(fitting[0], []).append(film)
    return found


def name_in(path: Path, folder: Path) -> str:
    """A file's name relative to a folder, with forward slashes."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
