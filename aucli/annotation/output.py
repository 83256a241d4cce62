"""What may be given as ``-o``, and how the tables of a folder are called."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from aucli.errors import OptionsError
from aucli.video.suffixes import VIDEO_SUFFIXES

TABLE_SUFFIX: Final = ".parquet"
NAME_BYTES: Final = 255
"""The longest name that the usual file systems take."""
WORK_SUFFIX: Final = ".partial"
FILE_SUFFIXES: Final = (
    VIDEO_SUFFIXES
    | {".csv", ".tsv", ".tab", ".txt", ".md", ".dat", ".xls", ".xlsx", ".ods"}
    | {".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".xml"}
    | {
        ".arrow",
        ".avro",
        ".dta",
        ".duckdb",
        ".db",
        ".sqlite",
        ".feather",
        ".ipc",
        ".h5",
        ".hdf5",
        ".mat",
        ".npy",
        ".npz",
    }
    | {".parq", ".pq", ".pickle", ".pkl", ".rda", ".rds", ".sav"}
    | {".bz2", ".gz", ".xz", ".zip", ".zst"}
)
"""Who ends ``-o`` so wants a file of that kind, not a folder of tables."""


def is_one_table(output: Path) -> bool:
    """Whether ``-o`` names one table (``x.parquet``) or a folder of tables.

    Raises:
        OptionsError: if it is neither; the message says what to write instead.
    """
    suffix = output.suffix.lower()
    if str(output) == "-":
        raise OptionsError("-o - : a table is not written to standard output; name a file: -o x.parquet")
    if suffix == TABLE_SUFFIX:
        if len(os.fsencode(output.name)) > NAME_BYTES - len(WORK_SUFFIX):
            raise OptionsError(f"-o {output}: its name is too long; {NAME_BYTES - len(WORK_SUFFIX)} bytes are allowed")
        if output.exists() and not output.is_file() and not output.is_dir():
            raise OptionsError(f"-o {output}: is a pipe or device; name a file that ends in {TABLE_SUFFIX}")
        return True
    if suffix in FILE_SUFFIXES and not output.is_dir():
        table = output.with_suffix(TABLE_SUFFIX)
        as_csv = f", then aucli.read({str(table)!r}).write_csv({str(output)!r}) in Python"
        raise OptionsError(
            f"-o {output}: tables are written as Parquet; use -o {table}{as_csv if suffix == '.csv' else ''}"
        )
    return False


def table_in_folder(folder: Path, label: str) -> Path:
    """Return the place of a video's table in a folder of tables: its label with ``.parquet`` behind.

    The place is always inside the folder: a label's root is left out, and ``..`` is written ``__up__``. A name that the
    file system would not take is cut, and a digest of the label tells it from others.
    """
    parts = ["__up__" if part == ".." else part for part in PurePosixPath(label).parts if part.strip("/")]
    *folders, name = parts or ["video"]
    if any(len(os.fsencode(part)) > NAME_BYTES for part in (*folders, f"{name}{TABLE_SUFFIX}")):
        tail = f"~{hashlib.sha256(label.encode()).hexdigest()[:16]}{TABLE_SUFFIX}"
        folders = [_cut(part, NAME_BYTES) for part in folders]
        return folder.joinpath(*folders, f"{_cut(name, NAME_BYTES - len(tail))}{tail}")
    return folder.joinpath(*folders, f"{name}{TABLE_SUFFIX}")


def require_places_apart(folder: Path, labels: Iterable[str]) -> None:
    """Refuse videos whose tables would be one file.

    Raises:
        OptionsError: if two would; the message names them.
    """
    taken: dict[str, str] = {}
    for label in labels:
        place = str(table_in_folder(folder, label))
        if place in taken:
            raise OptionsError(
                f"the tables of {taken[place]} and {label} would both be {place}; name the videos by one --root, or "
                "write one table: -o x.parquet"
            )
        taken[place] = label


def _cut(name: str, n_bytes: int) -> str:
    return name.encode()[:n_bytes].decode("utf-8", "ignore")
