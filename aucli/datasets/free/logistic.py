"""Logistic regression for small tables: an L2 penalty, both classes of equal weight, solved by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

MAX_STEPS: Final = 100
TOLERANCE: Final = 1e-10
"""Largest change of a weight in the last step."""


@dataclass(frozen=True)
class LogisticModel:
    """Log-odds as a weighted sum of features, each put to mean 0 and standard deviation 1 first.

    Attributes:
        mean, scale: (F,) of the features it was fitted on.
        weights: (F,).
        intercept: log-odds where every feature is at its mean.
    """

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    intercept: float

    def log_odds(self, features: FloatArray) -> FloatArray:
        """Of presence: (N, F) -> (N,)."""
        found: FloatArray = ((features - self.mean) / self.scale) @ self.weights + self.intercept
        return found


def fit_logistic(features: FloatArray, present: npt.NDArray[np.bool_], *, penalty: float) -> LogisticModel:
    """Fit a model.

    The weights minimise ``sum_i c_i log(1 + exp(-s_i z_i)) + penalty / 2 |w|^2``, where z_i is the log-odds, s_i is 1
    or -1, and c_i is N / (2 N_class), so that both classes weigh the same. The intercept is not penalised.

    Args:
        features: (N, F).
        present: (N,), some of each.
        penalty: above 0.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)  # a feature that never changes gets no weight
    x = np.column_stack([(features - mean) / scale, np.ones(len(features))])
    count = len(present) / 2
    each = np.where(present, count / max(present.sum(), 1), count / max((~present).sum(), 1))
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = 0.0

    def cost(w: FloatArray) -> float:
        return float(each @ np.logaddexp(0.0, np.where(present, -1.0, 1.0) * (x @ w)) + ridge @ w**2 / 2)

    weights = np.zeros(x.shape[1])
    for _ in range(MAX_STEPS):
        p = 1 / (1 + np.exp(-(x @ weights)))
        gradient = x.T @ (each * (p - present)) + ridge * weights
        hessian = (x * (each * p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        size, before = 1.0, cost(weights)
        while cost(weights - size * step) > before and size > 1e-6:  # Newton's step may be too long far from the end
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < TOLERANCE:
            break
    return LogisticModel(mean, scale, weights[:-1], float(weights[-1]))
