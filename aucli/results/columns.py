"""What the functions of this room ask of a table's columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from aucli.errors import OptionsError, TableError

if TYPE_CHECKING:
    import polars

Thresholds: TypeAlias = Mapping[str, float] | Mapping[int, float] | Mapping[str | int, float]
"""Action unit (``"AU12"``, ``"12"`` or 12) -> probability from which it is present."""
LARGEST_NUMBER: Final = 2**31 - 1
"""Of a frame or face."""
ROW_COLUMNS: Final = ("video", "frame", "time_s", "face")
"""What says of which face in which frame of which video a row is."""


def action_units(columns: Iterable[str], wanted: str | int | Sequence[str | int] | None = None) -> tuple[str, ...]:
    """The action units of a table: ``("AU01", "AU12")``, in the order of its columns.

    Args:
        columns: of the table.
        wanted: only these, in this order, see `column_of`; one alone need not be in a list.

    Raises:
        OptionsError: if one that is wanted is not in the table.
        TableError: if the table has none.
    """
    there = tuple(name for name in columns if is_action_unit(name))
    if not there:
        raise TableError("the table has no action units (no column AU01, AU02 ...); is it one of annotate's?")
    if wanted is None:
        return there
    named = tuple(dict.fromkeys(column_of(name) for name in ([wanted] if isinstance(wanted, str | int) else wanted)))
    for name in named:
        if not is_action_unit(name):
            raise OptionsError(f"`aus` has {name!r}, which is no action unit; write their numbers, as 4,12")
        if name not in there:
            raise OptionsError(f"`aus` has {name}, which the table has not; it has {', '.join(there)}")
    return named


def column_of(name: str | int) -> str:
    """The column of an action unit, as it is spoken or counted: ``AU01`` for ``AU1``, ``"1"`` and 1."""
    number = re.fullmatch(r"(?:AU)?(\d\d?)", str(name))
    return f"AU{int(number[1]):02d}" if number else str(name)


def is_action_unit(column: str) -> bool:
    """Whether a column is called as that of an occurrence: ``AU12``."""
    return re.fullmatch(r"AU\d\d", column) is not None


def require_columns(columns: Iterable[str], needed: Sequence[str] = ROW_COLUMNS) -> None:
    """Say which column a table lacks.

    Raises:
        TableError: if it lacks one.
    """
    there = set(columns)
    for name in needed:
        if name not in there:
            raise TableError(f"the table has no column {name}; is it one of annotate's?")


def with_right_types(table: polars.LazyFrame) -> polars.LazyFrame:
    """Rows whose columns have types to reckon with; whole numbers that a way through other programs made decimal, as
    pandas does where a face is missing, are whole again.

    Raises:
        TableError: if a column holds something else.
    """
    import polars as pl

    schema = table.collect_schema()
    whole = [name for name in ("frame", "face") if name in schema]
    for name, kind in schema.items():
        is_unit = is_action_unit(name.removesuffix("_p"))
        if not (name in whole or name == "time_s" or is_unit):
            continue
        if not (kind.is_numeric() or kind == pl.Null or (is_unit and kind == pl.Boolean)):
            raise TableError(f"the table's column {name} has the type {kind}, not numbers; is it one of annotate's?")
    decimal = [name for name in whole if schema[name].is_float()]
    return table.with_columns(pl.col(decimal).fill_nan(None).cast(pl.Int32)) if decimal else table


def with_codes(rows: polars.DataFrame) -> tuple[polars.DataFrame, list[str]]:
    """Give each video a number, 0-based in the order in which they first stand in the table.

    Returns:
        The rows with a column ``video_code`` (UInt32), and the names by number.

    Raises:
        TableError: if a row has no video, frame or time, a number of a frame or face that is none, an occurrence that
            is neither 0 nor 1, or a probability that is not between them.
    """
    import polars as pl

    _require_occurrences_and_probabilities(rows)
    for column in ("video", "frame", "time_s"):
        if rows[column].null_count():
            raise TableError(f"the table has rows without {column}; is it one of annotate's?")
    for column in ("frame", "face"):
        wrong = rows[column].filter((rows[column] < 0) | (rows[column] > LARGEST_NUMBER)) if column in rows else None
        if wrong is not None and len(wrong):
            hint = "; where there is no face the number is null" if column == "face" else ""
            raise TableError(
                f"the table has {column} {wrong[0]} ({len(wrong):,} rows); numbers go from 0 to {LARGEST_NUMBER}{hint}"
            )
    names = rows["video"].cast(pl.String).unique(maintain_order=True).to_list()
    codes = rows["video"].cast(pl.String).cast(pl.Enum(names)).to_physical().cast(pl.UInt32)
    return rows.with_columns(codes.alias("video_code")), names


def _require_occurrences_and_probabilities(rows: polars.DataFrame) -> None:
    for name, kind in rows.schema.items():
        if not is_action_unit(name.removesuffix("_p")) or not kind.is_numeric():
            continue
        values = rows[name].fill_nan(None) if kind.is_float() else rows[name]
        is_right = values.is_between(0, 1) if name.endswith("_p") else ((values == 0) | (values == 1))
        wrong = values.filter(~is_right.fill_null(True))
        if len(wrong):
            allowed = "a probability is between 0 and 1" if name.endswith("_p") else "an occurrence is 0 or 1"
            raise TableError(f"the table's column {name} has {wrong[0]:g} ({len(wrong):,} rows); {allowed}")


def require_one_row_a_face(rows: polars.DataFrame) -> None:
    """Refuse rows of which two are of one face in one frame.

    Raises:
        TableError: naming the first; or as of `with_codes`.
    """
    import polars as pl

    coded, _ = with_codes(rows)
    faces = coded.filter(pl.col("face").is_not_null()).select("video_code", "frame", "face")
    at = faces.is_duplicated().arg_max()
    if at is not None and faces.is_duplicated()[at]:
        row = rows.filter(pl.col("face").is_not_null()).row(at, named=True)
        raise TableError(twice(row["video"], row["face"], row["frame"]))


def twice(video: object, face: object, frame: object) -> str:
    """What is said of a face that has two rows in a frame."""
    return f"{video} has two rows of face {face} in frame {frame}; was one table read twice?"
