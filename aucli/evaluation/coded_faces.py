"""Which face of a film each coded subject is: by a choice, a list, the subject's name, or as the only one."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aucli.errors import OptionsError, TableError
from aucli.evaluation.films import FaceRows, Film, Films
from aucli.human_codes.film_names import several
from aucli.human_codes.values import Codes

_FACE_NAME: Final = re.compile(r"face[ _-]*(\d{1,9})", re.IGNORECASE)
_LISTED: Final = 8


@dataclass(frozen=True)
class FaceList:
    """Who is which face, film by film.

    Attributes:
        source: the file.
        rows: film, subject (None where the list names none), and number of the face or ``largest``.
    """

    source: Path
    rows: tuple[tuple[str, str | None, int | Literal["largest"]], ...]

    def by_film(self, films: Films) -> tuple[dict[tuple[str, str | None], int | Literal["largest"]], list[str]]:
        """Film of the table and subject -> face; and a note on films that the table lacks.

        Raises:
            TableError: if a film fits several of the table's, or one is there twice.
        """
        found: dict[tuple[str, str | None], int | Literal["largest"]] = {}
        lacking: list[str] = []
        for video, subject, face in self.rows:
            fits = films.named(video)
            if not fits:
                lacking.append(video)
                continue
            if len(fits) > 1:
                raise TableError(f"{self.source} names {video}, which fits {several(fits)}; write one of these")
            key = (fits[0], subject)
            if key in found:
                raise TableError(f"{self.source} has two rows for {video}{f', {subject}' if subject else ''}")
            found[key] = face
        names = list(dict.fromkeys(lacking))
        return found, [f"{self.source.name}: not in the table: {_some(names)}"] if names else []


FaceWanted = int | Literal["auto", "largest"] | FaceList
"""Which face was coded, where several are in a film."""


def read_face_list(path: Path) -> FaceList:
    """Read a CSV with the columns ``video`` and ``face`` and, where several people of a video were coded, ``subject``.

    ``face`` is the number in the table, or ``largest``. Commas, semicolons and tabs are told apart by the first line.

    Raises:
        TableError: if it cannot be read, or a column or face is lacking.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from None
    head = text.partition("\n")[0]
    rows = list(csv.reader(text.splitlines(), delimiter=max(",;\t", key=head.count)))
    columns = [name.strip().casefold() for name in rows[0]] if rows else []
    for name in ("video", "face"):
        if name not in columns:
            raise TableError(f"{path} has no column {name}; it has {', '.join(columns) or 'none'}")
    listed: list[tuple[str, str | None, int | Literal["largest"]]] = []
    for row in rows[1:]:
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        if not any(cells.values()):
            continue
        face = cells.get("face", "")
        if face != "largest" and not (face.isascii() and face.isdigit()):
            raise TableError(f"{path}: the face of {cells['video']} is {face!r}; allowed are a number and largest")
        listed.append((cells["video"], cells.get("subject") or None, "largest" if face == "largest" else int(face)))
    return FaceList(path, tuple(listed))


@dataclass(frozen=True)
class Question:
    """A film of which nobody can tell which face was coded.

    Attributes:
        film: its name and its faces, in a few words.
        text: the whole of it, with the remedy.
    """

    film: str
    text: str


@dataclass(frozen=True)
class Paired:
    """The subjects of a film and their faces.

    Attributes:
        faces: (S,) of each coded subject; None where the film has no such face or nobody asked for the subject.
        question: what must be known first; then there are no faces.
        unpaired: why a subject has no face, a line each.
    """

    faces: tuple[FaceRows | None, ...]
    question: Question | None = None
    unpaired: tuple[str, ...] = ()


def pair_faces(
    film: Film,
    codes: Sequence[Codes],
    wanted: int | Literal["auto", "largest"],
    listed: Mapping[tuple[str, str | None], int | Literal["largest"]],
) -> Paired:
    """Find the face of each subject that was coded in a film.

    Args:
        film: the film.
        codes: of it, one value per subject.
        wanted: the choice for all films.
        listed: film and subject -> face, of `FaceList.by_film`; goes before `wanted`.
    """
    if not film.faces:
        return Paired(tuple(film.choose("auto") for _ in codes))
    numbers = [_number(one.subject) for one in codes]
    chosen = [_listed_face(film, one, listed, alone=len(codes) == 1) for one in codes]
    if all(face is None for face in chosen):
        if wanted == "auto":
            if len(codes) == len(film.faces) == 1:
                return Paired((film.choose("auto"),))
            if None in numbers:
                return Paired((), _question(film, codes))
            chosen = list(numbers)
        elif len(codes) == 1:
            chosen = [wanted]
        elif wanted == "largest" or None in numbers:
            return Paired((), _question(film, codes))
        else:
            chosen = [number if number == wanted else None for number in numbers]
            if wanted not in numbers:
                return Paired((None,) * len(codes), unpaired=(f"nobody coded face {wanted} of {film.name} (`face`)",))
    faces: list[FaceRows | None] = []
    unpaired = []
    for one, face in zip(codes, chosen, strict=True):
        if face is None:
            faces.append(None)
            if listed:
                unpaired.append(f"{film.name}: the list of faces has no {one.subject or 'row'}")
        elif face != "largest" and face not in film.faces:
            faces.append(None)
            unpaired.append(f"{film.name} has no face {face}; it has {film.listed_faces} (`face`)")
        else:
            faces.append(film.choose(face))
    return Paired(tuple(faces), unpaired=tuple(unpaired))


def ask(questions: Sequence[Question]) -> OptionsError:
    """One error for all films of which nobody can tell the face."""
    if len(questions) == 1:
        return OptionsError(questions[0].text)
    return OptionsError(
        f"{len(questions)} videos need to know which face was coded: {_some([one.film for one in questions])}; `face` "
        "takes largest, a number, or a CSV with the columns video, face and (where several people were coded) subject"
    )


def _number(subject: str | None) -> int | None:
    """1 for ``face 1``, as aucli's own exports call subjects."""
    match = _FACE_NAME.fullmatch(subject.strip()) if subject else None
    return int(match[1]) if match else None


def _listed_face(
    film: Film, codes: Codes, listed: Mapping[tuple[str, str | None], int | Literal["largest"]], *, alone: bool
) -> int | Literal["largest"] | None:
    own = listed.get((film.name, codes.subject))
    return listed.get((film.name, None)) if own is None and alone else own


def _question(film: Film, codes: Sequence[Codes]) -> Question:
    faces = f"faces {film.listed_faces}"
    if len(codes) == 1:
        return Question(
            f"{film.name} ({faces})",
            f"{film.name} has {len(film.faces)} faces ({film.listed_faces}); say which one was coded with `face`, or "
            "take the largest",
        )
    subjects = ", ".join(str(one.subject) for one in codes[:12])
    return Question(
        f"{film.name} (subjects {subjects}; {faces})",
        f"{codes[0].source} holds codes of {subjects} in {film.name}; choose one with `subject`, or say which face "
        "each is with a CSV of video, subject and face (`face`)",
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
