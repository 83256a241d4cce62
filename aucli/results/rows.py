"""The rows of one table's file, whatever has happened to the file since it was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aucli.annotation.earlier import as_current_schema
from aucli.annotation.table import WANTED
from aucli.errors import TableError
from aucli.runtime.parquet import first_line, open_parquet

if TYPE_CHECKING:
    import polars
    import pyarrow as pa
    import pyarrow.parquet as pq

SCHEMA_OF_LISTS: Final = 1
"""The schema that arrow before release 26 cannot open, see `aucli.annotation.earlier`."""


def rows_of_file(file: Path, metadata: dict[str, Any], *, video: str | None = None) -> polars.DataFrame:
    """Return the rows of a table's file, or those of one video, in the columns of `table_schema`.

    Args:
        file: of the table.
        metadata: of `read_metadata`.
        video: name of the one video that is wanted.

    Raises:
        TableError: if the file is damaged.
    """
    import polars as pl
    import pyarrow as pa

    try:
        if metadata["schema"] == SCHEMA_OF_LISTS:
            rows = pl.read_parquet(file, glob=False)
        else:
            with open_parquet(file, error=TableError, wanted=WANTED) as parquet:
                rows = _as_polars(_read(parquet, video))
        if video is not None:
            rows = rows.filter(pl.col("video").cast(pl.String) == video)
        return as_current_schema(rows, metadata["aus"])
    except KeyError as error:
        raise TableError(f"{file} has no column {error}") from error
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise TableError(f"{file} is damaged: {first_line(error)}") from error


def _read(parquet: pq.ParquetFile, video: str | None) -> pa.Table:
    """All row groups, or those that hold a video."""
    if video is None:
        return parquet.read()
    groups = []
    for group in range(parquet.num_row_groups):
        labels = parquet.read_row_group(group, columns=["video"])["video"]
        if video in labels.unique().to_pylist():
            groups.append(group)
    return parquet.read_row_groups(groups)


def _as_polars(table: pa.Table) -> polars.DataFrame:
    import polars as pl

    table.validate(full=True)  # texts that are no UTF-8, above all
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
