"""Plain tables of human codes: one row per frame, one column per action unit; as text or as Parquet.

A column ``AU12`` holds occurrences (1 and 0) or intensities (0 to 5, A to E); ``AU12_intensity`` holds intensities
beside the occurrences of ``AU12``. The label table of `aucli synth` and a table of annotate are such tables too:
``person`` or ``face`` tells faces of one frame apart, ``landmarks`` or ``x, y, w, h`` say where each is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, SubjectNotCodedError, TableError
from aucli.facs import AU_NAMES
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.headers import columns_by_role, unit_of
from aucli.human_codes.names import GRADES, MAX_GRADE, MISSING, AuCode, Side, codes_of_name
from aucli.human_codes.text import header_of, number, shown, table_rows, whole_number
from aucli.human_codes.times import read_time, timecode_seconds
from aucli.human_codes.values import CodedFrames, CodeOptions, Codes

_BARE_NUMBER = re.compile(r"0*(\d{1,2})", re.ASCII)
_BINARY = re.compile(r"(AU[ _-]?0*\d{1,2})_(?:c|occurrence)")
_GRADED = re.compile(r"(AU[ _-]?0*\d{1,2})_(?:r|intensity|int)")
_NOT_CODES = re.compile(r"AU[ _-]?0*\d{1,2}_(?:p|asymmetry|probability)", re.IGNORECASE)
_EMPTY_WORDS: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})
_TRUE_WORDS: Final = {"true": 1.0, "yes": 1.0, "y": 1.0, "x": 1.0, "oui": 1.0, "ja": 1.0}
_FALSE_WORDS: Final = {"false": 0.0, "no": 0.0, "n": 0.0, "non": 0.0, "nein": 0.0}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AuColumns:
    """Where the codes of each action unit stand.

    Attributes:
        coded: column by AU: occurrences, or intensities.
        graded: column of intensities by AU, beside or in place of `coded`.
        one_sided: columns of one side of the face, by AU.
    """

    coded: Mapping[int, int]
    graded: Mapping[int, int]
    one_sided: Mapping[int, Sequence[tuple[Side, int]]]

    def needed(self) -> list[int]:
        """Every column that holds codes."""
        return sorted(
            {*self.coded.values(), *self.graded.values(), *(i for s in self.one_sided.values() for _, i in s)}
        )


def find_au_columns(header: Sequence[str], taken: set[int], source: Path, options: CodeOptions) -> AuColumns:
    """Tell the columns of action units by their names.

    Raises:
        TableError: if there are none, or two for one AU.
    """
    coded: dict[int, int] = {}
    graded: dict[int, int] = {}
    one_sided: dict[int, list[tuple[Side, int]]] = {}
    for i, cell in enumerate(header):
        said, au = options.meaning(cell)
        if i in taken or (said and au is None) or (not said and _NOT_CODES.fullmatch(cell)):
            continue
        into, name = coded, cell
        for pattern, place in ((_BINARY, coded), (_GRADED, graded)):
            match = pattern.fullmatch(cell)
            if match and not said:
                into, name = place, match.group(1)
        code = AuCode(au) if au is not None else _code_of(name)
        if code is None:
            continue
        if code.side:
            one_sided.setdefault(code.au, []).append((code.side, i))
            continue
        if code.au in into:
            raise TableError(
                f"{source} has two columns for AU{code.au}: {shown(header[into[code.au]])} and {shown(cell)}"
            )
        into[code.au] = i
    if not coded and not graded and not (one_sided and options.one_sided == "count"):
        if one_sided:
            raise TableError(f"{source} codes action units on one side only; count them with `one_sided`")
        raise TableError(
            f"{source} has no AU columns; its header is {shown(', '.join(header))}; say which with `names`"
        )
    return AuColumns(coded, graded, one_sided)


def _code_of(name: str) -> AuCode | None:
    bare = _BARE_NUMBER.fullmatch(name)
    if bare is not None:
        return AuCode(int(bare.group(1))) if int(bare.group(1)) in AU_NAMES else None
    codes = codes_of_name(name)
    return codes[0] if len(codes) == 1 else None


def label_rows(
    columns: AuColumns, values: Mapping[int, Floats], source: Path, options: CodeOptions
) -> tuple[tuple[int, ...], npt.NDArray[np.int8], Floats | None, tuple[str, ...]]:
    """Codes of K rows from their columns.

    Args:
        columns: which column holds what.
        values: (K,) float64 by column: 0 to 5, NaN missing.
        source: for notes.
        options: from which intensity an AU is present, and whether one-sided codes count.

    Returns:
        (A) action units; (K, A) labels 1, 0, -1; (K, A) intensities, None if there are none; notes.
    """
    count = options.one_sided == "count"
    aus = sorted({*columns.coded, *columns.graded, *(columns.one_sided if count else ())})
    rows = len(next(iter(values.values())))
    is_graded = any((values[i] > 1).any() for i in columns.coded.values())
    labels = np.full((rows, len(aus)), MISSING, dtype=np.int8)
    grades = np.full((rows, len(aus)), np.nan)
    for a, au in enumerate(aus):
        strength = values[columns.graded[au]] if au in columns.graded else None
        said = values[columns.coded[au]] if au in columns.coded else strength
        if strength is None and said is not None and is_graded:
            strength = said
        sides = np.array([values[i] for _, i in columns.one_sided.get(au, ())])
        if said is None:
            said = strength = _strongest(sides)
        assert said is not None
        known = ~np.isnan(said)
        labels[known, a] = said[known] > 0
        if strength is not None:
            grades[:, a] = strength
            if options.min_intensity > 1 or au not in columns.coded or is_graded:
                labels[known, a] = np.nan_to_num(strength[known]) >= options.min_intensity
        if len(sides) and au in (*columns.coded, *columns.graded):
            seen = (np.nan_to_num(sides) >= (options.min_intensity if is_graded else 1)).any(axis=0) & (
                labels[:, a] == 0
            )
            labels[seen, a] = 1 if count else MISSING
    notes = _notes(columns, is_graded, source, options)
    return tuple(aus), labels, grades if is_graded or columns.graded else None, notes


def _strongest(sides: Floats) -> Floats:
    known = ~np.isnan(sides).all(axis=0)
    strongest: Floats = np.where(known, np.nan_to_num(sides, nan=-1.0).max(axis=0), np.nan)
    return strongest


def _notes(columns: AuColumns, is_graded: bool, source: Path, options: CodeOptions) -> tuple[str, ...]:
    notes = []
    if columns.one_sided:
        named = ", ".join(
            f"AU{au}{side[0].upper()}" for au, sides in sorted(columns.one_sided.items()) for side, _ in sides
        )
        done = "count as present" if options.one_sided == "count" else "are left out; count them with `one_sided`"
        notes.append(f"{source.name}: codes of one side of the face {done}: {named}")
    if options.min_intensity > 1 and not is_graded and not columns.graded:
        notes.append(f"{source.name}: the codes have no intensity; they count as present whatever `min_intensity` is")
    return tuple(notes)


def read_frames(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read a table with ``frame`` or ``time_s``, AU columns, and perhaps ``video``; one value per film and subject.

    Raises:
        TableError: if a column is lacking or doubled, a frame occurs twice, or a code is unknown.
        OptionsError: if a frame rate is needed.
    """
    source = file.source
    rows = table_rows(file.text, source)
    header = next(rows)
    at = columns_by_role(header)
    if "frame" not in at and "time" not in at:
        raise TableError(f"{source} has no column frame or time_s; its header is {shown(', '.join(header))}")
    columns = find_au_columns(header, set(at.values()), source, options)
    needed = columns.needed()
    groups: dict[tuple[str | None, str], _Rows] = {}
    for row in rows:
        key = (row[at["video"]] or None if "video" in at else None, row[at["subject"]] if "subject" in at else "")
        group = groups.setdefault(key, _Rows([], [], {i: [] for i in needed}))
        if "frame" in at:
            group.frame.append(whole_number(row[at["frame"]], source, "frame"))
        if "time" in at:
            group.time_s.append(_seconds(row[at["time"]], header[at["time"]], file, key[0], options))
        for i in needed:
            group.values[i].append(cell_value(row[i], header[i], source, options))
    if not groups:
        raise TableError(f"{source} has a header and no rows")
    return chosen_subjects([
        _coded_frames(file, video, subject, group, columns, options) for (video, subject), group in groups.items()
    ], source, options)  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """Rows of one film and subject: frame numbers, times, and values by column."""

    frame: list[int]
    time_s: list[float]
    values: dict[int, list[float]]


def _coded_frames(
    file: CodeFile, video: str | None, subject: str, rows: _Rows, columns: AuColumns, options: CodeOptions
) -> CodedFrames:
    values = {i: np.array(column, np.float64) for i, column in rows.values.items()}
    aus, labels, grades, notes = label_rows(columns, values, file.source, options)
    return CodedFrames(
        source=file.source,
        video=video,
        subject=subject or None,
        coded_aus=aus,
        labels=labels,
        grades=grades,
        frame=based_frames(np.array(rows.frame, np.int64), file.source, options) if rows.frame else None,
        time_s=np.array(rows.time_s) + options.shift_s if rows.time_s else None,
        notes=notes,
    )


def chosen_subjects(codes: Sequence[CodedFrames], source: Path, options: CodeOptions) -> list[Codes]:
    """All subjects of a table, or the one that was chosen.

    Raises:
        OptionsError: if the chosen one is not there.
    """
    if options.subject is None:
        return list(codes)
    found: list[Codes] = [one for one in codes if one.subject == options.subject]
    if not found:
        there = ", ".join(sorted({shown(one.subject) for one in codes if one.subject})[:12]) or "none"
        raise SubjectNotCodedError(f"{source} has no subject {options.subject!r} (`subject`); it holds {there}")
    return found


def based_frames(frame: npt.NDArray[np.int64], source: Path, options: CodeOptions) -> npt.NDArray[np.int64]:
    """Frame numbers from 0.

    Raises:
        TableError: if one is below the first.
    """
    based: npt.NDArray[np.int64] = frame - options.frame_base
    if (based < 0).any():
        raise TableError(f"{source} has the frame {int(frame.min())}, below `frame_base` {options.frame_base}")
    return based


def cell_value(cell: str, header: str, source: Path, options: CodeOptions) -> float:
    """A cell of codes as 0 to 5; NaN for missing.

    Raises:
        TableError: if it is none of the allowed.
    """
    word = cell.casefold()
    if word in _EMPTY_WORDS:
        return np.nan
    known = _TRUE_WORDS.get(word, _FALSE_WORDS.get(word, GRADES.get(word)))
    value = number(word) if known is None else float(known)
    if value in options.missing_codes:
        return np.nan
    if 0 <= value <= MAX_GRADE and (value == int(value) or _GRADED.fullmatch(header)):
        return value
    raise TableError(
        f"{source} has {shown(cell)!r} for {shown(header)}; allowed are 0, 1, an intensity 0 to 5 or A to E, an empty "
        f"cell and {', '.join(map(str, sorted(options.missing_codes)))} for missing"
    )


def _seconds(cell: str, header: str, file: CodeFile, video: str | None, options: CodeOptions) -> float:
    unit = unit_of(header)
    time = read_time(cell, "s" if unit == "frame" else unit)
    if time is None:
        raise TableError(f"{file.source} has the time {shown(cell)!r}; expected seconds, hh:mm:ss.ms or a timecode")
    if time.frames is not None and time.rate is None:
        time = time._replace(rate=options.frame_rate or file.film_rate(video))
    try:
        return timecode_seconds(time)
    except (OptionsError, TableError) as error:
        raise type(error)(f"{file.source}: {error}") from None


def _recognises(file: CodeFile) -> bool:
    roles: set[str | Literal["frame"]] = set(columns_by_role(header_of("\n".join(file.first_lines[:2]))))
    return bool(roles & {"frame", "time"})


PROGRAM: Final = CodingProgram(
    "frames", "a table with a frame or time_s column and AU columns", _recognises, read_frames
)
