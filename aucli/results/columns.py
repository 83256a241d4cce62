"""What the functions of this room ask of a table's columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from aucli.errors import OptionsError, TableError

if TYPE_CHECKING:
    import polars

ROW_COLUMNS: Final = ("video", "frame", "time_s", "face")
"""What says of which face in which frame of which video a row is."""


def action_units(columns: Iterable[str], wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """The action units of a table: ``("AU01", "AU12")``, in the order of its columns.

    Args:
        columns: of the table.
        wanted: only these, in this order; numbers may be written as they are spoken: ``AU1``, ``1``.

    Raises:
        OptionsError: if one that is wanted is not in the table.
        TableError: if the table has none.
    """
    there = tuple(name for name in columns if re.fullmatch(r"AU\d\d", name))
    if not there:
        raise TableError("the table has no action units (no column AU01, AU02 ...); is it one of annotate's?")
    if wanted is None:
        return there
    named = tuple(dict.fromkeys(re.sub(r"^(?:AU)?(\d)$|^(?:AU)?(\d\d)$", _as_column, name) for name in wanted))
    for name in named:
        if name not in there:
            raise OptionsError(f"`aus` has {name}, which the table has not; it has {', '.join(there)}")
    return named


def require_columns(columns: Iterable[str], needed: Sequence[str] = ROW_COLUMNS) -> None:
    """Say which column a table lacks.

    Raises:
        TableError: if it lacks one.
    """
    there = set(columns)
    for name in needed:
        if name not in there:
            raise TableError(f"the table has no column {name}; is it one of annotate's?")


def with_codes(rows: polars.DataFrame) -> tuple[polars.DataFrame, list[str]]:
    """Give each video a number, 0-based in the order in which they first stand in the table.

    Returns:
        The rows with a column ``video_code`` (UInt32), and the names by number.

    Raises:
        TableError: if a row has no video, frame or time.
    """
    import polars as pl

    for column in ("video", "frame", "time_s"):
        if rows[column].null_count():
            raise TableError(f"the table has rows without {column}; is it one of annotate's?")
    names = rows["video"].cast(pl.String).unique(maintain_order=True).to_list()
    codes = rows["video"].cast(pl.String).cast(pl.Enum(names)).to_physical().cast(pl.UInt32)
    return rows.with_columns(codes.alias("video_code")), names


def _as_column(match: re.Match[str]) -> str:
    return f"AU{int(match[1] or match[2]):02d}"
