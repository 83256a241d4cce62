"""How good a model is, per AU: area under the ROC curve and F1, with intervals bootstrapped over people.

Frames or pictures of one person are alike, so people are drawn, not pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
LabelArray = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it is not defined (one class only)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class AUResult:
    """What was measured for one AU."""

    au: int
    num_present: int
    num_absent: int
    threshold: float
    auc: Estimate
    f1: Estimate


def roc_auc(labels: LabelArray, scores: FloatArray) -> float:
    """Chance that a present sample scores above an absent one, ties counting half (Mann-Whitney); NaN with one class.

    Args:
        labels: (N,) 1 or 0.
        scores: (N,).
    """
    present = labels == 1
    num_present, num_absent = int(present.sum()), int((~present).sum())
    if num_present == 0 or num_absent == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[inverse]  # equal scores share their mean rank
    return float((ranks[present].sum() - num_present * (num_present + 1) / 2) / (num_present * num_absent))


def f1_score(labels: LabelArray, predicted: npt.NDArray[np.bool_]) -> float:
    """2 TP / (2 TP + FP + FN); 0 where nothing is present and nothing predicted."""
    present = labels == 1
    hits = int((present & predicted).sum())
    wrong = int((present != predicted).sum())
    return 2.0 * hits / (2.0 * hits + wrong) if hits + wrong > 0 else 0.0


def best_threshold(labels: LabelArray, scores: FloatArray) -> float:
    """The threshold with the highest F1, halfway between neighbouring scores; 0.5 where a class is missing.

    Of equally good thresholds the one nearest 0.5 is taken.
    """
    if len(np.unique(labels)) < 2:
        return 0.5
    values = np.unique(scores)
    cuts = np.concatenate([(values[1:] + values[:-1]) / 2.0, [0.5]])
    f1 = np.array([f1_score(labels, scores >= cut) for cut in cuts])
    best = cuts[f1 >= f1.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])


def evaluate_au(
    au: int,
    labels: LabelArray,
    scores: FloatArray,
    people: npt.NDArray[np.str_],
    *,
    threshold: float,
    draws: int = 1000,
    seed: int = 0,
) -> AUResult:
    """Measure one AU on the samples whose label is known.

    Args:
        au: which AU.
        labels: (N,) 1, 0 or -1.
        scores: (N,) probabilities.
        people: (N,) who is seen.
        threshold: present at or above it.
        draws: bootstrap samples.
        seed: of the bootstrap.
    """
    known = labels >= 0
    labels, scores, people = labels[known], scores[known], people[known]

    def auc_of(rows: npt.NDArray[np.intp]) -> float:
        return roc_auc(labels[rows], scores[rows])

    def f1_of(rows: npt.NDArray[np.intp]) -> float:
        return f1_score(labels[rows], scores[rows] >= threshold)

    return AUResult(
        au=au,
        num_present=int((labels == 1).sum()),
        num_absent=int((labels == 0).sum()),
        threshold=threshold,
        auc=_bootstrap(auc_of, people, draws=draws, seed=seed),
        f1=_bootstrap(f1_of, people, draws=draws, seed=seed),
    )


def _bootstrap(
    measure: Callable[[npt.NDArray[np.intp]], float], people: npt.NDArray[np.str_], *, draws: int, seed: int
) -> Estimate:
    """The figure on all rows, and its 2.5 and 97.5 percentiles over people drawn with replacement."""
    everyone = np.arange(len(people))
    _, person = np.unique(people, return_inverse=True)
    rows_of = np.split(np.argsort(person, kind="stable"), np.cumsum(np.bincount(person))[:-1]) if len(people) else []
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(draws if rows_of else 0):
        drawn = generator.integers(len(rows_of), size=len(rows_of))
        values.append(measure(np.concatenate([rows_of[p] for p in drawn])))
    defined = np.array([v for v in values if not np.isnan(v)])
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (float("nan"), float("nan"))
    return Estimate(measure(everyone), float(low), float(high))
