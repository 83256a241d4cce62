"""Excel workbooks: a sheet of the table's columns, and one that says what they mean. The only door to XlsxWriter.

XlsxWriter makes the book and the head of each sheet; the rows, of which there may be a million of 60 columns, are put
behind the head as text that polars makes: cell by cell they take five times as long.

Sources: Microsoft, "Excel specifications and limits": a sheet has 1,048,576 rows, the header is one of them. ECMA-376,
part 1, 18.3.1: rows and cells of a sheet; 22.9.2.19: how characters that XML cannot hold are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from aucli.errors import TableError
from aucli.results.digits import meant_digits
from aucli.results.exports.columns import column_label, flat_rows
from aucli.results.exports.target import Content, ExportTarget

if TYPE_CHECKING:
    import polars

MOST_ROWS: Final = 1_048_576 - 1
_CREATED: Final = datetime(1980, 1, 1)
"""Of every workbook: the same table gives the same bytes."""
_CHUNK_ROWS: Final = 10_000
_SHEET: Final = "xl/worksheets/sheet1.xml"
_COMPRESSION: Final = 1
"""Of zlib: with 6 the file is a tenth smaller, and most of the time is spent on it."""


def write_xlsx(content: Content, temporary: Path, place: Path) -> None:
    """Write one workbook. Rows go to the disk as they come: memory does not grow with them.

    Raises:
        TableError: if it cannot be written.
    """
    from xlsxwriter.exceptions import XlsxWriterException

    try:
        _write(content, temporary)
    except (XlsxWriterException, OSError) as error:
        raise TableError(f"{place} cannot be written: {error}") from error


def _write(content: Content, temporary: Path) -> None:
    rows = flat_rows(content)
    book = _book(rows.columns, content.made_by)
    with ZipFile(book) as empty, ZipFile(temporary, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as whole:
        for part in empty.infolist():
            if part.filename != _SHEET:
                whole.writestr(part, empty.read(part))
                continue
            head, tail = _around_rows(empty.read(part).decode(), rows)
            with whole.open(part, "w", force_zip64=True) as sheet:
                sheet.write(head)
                for text in _rows_as_xml(rows):
                    sheet.write(text)
                sheet.write(tail)


def _book(columns: list[str], made_by: str) -> BytesIO:
    """The workbook, with the header as the only row of its first sheet."""
    import xlsxwriter

    made = BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"title": "Facial action units", "comments": made_by, "created": _CREATED})
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet("frames")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, columns, bold)
        meanings = book.add_worksheet("columns")
        meanings.write_row(0, 0, ["column", "meaning"], bold)
        for number, name in enumerate(columns, start=1):
            meanings.write_row(number, 0, [name, column_label(name)])
    return made


def _around_rows(sheet: str, rows: polars.DataFrame) -> tuple[bytes, bytes]:
    """What stands before and behind the rows of a sheet."""
    head, end, tail = sheet.partition("</sheetData>")
    last = f"{_letters(len(rows.columns) - 1)}{rows.height + 1}"
    head, n_found = re.subn(r'<dimension ref="[^"]*"/>', f'<dimension ref="A1:{last}"/>', head, count=1)
    assert (n_found, end) == (1, "</sheetData>"), sheet[:500]
    return head.encode(), (end + tail).encode()


def _rows_as_xml(rows: polars.DataFrame) -> Iterator[bytes]:
    """Rows of a sheet, from its second one on; what is missing has no cell."""
    import polars as pl

    number = pl.col("").cast(pl.String)
    cells = [_cell(name, kind, _letters(at), number) for at, (name, kind) in enumerate(rows.schema.items())]
    row = pl.concat_str(pl.lit('<row r="'), number, pl.lit('">'), *cells, pl.lit("</row>"))
    texts = {name: [text for text in rows[name].unique() if text is not None] for name in _texts(rows)}
    escaped = {name: dict(zip(values, map(_escaped, values), strict=True)) for name, values in texts.items()}
    for at in range(0, rows.height, _CHUNK_ROWS):
        some = meant_digits(rows[at : at + _CHUNK_ROWS]).with_columns(
            pl.col(name).replace_strict(known, return_dtype=pl.String) for name, known in escaped.items()
        )
        yield some.with_row_index("", offset=at + 2).select(row.str.join("")).item().encode()


def _cell(name: str, kind: polars.DataType, letters: str, number: polars.Expr) -> polars.Expr:
    import polars as pl

    value = pl.col(name)
    if kind == pl.String:
        parts = ('" t="inlineStr"><is><t xml:space="preserve">', value, "</t></is></c>")
    else:
        known = pl.when(value.is_finite()).then(value) if kind.is_float() else value  # Excel has no infinity
        parts = ('"><v>', known.cast(pl.String), "</v></c>")
    before, shown, after = parts
    return pl.concat_str(pl.lit(f'<c r="{letters}'), number, pl.lit(before), shown, pl.lit(after)).fill_null("")


def _texts(rows: polars.DataFrame) -> list[str]:
    import polars as pl

    return [name for name, kind in rows.schema.items() if kind == pl.String]


def _escaped(text: str) -> str:
    """A text in a cell; ``_x000B_`` stands for a character that XML cannot hold, ``_x005F_`` for its own underline."""
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return escape(re.sub(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]", lambda match: f"_x{ord(match[0]):04X}_", text))


def _letters(column: int) -> str:
    """``A`` for 0, ``Z`` for 25, ``AA`` for 26."""
    before, last = divmod(column, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


TARGET: Final = ExportTarget("xlsx", ".xlsx", False, False, ("xlsxwriter",), MOST_ROWS, write_xlsx)
