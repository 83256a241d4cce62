"""Reading delimited label files as integers, quickly and without guessing.

A CSV reader that renames repeated header cells, infers types or skips bad lines turns a broken label file into
plausible, wrong labels. Here the header is split by hand, every value must be a number, and a line of another width
is an error that names the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from aucli.datasets.label_values import Int8Array, Int32Array
from aucli.errors import DatasetError

AU_NAME: Final = re.compile(r"(?:AU|action ?unit)?[ _-]*0*(\d{1,2})", re.IGNORECASE)
"""``AU1``, ``AU01``, ``au_1``, ``1``."""

INT32_MAX: Final = 2**31 - 1


def read_text(path: Path) -> str:
    """A label file as text, without byte order mark, carriage returns and trailing blank lines.

    Raises:
        DatasetError: if it cannot be read or is not text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as text: {error}") from error


def split_header(text: str, delimiter: str | None = ",") -> tuple[list[str], str]:
    """The cells of the first line, stripped of blanks and quotes, and the remaining lines.

    Empty cells at its end are no columns: a spreadsheet adds them.
    """
    first, _, rest = text.partition("\n")
    cells = [cell.strip().strip('"').strip() for cell in first.split(delimiter)]
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return cells, rest


def without_added_cells(line: str, width: int, delimiter: str) -> str:
    """A line without the empty cells that a spreadsheet adds at its end."""
    while line.count(delimiter) >= width and not line.rpartition(delimiter)[2].strip():
        line = line.rpartition(delimiter)[0]
    return line


def parse_integers(body: str, width: int, path: Path, *, first_line: int = 2, delimiter: str = ",") -> Int32Array:
    """Lines of integers: (N, width) int32; no lines are (0, width).

    Args:
        body: the lines, without header.
        width: number of cells that every line must have, but for empty ones at its end.
        path: for the message.
        first_line: line number of the first line in the file, for the message.
        delimiter: one character.

    Raises:
        DatasetError: if a line has another number of cells, or a cell is not an integer.
    """
    if not body.strip():
        return np.empty((0, width), dtype=np.int32)
    lines = body.split("\n")
    if lines[0].count(delimiter) >= width:
        lines = [without_added_cells(line, width, delimiter) for line in lines]
        body = "\n".join(lines)
    for number, line in enumerate(lines, start=first_line):
        if line.count(delimiter) != width - 1:
            raise DatasetError(f"line {number} of {path} has {line.count(delimiter) + 1} cells; the header has {width}")
    import polars as pl  # here: folds are divided without it

    columns = [f"column {i}" for i in range(width)]
    frame = pl.read_csv(
        body.encode(), has_header=False, separator=delimiter, infer_schema=False, quote_char=None, new_columns=columns
    )
    values = frame.select(pl.all().str.strip_chars().cast(pl.Float64, strict=False)).to_numpy()
    wrong = np.argwhere(~((np.abs(values) <= INT32_MAX) & (values == np.floor(values))))
    if wrong.size:
        row, column = (int(i) for i in wrong[0])
        raise DatasetError(
            f"line {row + first_line} of {path} holds {frame[row, column]!r} in column {column}; expected an integer"
        )
    return values.astype(np.int32)


def au_numbers(cells: list[str]) -> list[int | None]:
    """The action unit that each header cell names, None where it names none."""
    matches = [AU_NAME.fullmatch(cell) for cell in cells]
    return [int(m.group(1)) if m else None for m in matches]


def codes_to_labels(codes: Int32Array, missing: frozenset[int], path: Path, aus: tuple[int, ...]) -> Int8Array:
    """Turn occurrence codes into labels: 1 and 0 stay, codes of `missing` become -1.

    Raises:
        DatasetError: on any other code; the message names the AU, the line and what is allowed.
    """
    is_missing = np.isin(codes, list(missing))
    wrong = np.argwhere(~is_missing & (codes != 0) & (codes != 1))
    if wrong.size:
        row, column = (int(i) for i in wrong[0])
        raise DatasetError(
            f"AU{aus[column]} has the code {codes[row, column]} in data row {row + 1} of {path}; allowed are 0, 1 and "
            f"{', '.join(map(str, sorted(missing)))} for missing"
        )
    return np.where(is_missing, -1, codes).astype(np.int8)
