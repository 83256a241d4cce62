"""Small tables of photographs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image


def jpeg(picture: Image.Image) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()


def write_photographs(
    path: Path, names: Sequence[str], *, pictures: Sequence[Image.Image] = (), **columns: Sequence[Any]
) -> Path:
    """A table with ``name``, ``jpeg`` and other columns; without pictures, plain ones."""
    shown = pictures or [Image.new("L", (24, 24), 90)] * len(names)
    types = {"name": pl.String, "jpeg": pl.Binary}
    table = pl.DataFrame({"name": list(names), "jpeg": [jpeg(one) for one in shown]}, schema=types)
    table.with_columns(**{name: pl.Series(values) for name, values in columns.items()}).write_parquet(path)
    return path
