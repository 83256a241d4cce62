"""Choosing the threshold of each action unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING, Float64Array, Int8Array

DEFAULT_THRESHOLD: Final = 0.5
"""As JAA-Net, ME-GraphAU and AUNCE."""

Probabilities = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelledProbabilities:
    """What a model says about faces with labels.

    Attributes:
        labels: (N, A) int8: 1, 0, -1 missing.
        probabilities: (N, A) in 0..1, NaN where no face was found (left out).
    """

    labels: Int8Array
    probabilities: Probabilities

    def of(self, a: int) -> tuple[BoolArray, Float64Array]:
        """Truth and probabilities of one AU, where both are known."""
        usable = (self.labels[:, a] != MISSING) & ~np.isnan(self.probabilities[:, a])
        return self.labels[usable, a] == 1, self.probabilities[usable, a].astype(np.float64)


def choose_thresholds(
    labels: Int8Array,
    probabilities: Probabilities,
    *,
    max_false_alarms: float = 1.0,
    min_positives: int = 1,
    more: LabelledProbabilities | None = None,
    expected: bool = False,
    otherwise: Float64Array | None = None,
) -> Float64Array:
    """The threshold of highest F1 per AU, to be chosen on validation subjects and never on test subjects.

    F1 alone allows many false alarms where an AU is common. So thresholds are looked at only if no more than a share of
    the faces that do not show the AU would be called present; if none of these finds a face that shows it, the lowest
    is taken. Among equals the one nearest to 0.5.

    Where fewer than ``min_positives`` faces show an AU, its F1 tells of these few faces rather than of the AU. There
    those in ``more`` are counted with them; false alarms are still counted in ``labels`` alone, for ``more`` may be
    easier. If they are too few even so, the threshold is 0.5, or that of ``otherwise``, or the lowest above it that
    gives no more false alarms than allowed; and so it is for an AU with nothing but positives.

    F1 can also be expected instead of counted (Lipton et al. 2014): each face counts as present to the degree of its
    probability. That needs calibrated probabilities, and is steadier, for it does not hang on where the few faces that
    show an AU happen to lie: see the model log.

    Args:
        labels: (N, A) int8: 1, 0, -1 missing.
        probabilities: (N, A) in 0..1, NaN where no face was found (left out).
        max_false_alarms: share of the absent faces, 0 to 1; 1 sets no limit.
        min_positives: faces that show an AU, 1 or more.
        more: other held-out faces, for AUs that are rare among these.
        otherwise: (A,) thresholds that are known to be good, for AUs that too few faces show; None for 0.5.
        expected: whether F1 is the expected one, of AUs that ``min_positives`` faces show; false alarms are always
            counted.

    Returns:
        (A,) float64, halfway between neighbouring probabilities.
    """
    usual = np.full(labels.shape[1], DEFAULT_THRESHOLD) if otherwise is None else otherwise
    chosen = usual.copy()
    for a in range(labels.shape[1]):
        truth, p = LabelledProbabilities(labels, probabilities).of(a)
        absent = np.sort(p[~truth])
        if expected and truth.any() and truth.sum() >= min_positives:
            chosen[a] = _choose(p, p, absent, max_false_alarms, by_f1=True)
            continue
        if truth.sum() < min_positives and more is not None:
            more_truth, more_p = more.of(a)
            truth, p = np.concatenate([truth, more_truth]), np.concatenate([p, more_p])
        if len(p):
            says_something = bool(max(min_positives, 1) <= truth.sum() < len(truth))
            chosen[a] = _choose(truth, p, absent, max_false_alarms, by_f1=says_something, usual=float(usual[a]))
    return chosen


def _choose(
    truth: BoolArray | Float64Array,
    p: Float64Array,
    absent: Float64Array,
    max_false_alarms: float,
    *,
    by_f1: bool,
    usual: float = DEFAULT_THRESHOLD,
) -> float:
    """One AU's threshold.

    Args:
        truth, p: (N,) of the faces whose F1 counts; truth may be to some degree, 0 to 1.
        absent: (M,) ascending probabilities of the faces whose false alarms count.
        max_false_alarms: share of these.
        by_f1: else as near to `usual` as the false alarms allow.
        usual: the threshold where F1 says nothing.
    """
    order = np.argsort(-p, kind="stable")
    p, hits = p[order], np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(p)), len(p) - 1)
    # From here on a face is called present; the first of them calls none so.
    middle = np.append((p[0] + 1.0) / 2, (p[last] + np.append(p[last[1:]], 0.0)) / 2)
    if not by_f1:
        middle = np.append(middle[middle > usual], usual)
    alarms = len(absent) - np.searchsorted(absent, middle, side="left")
    allowed = alarms <= max_false_alarms * len(absent) + 1e-9
    if not allowed.any():  # an absent face with probability 1
        return float(middle[0])
    if not by_f1:
        return float(middle[allowed].min())
    f1 = np.append(0.0, 2 * hits[last] / (last + 1 + hits[-1]))
    best = np.flatnonzero(allowed & (f1 >= f1[allowed].max() - 1e-12))
    if f1[best[0]] == 0.0:
        return float(middle[allowed].min())
    return float(middle[best[np.argmin(np.abs(middle[best] - DEFAULT_THRESHOLD))]])
