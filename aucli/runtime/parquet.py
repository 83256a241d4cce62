"""The one door through which foreign Parquet files are read: whatever has happened to one, it gives an error.

They are read by arrow, which checks what it reads: polars ends the whole process over a damaged page whose length is
absurd. Pages that have checksums are compared with them, so that changed bytes are no wrong rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aucli.errors import AucliError, printable
from aucli.runtime.files import why_not_a_file

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAGIC: Final = b"PAR1"
"""The first and the last bytes of every Parquet file."""
SHORTEST_BYTES: Final = 12


def read_parquet(
    path: Path, columns: Sequence[str] | None = None, *, error: type[AucliError], wanted: str | None = "a Parquet file"
) -> pa.Table:
    """Read a file's rows.

    Args:
        path: of the file.
        columns: those of these that the file has, in its order; None: all.
        error: what to raise.
        wanted: what to name instead, for the message: ``a table of annotate``; None: the caller says what to do.

    Raises:
        error: if it is no such file, or is damaged; the message names the path.
    """
    import pyarrow as pa

    with open_parquet(path, error=error, wanted=wanted) as file:
        try:
            names = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
            table = file.read(columns=names, use_threads=False)
            table.validate(full=True)  # texts that are no UTF-8, above all
        except (OSError, pa.ArrowException, ValueError) as reason:
            raise error(f"{path} is damaged: {first_line(reason)}") from reason
    return table


def open_parquet(path: Path, *, error: type[AucliError], wanted: str | None = "a Parquet file") -> pq.ParquetFile:
    """Open a file; see `read_parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_parquet(path, error=error, wanted=wanted)
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException, ValueError) as reason:
        raise error(f"{path} is damaged: {first_line(reason)}") from reason


def require_parquet(path: Path, *, error: type[AucliError], wanted: str | None = "a Parquet file") -> None:
    """Make sure that a path is that of a file which begins and ends as Parquet does.

    Raises:
        error: if it is not; the message says what it is instead.
    """
    if problem := why_not_a_file(path):
        raise error(f"{path} {problem}{_remedy(wanted)}")
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - len(MAGIC), 0))
            tail = file.read()
    except OSError as reason:
        raise error(f"{path} cannot be read: {reason.strerror or reason}") from reason
    if head != MAGIC:
        raise error(f"{path} is no Parquet file{_remedy(wanted)}")
    if tail != MAGIC or size < SHORTEST_BYTES:
        raise error(f"{path} is damaged: its end is missing{'; copy or make it again' if wanted else ''}")


def _remedy(wanted: str | None) -> str:
    return f"; name {wanted}" if wanted else ""


def first_line(error: BaseException) -> str:
    """What a library says, in one short line."""
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0][:300])
