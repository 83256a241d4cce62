"""A table of one short film, and codes of it, for tests of agreement between the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.annotation.table import METADATA_KEY, SCHEMA_VERSION, table_schema

FPS = 25.0


def table(video: str = "a.mp4", *, frames: int = 100, faces: int = 1, lost: tuple[int, ...] = ()) -> pl.DataFrame:
    """AU12 is said in frames 12 to 31, AU6 never; a frame without a face is one row of nulls."""
    rows: list[dict[str, Any]] = []
    for frame in range(frames):
        base = {"video": video, "frame": frame, "time_s": frame / FPS}
        if frame in lost:
            rows.append(base)
            continue
        for face in range(faces):
            said = 12 <= frame < 32 and face == 0
            rows.append(
                {
                    **base,
                    "face": face,
                    "detected": True,
                    "score": 0.9,
                    "x": 100.0 * face,
                    "y": 10.0,
                    "w": 50.0 - face,
                    "h": 50.0,
                    "AU06": False,
                    "AU06_p": 0.1,
                    "AU12": said,
                    "AU12_p": 0.4 if said else 0.2,
                }
            )
    schema = {
        "video": pl.String,
        "frame": pl.Int32,
        "time_s": pl.Float64,
        "face": pl.Int16,
        "x": pl.Float32,
        "y": pl.Float32,
        "w": pl.Float32,
        "h": pl.Float32,
    }
    schema |= {"detected": pl.Boolean, "score": pl.Float32}
    schema |= {"AU06": pl.Boolean, "AU06_p": pl.Float32, "AU12": pl.Boolean, "AU12_p": pl.Float32}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("video").cast(pl.String))


def write_table(rows: pl.DataFrame, path: Path) -> Path:
    """As annotate writes it: every column of the schema, and the metadata."""
    arrow = rows.to_arrow()
    schema = table_schema(("AU06", "AU12"))
    columns = [
        arrow[field.name].cast(field.type) if field.name in arrow.column_names else pa.nulls(len(arrow), field.type)
        for field in schema
    ]
    metadata = {
        METADATA_KEY: json.dumps(
            {"schema": SCHEMA_VERSION, "aus": ["AU06", "AU12"], "thresholds": [0.5, 0.3], "videos": {}, "options": {}}
        ).encode()
    }
    pq.write_table(pa.Table.from_arrays(columns, schema=schema.with_metadata(metadata)), path)
    return path


def elan(tmp_path: Path, name: str = "a.txt") -> Path:
    path = tmp_path / name
    path.write_text("Begin Time - msec\tEnd Time - msec\tAU12\tAU01\n400\t1200\tx\t\n2000\t2400\t\tx\n")
    return path
