"""Intraclass correlation of two coders' intensities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import Float64Array, Int64Array
from aucli.evaluation.figures import safe_ratio

CODERS: Final = 2


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums over frames that both coders graded; they add up, so bootstrapping weighs sums and never frames.

    Attributes:
        sums: (..., A, 6) frames, then the sums of x, y, x squared, y squared and x times y.
    """

    sums: Float64Array

    @staticmethod
    def of(x: Float64Array, y: Float64Array, subjects: npt.NDArray[Any], n_subjects: int) -> PairSums:
        """Sums per subject.

        Args:
            x, y: (N, A) intensities of the two coders, NaN where there is none.
            subjects: (N,) numbers from 0.
            n_subjects: G.

        Returns:
            Sums of the shape (G, A, 6).
        """
        both = np.isfinite(x) & np.isfinite(y)
        a, b = np.where(both, x, 0.0), np.where(both, y, 0.0)
        sums = np.zeros((n_subjects, x.shape[1], 6))
        np.add.at(sums, subjects, np.stack([both, a, b, a * a, b * b, a * b], axis=-1))
        return PairSums(sums)

    def total(self) -> PairSums:
        """Over all subjects: (A, 6)."""
        return PairSums(self.sums.sum(axis=0))

    def weighted(self, weights: Int64Array) -> PairSums:
        """(B, A, 6) for (B, G) how often each subject is drawn."""
        return PairSums(np.einsum("bg,gas->bas", weights.astype(np.float64), self.sums))


def intraclass_correlations(pairs: PairSums) -> dict[str, Float64Array]:
    """ICC of single ratings by two coders, from a two-way analysis of variance.

    With mean squares of frames MSR, coders MSC and error MSE over n frames and k = 2 coders:

    - ``icc_agreement`` = (MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) / n): ICC(A,1) of McGraw and Wong (1996), the
      value of ICC(2,1) of Shrout and Fleiss (1979). A coder who always grades higher lowers it.
    - ``icc_consistency`` = (MSR - MSE) / (MSR + (k - 1) MSE): ICC(C,1), the value of ICC(3,1). Such a difference does
      not count. FERA 2015 and papers on DISFA print this one.

    Returns:
        (...,  A) by name; NaN with fewer than two frames or no variance.
    """
    n, sx, sy, sxx, syy, sxy = np.moveaxis(pairs.sums, -1, 0)
    with np.errstate(invalid="ignore"):
        grand = safe_ratio(sx + sy, CODERS * n)
        frames = (sxx + 2 * sxy + syy) / CODERS - CODERS * n * grand**2
        coders = safe_ratio(sx**2 + sy**2, n) - CODERS * n * grand**2
        total = sxx + syy - CODERS * n * grand**2
        error = np.maximum(total - frames - coders, 0.0)
        msr, mse = safe_ratio(frames, n - 1), safe_ratio(error, n - 1)
        spread = msr + (CODERS - 1) * mse
        varied = (n > 1) & (total > 1e-9 * np.maximum(sxx + syy, 1.0))
        agreement = safe_ratio(msr - mse, spread + safe_ratio(CODERS * (coders - mse), n))
        consistency = safe_ratio(msr - mse, spread)
    return {
        "icc_agreement": np.where(varied, agreement, np.nan),
        "icc_consistency": np.where(varied & (spread > 1e-12), consistency, np.nan),
    }
