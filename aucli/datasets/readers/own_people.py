"""Who is in which film of a study of one's own: a table that the study keeps, or a pattern of its films' names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, get_args

from aucli.datasets.label_values import Side
from aucli.datasets.report import Findings
from aucli.errors import DatasetError, OptionsError
from aucli.human_codes.film_names import FilmNames, several
from aucli.human_codes.headers import Role, role_of
from aucli.human_codes.text import decode, shown, table_rows
from aucli.human_codes.times import read_time

COLUMNS: Final = (
    "video and subject; where needed, codes, coded_as, face (left or right), and start and end of what was coded"
)
_OWN_WORDS: Final = ("codes", "coded_as", "face")
_ROLES: Final[tuple[Role, ...]] = ("video", "subject", "start", "end")


@dataclass(frozen=True)
class CodedPerson:
    """Somebody who was coded in a film.

    Attributes:
        film: name of the film.
        subject: who it is, the same in all films.
        codes: file of the codes, where names do not tell; "" else.
        coded_as: how the codes call the subject; "" where they have one subject, or the same name.
        side: which of the two largest faces, as seen in the picture; None for the largest.
        stretches_s: begin and end of what was coded, seconds; none for what `OwnOptions.coded` says.
    """

    film: str
    subject: str
    codes: str = ""
    coded_as: str = ""
    side: Side | None = None
    stretches_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class People:
    """Everyone who was coded, by film.

    Attributes:
        by_film: film -> those who were coded in it.
        is_known: whether somebody said who is in which film; else each film is a person of its own.
    """

    by_film: dict[str, list[CodedPerson]] = field(default_factory=dict)
    is_known: bool = True


def find_people(
    films: FilmNames, findings: Findings, *, table: Path | None = None, pattern: str | None = None
) -> People:
    """Who is in which film, by a table, else by a pattern, else each film by itself.

    Args:
        films: that are there.
        findings: where films are told that nobody is known in.
        table: a CSV with the columns `COLUMNS`, a row per film and subject, or per stretch of these.
        pattern: regular expression of a subject in a film's name; its first group, or all of it, is the subject.

    Raises:
        DatasetError: if the table cannot be read, or contradicts itself.
        OptionsError: if the pattern is none.
    """
    if table is not None:
        people = People(_by_film(_read(table), films, table, findings))
        missing = [name for name in films.names if name not in people.by_film]
        for name in missing:
            findings.warn("film that the table of people does not list", "dropped", 1, "sequence", name)
        return people
    if pattern is None:
        return People(
            {name: [CodedPerson(name, as_subject(str(PurePosixPath(name).with_suffix(""))))] for name in films.names},
            is_known=False,
        )
    try:
        shape = re.compile(pattern)
    except re.error as error:
        raise OptionsError(f"`person_pattern` is {pattern!r}, which is no regular expression: {error}") from None
    found: dict[str, list[CodedPerson]] = {}
    for name in films.names:
        match = shape.search(name)
        who = "" if match is None else match.group(1 if shape.groups else 0) or ""
        if as_subject(who):
            found[name] = [CodedPerson(name, as_subject(who))]
        else:
            findings.warn("film in whose name person_pattern finds nobody", "dropped", 1, "sequence", name)
    return People(found)


def as_subject(text: str) -> str:
    """A subject's name as it stands in lists of folds: without blanks."""
    return "_".join(text.replace("/", "_").split())


def _read(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Number and cells of every row, by what the columns mean.

    Raises:
        DatasetError: if it cannot be read, or a column is lacking.
    """
    try:
        text = decode(table.read_bytes(), table)
    except OSError as error:
        raise DatasetError(
            f"{table} cannot be read ({error.strerror}); `people` is a CSV with the columns {COLUMNS}"
        ) from None
    rows = table_rows(text, table, ragged=True)
    header = next(rows)
    columns: dict[str, int] = {}
    for i, cell in enumerate(header):
        word = cell.strip().casefold()
        role = word if word in _OWN_WORDS else role_of(cell)
        if role in (*_OWN_WORDS, *_ROLES):
            if role in columns:
                raise DatasetError(
                    f"{table} has two columns of {role}, {shown(header[columns[role]])} and {shown(cell)}"
                )
            columns[role] = i
    for needed in ("video", "subject"):
        if needed not in columns:
            there = shown(", ".join(header))
            raise DatasetError(f"{table} has no column {needed}, but {there}; `people` has the columns {COLUMNS}")
    return [(n, {name: row[i] for name, i in columns.items()}) for n, row in enumerate(rows, start=2)]


def _by_film(
    rows: Sequence[tuple[int, dict[str, str]]], films: FilmNames, table: Path, findings: Findings
) -> dict[str, list[CodedPerson]]:
    found: dict[str, dict[str, CodedPerson]] = {}
    for number, cells in rows:
        where = f"row {number} of {table}"
        subject = as_subject(cells["subject"])
        if not cells["video"] or not subject:
            raise DatasetError(f"{where} lacks the {'subject' if cells['video'] else 'video'}")
        fitting = films.fitting(cells["video"])
        if len(fitting) > 1:
            raise DatasetError(f"{where} names {cells['video']}, which fits {several(fitting)}; write one")
        if not fitting:
            findings.warn(
                "film of the table of people that is not there", "ignored", 1, "sequence", cells["video"], where
            )
            continue
        person = CodedPerson(
            fitting[0], subject, cells.get("codes", ""), cells.get("coded_as", ""), _side(cells, where),
            _stretch(cells, where),
        )  # fmt: skip
        known = found.setdefault(fitting[0], {}).get(subject)
        if known is not None:
            same = (known.codes, known.coded_as, known.side) == (person.codes, person.coded_as, person.side)
            if not same or not known.stretches_s or not person.stretches_s:
                raise DatasetError(
                    f"{where} lists {subject} in {fitting[0]} a second time, and not for another stretch"
                )
            stretches = (*known.stretches_s, *person.stretches_s)
            person = CodedPerson(person.film, subject, person.codes, person.coded_as, person.side, stretches)
        found[fitting[0]][subject] = person
    return {film: list(people.values()) for film, people in found.items()}


def _side(cells: dict[str, str], where: str) -> Side | None:
    text = cells.get("face", "").casefold()
    if text in get_args(Side):
        return text  # type: ignore[return-value]
    if text not in ("", "largest"):
        raise DatasetError(f"{where} has the face {shown(text)!r}; allowed are left, right and largest")
    return None


def _stretch(cells: dict[str, str], where: str) -> tuple[tuple[float, float], ...]:
    texts = cells.get("start", ""), cells.get("end", "")
    if not any(texts):
        return ()
    begin, end = (read_time(text) if text else None for text in texts)
    if (texts[0] and (begin is None or begin.frames is not None)) or (
        texts[1] and (end is None or end.frames is not None)
    ):
        raise DatasetError(f"{where} was coded from {texts[0]!r} to {texts[1]!r}; write times as 90 or 1:30")
    span = (begin.seconds if begin else 0.0, end.seconds if end else float("inf"))
    if not span[0] < span[1]:
        raise DatasetError(f"{where} was coded from {texts[0]} to {texts[1]}; it must end after it begins")
    return (span,)
