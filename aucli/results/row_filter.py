"""Which rows of a table are good enough for an analysis, and how many are not, by which rule.

A row that is left out is not a row in which nothing was present: its values are unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from aucli.errors import OptionsError, TableError

if TYPE_CHECKING:
    import polars

LEFT_OUT: Final = "left_out"
"""The column that `RowFilter.mark` adds: the name of the rule by which a row is left out, null where it stays."""


@dataclass(frozen=True)
class _Rule:
    column: str
    is_least: bool
    words: str


_RULES: Final = {
    "min_interocular_px": _Rule("interocular_px", True, "eyes closer than {} px"),
    "max_yaw_deg": _Rule("yaw_deg", False, "turned by more than {} degrees"),
    "max_pitch_deg": _Rule("pitch_deg", False, "raised or lowered by more than {} degrees"),
    "min_sharpness": _Rule("sharpness", True, "sharpness below {}"),
    "min_brightness": _Rule("brightness", True, "brightness below {}"),
}


@dataclass(frozen=True)
class RowFilter:
    """Rows with a face that an analysis takes; None does not ask.

    A row is judged by the rules in this order, and is counted to the first that it breaks. A row without the value
    that a rule asks for breaks it.

    Attributes:
        min_interocular_px: least distance of the eyes, pixels of the frame.
        max_yaw_deg: most that the head may be turned to either side, degrees.
        max_pitch_deg: most that the head may be raised or lowered, degrees.
        min_sharpness: least sharpness of the face's crop, in the unit of the column ``sharpness``.
        min_brightness: least brightness of the face's crop, in the unit of the column ``brightness``.

    Raises:
        OptionsError: if a limit is negative or no number.
    """

    min_interocular_px: float | None = None
    max_yaw_deg: float | None = None
    max_pitch_deg: float | None = None
    min_sharpness: float | None = None
    min_brightness: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            limit = getattr(self, one.name)
            if limit is not None and not (math.isfinite(limit) and limit >= 0):
                raise OptionsError(f"`{one.name}` is {limit}; allowed are numbers from 0")

    @property
    def rules(self) -> dict[str, float]:
        """Limit by rule, those that are asked for, in the order of the attributes."""
        limits = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: limit for name, limit in limits.items() if limit is not None}

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the rules need."""
        return tuple(_RULES[name].column for name in self.rules)

    def mark(self, rows: polars.DataFrame) -> polars.DataFrame:
        """Add the column `LEFT_OUT`; every row stays where it is.

        Args:
            rows: with the columns ``video``, ``face`` and those of the rules.

        Raises:
            TableError: if a rule needs a column that the table, or one of its videos, lacks.
        """
        import polars as pl

        broken: list[pl.Expr] = []
        for name, limit in self.rules.items():
            rule = _RULES[name]
            self._require(rows, name, rule.column)
            value = pl.col(rule.column).cast(pl.Float64).fill_nan(None)
            kept = value >= limit if rule.is_least else value.abs() <= limit
            broken.append(pl.when(~kept.fill_null(False)).then(pl.lit(name)))
        first = pl.coalesce(broken) if broken else pl.lit(None, pl.String)
        return rows.with_columns(pl.when(pl.col("face").is_not_null()).then(first).alias(LEFT_OUT))

    @staticmethod
    def _require(rows: polars.DataFrame, rule: str, column: str) -> None:
        import polars as pl

        remedy = f"annotate the film again with this version of aucli, or do without `{rule}`"
        if column not in rows.columns:
            raise TableError(f"the table has no column {column}, as an earlier version wrote it; {remedy}")
        lacking = (
            rows.lazy()
            .filter(pl.col("face").is_not_null())
            .group_by("video", maintain_order=True)
            .agg(pl.col(column).is_not_null().any().alias("known"))
            .filter(~pl.col("known"))
            .collect()["video"]
        )
        if len(lacking):
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise TableError(f"{lacking[0]}{more} has no {column}, as an earlier version wrote it; {remedy}")


@dataclass(frozen=True)
class LeftOut:
    """How many rows a `RowFilter` left out.

    Attributes:
        n_faces: rows with a face, all of them.
        by_rule: rule -> rows that it left out; 0 where it left out none.
        row_filter: the filter.
    """

    n_faces: int
    by_rule: dict[str, int]
    row_filter: RowFilter

    @classmethod
    def of(cls, marked: polars.DataFrame, row_filter: RowFilter) -> LeftOut:
        """Count in rows that `RowFilter.mark` has marked."""
        counts = dict(marked[LEFT_OUT].drop_nulls().value_counts().iter_rows())
        n_faces = len(marked) - marked["face"].null_count()
        return cls(n_faces, {name: int(counts.get(name, 0)) for name in row_filter.rules}, row_filter)

    @property
    def n_left_out(self) -> int:
        """Rows left out by all rules."""
        return sum(self.by_rule.values())

    def sentence(self) -> str:
        """``left out 3 of 40 rows with a face: 3 eyes closer than 30 px``; empty where no rule was asked for."""
        if not self.by_rule:
            return ""
        parts = [
            f"{count:,} {_RULES[name].words.format(f'{self.row_filter.rules[name]:g}')}"
            for name, count in self.by_rule.items()
        ]
        return f"left out {self.n_left_out:,} of {self.n_faces:,} rows with a face: {', '.join(parts)}"
