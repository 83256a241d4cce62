"""Reading finished tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aucli.errors import TableError

if TYPE_CHECKING:
    import polars
from aucli.annotation.table import read_metadata


def read_table(path: str | os.PathLike[str]) -> polars.DataFrame:
    """Read a table, or a folder of tables, into polars.

    Args:
        path: a ``.parquet`` file written by `annotate`, or the folder given to it.

    Returns:
        One row per video, frame and face; see `table_schema`.

    Raises:
        TableError: if there is no table, or the tables of a folder come from models with other AUs.
    """
    import polars

    place = Path(path)
    if not place.exists():
        raise TableError(f"{place} does not exist")
    files = sorted(p for p in place.rglob("*.parquet") if not _in_work_folder(p, place)) if place.is_dir() else [place]
    if not files:
        raise TableError(f"{place} holds no .parquet file")
    if len({tuple(read_metadata(file)["aus"]) for file in files}) > 1:
        raise TableError(f"the tables in {place} hold different action units; read them one by one")
    # Row groups of one file share no dictionary: polars joins categories by their text.
    return polars.concat([polars.read_parquet(file, use_pyarrow=False) for file in files])


def _in_work_folder(path: Path, top: Path) -> bool:
    return any(part.endswith(".partial") for part in path.relative_to(top).parts)
