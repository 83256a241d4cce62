"""Choosing the threshold of each action unit."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING, Float64Array, Int8Array

DEFAULT_THRESHOLD: Final = 0.5
"""As JAA-Net, ME-GraphAU and AUNCE."""


def choose_thresholds(labels: Int8Array, probabilities: npt.NDArray[np.floating[Any]]) -> Float64Array:
    """The threshold of highest F1 per AU, to be chosen on validation subjects and never on test subjects.

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
