"""Stata's .dta and SPSS's .sav: the table's columns with labels of variables and values. The only door to pyreadstat.

Sources: Stata manual, "File formats .dta" (118: Stata 14 and later; names of 32 characters, labels of 80, text of 2045
bytes); PSPP, "System File Format". A missing value is the system's own missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aucli.errors import TableError
from aucli.results.exports.columns import DETECTED_LABELS, VALUE_LABELS, column_label, flat_rows
from aucli.results.exports.target import Content, ExportTarget

if TYPE_CHECKING:
    import polars

_DTA_118: Final = 14
"""The oldest Stata whose files are Unicode; those that pyreadstat calls 15 only open in Stata/MP."""
_FILE_LABEL_CHARACTERS: Final = 64
_LONGEST_TEXT_BYTES: Final = 2045
_DTA_TIME: Final = re.compile(rb"(<timestamp>.)\d\d \w{3} \d{4} \d\d:\d\d(</timestamp>)", re.DOTALL)
_DTA_HEAD_BYTES: Final = 1024
_SAV_TIME_AT: Final = 92
_SAV_TIME: Final = b"01 Jan 7000:00:00"
"""Day (9 bytes) and time (8) of every file: the same table gives the same bytes."""


def write_stata(content: Content, temporary: Path, place: Path) -> None:
    """Write one .dta file.

    Raises:
        TableError: if a video's name is longer than Stata's text may be, or the file cannot be written.
    """
    import pyreadstat

    rows = flat_rows(content)
    _require_short_names(rows, "Stata")
    with _writing(place):
        pyreadstat.write_dta(rows, temporary, version=_DTA_118, **_labels(rows, content))
    with temporary.open("r+b") as file:
        head = file.read(_DTA_HEAD_BYTES)
        file.seek(0)
        file.write(_DTA_TIME.sub(rb"\g<1>01 Jan 1970 00:00\g<2>", head, count=1))


def write_spss(content: Content, temporary: Path, place: Path) -> None:
    """Write one .sav file.

    Raises:
        TableError: if a video's name is longer than text may be, or the file cannot be written.
    """
    import pyreadstat

    rows = flat_rows(content)
    _require_short_names(rows, "SPSS")
    with _writing(place):
        pyreadstat.write_sav(
            rows,
            temporary,
            row_compress=True,
            variable_measure={name: _measure(name, kind) for name, kind in rows.schema.items()},
            variable_format={name: _format(kind) for name, kind in rows.schema.items() if kind.is_numeric()},
            **_labels(rows, content),
        )
    with temporary.open("r+b") as file:
        file.seek(_SAV_TIME_AT)
        file.write(_SAV_TIME)


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """What pyreadstat says in its own words, in ours."""
    from pyreadstat import PyreadstatError, ReadstatError

    try:
        yield
    except (PyreadstatError, ReadstatError) as error:
        raise TableError(f"{place} cannot be written ({error}); is there room on the disk?") from error


def _labels(rows: polars.DataFrame, content: Content) -> dict[str, Any]:
    labels = dict.fromkeys(content.aus, VALUE_LABELS) | {"detected": DETECTED_LABELS}
    return {
        "file_label": content.made_by[:_FILE_LABEL_CHARACTERS],
        "column_labels": {name: column_label(name) for name in rows.columns},
        "variable_value_labels": {name: labels[name] for name in rows.columns if name in labels},
    }


def _require_short_names(rows: polars.DataFrame, program: str) -> None:
    longest = max(rows["video"].unique(), key=lambda name: len(name.encode()), default="")
    if len(longest.encode()) > _LONGEST_TEXT_BYTES:
        raise TableError(
            f"{longest[:40]}... is a name of {len(longest.encode())} bytes; {program} takes {_LONGEST_TEXT_BYTES}: "
            "annotate the videos with shorter names (`root`)"
        )


def _measure(name: str, kind: polars.DataType) -> str:
    is_number = kind.is_float() or name == "frame"
    return "scale" if is_number else "nominal"


def _format(kind: polars.DataType) -> str:
    return "F12.4" if kind.is_float() else "F8.0"


STATA: Final = ExportTarget("stata", ".dta", False, False, ("pyreadstat",), None, write_stata)
SPSS: Final = ExportTarget("spss", ".sav", False, False, ("pyreadstat",), None, write_spss)
