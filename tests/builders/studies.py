"""Tables of a made-up study, with every column that annotate writes, as polars frames and as files."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.annotation.table import LANDMARK_COLUMNS, METADATA_KEY, SCHEMA_VERSION
from tests.builders.films import film_rows

THRESHOLDS = {"AU01": 0.4, "AU12": 0.5}


def annotated(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `film_rows` with annotate's other columns: eyes 40 px apart, 20 px in faces with an odd number."""
    seen = pl.col("face").is_not_null()
    far = pl.when(pl.col("face") % 2 == 1).then(20.0).otherwise(40.0)

    def where(value: pl.Expr, kind: pl.DataType | type[pl.DataType] = pl.Float32) -> pl.Expr:
        return pl.when(seen).then(value).cast(kind)

    others = {
        "detected": where(pl.col("frame") % 2 == 0, pl.Boolean),
        "score": where(pl.lit(0.875)),
        **{name: where(pl.lit(value)) for name, value in (("x", 10.1), ("y", 20.0), ("w", 50.0), ("h", 60.0))},
        **{name: where(pl.lit(1.5)) for name in LANDMARK_COLUMNS},
        "interocular_px": where(far),
    }
    units = [name for name in rows.columns if name.startswith("AU")]
    return rows.with_columns(**others).select("video", "frame", "time_s", "face", *others, *units)


def study() -> pl.DataFrame:
    """Two films. ``day 1/anna.mp4``: 25 frames/s; face 0 smiles in frames 2 to 4 and 7 to 9, is not seen in frame 5;
    face 1 comes in frame 8. ``day 2/none.mov``: three frames, no face, uneven times."""
    smile = [0.1, 0.2, 0.9, 0.8, 0.7, None, 0.1, 0.9, 0.9, 0.6]
    brows = [0.45, 0.45, 0.1, 0.1, 0.1, None, 0.1, 0.1, 0.1, 0.1]
    late: list[float | None] = [None] * 8 + [0.9, 0.2]
    anna = film_rows(
        "day 1/anna.mp4",
        [i / 25 for i in range(10)],
        {0: {"AU01": brows, "AU12": smile}, 1: {"AU01": late, "AU12": late}},
    )
    nobody: list[float | None] = [None] * 3
    none = film_rows("day 2/none.mov", [0.0, 0.0334, 0.1001], {0: {"AU01": nobody, "AU12": nobody}})
    return annotated(pl.concat([anna, none]))


def write_study(rows: pl.DataFrame, path: Path, *, size_bytes: int | None = None) -> Path:
    """As annotate writes it, from films of this size."""
    metadata = {
        "schema": SCHEMA_VERSION,
        "model": "made-up",
        "model_digest": "0123456789abcdef",
        "aus": list(THRESHOLDS),
        "thresholds": list(THRESHOLDS.values()),
        "videos": {
            name: {"fps": 25.0, "duration_s": 0.4} | ({} if size_bytes is None else {"size_bytes": size_bytes})
            for name in rows["video"].unique(maintain_order=True)
        },
        "options": {},
    }
    arrow = rows.to_arrow()
    arrow = arrow.cast(pa.schema([field.with_type(_plain(field.type)) for field in arrow.schema]))
    pq.write_table(arrow.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), path)
    return path


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) or str(kind) == "string_view" else kind
