"""How well scores rank what is present above what is absent: labels are made by it, and models measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import Float64Array


def counts_from_above(
    scores: npt.NDArray[np.floating[Any]], present: npt.NDArray[np.bool_]
) -> tuple[Float64Array, Float64Array]:
    """Count what is present, and what is absent, at or above each distinct score.

    Args:
        scores: (N,) at least one.
        present: (N,).

    Returns:
        (K,) each, of the K distinct scores from the highest to the lowest.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(present[order], dtype=np.float64)[last]
    return hits, last + 1 - hits


def area_under_roc(scores: npt.NDArray[np.floating[Any]], present: npt.NDArray[np.bool_]) -> float:
    """How often a present one ranks above an absent one, 0 to 1; ties count half.

    Args:
        scores: (N,) any finite numbers: only their order counts.
        present: (N,) what is true of each.

    Returns:
        The area under the ROC curve: the Mann-Whitney U statistic over its greatest value. NaN unless there are some
        of each.
    """
    if present.all() or not present.any():
        return float("nan")
    hits, alarms = counts_from_above(scores, present)
    area = (hits - np.diff(hits, prepend=0) / 2) * np.diff(alarms, prepend=0)
    return float(area.sum() / (hits[-1] * alarms[-1]))
