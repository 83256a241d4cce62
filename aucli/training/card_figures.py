"""What the card tells of held-out faces beside their scores: alarms, calibration, the teacher, intensities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.free.blendshapes import blendshape_name
from aucli.datasets.label_values import MISSING, Float64Array
from aucli.evaluation.calibration import Calibration, Reliability, reliability
from aucli.evaluation.predictions import FoldPredictions
from aucli.evaluation.scoring import evaluate
from aucli.evaluation.thresholds import LabelledProbabilities
from aucli.evaluation.values import Estimate

OFTEN_TOGETHER: Final = ((6, 12), (12, 6), (2, 1), (1, 2), (7, 6), (25, 26))
"""Action units that often come with another: one could pass for the other over all faces, but not within faces that
show that other one."""
MIN_WITHIN: Final = 5
"""Faces with, and faces without the action unit below which nothing is said about it within those that show another."""
MIN_RANKED: Final = 20
"""Renders below which no rank correlation is given."""


@dataclass(frozen=True)
class Alarms:
    """What a threshold does on test faces; None where there is no face of the kind.

    Attributes:
        false_alarms: share of the faces that do not show the action unit.
        found: share of those that do.
    """

    false_alarms: float | None
    found: float | None


@dataclass(frozen=True)
class WithinOther:
    """One action unit among the test faces that show another.

    Attributes:
        au, other: the action unit, and the one that all these faces show.
        present, absent: faces.
        auc: area under the ROC curve.
    """

    au: int
    other: int
    present: int
    absent: int
    auc: Estimate


@dataclass(frozen=True)
class BesidePeer:
    """One action unit on the same faces, by the model and by another way.

    Attributes:
        au: the action unit.
        how: what the other way is, in words.
        faces: that have a label and that both can say something of.
        model_auc, peer_auc: areas under the ROC curve.
    """

    au: int
    how: str
    faces: int
    model_auc: Estimate
    peer_auc: Estimate


@dataclass(frozen=True)
class Ranking:
    """Spearman's rank correlation of probability and rendered intensity.

    Attributes:
        au: the action unit.
        faces: renders.
        rho: over all of them; None where they are too few, or all alike.
        shown: renders whose expression holds the action unit.
        rho_shown: over these.
    """

    au: int
    faces: int
    rho: float | None
    shown: int
    rho_shown: float | None


@dataclass(frozen=True)
class CardFigures:
    """All of it, an entry per action unit.

    Attributes:
        alarms: by the thresholds.
        within: of `OFTEN_TOGETHER`, where there are faces enough.
        reliability: of the probabilities; `uncalibrated`, of what they were before calibration, None without it.
        peer: MediaPipe's blendshapes, where they were asked.
        rankings: on renders of test subjects, where there are any.
    """

    alarms: tuple[Alarms, ...]
    within: tuple[WithinOther, ...]
    reliability: tuple[Reliability, ...]
    uncalibrated: tuple[Reliability, ...] | None
    peer: tuple[BesidePeer, ...]
    rankings: tuple[Ranking, ...]


def examine(
    tested: FoldPredictions,
    *,
    calibration: Calibration | None = None,
    blendshapes: npt.NDArray[np.float32] | None = None,
    rendered: tuple[npt.NDArray[np.floating], npt.NDArray[np.float32]] | None = None,
) -> CardFigures:
    """Work out what the card tells.

    Args:
        tested: what the model says of the test faces.
        calibration: what was done to its log-odds.
        blendshapes: (M, A) of the first M test faces, 0 to 1, NaN where there is nothing; the others have none.
        rendered: probabilities and intensities, (R, A) each, of renders of test subjects.
    """
    found = LabelledProbabilities(tested.labels, tested.probabilities)
    uncalibrated = None
    if calibration is not None:
        before = LabelledProbabilities(tested.labels, calibration.undone(tested.probabilities))
        uncalibrated = _reliabilities(before)
    return CardFigures(
        alarms=tuple(_alarms(*found.of(a), threshold) for a, threshold in enumerate(tested.thresholds)),
        within=_within(tested),
        reliability=_reliabilities(found),
        uncalibrated=uncalibrated,
        peer=() if blendshapes is None else _beside_peer(tested, blendshapes),
        rankings=() if rendered is None else _rankings(tested.aus, *rendered),
    )


def _alarms(present: npt.NDArray[np.bool_], p: Float64Array, threshold: float) -> Alarms:
    said = p >= threshold
    false, right = said[~present], said[present]
    return Alarms(float(false.mean()) if len(false) else None, float(right.mean()) if len(right) else None)


def _within(tested: FoldPredictions) -> tuple[WithinOther, ...]:
    found = []
    for au, other in OFTEN_TOGETHER:
        if au not in tested.aus or other not in tested.aus:
            continue
        a, shown = tested.aus.index(au), tested.labels[:, tested.aus.index(other)] == 1
        labels, p = tested.labels[shown][:, [a]], tested.probabilities[shown][:, [a]]
        present, absent = int((labels == 1).sum()), int((labels == 0).sum())
        if min(present, absent) >= MIN_WITHIN:
            (scores,) = evaluate(labels, p, aus=(au,), subjects=tested.subjects[shown]).per_au
            found.append(WithinOther(au, other, present, absent, scores.scores["roc_auc"]))
    return tuple(found)


def _reliabilities(found: LabelledProbabilities) -> tuple[Reliability, ...]:
    return tuple(reliability(*found.of(a)) for a in range(found.labels.shape[1]))


def _beside_peer(tested: FoldPredictions, blendshapes: npt.NDArray[np.float32]) -> tuple[BesidePeer, ...]:
    peer = np.full_like(tested.probabilities, np.nan)
    peer[: len(blendshapes)] = blendshapes
    both = np.isfinite(peer) & np.isfinite(tested.probabilities)
    labels = np.where(both, tested.labels, MISSING).astype(np.int8)
    aucs = [
        [
            one.scores["roc_auc"]
            for one in evaluate(labels, p, aus=tested.aus, subjects=tested.subjects, lost_faces="leave_out").per_au
        ]
        for p in (tested.probabilities, peer)
    ]
    return tuple(
        BesidePeer(au, blendshape_name(au), int((labels[:, a] != MISSING).sum()), aucs[0][a], aucs[1][a])
        for a, au in enumerate(tested.aus)
        if both[:, a].any()
    )


def _rankings(
    aus: tuple[int, ...], probabilities: npt.NDArray[np.floating], intensities: npt.NDArray[np.float32]
) -> tuple[Ranking, ...]:
    rankings = []
    for a, au in enumerate(aus):
        known = np.isfinite(intensities[:, a]) & np.isfinite(probabilities[:, a])
        p, intensity = probabilities[known, a], intensities[known, a]
        shown = intensity > 0
        rho, rho_shown = _spearman(p, intensity), _spearman(p[shown], intensity[shown])
        rankings.append(Ranking(au, int(known.sum()), rho, int(shown.sum()), rho_shown))
    return tuple(rankings)


def _spearman(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> float | None:
    """Pearson's correlation of ranks, ties at their mean rank (Spearman 1904)."""
    from scipy.stats import rankdata

    if len(x) < MIN_RANKED or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
