"""Two models on the same faces, beside scoring each alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import DatasetError
from aucli.evaluation.comparison import COMPARED, compare_predictions
from aucli.evaluation.score_tables import render_comparison
from aucli.evaluation.scoring import evaluate_predictions, pooled
from aucli.evaluation.values import Predictions

AUS = (1, 12)
NAMES = ("start", "mine")


def fold(seed: int, *, knows: float, subjects: int = 6, aus: tuple[int, ...] = AUS) -> Predictions:
    """A test fold of 20 frames a subject; the labels follow from the seed alone."""
    random = np.random.default_rng(seed)
    n = 20 * subjects
    labels = (random.random((n, len(aus))) < 0.4).astype(np.int8)
    said = np.clip(0.5 + knows * (labels - 0.5) + random.normal(0, 0.2, labels.shape), 0, 1)
    labels[random.random(labels.shape) < 0.1] = -1
    who = np.arange(n) % subjects + 100 * seed
    return Predictions("fold", aus, labels, said, who, np.full(len(aus), 0.5))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1), st.integers(1, 3))
def test_each_model_has_the_figures_that_it_has_alone(seed: int, knows: float, more: float, n_folds: int) -> None:
    before = [fold(seed + k, knows=knows) for k in range(n_folds)]
    after = [fold(seed + k, knows=more) for k in range(n_folds)]
    found = compare_predictions(before, after, names=NAMES, replicates=20)
    alone = [evaluate_predictions(pooled(folds), replicates=20) for folds in (before, after)]
    for a, one in enumerate(found.per_au):
        for metric in COMPARED:
            both = [scores.per_au[a].scores[metric].value for scores in alone]
            compared = one.figures[metric]
            assert [compared.before.value, compared.after.value] == both
            assert compared.difference.value == pytest.approx(both[1] - both[0])  # type: ignore[operator]
    backwards = compare_predictions(after, before, names=NAMES, replicates=20)
    change, back = found.mean["f1"].difference, backwards.mean["f1"].difference
    assert (change.value, change.low, change.high) == pytest.approx((-back.value, -back.high, -back.low))  # type: ignore[operator]


def test_what_is_said_of_the_two() -> None:
    poor, good, alike = fold(1, knows=0.1), fold(1, knows=0.9), fold(1, knows=0.1)
    better = compare_predictions([poor], [good], names=NAMES, replicates=200)
    assert better.better() == (AUS, ())
    assert better.verdict()[0].startswith("mine is better than start: mean F1 over 2 action units goes from")
    assert "rough" in better.verdict()[-1], "six people are few"
    assert (
        compare_predictions([good], [poor], names=NAMES, replicates=200)
        .verdict()[0]
        .startswith("mine is WORSE than start")
    )
    same = compare_predictions([poor], [alike], names=NAMES, replicates=200)
    assert same.verdict()[0].startswith("mine is not shown to be better than start")
    assert same.mean["f1"].difference.low == same.mean["f1"].difference.high == 0
    (alone,) = compare_predictions(
        [fold(1, knows=0.1, subjects=1)], [fold(1, knows=0.9, subjects=1)], names=NAMES
    ).verdict()
    assert alone.startswith("nobody can tell whether mine is better than start")
    for width in (80, 160):
        text = render_comparison(better, width=width)
        assert max(map(len, text.splitlines()[: -len(better.verdict())])) <= width
        assert "before: start, after: mine" in text


def test_only_the_same_frames_can_be_compared() -> None:
    with pytest.raises(DatasetError, match="not tested on the same frames"):
        compare_predictions([fold(1, knows=0.5)], [fold(2, knows=0.5)], names=NAMES)
    with pytest.raises(DatasetError, match="share no action unit"):
        compare_predictions([fold(1, knows=0.5, aus=(4, 5))], [fold(1, knows=0.5)], names=NAMES)
    shared = compare_predictions([fold(1, knows=0.5)], [fold(1, knows=0.5).with_aus((12,))], names=NAMES, replicates=0)
    assert [one.au for one in shared.per_au] == [12]
