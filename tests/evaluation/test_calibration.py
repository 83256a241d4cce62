"""Calibration: the fit finds what was done to log-odds, never harms, and moves little where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.evaluation.calibration import (
    PRIOR_LOG_SCALE,
    PRIOR_OFFSET,
    Calibration,
    fit_calibration,
    reliability,
    sigmoid,
)


def _made(seed: int, n: int, scale: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from true log-odds, and log-odds that calibration must bring back to these."""
    random = np.random.default_rng(seed)
    true = random.normal(-1.5, 2.5, n)
    labels = (random.random(n) < sigmoid(true)).astype(np.int8)
    return labels[:, None], ((true - offset) / scale)[:, None]


def test_without_faces_or_classes_nothing_changes() -> None:
    none = fit_calibration(np.zeros((0, 2), np.int8), np.zeros((0, 2)))
    one_class = fit_calibration(np.array([[1, 0], [1, -1]], np.int8), np.array([[3.0, -2.0], [1.0, 5.0]]))
    for fitted in (none, one_class):
        assert (fitted.scale.tolist(), fitted.offset.tolist()) == ([1.0, 1.0], [0.0, 0.0])


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.5, 1.5), (2.0, -2.0)])
def test_what_was_done_to_the_log_odds_is_found(scale: float, offset: float) -> None:
    fitted = fit_calibration(*_made(0, 20_000, scale, offset))
    assert fitted.scale[0] == pytest.approx(scale, rel=0.08)
    assert fitted.offset[0] == pytest.approx(offset, abs=0.12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.floats(0.2, 5), st.floats(-6, 6))
def test_no_step_from_the_fit_leads_further_down(seed: int, n: int, scale: float, offset: float) -> None:
    labels, log_odds = _made(seed, n, scale, offset)
    if labels.min() == labels.max():
        return
    fitted = fit_calibration(labels, log_odds)

    def loss(log_scale: float, shift: float) -> float:
        x = np.exp(log_scale) * log_odds + shift
        misfit = np.logaddexp(0, np.where(labels == 1, -x, x)).sum()
        return float(misfit + (log_scale / PRIOR_LOG_SCALE) ** 2 / 2 + (shift / PRIOR_OFFSET) ** 2 / 2)

    at = float(np.log(fitted.scale[0])), float(fitted.offset[0])
    least = loss(*at)
    assert least <= loss(0.0, 0.0) + 1e-9
    for size in (1e-3, 0.03, 0.3):
        for turn in np.linspace(0, 2 * np.pi, 9):
            assert loss(at[0] + size * np.cos(turn), at[1] + size * np.sin(turn)) >= least - 1e-7


def test_missing_labels_and_faces_are_left_out_and_one_positive_moves_little() -> None:
    labels, log_odds = _made(1, 300, 0.7, 1.0)
    more_labels = np.concatenate([labels, [[-1], [1]]]).astype(np.int8)
    more = fit_calibration(more_labels, np.concatenate([log_odds, [[50.0], [np.nan]]]))
    alone = fit_calibration(labels, log_odds)
    np.testing.assert_array_equal([more.scale, more.offset], [alone.scale, alone.offset])
    two = fit_calibration(np.array([[1], [0]], np.int8), np.array([[-8.0], [-4.0]]))
    assert 0.6 < two.scale[0] < 1.6
    assert abs(two.offset[0]) < 2.5


def test_probabilities_are_the_sigmoid_and_never_overflow() -> None:
    calibration = Calibration(np.array([2.0]), np.array([-1.0]))
    x = np.array([[-1e6], [0.25], [1e6]])
    np.testing.assert_allclose(calibration.probabilities(x)[:, 0], [0.0, 1 / (1 + np.exp(0.5)), 1.0])
    np.testing.assert_allclose(calibration.undone(calibration.probabilities(x[1:2])), sigmoid(x[1:2]))


def test_reliability_by_hand() -> None:
    present, p = np.array([True, False, False, True]), np.array([0.9, 0.95, 0.05, 1.0])
    found = reliability(present, p)
    assert found.count == 4
    assert found.brier == pytest.approx((0.01 + 0.9025 + 0.0025) / 4)
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.05, 0.95, 1.0]).mean())
    assert found.ece == pytest.approx((3 * (0.95 - 2 / 3) + 0.05) / 4)
    assert [one.count for one in found.bins] == [1, 0, 0, 0, 3]
    assert found.bins[4].share_present == pytest.approx(2 / 3)
    nothing = reliability(np.zeros(0, bool), np.zeros(0))
    assert (nothing.count, nothing.brier, nothing.log_loss, nothing.ece) == (0, None, None, None)
