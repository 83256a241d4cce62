"""Agreement of predicted with coded action units, frame by frame, with intervals over people.

The unit is the frame, and frames of one person are alike, so intervals come from a bootstrap over *subjects*: whole
people are drawn with replacement. That is done on counts per subject, never on frames, so a thousand replicates over
millions of frames are a small matrix product.

What is not defined is None, never a number that misleads: an AU without labels has no score, one that is never present
has no F1, and where the truth has one class only there is no kappa, correlation or area under a curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from aucli.datasets.samples import MISSING, Float64Array, Int8Array, Int64Array
from aucli.errors import DatasetError, OptionsError

LostFaces = Literal["negative", "leave_out"]

METRICS: Final[Mapping[str, str]] = {
    "f1": "F1-frame, 2TP / (2TP + FP + FN)",
    "accuracy": "share of labelled frames that are right",
    "roc_auc": "area under the ROC curve",
    "pr_auc": "average precision",
    "kappa": "Cohen's kappa (Cohen 1960)",
    "free_kappa": "free-marginal kappa for two classes, 2 accuracy - 1 (Brennan and Prediger 1981)",
    "mcc": "Matthews correlation; 0 where all predictions are alike",
    "f1_balanced": "F1 as if half of the frames were positive (skew-normalised; Jeni, Cohn and De la Torre 2013)",
}
"""Every score by its short name, in the order of tables."""

RANKED: Final = ("roc_auc", "pr_auc")
"""Scores that use the probabilities; the others use decisions."""

DEFAULT_THRESHOLD: Final = 0.5
"""As JAA-Net, ME-GraphAU and AUNCE."""

DEFAULT_REPLICATES: Final = 1000
LEVEL: Final = 0.95
MIN_DEFINED_REPLICATES: Final = 0.9
"""An interval is given only if at least this share of the replicates has the score."""

SCORE_LEVELS: Final = 1024
"""Probabilities are grouped into so many quantiles for the *intervals* of the ranked scores; the scores themselves are
exact. Ties within a group move an area by less than 1 / SCORE_LEVELS."""


@dataclass(frozen=True)
class Estimate:
    """A score with its bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class AuScores:
    """All scores of one action unit.

    Attributes:
        au: its number.
        threshold: present from this probability on.
        labelled: frames that have a label for it and count.
        positive: of these, frames where it is coded present.
        missing: frames without a label for it.
        lost: frames that have a label, but no face was found.
        scores: estimate by metric, see `METRICS`.
        all_positive_f1: F1 of always saying present, 2p / (1 + p) for base rate p: the line to beat.
    """

    au: int
    threshold: float
    labelled: int
    positive: int
    missing: int
    lost: int
    scores: Mapping[str, Estimate]
    all_positive_f1: float | None

    @property
    def base_rate(self) -> float | None:
        """Share of labelled frames with the AU present."""
        return self.positive / self.labelled if self.labelled else None


@dataclass(frozen=True)
class Evaluation:
    """Scores of all action units and their mean.

    Attributes:
        name: what was scored.
        method: ``frames`` of one test set, ``pooled`` frames of several folds, or ``mean of folds``.
        lost_faces: how frames without a face count: as ``negative``, or ``leave_out``.
        subjects: people in the test set.
        frames: frames in the test set.
        per_au: in the order of the AUs.
        mean: mean over the AUs for which a score is defined, by metric.
        averaged: over how many AUs that mean runs, by metric.
        replicates: bootstrap replicates; 0 for none.
    """

    name: str
    method: str
    lost_faces: LostFaces
    subjects: int
    frames: int
    per_au: tuple[AuScores, ...]
    mean: Mapping[str, Estimate]
    averaged: Mapping[str, int]
    replicates: int


@dataclass(frozen=True)
class CrossValidation:
    """The folds, their mean as papers print it, and all frames pooled: two different numbers."""

    folds: tuple[Evaluation, ...]
    mean: Evaluation
    pooled: Evaluation


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said about a test set.

    Attributes:
        name: of the test set or fold.
        aus: (A) action units.
        labels: (N, A) int8: 1, 0, -1 missing.
        probabilities: (N, A) float, NaN where no face was found.
        subjects: (N,) any integers or strings that tell people apart.
        thresholds: (A,) an AU is present from this probability on.
        decided: (N, A) bool, the decisions themselves where they are known; thresholds are not used then.

    Raises:
        DatasetError: if shapes disagree, or a label or probability is out of range.
    """

    name: str
    aus: tuple[int, ...]
    labels: Int8Array
    probabilities: npt.NDArray[np.floating[Any]]
    subjects: npt.NDArray[Any]
    thresholds: Float64Array
    decided: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n, a = len(self.labels), len(self.aus)
        for what, array, shape in (
            ("labels", self.labels, (n, a)),
            ("probabilities", self.probabilities, (n, a)),
            ("subjects", self.subjects, (n,)),
            ("thresholds", self.thresholds, (a,)),
        ):
            if array.shape != shape:
                raise DatasetError(f"{what} of {self.name} have the shape {array.shape}; expected {shape}")
        if self.decided is not None and self.decided.shape != (n, a):
            raise DatasetError(f"decided of {self.name} has the shape {self.decided.shape}; expected {(n, a)}")
        if n and not np.isin(self.labels, (-1, 0, 1)).all():
            raise DatasetError(f"labels of {self.name} hold other values than 1, 0 and -1")
        known = self.probabilities[~np.isnan(self.probabilities)]
        if known.size and (known.min() < 0 or known.max() > 1):
            raise DatasetError(
                f"probabilities of {self.name} run from {known.min()} to {known.max()}; allowed is 0 to 1"
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
    people = np.zeros(len(labels), dtype=np.int64) if subjects is None else subjects
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), (len(aus),)).copy()
    predictions = Predictions(name, aus, labels, probabilities, people, limits)
    return evaluate_predictions(predictions, lost_faces=lost_faces, replicates=replicates, seed=seed)


def evaluate_predictions(
    predictions: Predictions,
    *,
    lost_faces: LostFaces = "negative",
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 3407,
) -> Evaluation:
    """As `evaluate`, for predictions that are already together."""
    tallies = [_tally(predictions, lost_faces, replicates)]
    weights = [_bootstrap_weights(tally.people, replicates, seed, 0) for tally in tallies]
    return _summarise(predictions.name, "frames", lost_faces, tallies, weights, [predictions], replicates)


def evaluate_folds(
    folds: Sequence[Predictions],
    *,
    lost_faces: LostFaces = "negative",
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 3407,
) -> CrossValidation:
    """Score a cross-validation: each fold, the mean of the folds per AU as papers print it, and all frames pooled.

    People are drawn within their fold, so intervals do not mix models.

    Raises:
        DatasetError: if there are no folds, or they differ in action units.
    """
    if not folds:
        raise DatasetError("there are no folds to evaluate")
    for fold in folds:
        if fold.aus != folds[0].aus:
            raise DatasetError(f"{fold.name} has AUs {fold.aus}, {folds[0].name} has {folds[0].aus}")
    tallies = [_tally(fold, lost_faces, replicates) for fold in folds]
    weights = [_bootstrap_weights(tally.people, replicates, seed, k) for k, tally in enumerate(tallies)]
    single = tuple(
        _summarise(fold.name, "frames", lost_faces, [tally], [weight], [fold], replicates)
        for fold, tally, weight in zip(folds, tallies, weights, strict=True)
    )
    mean = _summarise("mean of folds", "mean of folds", lost_faces, tallies, weights, folds, replicates)
    pooled_predictions = Predictions(
        name="pooled folds",
        aus=folds[0].aus,
        labels=np.concatenate([fold.labels for fold in folds]),
        probabilities=np.concatenate([fold.probabilities for fold in folds]),
        subjects=np.concatenate([_own_codes(fold.subjects, k) for k, fold in enumerate(folds)]),
        thresholds=np.mean([fold.thresholds for fold in folds], axis=0),
        decided=np.concatenate([_decide(fold) for fold in folds]),
    )
    pooled_tally = _tally(pooled_predictions, lost_faces, replicates)
    pooled_weights = _bootstrap_weights(pooled_tally.people, replicates, seed, len(folds))
    pooled = _summarise(
        "pooled folds", "pooled", lost_faces, [pooled_tally], [pooled_weights], [pooled_predictions], replicates
    )
    return CrossValidation(folds=single, mean=mean, pooled=pooled)


def choose_thresholds(labels: Int8Array, probabilities: npt.NDArray[np.floating[Any]]) -> Float64Array:
    """The threshold of highest F1 per AU, to be chosen on validation people and never on test people.

    Among equals the one nearest to 0.5. An AU with no positive, or with nothing but positives, keeps 0.5, for nothing
    can be learnt from it.

    Args:
        labels: (N, A) int8: 1, 0, -1 missing.
        probabilities: (N, A) in 0..1, NaN where no face was found (left out).

    Returns:
        (A,) float64, halfway between neighbouring probabilities.
    """
    chosen = np.full(labels.shape[1], DEFAULT_THRESHOLD)
    for a in range(labels.shape[1]):
        usable = (labels[:, a] != MISSING) & ~np.isnan(probabilities[:, a])
        truth, p = labels[usable, a] == 1, probabilities[usable, a].astype(np.float64)
        if truth.all() or not truth.any():
            continue
        order = np.argsort(-p, kind="stable")
        p, hits = p[order], np.cumsum(truth[order])
        last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
        f1 = 2 * hits[last] / (last + 1 + hits[-1])
        below = np.append(p[last[1:]], 0.0)
        middle = (p[last] + below) / 2
        best = np.flatnonzero(f1 >= f1.max() - 1e-12)
        chosen[a] = middle[best[np.argmin(np.abs(middle[best] - DEFAULT_THRESHOLD))]]
    return chosen


@dataclass(frozen=True, eq=False)
class _Tally:
    """Counts per person that all scores can be computed from.

    Attributes:
        people: number of distinct subjects G.
        confusion: (G, A, 4) true positives, false positives, false negatives, true negatives.
        histograms: per AU, (G, K, 2) positives and negatives by ascending level of probability; None without bootstrap.
    """

    people: int
    confusion: Int64Array
    histograms: tuple[Int64Array, ...] | None


def _decide(predictions: Predictions) -> npt.NDArray[np.bool_]:
    if predictions.decided is not None:
        return predictions.decided
    decided: npt.NDArray[np.bool_] = predictions.probabilities.astype(np.float64) >= predictions.thresholds
    return decided


def _own_codes(subjects: npt.NDArray[Any], fold: int) -> Int64Array:
    """Subject codes that no other fold shares."""
    return np.unique(subjects, return_inverse=True)[1].astype(np.int64) + (fold << 32)


def _tally(predictions: Predictions, lost_faces: LostFaces, replicates: int) -> _Tally:
    if lost_faces not in get_args(LostFaces):
        raise OptionsError(f"lost_faces is {lost_faces!r}; allowed are {', '.join(get_args(LostFaces))}")
    if replicates < 0:
        raise OptionsError(f"replicates is {replicates}; allowed is 0 or more")
    decided = _decide(predictions)
    names, person = np.unique(predictions.subjects, return_inverse=True)
    confusion = np.zeros((len(names), len(predictions.aus), 4), dtype=np.int64)
    histograms = []
    for a in range(len(predictions.aus)):
        counts = _counting(predictions, lost_faces, a)
        truth = predictions.labels[counts, a] == 1
        cell = np.where(decided[counts, a], np.where(truth, 0, 1), np.where(truth, 2, 3))
        flat = np.bincount(person[counts] * 4 + cell, minlength=4 * len(names))
        confusion[:, a] = flat.reshape(-1, 4)
        if replicates:
            histograms.append(_histogram(_filled(predictions, counts, a), truth, person[counts], len(names)))
    return _Tally(len(names), confusion, tuple(histograms) if replicates else None)


def _counting(predictions: Predictions, lost_faces: LostFaces, a: int) -> npt.NDArray[np.bool_]:
    """(N,) which frames count for one AU."""
    counts: npt.NDArray[np.bool_] = predictions.labels[:, a] != MISSING
    if lost_faces == "leave_out":
        counts &= ~np.isnan(predictions.probabilities[:, a])
    return counts


def _filled(predictions: Predictions, counts: npt.NDArray[np.bool_], a: int) -> Float64Array:
    """Probabilities of the frames that count; 0 where no face was found."""
    filled: Float64Array = np.nan_to_num(predictions.probabilities[counts, a].astype(np.float64), nan=0.0)
    return filled


def _histogram(p: Float64Array, truth: npt.NDArray[np.bool_], person: npt.NDArray[np.int64], people: int) -> Int64Array:
    """(G, K, 2) positives and negatives per person and level of probability, K at most `SCORE_LEVELS`."""
    levels, rank = np.unique(p, return_inverse=True)
    if len(levels) > SCORE_LEVELS:
        edges = np.unique(np.quantile(p, np.linspace(0, 1, SCORE_LEVELS + 1)[1:-1]))
        rank = np.searchsorted(edges, p, side="right")
    k = int(rank.max()) + 1 if len(rank) else 1
    flat = np.bincount((person * k + rank) * 2 + ~truth, minlength=people * k * 2)
    return flat.reshape(people, k, 2)


def _bootstrap_weights(people: int, replicates: int, seed: int, stream: int) -> Int64Array | None:
    """(B, G) how often each person is drawn in each replicate; None where there is nothing to resample."""
    if replicates == 0 or people < 2:
        return None
    random = np.random.default_rng([seed, stream])
    return random.multinomial(people, np.full(people, 1 / people), size=replicates)


def _summarise(
    name: str,
    method: str,
    lost_faces: LostFaces,
    tallies: Sequence[_Tally],
    weights: Sequence[Int64Array | None],
    parts: Sequence[Predictions],
    replicates: int,
) -> Evaluation:
    """Scores averaged over the parts (one part: as they are), with intervals."""
    per_part = [_exact(tally, part, lost_faces) for tally, part in zip(tallies, parts, strict=True)]
    exact = {m: _nanmean(np.stack([scores[m] for scores in per_part])) for m in METRICS}
    usable = [(tally, weight) for tally, weight in zip(tallies, weights, strict=True) if weight is not None]
    drawn: dict[str, Float64Array] = {}
    if len(usable) == len(tallies) and usable:
        replicated = [_replicate(tally, weight) for tally, weight in usable]
        drawn = {m: _nanmean(np.stack([scores[m] for scores in replicated])) for m in METRICS}
    per_au = []
    for a, au in enumerate(parts[0].aus):
        confusion = np.sum([tally.confusion[:, a].sum(axis=0) for tally in tallies], axis=0)
        labelled, positive = int(confusion.sum()), int(confusion[0] + confusion[2])
        all_positive = [_all_positive_f1(tally.confusion[:, a].sum(axis=0)) for tally in tallies]
        lines = [line for line in all_positive if line is not None]
        per_au.append(
            AuScores(
                au=au,
                threshold=float(np.mean([part.thresholds[a] for part in parts])),
                labelled=labelled,
                positive=positive,
                missing=int(sum((part.labels[:, a] == MISSING).sum() for part in parts)),
                lost=int(sum(_lost(part, a) for part in parts)),
                scores={m: _estimate(exact[m][a], drawn[m][:, a] if drawn else None) for m in METRICS},
                all_positive_f1=float(np.mean(lines)) if lines else None,
            )
        )
    mean = {m: _estimate(_nanmean(exact[m]), _nanmean(drawn[m].T) if drawn else None) for m in METRICS}
    return Evaluation(
        name=name,
        method=method,
        lost_faces=lost_faces,
        subjects=sum(tally.people for tally in tallies),
        frames=sum(len(part.labels) for part in parts),
        per_au=tuple(per_au),
        mean=mean,
        averaged={m: int(np.isfinite(exact[m]).sum()) for m in METRICS},
        replicates=replicates if drawn else 0,
    )


def _lost(part: Predictions, a: int) -> int:
    return int(((part.labels[:, a] != MISSING) & np.isnan(part.probabilities[:, a])).sum())


def _estimate(value: float | Float64Array, replicates: Float64Array | None) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None)
    if replicates is None:
        return Estimate(float(value))
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < MIN_DEFINED_REPLICATES * len(replicates):
        return Estimate(float(value))
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def _nanmean(stacked: Float64Array) -> Float64Array:
    """Mean over the first axis of what is defined; NaN where nothing is."""
    defined = np.isfinite(stacked)
    counts = defined.sum(axis=0)
    total = np.where(defined, stacked, 0.0).sum(axis=0)
    mean: Float64Array = np.divide(total, counts, out=np.full(np.shape(total), np.nan), where=counts > 0)
    return mean


def _exact(tally: _Tally, predictions: Predictions, lost_faces: LostFaces) -> dict[str, Float64Array]:
    """(A,) every metric, NaN where not defined."""
    scores = decision_scores(tally.confusion.sum(axis=0))
    roc, pr = [], []
    for a in range(len(predictions.aus)):
        counts = _counting(predictions, lost_faces, a)
        truth = predictions.labels[counts, a] == 1
        area, precision = ranked_scores(_filled(predictions, counts, a), truth)
        roc.append(area)
        pr.append(precision)
    return {**scores, "roc_auc": np.array(roc), "pr_auc": np.array(pr)}


def decision_scores(confusion: npt.NDArray[Any]) -> dict[str, Float64Array]:
    """Scores of decisions from counts.

    Args:
        confusion: (..., 4) true positives, false positives, false negatives, true negatives.

    Returns:
        (...) by metric; NaN where not defined.
    """
    tp, fp, fn, tn = np.moveaxis(confusion.astype(np.float64), -1, 0)
    n, positive, negative, said = tp + fp + fn + tn, tp + fn, fp + tn, tp + fp
    both = (positive > 0) & (negative > 0)
    accuracy = _ratio(tp + tn, n)
    chance = _ratio(positive * said + negative * (n - said), n * n)
    spread = np.sqrt(positive * negative * said * (n - said))
    hit, alarm = _ratio(tp, positive), _ratio(fp, negative)
    return {
        "f1": np.where(positive > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan),
        "accuracy": accuracy,
        "kappa": np.where(both, _ratio(accuracy - chance, 1 - chance), np.nan),
        "free_kappa": 2 * accuracy - 1,
        "mcc": np.where(both, np.where(spread > 0, _ratio(tp * tn - fp * fn, spread), 0.0), np.nan),
        "f1_balanced": np.where(both, _ratio(2 * hit, 1 + hit + alarm), np.nan),
    }


def _ratio(above: Float64Array, below: Float64Array) -> Float64Array:
    ratio: Float64Array = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)
    return ratio


def ranked_scores(p: Float64Array, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Area under the ROC curve (ties count half) and average precision, exact; NaN if the truth has one class only."""
    if not len(p) or truth.all() or not truth.any():
        return float("nan"), float("nan")
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(truth[order], dtype=np.float64)[last]
    alarms = last + 1 - hits
    step_hits, step_alarms = np.diff(hits, prepend=0), np.diff(alarms, prepend=0)
    roc = ((hits - step_hits / 2) * step_alarms).sum() / (hits[-1] * alarms[-1])
    pr = (step_hits / hits[-1] * hits / (last + 1)).sum()
    return float(roc), float(pr)


def _replicate(tally: _Tally, weights: Int64Array) -> dict[str, Float64Array]:
    """(B, A) every metric in every replicate; NaN where not defined."""
    people, aus, _ = tally.confusion.shape
    # float64 holds these counts exactly and multiplies through BLAS, which integers do not.
    drawn = weights.astype(np.float64) @ tally.confusion.reshape(people, aus * 4).astype(np.float64)
    scores = decision_scores(drawn.reshape(len(weights), aus, 4))
    assert tally.histograms is not None
    ranked = [_replicate_ranked(histogram, weights) for histogram in tally.histograms]
    scores["roc_auc"] = np.stack([roc for roc, _ in ranked], axis=1)
    scores["pr_auc"] = np.stack([pr for _, pr in ranked], axis=1)
    return scores


def _replicate_ranked(histogram: Int64Array, weights: Int64Array) -> tuple[Float64Array, Float64Array]:
    """(B,) area under the ROC curve and average precision of each replicate, from (G, K, 2) histograms."""
    descending = histogram[:, ::-1].astype(np.float64)
    drawn = weights.astype(np.float64)
    hits, alarms = drawn @ descending[:, :, 0], drawn @ descending[:, :, 1]
    total_hits, total_alarms = hits.sum(axis=1), alarms.sum(axis=1)
    above = np.cumsum(hits, axis=1)
    precision = _ratio(above, above + np.cumsum(alarms, axis=1))
    roc = _ratio(((above - hits / 2) * alarms).sum(axis=1), total_hits * total_alarms)
    pr = _ratio(np.where(hits > 0, hits * precision, 0.0).sum(axis=1), total_hits)
    return roc, np.where(total_alarms > 0, pr, np.nan)


def _all_positive_f1(confusion: npt.NDArray[Any]) -> float | None:
    n, positive = int(confusion.sum()), int(confusion[0] + confusion[2])
    return 2 * positive / (n + positive) if positive else None
