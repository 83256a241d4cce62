"""Tables of schema 1, brought into the form of schema 2.

Schema 1 held the landmarks as one list of ten numbers, null where there is no face, and `video` as a dictionary. They
are read by polars: arrow before release 26 cannot open a list of fixed length with nulls in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aucli.annotation.table import LANDMARK_COLUMNS, read_metadata, table_schema
from aucli.errors import TableError
from aucli.video.content import content_digest, content_size

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


def is_earlier_table_of(table: Path, video: Path) -> bool:
    """Whether a table of schema 1 holds this video and no other, told by the video's bytes.

    Names cannot tell: in schema 1 the videos ``p1/a.mp4`` and ``p2/a.mp4`` could both be called ``a.mp4``.
    """
    try:
        metadata = read_metadata(table)
        (record,) = metadata["videos"].values()
        if metadata["schema"] != 1 or int(record["size_bytes"]) != content_size(video):
            return False
        return bool(record["sha256"] == content_digest(video))
    except (TableError, OSError, TypeError, ValueError, KeyError):
        return False
