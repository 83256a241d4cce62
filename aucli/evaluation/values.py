"""Predictions in, scores out: the values of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import Float64Array, Int8Array
from aucli.errors import DatasetError
from aucli.evaluation.choices import LostFaces

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

DEFAULT_REPLICATES: Final = 1000

LEVEL: Final = 0.95


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
        threshold: present from this probability on; None where decisions came without one.
        labelled: frames that have a label for it and count.
        positive: of these, frames where it is coded present.
        missing: frames without a label for it.
        lost: frames that have a label, but no face was found.
        scores: estimate by metric, see `METRICS`; of two coders also those of `reliability.intraclass_correlations`.
        all_positive_f1: F1 of always saying present, 2p / (1 + p) for base rate p: the line to beat.
    """

    au: int
    threshold: float | None
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
        method: ``frames`` of one test set, ``pooled`` frames of several folds, ``mean of folds``, ``frame by frame`` of
            a table and people's codes (its subjects are the faces that were coded), or ``two coders``.
        lost_faces: how frames without a face count: as ``negative``, or ``leave_out``.
        subjects: how many are in the test set.
        frames: frames in the test set; of people's codes, those with a code.
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
        subjects: (N,) any integers or strings that tell subjects apart.
        thresholds: (A,) an AU is present from this probability on; NaN where nobody knows, with `decided` only.
        decided: (N, A) bool, the decisions themselves where they are known; thresholds are only told then.

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

    def with_aus(self, aus: Sequence[int]) -> Predictions:
        """The same of some of the action units, in this order."""
        at = [self.aus.index(au) for au in aus]
        return replace(
            self,
            aus=tuple(aus),
            labels=self.labels[:, at],
            probabilities=self.probabilities[:, at],
            thresholds=self.thresholds[at],
            decided=None if self.decided is None else self.decided[:, at],
        )
