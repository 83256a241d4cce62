"""Numbers in text: the digits that they mean, and the same after they were read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aucli.results.digits import meant_digits
from aucli.results.write import write_result


def test_no_rows() -> None:
    rows = pl.DataFrame(schema={"a": pl.Float64, "b": pl.Float32, "c": pl.String})
    assert meant_digits(rows).schema == {"a": pl.Float64, "b": pl.Float64, "c": pl.String}


def test_files_of_text_have_no_long_tails_and_no_exponents(tmp_path: Path) -> None:
    values = [11 * 0.4, 0.1 + 0.2, 1 / 3, 1e-7, -1e-9, 12345678.000001, None]
    rows = pl.DataFrame({"s": values, "p": pl.Series([0.1] * 7, dtype=pl.Float32)})
    for name in ("x.csv", "x.tsv"):
        write_result(tmp_path / name, rows)
        first = [line.replace("\t", ",").split(",")[0] for line in (tmp_path / name).read_text().splitlines()]
        assert first == ["s", "4.4", "0.3", "0.333333", "0", "0", "12345678.000001", ""]
        assert (tmp_path / name).read_text().splitlines()[1].endswith("0.1")
    write_result(tmp_path / "x.parquet", rows)
    assert pl.read_parquet(tmp_path / "x.parquet").equals(rows)


@given(st.lists(st.floats(0, 10_000), max_size=20), st.lists(st.floats(0, 1, width=32), max_size=20))
def test_what_is_written_is_what_was_meant(seconds: list[float], probabilities: list[float]) -> None:
    (written,) = meant_digits(pl.DataFrame({"s": pl.Series(seconds, dtype=pl.Float64)}))
    np.testing.assert_allclose(written.to_numpy(), seconds, atol=5.1e-7, rtol=0)
    (single,) = meant_digits(pl.DataFrame({"p": pl.Series(probabilities, dtype=pl.Float32)}))
    assert single.cast(pl.Float32).to_list() == probabilities, "nothing of single precision is lost"
