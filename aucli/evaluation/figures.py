"""F1, accuracy, kappa, MCC and areas under curves, from counts and from ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import Float64Array
from aucli.datasets.ranks import area_under_roc, counts_from_above


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
    accuracy = safe_ratio(tp + tn, n)
    chance = safe_ratio(positive * said + negative * (n - said), n * n)
    spread = np.sqrt(positive * negative * said * (n - said))
    hit, alarm = safe_ratio(tp, positive), safe_ratio(fp, negative)
    return {
        "f1": np.where(positive > 0, safe_ratio(2 * tp, 2 * tp + fp + fn), np.nan),
        "accuracy": accuracy,
        "kappa": np.where(both, safe_ratio(accuracy - chance, 1 - chance), np.nan),
        "free_kappa": 2 * accuracy - 1,
        "mcc": np.where(both, np.where(spread > 0, safe_ratio(tp * tn - fp * fn, spread), 0.0), np.nan),
        "f1_balanced": np.where(both, safe_ratio(2 * hit, 1 + hit + alarm), np.nan),
    }


def safe_ratio(above: Float64Array, below: Float64Array) -> Float64Array:
    """Divide element by element, any shape that both share; NaN where the divisor is 0."""
    ratio: Float64Array = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)
    return ratio


def ranked_scores(p: Float64Array, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Area under the ROC curve (ties count half) and average precision, exact, 0 to 1.

    Args:
        p: (N,) scores; only their order counts.
        truth: (N,) what is true of each.

    Returns:
        Both figures; both NaN if the truth has one class only.
    """
    if not len(p) or truth.all() or not truth.any():
        return float("nan"), float("nan")
    hits, alarms = counts_from_above(p, truth)
    average_precision = (np.diff(hits, prepend=0) / hits[-1] * hits / (hits + alarms)).sum()
    return area_under_roc(p, truth), float(average_precision)


def all_positive_f1(confusion: npt.NDArray[Any]) -> float | None:
    """Return the F1 (0 to 1) of calling everything present: what a figure must beat. None without a positive.

    Args:
        confusion: (4,) counts, in the order of `bootstrap.Tally`: true positives, false positives, false negatives,
            true negatives.
    """
    n, positive = int(confusion.sum()), int(confusion[0] + confusion[2])
    return 2 * positive / (n + positive) if positive else None
