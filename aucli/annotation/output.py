"""What may be given as output, and how the tables of a folder are called."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from aucli.errors import OptionsError
from aucli.video.suffixes import VIDEO_SUFFIXES

TABLE_SUFFIX: Final = ".parquet"
NAME_BYTES: Final = 255
"""The longest name that the usual file systems take."""
WORK_SUFFIX: Final = ".partial"
COMPRESSED_SUFFIXES: Final = frozenset({".7z", ".bz2", ".gz", ".lz4", ".tar", ".xz", ".zip", ".zst"})
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
    | COMPRESSED_SUFFIXES
)
"""Who ends an output so wants a file of that kind, not a folder of tables."""


def is_one_table(output: Path) -> bool:
    """Whether an output names one table (``x.parquet``) or a folder of tables.

    Raises:
        OptionsError: if it is neither; the message says what to write instead.
    """
    suffix = output.suffix.lower()
    if str(output) == "-":
        raise OptionsError("`output` is -: a table is not written to standard output; name a file: `output` x.parquet")
    if suffix == TABLE_SUFFIX:
        if len(os.fsencode(output.name)) > NAME_BYTES - len(WORK_SUFFIX):
            raise OptionsError(
                f"`output` {output}: its name may have {NAME_BYTES - len(WORK_SUFFIX)} bytes and is longer"
            )
        return True
    if suffix in FILE_SUFFIXES and not output.is_dir():
        named = output
        while named.suffix.lower() in COMPRESSED_SUFFIXES:  # x.csv.gz is a compressed x.csv
            named = named.with_suffix("")
        kinds = FILE_SUFFIXES | {TABLE_SUFFIX}
        table = named.with_suffix(TABLE_SUFFIX) if named.suffix.lower() in kinds else Path(f"{named}{TABLE_SUFFIX}")
        as_csv = f", then aucli.read({str(table)!r}).write_csv({str(output)!r}) in Python"
        raise OptionsError(
            f"`output` {output}: tables are written as Parquet; use `output` {table}"
            f"{as_csv if suffix == '.csv' else ''}"
        )
    return False


def places_in_folder(folder: Path, label: str, within: str) -> list[Path]:
    """Return where a video's table may lie in a folder of tables, where it is wanted most first.

    That is the path in the folder that was typed with ``.parquet`` behind, then, for where another video's table lies
    there already, more and more of the label. The last is marked with a digest of the label: no other video's place.

    Args:
        folder: of tables.
        label: of the video.
        within: as of `VideoInput`: how much of the label's end is wanted at least.
    """
    parts = _parts(label)
    shortest = min(max(len(_parts(within)), 1), len(parts))
    places = [_place(folder, label, parts[len(parts) - count :]) for count in range(shortest, len(parts) + 1)]
    return [*places, _place(folder, label, parts, marked=True)]


def assign_places(wanted: Mapping[str, Sequence[Path]]) -> dict[str, Path]:
    """Give every video a place of its own: the first of those that it may have, and that no two would take.

    Args:
        wanted: label -> its free places, the most wanted first; the last is no other video's.

    Returns:
        label -> place; the order of the labels decides nothing.
    """
    chosen = dict.fromkeys(wanted, 0)
    while True:
        takers = Counter(str(wanted[label][number]) for label, number in chosen.items())
        clashing = [label for label, number in chosen.items() if takers[str(wanted[label][number])] > 1]
        if not clashing:
            return {label: wanted[label][number] for label, number in chosen.items()}
        for label in clashing:
            chosen[label] = min(chosen[label] + 1, len(wanted[label]) - 1)


def _parts(label: str) -> list[str]:
    """The folders and the name of a place that is always inside: the root is left out, and ``..`` is no way up."""
    parts = ["__up__" if part == ".." else part for part in PurePosixPath(label).parts if part.strip("/")]
    return parts or ["video"]


def _place(folder: Path, label: str, parts: Sequence[str], *, marked: bool = False) -> Path:
    """The place; a name that the file system would not take is cut, and a digest of the label tells it from others."""
    *folders, name = parts
    if marked or any(len(os.fsencode(part)) > NAME_BYTES for part in (*folders, f"{name}{TABLE_SUFFIX}")):
        tail = f"~{hashlib.sha256(label.encode()).hexdigest()[:16]}{TABLE_SUFFIX}"
        folders = [_cut(part, NAME_BYTES) for part in folders]
        return folder.joinpath(*folders, f"{_cut(name, NAME_BYTES - len(tail))}{tail}")
    return folder.joinpath(*folders, f"{name}{TABLE_SUFFIX}")


def _cut(name: str, n_bytes: int) -> str:
    return name.encode()[:n_bytes].decode("utf-8", "ignore")
