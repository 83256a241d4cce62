"""Reading exports of coding programs: text, cells, times."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from aucli.errors import TableError


def read_text(source: Path) -> str:
    """A text file in UTF-8 or UTF-16, with plain line ends.

    Raises:
        TableError: if it cannot be read or is not text.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise TableError(f"{source} cannot be read: {error.strerror or error}") from error
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    except UnicodeDecodeError as error:
        raise TableError(f"{source} is not text in UTF-8 or UTF-16; export it again as CSV") from error


def delimiter_of(line: str) -> str:
    """The most frequent of tab, semicolon and comma."""
    return max("\t;,", key=line.count)


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line, stripped. Between tabs a quotation mark is an ordinary character."""
    if delimiter == "\t":
        return [cell.strip() for cell in line.split("\t")]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def split_table(text: str, source: Path, *, ragged: bool = False) -> tuple[list[str], list[list[str]]]:
    """Header and rows; short rows are refused, or filled with blanks if `ragged`.

    Raises:
        TableError: if a row has another number of cells than the header.
    """
    delimiter = delimiter_of(text.partition("\n")[0])
    lines = [[cell.strip() for cell in row] for row in csv.reader(text.split("\n"), delimiter=delimiter)]
    header, rows = lines[0], [row for row in lines[1:] if any(row)]
    for number, row in enumerate(rows, start=2):
        if (len(row) > len(header) and any(row[len(header) :])) or (len(row) < len(header) and not ragged):
            raise TableError(f"row {number} of {source} has {len(row)} cells; the header has {len(header)}")
    return header, [row[: len(header)] + [""] * (len(header) - len(row)) for row in rows]


def whole_number(cell: str, source: Path, what: str) -> int:
    """A cell as an integer.

    Raises:
        TableError: if it is none.
    """
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value != int(value):
        raise TableError(f"{source} has the {what} {cell!r}; expected a whole number")
    return int(value)


def clock_seconds(cell: str) -> float:
    """Seconds of ``h:mm:ss.mmm``, ``mm:ss.mmm`` or a plain number, decimal comma or point; NaN if it is neither."""
    try:
        parts = [float(part) for part in cell.strip().replace(",", ".").split(":")]
    except ValueError:
        return math.nan
    return sum(part * 60**power for power, part in enumerate(reversed(parts))) if len(parts) <= 3 else math.nan


def seconds(cell: str, source: Path) -> float:
    """A cell as seconds.

    Raises:
        TableError: if it is no time.
    """
    value = clock_seconds(cell)
    if not math.isfinite(value):
        raise TableError(f"{source} has the time {cell!r}; expected seconds or hh:mm:ss.ms")
    return value
