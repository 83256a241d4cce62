"""Datavyu's exports.

Sources: ``ExportDatabaseFileC`` in databrary/datavyu, for File > Export (``exportAsCells``): ``name.ordinal``,
``name.onset``, ``name.offset`` and ``name.<code>`` side by side for every column, times in milliseconds, each column as
long as it has cells; and for the ``#4`` form of older files (``exportAsCSV``). The R package datavyur
(iamamutt/datavyur) writes ``file, column, onset, offset, ordinal`` and codes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from aucli.errors import TableError
from aucli.human_codes.collector import Collector
from aucli.human_codes.names import aus_of_name
from aucli.human_codes.text import clock_seconds, seconds, split_table, whole_number
from aucli.human_codes.values import CodeOptions, Codes


def read_datavyu(source: Path, text: str, options: CodeOptions) -> list[Codes]:
    """Read any of the three forms, one value per video.

    Raises:
        TableError: if a cell has no times, or nothing is an action unit.
    """
    if text.startswith("#4"):
        return _read_datavyu_4(source, text, options)
    header, rows = split_table(text, source, ragged=True)
    collector = Collector(source, options)
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
    columns = [cell.removesuffix(".onset") for cell in header if cell.endswith(".onset")]
    collector.rows.setdefault(None, [])
    for column in columns:
        if f"{column}.offset" not in header:
            raise TableError(f"{source} has {column}.onset and no {column}.offset")
        onset, offset = header.index(f"{column}.onset"), header.index(f"{column}.offset")
        codes = [i for i, cell in enumerate(header) if cell.startswith(f"{column}.") and i > offset]
        for row in rows:
            # Columns have different numbers of cells, so the shorter ones end in blanks.
            if row[onset].strip():
                span = (_milliseconds(row[onset], source), _milliseconds(row[offset], source))
                fields = {header[i].removeprefix(f"{column}."): row[i] for i in codes}
                _add_cell(collector, None, column, fields, span)
    return collector.finish()


def _read_datavyu_4(source: Path, text: str, options: CodeOptions) -> list[Codes]:
    """``name (MATRIX,true,)-code01|NOMINAL,...`` followed by ``00:00:01:000,00:00:02:000,(y)`` lines."""
    collector = Collector(source, options)
    collector.rows.setdefault(None, [])
    column, fields = None, [""]
    for number, line in enumerate(text.split("\n")[1:], start=2):
        if not line.strip():
            continue
        cell = re.fullmatch(r"(\d+:\d\d:\d\d:\d{3}),(\d+:\d\d:\d\d:\d{3}),(.*)", line)
        if cell is None:
            head = re.fullmatch(r"(.+?) \((\w+),[^)]*\)(?:-(.*))?", line)
            if head is None:
                raise TableError(f"line {number} of {source} is neither a column nor a cell of Datavyu: {line!r}")
            column = head.group(1)
            fields = [part.partition("|")[0] for part in head.group(3).split(",")] if head.group(3) else ["value"]
        elif column is None:
            raise TableError(f"line {number} of {source} is a cell before any column")
        else:
            values = next(csv.reader([cell.group(3).strip("()")]), [])
            onset, offset = (clock_seconds(cell.group(i)[:-4] + "." + cell.group(i)[-3:]) for i in (1, 2))
            _add_cell(collector, None, column, dict(zip(fields, values, strict=False)), (onset, offset))
    return collector.finish()


def _add_cell(
    collector: Collector, video: str | None, column: str, fields: Mapping[str, str], span: tuple[float, float]
) -> None:
    """One Datavyu cell: the column names the AU, or its codes do, or their values do."""
    options = collector.options
    named_column = options.meaning(column)[0] or options.marks_missing(column) or bool(aus_of_name(column))
    named_codes = {code: value for code, value in fields.items() if options.meaning(code)[0] or aus_of_name(code)}
    if named_column or not fields:
        collector.add(video, column, next(iter(fields.values()), ""), *span)
    elif named_codes:
        for code, value in named_codes.items():
            if value.strip():
                collector.add(video, code, value, *span)
    else:
        for value in fields.values():
            if value.strip():
                collector.add(video, column, value, *span)


def _milliseconds(cell: str, source: Path) -> float:
    """Datavyu's times: whole milliseconds, or ``hh:mm:ss:mmm``."""
    if cell.count(":") == 3:
        cell = ".".join(cell.rsplit(":", 1))
        return seconds(cell, source)
    return whole_number(cell, source, "time") / 1000
