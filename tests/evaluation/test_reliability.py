from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aucli.evaluation.reliability import PairSums, intraclass_correlations
from tests.builders.variance import anova


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
