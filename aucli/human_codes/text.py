"""Reading exports of coding programs: text, cells, numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aucli.errors import TableError

_SHOWN_CHARACTERS: Final = 60
_LARGEST: Final = 2**53


def decode(data: bytes, source: Path) -> str:
    """Bytes as text with plain line ends: UTF-8, UTF-16 with its mark, else Windows-1252, which old exports use.

    Raises:
        TableError: if it is no text.
    """
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    raise TableError(f"{source} is not text in UTF-8, UTF-16 or Windows-1252; export it again as CSV")


def shown(text: str) -> str:
    """A text from a file as it may stand in a message: short, on one line, without control characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text.strip())
    return clean if len(clean) <= _SHOWN_CHARACTERS else clean[: _SHOWN_CHARACTERS - 3] + "..."


def delimiter_of(line: str) -> str:
    """The most frequent of tab, semicolon and comma."""
    return max("\t;,", key=line.count)


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line, stripped. Between tabs a quotation mark is an ordinary character.

    Raises:
        csv.Error: if quotation marks do not pair, or a cell is endless.
    """
    if delimiter == "\t":
        return [cell.strip() for cell in line.split("\t")]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True), [])]


def header_of(text: str) -> list[str]:
    """Cells of the first line; [] if they cannot be told apart. Excel's line ``sep=;`` is passed over."""
    line = _without_separator_line(text)[0].partition("\n")[0]
    try:
        return split_cells(line, delimiter_of(line))
    except csv.Error:
        return []


def table_rows(text: str, source: Path, *, ragged: bool = False) -> Iterator[list[str]]:
    """The header, then every row that is not blank, as stripped cells.

    Args:
        text: of the whole file.
        source: for messages.
        ragged: fill short rows with blanks instead of refusing them.

    Raises:
        TableError: if there is no header, a row has another number of cells than that, or quotation marks do not pair.
    """
    text, delimiter = _without_separator_line(text)
    delimiter = delimiter or delimiter_of(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
    width = None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if width is None:
                width = len(row)
            elif not any(row):
                continue
            elif (len(row) > width and any(row[width:])) or (len(row) < width and not ragged):
                raise TableError(f"row {reader.line_num} of {source} has {len(row)} cells; the header has {width}")
            yield row[:width] + [""] * (width - len(row))
    except csv.Error as error:
        raise TableError(f"row {reader.line_num} of {source} is damaged: {error}") from None
    if width is None:
        raise TableError(f"{source} is empty")


def _without_separator_line(text: str) -> tuple[str, str]:
    first, _, rest = text.partition("\n")
    word = first.strip().strip('"')
    return (rest, word[4]) if word.lower().startswith("sep=") and len(word) == 5 else (text, "")


def number(cell: str) -> float:
    """A cell as a number, decimal point or comma; NaN if it is none."""
    try:
        return float(cell.replace(",", ".")) if cell.isascii() else math.nan
    except ValueError:
        return math.nan


def whole_number(cell: str, source: Path, what: str) -> int:
    """A cell as an integer.

    Raises:
        TableError: if it is none.
    """
    value = number(cell)
    if not math.isfinite(value) or value != int(value) or abs(value) > _LARGEST:
        raise TableError(f"{source} has the {what} {shown(cell)!r}; expected a whole number")
    return int(value)
