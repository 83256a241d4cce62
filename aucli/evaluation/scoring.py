"""Agreement of predicted with coded action units, frame by frame, with intervals over subjects.

The unit is the frame, and frames of one subject are alike, so intervals come from a bootstrap over *subjects*: whole
subjects are drawn with replacement. That is done on counts per subject, never on frames, so a thousand replicates over
millions of frames are a small matrix product.

What is not defined is None, never a number that misleads: an AU without labels has no score, one that is never present
has no F1, and where the truth has one class only there is no kappa, correlation or area under a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING, Float64Array, Int8Array, Int64Array
from aucli.errors import DatasetError
from aucli.evaluation.bootstrap import (
    MIN_DEFINED_REPLICATES,
    Tally,
    bootstrap_weights,
    count_by_subject,
    counting,
    decide,
    filled,
    replicate_decisions,
)
from aucli.evaluation.choices import LostFaces
from aucli.evaluation.figures import all_positive_f1, decision_scores, ranked_scores
from aucli.evaluation.thresholds import DEFAULT_THRESHOLD
from aucli.evaluation.values import (
    DEFAULT_REPLICATES,
    LEVEL,
    METRICS,
    AuScores,
    CrossValidation,
    Estimate,
    Evaluation,
    Predictions,
)


def evaluate(
    labels: Int8Array,
    probabilities: npt.NDArray[np.floating[Any]],
    *,
    aus: tuple[int, ...],
    subjects: npt.NDArray[Any] | None = None,
    thresholds: float | Sequence[float] | Float64Array = DEFAULT_THRESHOLD,
    name: str = "test",
    lost_faces: LostFaces = "negative",
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 3407,
) -> Evaluation:
    """Score one test set.

    Args:
        labels: (N, A) int8: 1 present, 0 absent, -1 missing (left out, for that AU only).
        probabilities: (N, A) in 0..1, NaN where no face was found.
        aus: (A) action units.
        subjects: (N,) who is seen; None gives no intervals.
        thresholds: one, or one per AU; present is ``probability >= threshold``.
        name: for tables.
        lost_faces: count frames without a face as predicted absent with probability 0, or leave them out.
        replicates: bootstrap replicates; 0 for none.
        seed: of the bootstrap.

    Raises:
        DatasetError: if shapes disagree or values are out of range.
        OptionsError: if `lost_faces` or `replicates` is not allowed.
    """
    who = np.zeros(len(labels), dtype=np.int64) if subjects is None else subjects
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), (len(aus),)).copy()
    predictions = Predictions(name, aus, labels, probabilities, who, limits)
    return evaluate_predictions(predictions, lost_faces=lost_faces, replicates=replicates, seed=seed)


def evaluate_predictions(
    predictions: Predictions,
    *,
    lost_faces: LostFaces = "negative",
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 3407,
) -> Evaluation:
    """As `evaluate`, for predictions that are already together."""
    tallies = [count_by_subject(predictions, lost_faces, replicates)]
    weights = [bootstrap_weights(tally.n_subjects, replicates, seed, 0) for tally in tallies]
    return _summarise(predictions.name, "frames", lost_faces, tallies, weights, [predictions], replicates)


def evaluate_folds(
    folds: Sequence[Predictions],
    *,
    lost_faces: LostFaces = "negative",
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 3407,
) -> CrossValidation:
    """Score a cross-validation: each fold, the mean of the folds per AU as papers print it, and all frames pooled.

    Subjects are drawn within their fold, so intervals do not mix models.

    Raises:
        DatasetError: if there are no folds, or they differ in action units.
    """
    if not folds:
        raise DatasetError("there are no folds to evaluate")
    for fold in folds:
        if fold.aus != folds[0].aus:
            raise DatasetError(f"{fold.name} has AUs {fold.aus}, {folds[0].name} has {folds[0].aus}")
    tallies = [count_by_subject(fold, lost_faces, replicates) for fold in folds]
    weights = [bootstrap_weights(tally.n_subjects, replicates, seed, k) for k, tally in enumerate(tallies)]
    single = tuple(
        _summarise(fold.name, "frames", lost_faces, [tally], [weight], [fold], replicates)
        for fold, tally, weight in zip(folds, tallies, weights, strict=True)
    )
    mean = _summarise("mean of folds", "mean of folds", lost_faces, tallies, weights, folds, replicates)
    pooled_predictions = pooled(folds)
    pooled_tally = count_by_subject(pooled_predictions, lost_faces, replicates)
    pooled_weights = bootstrap_weights(pooled_tally.n_subjects, replicates, seed, len(folds))
    together = _summarise(
        "pooled folds", "pooled", lost_faces, [pooled_tally], [pooled_weights], [pooled_predictions], replicates
    )
    return CrossValidation(folds=single, mean=mean, pooled=together)


def pooled(folds: Sequence[Predictions]) -> Predictions:
    """All frames of some folds as one test set, each decided by its own fold's thresholds."""
    return Predictions(
        name="pooled folds",
        aus=folds[0].aus,
        labels=np.concatenate([fold.labels for fold in folds]),
        probabilities=np.concatenate([fold.probabilities for fold in folds]),
        subjects=np.concatenate([_own_codes(fold.subjects, k) for k, fold in enumerate(folds)]),
        thresholds=np.mean([fold.thresholds for fold in folds], axis=0),
        decided=np.concatenate([decide(fold) for fold in folds]),
    )


def _own_codes(subjects: npt.NDArray[Any], fold: int) -> Int64Array:
    """Subject codes that no other fold shares."""
    return np.unique(subjects, return_inverse=True)[1].astype(np.int64) + (fold << 32)


def _summarise(
    name: str,
    method: str,
    lost_faces: LostFaces,
    tallies: Sequence[Tally],
    weights: Sequence[Int64Array | None],
    parts: Sequence[Predictions],
    replicates: int,
) -> Evaluation:
    """Scores averaged over the parts (one part: as they are), with intervals."""
    per_part = [exact_scores(tally, part, lost_faces) for tally, part in zip(tallies, parts, strict=True)]
    exact = {m: mean_of_defined(np.stack([scores[m] for scores in per_part])) for m in METRICS}
    usable = [(tally, weight) for tally, weight in zip(tallies, weights, strict=True) if weight is not None]
    drawn: dict[str, Float64Array] = {}
    if len(usable) == len(tallies) and usable:
        replicated = [replicate_decisions(tally, weight) for tally, weight in usable]
        drawn = {m: mean_of_defined(np.stack([scores[m] for scores in replicated])) for m in METRICS}
    per_au = []
    thresholds = np.mean([part.thresholds for part in parts], axis=0)
    for a, au in enumerate(parts[0].aus):
        confusion = np.sum([tally.confusion[:, a].sum(axis=0) for tally in tallies], axis=0)
        labelled, positive = int(confusion.sum()), int(confusion[0] + confusion[2])
        all_positive = [all_positive_f1(tally.confusion[:, a].sum(axis=0)) for tally in tallies]
        lines = [line for line in all_positive if line is not None]
        per_au.append(
            AuScores(
                au=au,
                threshold=None if np.isnan(thresholds[a]) else float(thresholds[a]),
                labelled=labelled,
                positive=positive,
                missing=int(sum((part.labels[:, a] == MISSING).sum() for part in parts)),
                lost=int(sum(_lost(part, a) for part in parts)),
                scores={m: estimate(exact[m][a], drawn[m][:, a] if drawn else None) for m in METRICS},
                all_positive_f1=float(np.mean(lines)) if lines else None,
            )
        )
    mean = {m: estimate(mean_of_defined(exact[m]), mean_of_defined(drawn[m].T) if drawn else None) for m in METRICS}
    return Evaluation(
        name=name,
        method=method,
        lost_faces=lost_faces,
        subjects=sum(tally.n_subjects for tally in tallies),
        frames=sum(len(part.labels) for part in parts),
        per_au=tuple(per_au),
        mean=mean,
        averaged={m: int(np.isfinite(exact[m]).sum()) for m in METRICS},
        replicates=replicates if drawn else 0,
    )


def _lost(part: Predictions, a: int) -> int:
    return int(((part.labels[:, a] != MISSING) & np.isnan(part.probabilities[:, a])).sum())


def estimate(value: float | Float64Array, replicates: Float64Array | None) -> Estimate:
    """A score with the interval of its (B,) bootstrap replicates; None where it is not defined."""
    if not np.isfinite(value):
        return Estimate(None)
    if replicates is None:
        return Estimate(float(value))
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < MIN_DEFINED_REPLICATES * len(replicates):
        return Estimate(float(value))
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def mean_of_defined(stacked: Float64Array) -> Float64Array:
    """(K, ...) to (...): the mean over the first axis of what is defined (finite); NaN where nothing is."""
    defined = np.isfinite(stacked)
    counts = defined.sum(axis=0)
    total = np.where(defined, stacked, 0.0).sum(axis=0)
    mean: Float64Array = np.divide(total, counts, out=np.full(np.shape(total), np.nan), where=counts > 0)
    return mean


def exact_scores(tally: Tally, predictions: Predictions, lost_faces: LostFaces) -> dict[str, Float64Array]:
    """(A,) every metric, NaN where not defined."""
    scores = decision_scores(tally.confusion.sum(axis=0))
    roc, pr = [], []
    for a in range(len(predictions.aus)):
        counts = counting(predictions, lost_faces, a)
        truth = predictions.labels[counts, a] == 1
        area, precision = ranked_scores(filled(predictions, counts, a), truth)
        roc.append(area)
        pr.append(precision)
    return {**scores, "roc_auc": np.array(roc), "pr_auc": np.array(pr)}
