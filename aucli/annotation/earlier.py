"""Tables of schema 1, brought into the form of schema 2.

Schema 1 held the landmarks as one list of ten numbers, null where there is no face, and `video` as a dictionary. They
are read by polars: arrow before release 26 cannot open a list of fixed length with nulls in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aucli.annotation.table import LANDMARK_COLUMNS, table_schema

if TYPE_CHECKING:
    import polars


def as_schema_2(rows: polars.DataFrame, au_columns: Sequence[str]) -> polars.DataFrame:
    """Return rows of a table of either schema in the columns and order of schema 2."""
    import polars as pl

    if "landmarks" in rows.columns:
        spread = [pl.col("landmarks").arr.get(i).alias(column) for i, column in enumerate(LANDMARK_COLUMNS)]
        rows = rows.with_columns(*spread)
    columns = table_schema(au_columns).names
    return rows.select(columns).with_columns(pl.col("video").cast(pl.String), pl.col("face").cast(pl.Int32))
