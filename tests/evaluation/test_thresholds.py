"""Thresholds: the best F1 that the false alarms allow, and a calm answer where few faces show an AU."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.evaluation.thresholds import LabelledProbabilities, choose_thresholds


def _f1(truth: np.ndarray, said: np.ndarray) -> float:
    return float(2 * (said & truth).sum() / max(said.sum() + truth.sum(), 1))


def _table(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities with many ties, a few missing."""
    random = np.random.default_rng(seed)
    labels = random.choice(np.array([-1, 0, 0, 1], np.int8), (n, 1))
    p = (random.integers(0, 11, (n, 1)) / 10 * 0.8 + 0.2 * (labels == 1)).clip(0, 1)
    p[random.random((n, 1)) < 0.05] = np.nan
    return labels, p


@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([0.0, 0.05, 0.2, 1.0]))
@settings(max_examples=150, deadline=None)
def test_the_best_of_the_thresholds_that_the_false_alarms_allow(seed: int, n: int, limit: float) -> None:
    labels, p = _table(seed, n)
    (chosen,) = choose_thresholds(labels, p, max_false_alarms=limit)
    known = (labels[:, 0] >= 0) & ~np.isnan(p[:, 0])
    truth, score = labels[known, 0] == 1, p[known, 0]
    alarms = (score[~truth] >= chosen).mean() if (~truth).any() else 0.0
    if not (score[~truth] == 1.0).any():
        assert alarms <= limit
    if not truth.any() or truth.all():
        return
    tried = [t for t in np.linspace(0.0005, 0.9995, 1000) if (score[~truth] >= t).mean() <= limit]
    best = max((_f1(truth, score >= t) for t in tried), default=0.0)
    assert _f1(truth, score >= chosen) >= best - 1e-12


def test_an_au_that_no_allowed_threshold_finds_gets_the_lowest_of_them() -> None:
    labels = np.array([[1]] + [[0]] * 40, np.int8)
    p = np.concatenate([[0.2], np.linspace(0.3, 0.9, 40)])[:, None]
    (chosen,) = choose_thresholds(labels, p, max_false_alarms=0.05)
    assert (p[1:] >= chosen).sum() == 2, "as many as allowed"


def test_others_help_where_positives_are_few_but_do_not_count_as_false_alarms() -> None:
    labels = np.array([[1, 1]] * 2 + [[0, 0]] * 40, np.int8)
    p = np.repeat(np.concatenate([[0.9, 0.35], np.linspace(0.01, 0.3, 40)])[:, None], 2, axis=1)
    render_labels = np.array([[1, -1]] * 20 + [[0, -1]] * 40, np.int8)
    render_p = np.repeat(np.concatenate([np.linspace(0.6, 0.8, 20), np.full(40, 0.55)])[:, None], 2, axis=1)
    more = LabelledProbabilities(render_labels, render_p)
    rule = {"max_false_alarms": 0.05, "min_positives": 10, "more": more}
    with_renders, too_few = choose_thresholds(labels, p, **rule)  # type: ignore[arg-type]
    assert 0.55 < with_renders < 0.6, "the renders' false alarms are counted by F1"
    assert too_few == 0.5
    alone, _ = choose_thresholds(labels, p, max_false_alarms=0.05)
    assert 0.3 < alone < 0.35
    high = p.copy()
    high[10:16] = 0.7
    limited, high_too_few = choose_thresholds(labels, high, **rule)  # type: ignore[arg-type]
    assert limited > 0.7
    assert high_too_few > 0.7, "0.5 would give more false alarms than allowed"


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_learn_from_keeps_the_default(n: int) -> None:
    labels, p = np.full((n, 2), -1, np.int8), np.full((n, 2), 0.7)
    assert choose_thresholds(labels, p, max_false_alarms=0.05, min_positives=10).tolist() == [0.5, 0.5]


@given(st.integers(0, 10_000), st.integers(12, 80))
@settings(max_examples=100, deadline=None)
def test_the_threshold_of_the_highest_expected_f1_is_half_of_it(seed: int, n: int) -> None:
    """Lipton, Elkan and Narayanaswamy 2014, theorem 1: what is called present has at least half of the best F1."""
    random = np.random.default_rng(seed)
    p = random.random((n, 1)) ** 2
    labels = np.zeros((n, 1), np.int8)
    labels[:10] = 1
    (chosen,) = choose_thresholds(labels, p, min_positives=10, expected=True)

    def expected_f1(threshold: float) -> float:
        said = p >= threshold
        return float(2 * p[said].sum() / (said.sum() + p.sum()))

    best = max(expected_f1(t) for t in p[:, 0])
    assert expected_f1(chosen) == pytest.approx(best)
    assert p[p >= chosen].min() >= best / 2 - 1e-9
    assert p[p < chosen].max(initial=0.0) <= best / 2 + 1e-9


def test_expected_f1_keeps_to_the_false_alarms_that_were_counted_and_to_enough_positives() -> None:
    p = np.linspace(0.005, 0.995, 100)[:, None]
    labels = (p > 0.3).astype(np.int8)
    labels[-3:] = 0  # three surely wrong of 33 absent ones
    chosen = [choose_thresholds(labels, p, max_false_alarms=limit, expected=True)[0] for limit in (1.0, 0.05)]
    assert chosen[0] < 0.5
    assert (p[labels == 0] >= chosen[1]).mean() <= 0.05
    counted = choose_thresholds(labels, p, min_positives=101)
    np.testing.assert_array_equal(choose_thresholds(labels, p, min_positives=101, expected=True), counted)
    nobody = np.zeros_like(labels)
    np.testing.assert_array_equal(choose_thresholds(nobody, p, expected=True), choose_thresholds(nobody, p))


def test_where_few_faces_show_an_au_a_known_threshold_stands() -> None:
    labels = np.array([[1, 1], [0, 1], [0, 0], [0, 0]], np.int8)
    p = np.array([[0.9, 0.9], [0.8, 0.8], [0.2, 0.3], [0.1, 0.1]])
    known = np.array([0.3, 0.3])
    chosen = choose_thresholds(labels, p, min_positives=2, otherwise=known)
    assert chosen[0] == 0.3
    assert chosen[1] == choose_thresholds(labels, p, min_positives=2)[1] != 0.3
    assert choose_thresholds(labels, p, min_positives=2, otherwise=known, max_false_alarms=0.0)[0] > 0.8
    assert known.tolist() == [0.3, 0.3]
