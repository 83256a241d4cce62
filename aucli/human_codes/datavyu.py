"""Datavyu: its spreadsheet files (.opf), its exports, and the tables of the R package datavyur.

Sources: ``ExportDatabaseFileC`` in databrary/datavyu, for File > Export (``exportAsCells``): ``name.ordinal``,
``name.onset``, ``name.offset`` and ``name.<code>`` side by side for every column, times in milliseconds, each column as
long as it has cells; and for the ``#4`` form (``exportAsCSV``), which is also the entry ``db`` of an .opf archive.
datavyur (iamamutt/datavyur) writes ``file, column, onset, offset, ordinal`` and codes.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aucli.errors import TableError
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.names import codes_of_name
from aucli.human_codes.text import decode, header_of, shown, table_rows
from aucli.human_codes.times import CodedTime, read_time
from aucli.human_codes.values import CodeOptions, Codes

MAX_DB_BYTES: Final = 256 * 2**20
"""A larger spreadsheet is damage or an attack: coders type a few kilobytes an hour."""

_Span = tuple[CodedTime, CodedTime]


def read_datavyu(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read any of the forms, one value per video.

    Raises:
        TableError: if the file is damaged, a cell has no times, or nothing is an action unit.
    """
    if _is_opf(file):
        return _read_datavyu_4(file, _db_of(file), options)
    if file.text.startswith("#4"):
        return _read_datavyu_4(file, file.text, options)
    source = file.source
    rows = table_rows(file.text, source, ragged=True)
    header = next(rows)
    collector = Collector(file, options)
    lower = [cell.casefold() for cell in header]
    if {"column", "onset", "offset"} <= set(lower):
        at = {name: lower.index(name) for name in ("column", "onset", "offset")}
        file_at = lower.index("file") if "file" in lower else None
        codes = [i for i, name in enumerate(lower) if name not in ("file", "column", "onset", "offset", "ordinal")]
        for row in rows:
            video = row[file_at] if file_at is not None else None
            span = (_milliseconds(row[at["onset"]], source), _milliseconds(row[at["offset"]], source))
            _add_cell(collector, video, row[at["column"]], {header[i]: row[i] for i in codes}, span)
        return collector.finish()
    collector.expect(None)
    cells = list(rows)
    for column in (cell.removesuffix(".onset") for cell in header if cell.endswith(".onset")):
        if f"{column}.offset" not in header:
            raise TableError(f"{source} has {shown(column)}.onset and no {shown(column)}.offset")
        onset, offset = header.index(f"{column}.onset"), header.index(f"{column}.offset")
        codes = [i for i, cell in enumerate(header) if cell.startswith(f"{column}.") and i > offset]
        for row in cells:
            # Columns have different numbers of cells, so the shorter ones end in blanks.
            if row[onset]:
                span = (_milliseconds(row[onset], source), _milliseconds(row[offset], source))
                fields = {header[i].removeprefix(f"{column}."): row[i] for i in codes}
                _add_cell(collector, None, column, fields, span)
    return collector.finish()


def _is_opf(file: CodeFile) -> bool:
    return file.head.startswith(b"PK\x03\x04")


def _db_of(file: CodeFile) -> str:
    """The spreadsheet inside an .opf archive."""
    source = file.source
    try:
        with zipfile.ZipFile(source) as archive:
            name = next((name for name in archive.namelist() if name == "db"), None)
            if name is None:
                raise TableError(f"{source} is an archive without a Datavyu spreadsheet (its entry db)")
            with archive.open(name) as entry:
                data = entry.read(MAX_DB_BYTES + 1)
    # zipfile raises NotImplementedError for a compression it does not know, RuntimeError for an encrypted entry.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise TableError(f"{source} is a damaged archive: {shown(str(error))}") from error
    if len(data) > MAX_DB_BYTES:
        raise TableError(f"{source} holds a spreadsheet of more than {MAX_DB_BYTES // 2**20} MiB; it is damaged")
    text = decode(data, source)
    if not text.startswith("#"):
        raise TableError(f"{source} is an archive without a Datavyu spreadsheet (its entry db)")
    return text


def _read_datavyu_4(file: CodeFile, text: str, options: CodeOptions) -> list[Codes]:
    """``name (MATRIX,true,)-code01|NOMINAL,...`` followed by ``00:00:01:000,00:00:02:000,(y)`` lines."""
    collector = Collector(file, options)
    collector.expect(None)
    column, fields = None, [""]
    for number, line in enumerate(text.split("\n")[1:], start=2):
        if not line.strip():
            continue
        cell = re.fullmatch(r"(\d+:\d\d:\d\d:\d{3}),(\d+:\d\d:\d\d:\d{3}),(.*)", line)
        if cell is None:
            head = re.fullmatch(r"([^(]{1,200}?) \((\w+),[^)]*\)(?:-(.*))?", line)
            if head is None:
                raise TableError(
                    f"line {number} of {file.source} is neither a column nor a cell of Datavyu: {shown(line)!r}"
                )
            column = head.group(1)
            fields = [part.partition("|")[0] for part in head.group(3).split(",")] if head.group(3) else ["value"]
        elif column is None:
            raise TableError(f"line {number} of {file.source} is a cell before any column")
        else:
            try:
                values = next(csv.reader([cell.group(3).strip("()")]), [])
            except csv.Error as error:
                raise TableError(f"line {number} of {file.source} is damaged: {error}") from None
            onset, offset = (_milliseconds(cell.group(i), file.source) for i in (1, 2))
            _add_cell(collector, None, column, dict(zip(fields, values, strict=False)), (onset, offset))
    return collector.finish()


def _add_cell(collector: Collector, video: str | None, column: str, fields: Mapping[str, str], span: _Span) -> None:
    """One Datavyu cell: the column names the AU, or its codes do, or their values do."""

    def add(name: str, value: str) -> None:
        collector.add(CodedEvent(video, name, value, *span))

    options = collector.options
    named_column = options.meaning(column)[0] or options.marks_missing(column) or bool(codes_of_name(column))
    named_codes = {code: value for code, value in fields.items() if options.meaning(code)[0] or codes_of_name(code)}
    if named_column or not fields:
        add(column, next(iter(fields.values()), ""))
    elif named_codes:
        for code, value in named_codes.items():
            if value.strip():
                add(code, value)
    else:
        for value in fields.values():
            if value.strip():
                add(column, value)


def _milliseconds(cell: str, source: Path) -> CodedTime:
    """Datavyu's times: whole milliseconds, or ``hh:mm:ss:mmm``."""
    time = read_time(cell, "ms")
    if time is None or time.frames is not None:
        raise TableError(f"{source} has the time {shown(cell)!r}; expected milliseconds or hh:mm:ss:mmm")
    return time


def _recognises(file: CodeFile) -> bool:
    if _is_opf(file):
        return True
    lines = file.first_lines
    if not lines:
        return False
    cells = {cell.casefold() for cell in header_of(lines[0])}
    return (
        lines[0].startswith("#4")
        or any(cell.endswith(".onset") for cell in cells)
        or {"column", "onset", "offset"} <= cells
    )


PROGRAM: Final = CodingProgram("datavyu", "a Datavyu spreadsheet (.opf) or its export", _recognises, read_datavyu)
