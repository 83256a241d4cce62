"""ELAN's "Export as tab-delimited text", and the same as comma-separated text.

Source: ELAN manual (Max Planck Institute for Psycholinguistics), section "Tab-delimited text file", and ELAN's
exporter. Times come in up to four formats (hh:mm:ss.ms, ss.msec, msec, PAL / PAL-50 / NTSC timecode). With a column per
tier there is a header of ``Begin Time - ss.msec`` ... and tier names, in the language of the program (``Anfangszeit -
msec``); without, there is no header, and a row is tier, participant, begin, end, duration and value, each line perhaps
with the name of its .eaf at the end. Lines that start with ``"#`` name the media or the .eaf of the lines below.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aucli.errors import TableError
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.film_names import media_link
from aucli.human_codes.headers import role_of
from aucli.human_codes.names import plain_words
from aucli.human_codes.text import delimiter_of, shown, split_cells
from aucli.human_codes.times import CodedTime, Unit, read_time
from aucli.human_codes.values import CodeOptions, Codes

_FORMATS: Final[dict[str, Unit]] = {
    "ss msec": "s", "msec": "ms", "hh mm ss ms": "s", "pal": "pal", "pal 50": "pal50", "pal50": "pal50", "ntsc": "ntsc",
    "hh mm ss ff": "timecode", "": "s",
}  # fmt: skip
"""What stands behind the dash of a header of times, in order of preference: exact times before frames."""
_SHAPES: Final[tuple[tuple[str, Unit], ...]] = (
    (r"\d{1,2}:\d{2}:\d{2}[.,]\d{1,3}", "s"),
    (r"\d+[.,]\d{1,3}", "s"),
    (r"\d+", "ms"),
    (r"\d{1,2}:\d{2}:\d{2}[:;]\d{2}", "timecode"),
)
_TIER_WORDS: Final = frozenset({"tier", "ebene", "zeile", "acteur"})
_FILE_WORDS: Final = frozenset({"file", "file name", "file path", "datei", "dateiname", "dateipfad", "fichier"})


def read_elan(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read an export with or without header, one value per film or .eaf.

    Raises:
        TableError: if times are lacking or cannot be told apart, or nothing is an action unit.
        OptionsError: if several participants are in it and none was chosen.
    """
    rows = list(_rows_of(file))
    if not rows:
        raise TableError(f"{file.source} holds no annotations")
    collector = Collector(file, options)
    if _is_header(rows[0].cells):
        _read_with_header(rows[0].cells, rows[1:], collector)
    else:
        _read_without_header(rows, collector)
    for offset in sorted({row.offset_ms for row in rows if row.offset_ms}):
        collector.note(
            f"ELAN's film has an offset of {offset} ms, which the export may hold or not; `shift_s` moves the codes"
        )
    return collector.finish()


class _Row(NamedTuple):
    """Cells of one line, and the film or .eaf that the last comment named."""

    line: int
    cells: list[str]
    video: str | None
    offset_ms: int = 0


def _rows_of(file: CodeFile) -> Iterator[_Row]:
    lines = file.text.split("\n")
    plain = next((line for line in lines if line.strip() and not _is_comment(line)), "")
    delimiter = delimiter_of(plain)
    document, film, offset, was_comment = None, None, 0, False
    for number, line in enumerate(lines, start=1):
        if not line.strip(delimiter + " "):
            continue
        if _is_comment(line):
            if not was_comment:
                document, film, offset = None, None, 0
            was_comment = True
            name, _, rest = line.strip(delimiter + ' "').lstrip("#").partition(" -- ")
            if name.casefold().endswith(".eaf"):
                document = media_link(name)
            elif film is None and media_link(name):
                said = re.search(r"offset:\s*(\d{1,9})", rest, re.ASCII)
                film, offset = media_link(name), int(said.group(1)) if said else 0
            continue
        was_comment = False
        try:
            yield _Row(number, split_cells(line, delimiter), film or document, offset)
        except csv.Error as error:
            raise TableError(f"line {number} of {file.source} is damaged: {error}") from None


def _is_comment(line: str) -> bool:
    return line.startswith(('"#', "#"))


def _is_header(cells: Sequence[str]) -> bool:
    roles = {role_of(cell) for cell in cells}
    return "start" in roles or "end" in roles


def _read_with_header(header: list[str], rows: list[_Row], collector: Collector) -> None:
    """A column per tier, or tier and value in columns of their own."""
    source = collector.file.source
    roles = [role_of(cell) for cell in header]
    words = [plain_words(cell) for cell in header]
    begin, begin_unit = _time_column(header, roles.index("start") if "start" in roles else None, source)
    end, end_unit = _time_column(header, roles.index("end") if "end" in roles else None, source)
    tier_at = next((i for i, word in enumerate(words) if word in _TIER_WORDS), None)
    file_at = next((i for i, word in enumerate(words) if word in _FILE_WORDS), None)
    subject_at = words.index("participant") if "participant" in words else None
    coder_at = words.index("annotator") if "annotator" in words else None
    taken = {tier_at, file_at, subject_at, coder_at}
    values = [
        i for i, role in enumerate(roles)
        if i not in taken and header[i] and not (role in ("start", "end", "duration") and _is_time(header[i]))
    ]  # fmt: skip
    if not values:
        raise TableError(f"{source} has times and no annotations; its header is {shown(', '.join(header))}")
    for row in rows:
        cells = row.cells + [""] * (len(header) - len(row.cells))
        span = (_time(cells[begin], begin_unit, source), _time(cells[end], end_unit, source))
        video = (media_link(cells[file_at]) or row.video) if file_at is not None else row.video
        subject = cells[subject_at] if subject_at is not None else ""
        coder = cells[coder_at] if coder_at is not None else ""
        collector.expect(video)
        if tier_at is not None:
            named = [(cells[tier_at], cells[values[-1]])]
        elif len(values) == 1:
            named = [(header[values[0]], cells[values[0]])]
        else:
            # An empty cell of a tier is no annotation on it.
            named = [(header[i], cells[i]) for i in values if cells[i]]
            if not named:
                raise TableError(
                    f"line {row.line} of {source} has times and no value: an annotation without text, whose tier ELAN "
                    "does not tell here; take the .eaf itself, or export a row per annotation"
                )
        for name, value in named:
            collector.add(CodedEvent(video, name, _without_id(value), *span, subject, coder))


def _is_time(cell: str) -> bool:
    return plain_words(cell.rpartition(" - ")[2] if " - " in cell else "") in _FORMATS


def _time_column(header: Sequence[str], first: int | None, source: Path) -> tuple[int, Unit]:
    """The column of a time in the format that needs least interpretation."""
    if first is None:
        raise TableError(f"{source} lacks begin or end times; export both")
    role = role_of(header[first])
    formats = {
        i: plain_words(cell.rpartition(" - ")[2] if " - " in cell else "")
        for i, cell in enumerate(header)
        if role_of(cell) == role
    }
    for known, unit in _FORMATS.items():
        for i, word in formats.items():
            if word == known:
                return i, unit
    raise TableError(
        f"{source} gives times as {shown(header[first])!r}; known formats are hh:mm:ss.ms, ss.msec, msec, PAL, "
        "PAL-50 and NTSC: export the begin and end times in one of these"
    )


def _time(cell: str, unit: Unit, source: Path) -> CodedTime:
    time = read_time(cell, unit)
    if time is None:
        raise TableError(f"{source} has the time {shown(cell)!r}; expected seconds, hh:mm:ss.ms or a timecode")
    return time


def _without_id(value: str) -> str:
    """ELAN may write an annotation's number behind its value: ``C [a17]``."""
    return re.sub(r"\s*\[a\d+\]$", "", value, flags=re.ASCII)


def _read_without_header(rows: list[_Row], collector: Collector) -> None:
    """Tier, participant, begin, end, duration, value: told apart by the shape of the cells."""
    source = collector.file.source
    times = time_columns([row.cells for row in rows])
    if times is None:
        raise TableError(
            f"{source} has no begin and end times that can be told apart; export it with a column per tier"
        )
    begin, end, unit, last = times
    for row in rows:
        cells = row.cells
        if len(cells) <= end:
            raise TableError(f"line {row.line} of {source} has {len(cells)} cells; others have {len(rows[0].cells)}")
        value = cells[last + 1] if len(cells) > last + 1 else ""
        document = next((cell for cell in cells[last + 2 :] if cell.casefold().endswith(".eaf")), None)
        collector.add(
            CodedEvent(
                media_link(document) if document else row.video, cells[0], _without_id(value),
                _time(cells[begin], unit, source), _time(cells[end], unit, source),
                subject=cells[1] if begin > 1 else "",
            )
        )  # fmt: skip


def time_columns(rows: list[list[str]]) -> tuple[int, int, Unit, int] | None:
    """Begin and end column of rows without header, their unit, and the last column of any time.

    The first column is the tier. Formats in order of preference: hh:mm:ss.mmm, ss.mmm, whole milliseconds, timecode.
    Columns that say begin, end or duration again in another format are recognised by their values.
    """
    if not rows or len(rows[0]) < 3:
        return None
    for shape, unit in _SHAPES:
        fitting = [
            i
            for i in range(1, len(rows[0]))
            if all(i < len(row) and re.fullmatch(shape, row[i], re.ASCII) for row in rows)
        ]
        if len(fitting) < 2:
            continue
        begin, end = fitting[:2]
        starts, ends = _seconds(rows, begin, unit), _seconds(rows, end, unit)
        if (ends < starts).any():
            return None
        known = (starts, ends, ends - starts)
        timed = [i for i in range(end + 1, len(rows[0])) if _says_again(rows, i, known)]
        return begin, end, unit, max([end, *timed])
    return None


def _seconds(rows: list[list[str]], i: int, unit: Unit) -> npt.NDArray[np.float64]:
    times = [read_time(row[i], unit) if i < len(row) else None for row in rows]
    return np.array([np.nan if time is None else time.seconds + (time.frames or 0) / 100 for time in times])


def _says_again(rows: list[list[str]], i: int, known: Sequence[npt.NDArray[np.float64]]) -> bool:
    """Whether a column holds known times, in seconds, milliseconds or as a timecode."""
    if all(i < len(row) and re.fullmatch(_SHAPES[-1][0], row[i], re.ASCII) for row in rows):
        return True
    return any(
        np.allclose(_seconds(rows, i, unit), times, atol=0.0021, rtol=0) for times in known for unit in ("s", "ms")
    )  # fmt: skip


def _recognises(file: CodeFile) -> bool:
    lines = [line for line in file.first_lines if not _is_comment(line)]
    if not lines:
        return False
    delimiter = delimiter_of(lines[0])
    try:
        rows = [split_cells(line, delimiter) for line in lines[:10]]
    except csv.Error:
        return False
    if _is_header(rows[0]):
        roles = {role_of(cell) for cell in rows[0]}
        dashes = [cell for cell in rows[0] if role_of(cell) in ("start", "end") and " - " in cell]
        return bool(dashes) or ("label" not in roles and {"start", "end"} <= roles)
    return time_columns(rows) is not None


PROGRAM: Final = CodingProgram("elan", "ELAN tab-delimited text", _recognises, read_elan)
