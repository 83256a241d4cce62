"""Excel workbooks: a sheet of the table's columns, and one that says what they mean. The only door to XlsxWriter.

Source: Microsoft, "Excel specifications and limits": a sheet has 1,048,576 rows, the header is one of them.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aucli.errors import TableError
from aucli.results.exports.columns import column_label, flat_rows, in_double
from aucli.results.exports.target import Content, ExportTarget

MOST_ROWS: Final = 1_048_576 - 1
_CREATED: Final = datetime(1980, 1, 1)
"""Of every workbook: the same table gives the same bytes."""
_CHUNK_ROWS: Final = 4096


def write_xlsx(content: Content, temporary: Path, place: Path) -> None:
    """Write one workbook. Rows go to the disk as they come: memory does not grow with them.

    Raises:
        TableError: if it cannot be written.
    """
    from xlsxwriter.exceptions import XlsxWriterException

    try:
        with TemporaryDirectory(
            ignore_cleanup_errors=True
        ) as folder:  # of rows on their way: gone also after a failure
            _write(content, temporary, folder)
    except XlsxWriterException as error:
        raise TableError(f"{place} cannot be written: {error}") from error


def _write(content: Content, temporary: Path, folder: str) -> None:
    import xlsxwriter

    rows = in_double(flat_rows(content))
    # Else a video called =A1 or http://a would become a formula or a link.
    plain = dict.fromkeys(("strings_to_numbers", "strings_to_formulas", "strings_to_urls"), False)
    with xlsxwriter.Workbook(temporary, {"constant_memory": True, "tmpdir": folder, **plain}) as book:
        book.set_properties({"title": "Facial action units", "comments": content.made_by, "created": _CREATED})
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet("frames")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, rows.columns, bold)
        for at in range(0, rows.height, _CHUNK_ROWS):
            for number, row in enumerate(rows[at : at + _CHUNK_ROWS].iter_rows(), start=at + 1):
                for column, value in enumerate(row):
                    if value is None:
                        continue
                    if isinstance(value, str):
                        sheet.write_string(number, column, value)
                    else:
                        sheet.write_number(number, column, value)
        meanings = book.add_worksheet("columns")
        meanings.write_row(0, 0, ["column", "meaning"], bold)
        for number, name in enumerate(rows.columns, start=1):
            meanings.write_row(number, 0, [name, column_label(name)])


TARGET: Final = ExportTarget("xlsx", ".xlsx", False, False, ("xlsxwriter",), MOST_ROWS, write_xlsx)
