"""How many digits a number has in a text: those that it means, and no more.

A time is known to a microsecond and a probability to 2^-24, so every figure that was reckoned in double precision is
written to six decimals: 4.4 and not 4.3999999999999995. What was measured in single precision is written as the
shortest decimal that means it: 0.1 and not 0.10000000149. Parquet and JSON keep every bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars

DECIMALS: Final = 6


def meant_digits(rows: polars.DataFrame) -> polars.DataFrame:
    """Numbers in double precision whose shortest decimal has the digits that they mean."""
    import polars as pl

    rounded = pl.col(pl.Float64).round(DECIMALS)
    return rows.with_columns(
        pl.when(rounded == 0).then(0.0).otherwise(rounded).name.keep(),  # no -0.0
        pl.col(pl.Float32).cast(pl.String).cast(pl.Float64),
    )
