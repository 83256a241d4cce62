"""Intervals by bootstrapping over subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING, Float64Array, Int64Array
from aucli.errors import OptionsError
from aucli.evaluation.choices import LostFaces
from aucli.evaluation.figures import decision_scores, safe_ratio
from aucli.evaluation.values import Predictions

MIN_DEFINED_REPLICATES: Final = 0.9
"""An interval is given only if at least this share of the replicates has the score."""

SCORE_LEVELS: Final = 1024
"""Probabilities are grouped into so many quantiles for the *intervals* of the ranked scores; the scores themselves are
exact. Ties within a group move an area by less than 1 / SCORE_LEVELS."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts per subject that all scores can be computed from.

    Attributes:
        n_subjects: number of distinct subjects G.
        confusion: (G, A, 4) true positives, false positives, false negatives, true negatives.
        histograms: per AU, (G, K, 2) positives and negatives by ascending level of probability; None without bootstrap.
    """

    n_subjects: int
    confusion: Int64Array
    histograms: tuple[Int64Array, ...] | None


def decide(predictions: Predictions) -> npt.NDArray[np.bool_]:
    """Return (N, A) decisions: those that came with the predictions, else probabilities at or above the thresholds."""
    if predictions.decided is not None:
        return predictions.decided
    decided: npt.NDArray[np.bool_] = predictions.probabilities.astype(np.float64) >= predictions.thresholds
    return decided


def count_by_subject(predictions: Predictions, lost_faces: LostFaces, replicates: int) -> Tally:
    """Count decisions and probabilities of each subject, once; replicates only weigh these counts."""
    if lost_faces not in get_args(LostFaces):
        raise OptionsError(f"`lost_faces` is {lost_faces!r}; allowed are {', '.join(get_args(LostFaces))}")
    if replicates < 0:
        raise OptionsError(f"`replicates` is {replicates}; allowed is 0 or more")
    decided = decide(predictions)
    names, subject = np.unique(predictions.subjects, return_inverse=True)
    confusion = np.zeros((len(names), len(predictions.aus), 4), dtype=np.int64)
    histograms = []
    for a in range(len(predictions.aus)):
        counts = counting(predictions, lost_faces, a)
        truth = predictions.labels[counts, a] == 1
        cell = np.where(decided[counts, a], np.where(truth, 0, 1), np.where(truth, 2, 3))
        flat = np.bincount(subject[counts] * 4 + cell, minlength=4 * len(names))
        confusion[:, a] = flat.reshape(-1, 4)
        if replicates:
            histograms.append(histogram_by_subject(filled(predictions, counts, a), truth, subject[counts], len(names)))
    return Tally(len(names), confusion, tuple(histograms) if replicates else None)


def counting(predictions: Predictions, lost_faces: LostFaces, a: int) -> npt.NDArray[np.bool_]:
    """(N,) which frames count for one AU."""
    counts: npt.NDArray[np.bool_] = predictions.labels[:, a] != MISSING
    if lost_faces == "leave_out":
        counts &= ~np.isnan(predictions.probabilities[:, a])
    return counts


def filled(predictions: Predictions, counts: npt.NDArray[np.bool_], a: int) -> Float64Array:
    """Probabilities of one AU (column `a`) in the K frames that count: (K,) float64, 0 where no face was found.

    Args:
        predictions: N frames of A action units.
        counts: (N,) which frames count, as `counting` says.
        a: index of the AU, 0 to A - 1.
    """
    filled: Float64Array = np.nan_to_num(predictions.probabilities[counts, a].astype(np.float64), nan=0.0)
    return filled


def histogram_by_subject(
    p: Float64Array, truth: npt.NDArray[np.bool_], subject: npt.NDArray[np.int64], n_subjects: int
) -> Int64Array:
    """(G, K, 2) positives and negatives per subject and level of probability, K at most `SCORE_LEVELS`."""
    levels, rank = np.unique(p, return_inverse=True)
    if len(levels) > SCORE_LEVELS:
        edges = np.unique(np.quantile(p, np.linspace(0, 1, SCORE_LEVELS + 1)[1:-1]))
        rank = np.searchsorted(edges, p, side="right")
    k = int(rank.max()) + 1 if len(rank) else 1
    flat = np.bincount((subject * k + rank) * 2 + ~truth, minlength=n_subjects * k * 2)
    return flat.reshape(n_subjects, k, 2)


def bootstrap_weights(n_subjects: int, replicates: int, seed: int, stream: int) -> Int64Array | None:
    """(B, G) how often each subject is drawn in each replicate; None where there is nothing to resample."""
    if replicates == 0 or n_subjects < 2:
        return None
    random = np.random.default_rng([seed, stream])
    return random.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=replicates)


def replicate_decisions(tally: Tally, weights: Int64Array) -> dict[str, Float64Array]:
    """(B, A) every metric in every replicate; NaN where not defined."""
    n_subjects, aus, _ = tally.confusion.shape
    # float64 holds these counts exactly and multiplies through BLAS, which integers do not.
    drawn = weights.astype(np.float64) @ tally.confusion.reshape(n_subjects, aus * 4).astype(np.float64)
    scores = decision_scores(drawn.reshape(len(weights), aus, 4))
    assert tally.histograms is not None
    ranked = [replicate_ranks(histogram, weights) for histogram in tally.histograms]
    scores["roc_auc"] = np.stack([roc for roc, _ in ranked], axis=1)
    scores["pr_auc"] = np.stack([pr for _, pr in ranked], axis=1)
    return scores


def replicate_ranks(histogram: Int64Array, weights: Int64Array) -> tuple[Float64Array, Float64Array]:
    """(B,) area under the ROC curve and average precision of each replicate, from (G, K, 2) histograms."""
    descending = histogram[:, ::-1].astype(np.float64)
    drawn = weights.astype(np.float64)
    hits, alarms = drawn @ descending[:, :, 0], drawn @ descending[:, :, 1]
    total_hits, total_alarms = hits.sum(axis=1), alarms.sum(axis=1)
    above = np.cumsum(hits, axis=1)
    precision = safe_ratio(above, above + np.cumsum(alarms, axis=1))
    roc = safe_ratio(((above - hits / 2) * alarms).sum(axis=1), total_hits * total_alarms)
    pr = safe_ratio(np.where(hits > 0, hits * precision, 0.0).sum(axis=1), total_hits)
    return roc, np.where(total_alarms > 0, pr, np.nan)
