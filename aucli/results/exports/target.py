"""What is exported, and what a target consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars

    from aucli.results.exports.intervals import Intervals


@dataclass(frozen=True, eq=False)
class Content:
    """What goes into one file.

    Attributes:
        rows: of the table, marked by a `RowFilter`: its column tells which rows are left out, and why.
        is_filtered: whether a filter was asked for.
        aus: the table's action units, ``("AU01", ...)``, in its order.
        made_by: versions of aucli and model, in words, the same for the same table.
        intervals: stretches in which action units are present; None for targets that have a row per frame.
        films: video -> its file, absolute; None where it was not found.
        records: video -> what the table's metadata tells of it; empty where the table came without.
    """

    rows: polars.DataFrame
    is_filtered: bool
    aus: tuple[str, ...]
    made_by: str
    intervals: Intervals | None
    films: Mapping[str, Path | None]
    records: Mapping[str, Mapping[str, Any]]

    @property
    def videos(self) -> list[str]:
        """Names of the videos, in the order of the table."""
        names: list[str] = self.rows["video"].unique(maintain_order=True).to_list()
        return names


@dataclass(frozen=True)
class ExportTarget:
    """A program, or a format, that tables are exported to.

    Attributes:
        name: as it is chosen.
        suffix: of its files, with the dot.
        is_one_video: whether a file holds one video only.
        is_intervals: whether a file holds stretches of time; else it has a row per frame and face.
        packages: modules that writing it needs, beside what every installation has.
        most_rows: rows that a file can hold; None for no limit.
        write: writes a file: what, the temporary name to write to, and the name that it will have.
    """

    name: str
    suffix: str
    is_one_video: bool
    is_intervals: bool
    packages: tuple[str, ...]
    most_rows: int | None
    write: Callable[[Content, Path, Path], None]
