"""Comma-separated text: the table's columns, plain in every locale.

UTF-8 without a mark, a comma between values, a point in numbers, no exponents, 1 and 0 for true and false, nothing at
all for what is missing, a line feed at the end of a line (RFC 4180 apart from that).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aucli.errors import TableError
from aucli.results.digits import meant_digits
from aucli.results.exports.columns import flat_rows
from aucli.results.exports.target import Content, ExportTarget

if TYPE_CHECKING:
    import polars


def write_csv(content: Content, temporary: Path, place: Path) -> None:
    """Write one file."""
    write_plain_csv(meant_digits(flat_rows(content)), temporary, place)


def write_plain_csv(rows: polars.DataFrame, temporary: Path, place: Path) -> None:
    """Write rows as the head of this file says.

    Raises:
        TableError: if they cannot be written.
    """
    from polars.exceptions import PolarsError

    try:
        rows.write_csv(temporary, float_scientific=False, null_value="", line_terminator="\n")
    except (OSError, PolarsError) as error:
        raise TableError(f"{place} cannot be written: {error}") from error


TARGET: Final = ExportTarget("csv", ".csv", False, False, (), None, write_csv)
