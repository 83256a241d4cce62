"""Calibration: what to do to log-odds so that probabilities mean what they say, and how far they do.

Per action unit ``scale * log-odds + offset`` (Platt 1999; with an offset of 0 this is temperature scaling, Guo et al.
2017), fitted on subjects whom the network has not learnt from. It changes no order, so no area under a curve, and it is
linear, so it can be put into the network's last layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING, Float64Array, Int8Array

PRIOR_LOG_SCALE: Final = 0.25
"""Standard deviation of the normal prior on log scale, whose middle is no change."""
PRIOR_OFFSET: Final = 1.0
"""The same of the offset, in log-odds. Both decide only where positives are few: with two of them the fit moves little.
Chosen on validation subjects by ten-fold cross-validation, see the model log."""
MAX_STEPS: Final = 100
ECE_BINS: Final = 10


@dataclass(frozen=True, eq=False)
class Calibration:
    """Log-odds x become ``scale * x + offset``.

    Attributes:
        scale: (A,) above 0.
        offset: (A,).
    """

    scale: Float64Array
    offset: Float64Array

    def undone(self, probabilities: npt.NDArray[np.floating[Any]]) -> Float64Array:
        """What calibrated probabilities (N, A) were before, NaN where they are."""
        p = probabilities.astype(np.float64).clip(1e-12, 1 - 1e-12)
        return sigmoid((np.log(p) - np.log1p(-p) - self.offset) / self.scale)

    def probabilities(self, log_odds: npt.NDArray[np.floating[Any]]) -> Float64Array:
        """(N, A) log-odds -> (N, A) calibrated probabilities, 0 to 1."""
        return sigmoid(log_odds.astype(np.float64) * self.scale + self.offset)


def fit_calibration(labels: Int8Array, log_odds: npt.NDArray[np.floating[Any]]) -> Calibration:
    """The most probable scale and offset per action unit (maximum a posteriori).

    Args:
        labels: (N, A) int8: 1, 0, -1 missing; of validation subjects.
        log_odds: (N, A) of the network, NaN where no face was found (left out).

    Returns:
        No change for an AU that has no positive or no negative label: nothing can be learnt from it.
    """
    n_aus = labels.shape[1]
    scale, offset = np.ones(n_aus), np.zeros(n_aus)
    for a in range(n_aus):
        usable = (labels[:, a] != MISSING) & ~np.isnan(log_odds[:, a])
        present = labels[usable, a] == 1
        if present.any() and not present.all():
            scale[a], offset[a] = _fit(present, log_odds[usable, a].astype(np.float64))
    return Calibration(scale, offset)


def _fit(present: npt.NDArray[np.bool_], log_odds: Float64Array) -> tuple[float, float]:
    """Newton's method with halved steps on the log loss and the prior, in log scale and offset."""
    precision = np.array([PRIOR_LOG_SCALE, PRIOR_OFFSET]) ** -2.0
    at = np.zeros(2)
    loss = _loss(at, present, log_odds, precision)
    for _ in range(MAX_STEPS):
        scaled = np.exp(at[0]) * log_odds
        p = sigmoid(scaled + at[1])
        wrong, spread = p - present, p * (1 - p)
        gradient = np.array([(wrong * scaled).sum(), wrong.sum()]) + precision * at
        # The curvature without the part that can be negative (Gauss-Newton): the step always leads downwards.
        mixed = (spread * scaled).sum()
        curvature = np.array([[(spread * scaled**2).sum(), mixed], [mixed, spread.sum()]]) + np.diag(precision)
        step = np.linalg.solve(curvature, gradient)
        while (tried := _loss(at - step, present, log_odds, precision)) > loss and np.abs(step).max() > 1e-12:
            step /= 2
        if tried > loss or np.abs(step).max() < 1e-10:
            break
        at, loss = at - step, tried
    return float(np.exp(at[0])), float(at[1])


def _loss(at: Float64Array, present: npt.NDArray[np.bool_], log_odds: Float64Array, precision: Float64Array) -> float:
    x = np.exp(at[0]) * log_odds + at[1]
    return float(np.logaddexp(0.0, np.where(present, -x, x)).sum() + (precision * at**2).sum() / 2)


def sigmoid(x: Float64Array) -> Float64Array:
    """1 / (1 + exp(-x)), without overflow."""
    value: Float64Array = np.exp(-np.logaddexp(0.0, -x))
    return value


@dataclass(frozen=True)
class Bin:
    """Faces whose probability lies between two bounds.

    Attributes:
        low, high: the bounds; the upper one belongs to the next bin, but for the last.
        count: faces.
        mean_probability, share_present: of these; NaN without any.
    """

    low: float
    high: float
    count: int
    mean_probability: float
    share_present: float


@dataclass(frozen=True)
class Reliability:
    """How far the probabilities of one action unit mean what they say.

    Attributes:
        count: faces with a label and a probability.
        brier: mean squared difference of probability and truth (Brier 1950); None without faces.
        log_loss: mean of -log of the probability given to the truth; None without faces.
        ece: expected calibration error (Naeini et al. 2015): mean distance of mean probability and share present in
            `ECE_BINS` bins of equal width, by their faces; None without faces.
        bins: for tables.
    """

    count: int
    brier: float | None
    log_loss: float | None
    ece: float | None
    bins: tuple[Bin, ...]


def reliability(present: npt.NDArray[np.bool_], p: Float64Array, *, bins: int = 5) -> Reliability:
    """Compare probabilities with what was seen.

    Args:
        present: (N,) truth.
        p: (N,) probabilities, 0 to 1.
        bins: of equal width, for the table.
    """
    shown = _binned(present, p, bins)
    if not len(p):
        return Reliability(0, None, None, None, shown)
    given = np.where(present, p, 1 - p).clip(1e-12)
    error = sum(
        one.count * abs(one.mean_probability - one.share_present) for one in _binned(present, p, ECE_BINS) if one.count
    )
    brier = float(((p - present) ** 2).mean())
    return Reliability(len(p), brier, float(-np.log(given).mean()), float(error / len(p)), shown)


def _binned(present: npt.NDArray[np.bool_], p: Float64Array, bins: int) -> tuple[Bin, ...]:
    at = np.minimum((p * bins).astype(np.int64), bins - 1)
    found = []
    for number in range(bins):
        here = at == number
        mean, share = (float(v[here].mean()) if here.any() else float("nan") for v in (p, present.astype(np.float64)))
        found.append(Bin(number / bins, (number + 1) / bins, int(here.sum()), mean, share))
    return tuple(found)
