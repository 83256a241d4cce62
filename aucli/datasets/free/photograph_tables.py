"""Tables of photographs: Parquet files, a row per photograph of one face.

Needed are ``name`` (different in all rows of all tables) and ``jpeg`` (the file's bytes). ``identity`` says who is
seen; without it, or where it is empty, each photograph is a subject of its own. ``smile`` (1, 0) is by people who
looked. Other columns are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.errors import DatasetError
from aucli.runtime.parquet import read_parquet

COLUMNS: Final = ("name", "jpeg", "identity", "smile")


@dataclass(frozen=True, eq=False)
class PhotographTable:
    """N photographs.

    Attributes:
        names: (N,).
        jpegs: (N,) files.
        subjects: (N,) str, who is seen.
        smiles: (N,) int8: 1, 0, or -1 where nobody said.
    """

    names: tuple[str, ...]
    jpegs: tuple[bytes, ...]
    subjects: npt.NDArray[np.str_]
    smiles: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.names)


def read_photograph_table(path: Path) -> PhotographTable:
    """Read one table.

    Raises:
        DatasetError: if the file cannot be read, lacks a column, or holds something else in one.
    """
    import polars as pl

    wanted = "a table of photographs: Parquet with name and jpeg"
    table = pl.DataFrame(read_parquet(path, COLUMNS, error=DatasetError, wanted=wanted))
    try:
        names = table["name"].cast(pl.String)
        jpegs = table["jpeg"].cast(pl.Binary)
        has = table.columns
        identities = table["identity"].cast(pl.String) if "identity" in has else [None] * len(table)
        smiles = table["smile"].cast(pl.Int8).fill_null(-1).to_numpy() if "smile" in has else np.full(len(table), -1)
    except pl.exceptions.PolarsError as error:
        reason = " ".join(str(error).split())[:160]
        raise DatasetError(f"{path} is not a table of photographs with name and jpeg: {reason}") from error
    if names.null_count() or jpegs.null_count() or not np.isin(smiles, (-1, 0, 1)).all():
        raise DatasetError(f"{path}: name and jpeg are needed in every row, smile is 1, 0 or empty")
    subjects = [subject_of(name, identity) for name, identity in zip(names, identities, strict=True)]
    return PhotographTable(tuple(names), tuple(jpegs), np.array(subjects, np.str_), smiles.astype(np.int8))


def join_tables(tables: Sequence[PhotographTable]) -> PhotographTable:
    """One table after the other.

    Raises:
        DatasetError: if a name occurs twice.
    """
    names = [name for table in tables for name in table.names]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DatasetError(f"the photograph {twice[0]} occurs twice; names must be different in all tables")
    return PhotographTable(
        tuple(names),
        tuple(jpeg for table in tables for jpeg in table.jpegs),
        np.concatenate([np.zeros(0, "U1"), *(table.subjects for table in tables)]),
        np.concatenate([np.zeros(0, np.int8), *(table.smiles for table in tables)]),
    )


def subject_of(name: str, identity: str | None) -> str:
    """Who is seen. Stock pictures are named by number, not by person: together they count as one, which can only be too
    careful."""
    if not identity:
        return name
    return "facial-expressions" if identity.startswith("facial-expressions") else identity
