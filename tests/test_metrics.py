from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score as sklearn_f1
from sklearn.metrics import roc_auc_score

from aucli.training.metrics import best_threshold, evaluate_au, f1_score, roc_auc


def test_no_samples() -> None:
    result = evaluate_au(1, np.full(3, -1), np.zeros(3), np.array(["a", "b", "c"]), threshold=0.5)
    assert (result.num_present, result.num_absent) == (0, 0)
    assert math.isnan(result.auc.value)
    assert best_threshold(np.array([], dtype=int), np.array([])) == 0.5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40))
def test_agrees_with_scikit_learn(samples: list[tuple[int, int]]) -> None:
    labels = np.array([label for label, _ in samples])
    scores = np.array([score / 6 for _, score in samples])
    assert math.isclose(f1_score(labels, scores >= 0.5), sklearn_f1(labels, scores >= 0.5, zero_division=0.0))
    if 0 < labels.sum() < len(labels):
        assert math.isclose(roc_auc(labels, scores), roc_auc_score(labels, scores))
        best = f1_score(labels, scores >= best_threshold(labels, scores))
        assert all(f1_score(labels, scores >= cut) <= best + 1e-9 for cut in [*np.unique(scores)[1:], 0.5])
    else:
        assert math.isnan(roc_auc(labels, scores))


def test_intervals_draw_people_not_pictures() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    scores = labels * 0.3 + rng.random(60)
    alone = evaluate_au(1, labels, scores, np.arange(60).astype(str), threshold=0.6)
    copied = evaluate_au(1, labels.repeat(20), scores.repeat(20), np.arange(60).astype(str).repeat(20), threshold=0.6)
    assert alone.auc.low < alone.auc.value < alone.auc.high
    np.testing.assert_allclose(
        (copied.auc.low, copied.auc.value, copied.auc.high), (alone.auc.low, alone.auc.value, alone.auc.high)
    )
