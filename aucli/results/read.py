"""Reading finished tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aucli.annotation.earlier import as_current_schema
from aucli.annotation.table import read_metadata
from aucli.errors import TableError

if TYPE_CHECKING:
    import polars


def read_table(path: str | os.PathLike[str]) -> polars.DataFrame:
    """Read a table, or a folder of tables, into polars.

    Args:
        path: a ``.parquet`` file written by `annotate`, or the folder given to it.

    Returns:
        One row per video, frame and face, in the columns of `table_schema`, also from tables of earlier versions.

    Raises:
        TableError: if there is no table, or the tables of a folder come from models with other AUs.
    """
    import polars

    place, files = Path(path), table_files(path)
    aus = [tuple(read_metadata(file)["aus"]) for file in files]
    if len(set(aus)) > 1:
        raise TableError(f"the tables in {place} hold different action units; read them one by one")
    try:
        return polars.concat([as_current_schema(polars.read_parquet(file, glob=False), aus[0]) for file in files])
    except (OSError, polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise TableError(f"{place} cannot be read: {str(error).splitlines()[0]}") from error


def table_files(path: str | os.PathLike[str]) -> list[Path]:
    """List the files of a table, or of a folder of tables, in the order in which they are read.

    Raises:
        TableError: if there is none.
    """
    place = Path(path)
    if not place.exists():
        raise TableError(f"{place} does not exist")
    files = sorted(p for p in place.rglob("*.parquet") if not _in_work_folder(p, place)) if place.is_dir() else [place]
    if not files:
        raise TableError(f"{place} holds no .parquet file")
    return files


def _in_work_folder(path: Path, top: Path) -> bool:
    return any(part.endswith(".partial") for part in path.relative_to(top).parts)
