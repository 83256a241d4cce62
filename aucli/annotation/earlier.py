"""Tables of earlier schemas, brought into the form of today's.

Schema 1 held the landmarks as one list of ten numbers, null where there is no face, and `video` as a dictionary. They
are read by polars: arrow before release 26 cannot open a list of fixed length with nulls in it. Neither it nor schema 2
knew `QUALITY_COLUMNS`: the pose is found from the landmarks, as it is today; sharpness and brightness are null, for
they need the film.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aucli.annotation.table import (
    LANDMARK_COLUMNS,
    POSE_COLUMNS,
    QUALITY_COLUMNS,
    SCHEMA_VERSION,
    read_metadata,
    table_schema,
)
from aucli.errors import TableError
from aucli.faces.head_pose import head_pose
from aucli.video.content import content_digest, content_size

if TYPE_CHECKING:
    import polars


def as_current_schema(rows: polars.DataFrame, au_columns: Sequence[str]) -> polars.DataFrame:
    """Return rows of a table of any readable schema in today's columns and order."""
    import polars as pl

    if "landmarks" in rows.columns:
        spread = [pl.col("landmarks").arr.get(i).alias(column) for i, column in enumerate(LANDMARK_COLUMNS)]
        rows = rows.with_columns(*spread)
    if POSE_COLUMNS[0] not in rows.columns:
        points = rows.select(pl.col(LANDMARK_COLUMNS).fill_null(np.nan)).to_numpy().reshape(-1, 5, 2)
        angles = pl.DataFrame(head_pose(points), list(POSE_COLUMNS), orient="row").fill_nan(None)
        unknown = [pl.lit(None, pl.Float32).alias(column) for column in QUALITY_COLUMNS if column not in POSE_COLUMNS]
        rows = rows.hstack(angles).with_columns(*unknown)
    columns = table_schema(au_columns).names
    return rows.select(columns).with_columns(pl.col("video").cast(pl.String), pl.col("face").cast(pl.Int32))


def is_earlier_table_of(table: Path, video: Path) -> bool:
    """Whether a table of an earlier schema holds this video and no other, told by the video's bytes.

    Names cannot tell: in schema 1 the videos ``p1/a.mp4`` and ``p2/a.mp4`` could both be called ``a.mp4``.
    """
    try:
        metadata = read_metadata(table)
        (record,) = metadata["videos"].values()
        if metadata["schema"] == SCHEMA_VERSION or int(record["size_bytes"]) != content_size(video):
            return False
        return bool(record["sha256"] == content_digest(video))
    except (TableError, OSError, TypeError, ValueError, KeyError):
        return False
