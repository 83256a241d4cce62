"""The figures of a card, beside slow and obvious forms of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as reference

from aucli.evaluation.predictions import FoldPredictions
from aucli.training.card_figures import examine


def _tested(labels: np.ndarray, p: np.ndarray, aus: tuple[int, ...] = (12, 23)) -> FoldPredictions:
    n = len(labels)
    return FoldPredictions(
        dataset="synth",
        fold=1,
        model="m",
        aus=aus,
        thresholds=(0.5, 0.5),
        subjects=np.arange(n).astype(str),
        sequences=np.full(n, "s"),
        frames=np.arange(n, dtype=np.int32),
        labels=labels.astype(np.int8),
        probabilities=p.astype(np.float32),
    )


def test_nobody_tested() -> None:
    figures = examine(_tested(np.zeros((0, 2)), np.zeros((0, 2))))
    assert [(one.false_alarms, one.found) for one in figures.alarms] == [(None, None)] * 2
    assert (figures.peer, figures.rankings, figures.uncalibrated) == ((), (), None)


def test_alarms_and_the_teacher_on_the_same_faces() -> None:
    labels = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [-1, 0], [1, 0]])
    p = np.array([[0.9, 0.5], [0.4, 0.1], [0.6, 0.2], [0.1, 0.9], [0.9, 0.1], [np.nan, np.nan]])
    peer = np.array([[0.1, np.nan], [0.9, np.nan], [0.2, np.nan], [np.nan, np.nan], [0.5, np.nan]], np.float32)
    figures = examine(_tested(labels, p), blendshapes=peer)
    assert [(one.false_alarms, one.found) for one in figures.alarms] == [(0.5, 0.5), (0.25, 1.0)]
    (smile,) = figures.peer
    assert (smile.au, smile.how, smile.faces) == (12, "mouthSmile", 3)
    assert (smile.model_auc.value, smile.peer_auc.value) == (0.5, 0.5)


def test_an_au_among_the_faces_that_show_another() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(-1, 2, (80, 2))
    p = random.random((80, 2))
    tested = _tested(labels, p, aus=(6, 12))
    ours, theirs = examine(tested).within
    assert (ours.au, ours.other, theirs.au, theirs.other) == (6, 12, 12, 6)
    shown = (labels[:, 1] == 1) & (labels[:, 0] >= 0)
    assert (ours.present, ours.absent) == ((labels[shown, 0] == 1).sum(), (labels[shown, 0] == 0).sum())
    assert ours.auc.value == pytest.approx(reference.roc_auc_score(labels[shown, 0], tested.probabilities[shown, 0]))
    assert examine(_tested(labels[:8], p[:8], aus=(6, 12))).within == (), "too few"


def test_ranks_are_spearmans() -> None:
    random = np.random.default_rng(0)
    intensities = random.integers(0, 4, (60, 2)).astype(np.float32)
    p = intensities / 5 + random.random((60, 2)) / 2
    intensities[:10, 0] = np.nan
    intensities[:50, 1] = np.nan
    (first, second) = examine(_tested(np.zeros((0, 2)), np.zeros((0, 2))), rendered=(p, intensities)).rankings
    assert first.faces == 50
    assert first.rho == pytest.approx(spearmanr(p[10:, 0], intensities[10:, 0]).statistic)
    shown = np.flatnonzero(intensities[:, 0] > 0)
    assert first.shown == len(shown)
    assert first.rho_shown == pytest.approx(spearmanr(p[shown, 0], intensities[shown, 0]).statistic)
    assert (second.faces, second.rho) == (10, None)
