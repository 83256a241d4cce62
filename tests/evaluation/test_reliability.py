from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aucli.evaluation.reliability import PairSums, intraclass_correlations


def anova(x: list[float], y: list[float]) -> tuple[float, float]:
    """ICC(A,1) and ICC(C,1) from a table of the two-way analysis of variance, cell by cell (McGraw and Wong 1996)."""
    rows = list(zip(x, y, strict=True))
    n, k = len(rows), 2
    grand = sum(a + b for a, b in rows) / (n * k)
    of_rows = [(a + b) / k for a, b in rows]
    of_coders = [sum(x) / n, sum(y) / n]
    ss_rows = k * sum((m - grand) ** 2 for m in of_rows)
    ss_coders = n * sum((m - grand) ** 2 for m in of_coders)
    ss_error = sum(
        (rows[i][j] - of_rows[i] - of_coders[j] + grand) ** 2 for i in range(n) for j in range(k)
    )  # fmt: skip
    msr, msc, mse = ss_rows / (n - 1), ss_coders / (k - 1), ss_error / ((n - 1) * (k - 1))
    return (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n), (msr - mse) / (msr + (k - 1) * mse)


def icc(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    sums = PairSums.of(x[:, None], y[:, None], np.zeros(len(x), np.int64), 1)
    found = intraclass_correlations(sums.total())
    return float(found["icc_agreement"][0]), float(found["icc_consistency"][0])


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_same_as_from_a_table_of_variances(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, np.float64).T
    assume(len({a + b for a, b in pairs}) > 1)
    assert icc(x, y) == pytest.approx(anova(x.tolist(), y.tolist()), abs=1e-9)


def test_a_case_worked_out_by_hand() -> None:
    """Pairs (1, 2), (3, 2), (5, 5): means 1.5, 2.5, 5 and 3, 3; MSR 6.5, MSC 0, MSE 0.5."""
    agreement, consistency = icc(np.array([1, 3, 5.0]), np.array([2, 2, 5.0]))
    assert consistency == pytest.approx((6.5 - 0.5) / (6.5 + 0.5))
    assert agreement == pytest.approx((6.5 - 0.5) / (6.5 + 0.5 + 2 * (0 - 0.5) / 3))


def test_known_cases() -> None:
    x = np.array([0, 1, 2, 3, 4, 5, 0, 2.0])
    assert icc(x, x) == pytest.approx((1.0, 1.0))
    agreement, consistency = icc(x, x + 1)
    assert consistency == pytest.approx(1.0)
    assert agreement < 0.9
    assert np.isnan(icc(np.zeros(5), np.zeros(5))).all()
    assert np.isnan(icc(np.array([1.0]), np.array([2.0]))).all()
    assert np.isnan(icc(np.array([np.nan, 1.0]), np.array([1.0, 1.0]))).all()


def test_sums_of_people_add_up_and_can_be_weighed() -> None:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 6, (2, 60, 3)).astype(np.float64)
    x[::7] = np.nan
    people = np.repeat(np.arange(4), 15)
    sums = PairSums.of(x, y, people, 4)
    weights = np.array([[1, 1, 1, 1], [2, 0, 1, 1]])
    drawn = np.concatenate([np.flatnonzero(people == g) for g in (0, 0, 2, 3)])
    for row, which in enumerate((np.arange(60), drawn)):
        weighed = intraclass_correlations(sums.weighted(weights))["icc_agreement"][row]
        alone = [icc(x[which, a], y[which, a])[0] for a in range(3)]
        np.testing.assert_allclose(weighed, alone)
