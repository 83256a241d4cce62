"""From a teacher's answers to labels, by way of codes by eye.

For each action unit a logistic regression learns from the codes of training subjects what the teacher's 52 blendshapes,
plain distances on its points and the turn of the head say about it. Cross-validation by subject tells how far that can
be trusted: only the clear ends of its scale become labels, and those of an action unit that it tells badly none at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.free.face_mesh import measures, turn_to_front
from aucli.datasets.free.logistic import FloatArray, fit_logistic
from aucli.datasets.free.teacher import TeacherAnswers
from aucli.datasets.ranks import area_under_roc

BoolArray = npt.NDArray[np.bool_]

MIN_CODES: Final = 12
"""Present, and absent, by eye in training subjects: fewer teach nothing. With so few, only flawless ends pass below."""
MIN_AUC: Final = 0.85
"""Cross-validated."""
PRECISION_PRESENT: Final = 0.9
"""Lower bound of the share of right ones among what is labelled present, on the coded photographs."""
PRECISION_ABSENT: Final = 0.98
"""The same of what is labelled absent: far more common, so less may be wrong."""
MAX_MISSED: Final = 0.1
"""Most of the photographs coded present that may lie where others are labelled absent. Of a rare action unit 98 % of
all could be called absent, the faint half of the present ones with them."""
MAX_FALSE_SHARE: Final = 0.2
"""Most of the photographs labelled present that may be expected to be wrong where nobody has coded: action units are
rarer there than among the photographs that were chosen for coding."""
PENALTY: Final = 10.0
FOLDS: Final = 10
MAX_DISTANCE: Final = 0.4
"""Farthest that the teacher's face may lie from the detector's: mean over the landmarks, in interocular distances."""
LANDMARK_POINTS: Final = ((33, 133), (263, 362), (1,), (61,), (291,))
"""Points of the mesh whose mean is near each of the five landmarks."""


@dataclass(frozen=True)
class TeacherRule:
    """What the teacher's answers say about one action unit.

    Attributes:
        au: the action unit.
        coded_present, coded_absent: photographs of training subjects it was learnt from.
        auc: cross-validated; None where there were too few codes to learn from.
        present_from, absent_to: log-odds at and beyond which a photograph is labelled; None for no such label.
        precision_present, precision_absent: cross-validated share of right ones beyond them.
    """

    au: int
    coded_present: int
    coded_absent: int
    auc: float | None = None
    present_from: float | None = None
    absent_to: float | None = None
    precision_present: float | None = None
    precision_absent: float | None = None


def teacher_features(answers: TeacherAnswers, landmarks_xy: npt.NDArray[np.float32]) -> FloatArray:
    """Log-odds of the blendshapes (means of left and right), distances on the mesh, |yaw| and pitch.

    Args:
        answers: about N photographs.
        landmarks_xy: (N, 5, 2) that the detector found.

    Returns:
        (N, F); NaN where there is no face, or another one than the detector's.
    """
    seen = np.flatnonzero(answers.found & _same_face(answers, landmarks_xy))
    if not len(seen):
        return np.full((len(answers), 1), np.nan)
    some = answers[seen]
    score = dict(zip(some.blendshape_names, some.blendshapes.astype(np.float64).clip(1e-4, 1 - 1e-4).T, strict=True))
    log_odds = {name: np.log(values / (1 - values)) for name, values in score.items() if name != "_neutral"}
    columns = []
    for name, values in log_odds.items():
        if name.endswith("Left"):
            columns.append((values + log_odds[name.removesuffix("Left") + "Right"]) / 2)
        elif not name.endswith("Right"):
            columns.append(values)
    front, _, _ = turn_to_front(some.points.astype(np.float64))
    columns += measures(front).values()
    columns += [np.abs(some.turns[:, 0]), some.turns[:, 1]]
    features = np.full((len(answers), len(columns)), np.nan)
    features[seen] = np.stack(columns, axis=1)
    return features


def learn_rule(
    au: int,
    features: FloatArray,
    codes: npt.NDArray[np.int8],
    names: npt.NDArray[np.str_],
    subjects: npt.NDArray[np.str_],
    *,
    to_label: BoolArray,
) -> tuple[TeacherRule, npt.NDArray[np.int8]]:
    """Learn from codes by eye, and label what was not coded. The order of the photographs changes nothing.

    Args:
        au: the action unit.
        features: (N, F), NaN where the teacher saw nothing.
        codes: (N,) 1, 0, -1 by eye; of training subjects only, -1 elsewhere.
        names: (N,) of the photographs, all different.
        subjects: (N,).
        to_label: (N,) where labels are wanted.

    Returns:
        What was learnt, and (N,) labels: 1, 0, -1.
    """
    labels = np.full(len(codes), -1, np.int8)
    seen = np.isfinite(features).all(axis=1)
    coded = np.flatnonzero(seen & (codes >= 0))
    coded = coded[np.argsort(names[coded])]  # sums in another order differ in their last digits
    present = codes[coded] == 1
    n_present, n_absent = int(present.sum()), int((~present).sum())
    if min(n_present, n_absent) < MIN_CODES:
        return TeacherRule(au, n_present, n_absent), labels
    tested = cross_validated(features[coded], present, subjects[coded])
    auc = area_under_roc(tested, present)
    if auc < MIN_AUC:
        return TeacherRule(au, n_present, n_absent, auc), labels
    target = np.flatnonzero(to_label & seen)
    scores = fit_logistic(features[coded], present, penalty=PENALTY).log_odds(features[target])
    upper = present_from(tested, present, scores)
    below = present_from(-tested, ~present, None, precision=PRECISION_ABSENT, most_of_others=MAX_MISSED)
    lower = None if below is None else -below
    if upper is not None and lower is not None and lower >= upper:
        # From one to the other both would hold: there neither is said.
        upper, lower = float(np.nextafter(lower, np.inf)), float(np.nextafter(upper, -np.inf))
    if upper is not None:
        labels[target[scores >= upper]] = 1
    if lower is not None:
        labels[target[scores <= lower]] = 0
    rule = TeacherRule(
        au,
        n_present,
        n_absent,
        auc,
        present_from=upper,
        absent_to=lower,
        precision_present=None if upper is None else _share(present[tested >= upper]),
        precision_absent=None if lower is None else _share(~present[tested <= lower]),
    )
    return rule, labels


def cross_validated(features: FloatArray, present: BoolArray, subjects: npt.NDArray[np.str_]) -> FloatArray:
    """Log-odds (N,) by models that saw nobody of a photograph's fold, which follows from the subject's name."""
    fold = np.array([int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % FOLDS for name in subjects.tolist()])
    tested = np.zeros(len(present))
    for number in np.unique(fold):
        held = fold == number
        tested[held] = fit_logistic(features[~held], present[~held], penalty=PENALTY).log_odds(features[held])
    return tested


def present_from(
    tested: FloatArray,
    present: BoolArray,
    scores: FloatArray | None,
    *,
    precision: float = PRECISION_PRESENT,
    most_of_others: float = 1.0,
) -> float | None:
    """The lowest score from which on a label can be trusted; None if there is none.

    Args:
        tested: (N,) cross-validated scores of coded photographs.
        present: (N,) their codes.
        scores: (M,) of the photographs to label: among them no more than `MAX_FALSE_SHARE` of what would be labelled
            may be expected to be false, at the rate of false alarms that the coded ones show; None for no such demand.
        precision: that the coded photographs from there on must reach: its lower bound by Wilson (1927), one standard
            error down, so that few codes need to be flawless.
        most_of_others: share of the coded absent ones that may lie from there on.
    """
    order = np.argsort(-tested, kind="stable")
    ranked, hits = tested[order], np.cumsum(present[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # equal scores stay together
    count, right = (last + 1).astype(np.float64), hits[last].astype(np.float64)
    good = wilson_lower(right, count) >= precision
    good &= count - right <= most_of_others * (~present).sum()
    if scores is not None:
        labelled = len(scores) - np.searchsorted(np.sort(scores), ranked[last], side="left")
        false = (count - right) / max((~present).sum(), 1) * len(scores)
        good &= false <= MAX_FALSE_SHARE * labelled
    return float(ranked[last[good]].min()) if good.any() else None


def wilson_lower(right: FloatArray, count: FloatArray, *, z: float = 1.0) -> FloatArray:
    """Lower bound of a share by Wilson (1927), z standard errors down."""
    share = right / count
    middle = share + z**2 / (2 * count)
    bound: FloatArray = (middle - z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))) / (1 + z**2 / count)
    return bound


def _same_face(answers: TeacherAnswers, landmarks_xy: npt.NDArray[np.float32]) -> BoolArray:
    points = np.stack([answers.points[:, list(at), :2].mean(axis=1) for at in LANDMARK_POINTS], axis=1)
    eyes, mouth = landmarks_xy[:, :2].mean(axis=1), landmarks_xy[:, 3:].mean(axis=1)
    # On a turned head the eyes nearly meet; the way to the mouth stays about as long as they were apart.
    unit = np.maximum(
        np.linalg.norm(landmarks_xy[:, 1] - landmarks_xy[:, 0], axis=1), np.linalg.norm(mouth - eyes, axis=1)
    )
    distance = np.linalg.norm(points - landmarks_xy, axis=2).mean(axis=1) / unit
    near: BoolArray = distance < MAX_DISTANCE  # false where one of them is NaN
    return near


def _share(right: npt.NDArray[Any]) -> float:
    return float(right.mean()) if len(right) else float("nan")
