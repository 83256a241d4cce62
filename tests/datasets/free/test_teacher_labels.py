from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.datasets.free.logistic import fit_logistic
from aucli.datasets.free.photograph_labels import label_photographs
from aucli.datasets.free.photograph_tables import PhotographTable
from aucli.datasets.free.teacher import POINTS, TeacherAnswers
from aucli.datasets.free.teacher_labels import (
    LANDMARK_POINTS,
    MAX_FALSE_SHARE,
    MIN_AUC,
    MIN_CODES,
    cross_validated,
    learn_rule,
    present_from,
    teacher_features,
    wilson_lower,
)
from aucli.datasets.free.visual_codes import VisualCodes


def _coded(count: int = 400, *, separation: float = 3.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Features that tell an action unit by the first of four, its truth, names, subjects."""
    rng = np.random.default_rng(seed)
    present = rng.random(count) < 0.3
    features = rng.normal(size=(count, 4)) * [1, 5, 0.1, 1] + np.array([2.0, 0, 7, 0])
    features[:, 0] += separation * present
    names = np.array([f"photo {k}" for k in rng.permutation(count)])
    subjects = np.array([f"person {k}" for k in rng.integers(0, count // 4, count)])
    return features, present, names, subjects


@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_the_regression_is_scikit_learns(penalty: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, present, _, _ = _coded(separation=1.5)
    model = fit_logistic(features, present, penalty=penalty)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    slow = linear_model.LogisticRegression(C=1 / penalty, class_weight="balanced", tol=1e-10, max_iter=10_000)
    slow.fit(standard, present)
    np.testing.assert_allclose(model.log_odds(features), slow.decision_function(standard), atol=1e-4)


def test_features_that_never_change_and_classes_that_are_apart_are_no_trouble() -> None:
    features, present, _, _ = _coded(separation=100.0)
    features[:, 3] = 5.0
    model = fit_logistic(features, present, penalty=10.0)
    assert model.weights[3] == pytest.approx(0.0, abs=1e-12)
    assert ((model.log_odds(features) > 0) == present).all()


def test_few_codes_need_to_be_flawless() -> None:
    assert wilson_lower(np.array([9.0]), np.array([9.0])) >= 0.9 - 1e-12
    assert wilson_lower(np.array([8.0]), np.array([8.0])) < 0.9
    assert wilson_lower(np.array([95.0]), np.array([100.0])) > 0.9
    assert wilson_lower(np.array([91.0]), np.array([100.0])) < 0.9


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9999), st.sampled_from([0.6, 0.8, 0.9, 0.98]), st.sampled_from([0.05, 0.1, 1.0]))
def test_the_threshold_is_the_lowest_that_keeps_its_promise(seed: int, precision: float, others: float) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random(60) < 0.4
    tested = np.round(rng.normal(size=60) + 2 * present, 1).astype(np.float64)
    scores = rng.normal(size=200)
    good = []
    for threshold in np.unique(tested):
        beyond = tested >= threshold
        bound = wilson_lower(np.array([float(present[beyond].sum())]), np.array([float(beyond.sum())]))[0]
        false_alarms = (beyond & ~present).sum() / max((~present).sum(), 1)
        if (
            bound >= precision
            and false_alarms <= others
            and false_alarms * len(scores) <= MAX_FALSE_SHARE * (scores >= threshold).sum()
        ):
            good.append(threshold)
    assert present_from(tested, present, scores, precision=precision, most_of_others=others) == (
        min(good) if good else None
    )


def test_nobody_is_tested_by_a_model_that_has_seen_them() -> None:
    features, present, _, subjects = _coded()
    tested = cross_validated(features, present, subjects)
    changed = present.copy()
    mine = subjects == subjects[0]
    changed[mine] = ~changed[mine]
    np.testing.assert_array_equal(cross_validated(features, changed, subjects)[mine], tested[mine])
    assert (cross_validated(features, changed, subjects) != tested).any()


def test_a_teacher_that_knows_labels_the_ends() -> None:
    features, present, names, subjects = _coded(1200, separation=4.0)
    codes = np.where(np.arange(1200) < 600, present, -1).astype(np.int8)
    rule, labels = learn_rule(12, features, codes, names, subjects, to_label=codes < 0)
    assert rule.auc is not None
    assert rule.auc > 0.95
    assert rule.precision_present is not None
    assert rule.precision_present >= 0.9
    assert (labels[:600] == -1).all()
    told = labels[600:] >= 0
    assert 0.5 < told.mean() < 1
    truth = present[600:]
    assert truth[labels[600:] == 1].mean() > 0.85
    assert (~truth[labels[600:] == 0]).mean() > 0.95
    shuffled = np.random.default_rng(1).permutation(1200)
    again, moved = learn_rule(
        12, features[shuffled], codes[shuffled], names[shuffled], subjects[shuffled], to_label=codes[shuffled] < 0
    )
    assert again == rule
    np.testing.assert_array_equal(moved, labels[shuffled])


def test_a_teacher_that_does_not_know_says_nothing() -> None:
    features, present, names, subjects = _coded(separation=0.2)
    rule, labels = learn_rule(4, features, present.astype(np.int8), names, subjects, to_label=np.ones(400, bool))
    assert rule.auc is not None
    assert rule.auc < MIN_AUC
    assert (labels == -1).all()
    few = np.where(present & (np.cumsum(present) >= MIN_CODES), -1, present).astype(np.int8)
    rule, labels = learn_rule(4, features + 9 * present[:, None], few, names, subjects, to_label=few < 0)
    assert (rule.coded_present, rule.auc) == (MIN_CODES - 1, None)
    assert (labels == -1).all()


def _answers(count: int, *, seed: int = 0) -> tuple[TeacherAnswers, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = ("_neutral", "mouthSmileLeft", "mouthSmileRight", "jawOpen")
    points = rng.normal(size=(1, POINTS, 3)) * [20, 30, 10] + rng.normal(size=(count, POINTS, 3))
    points[:, 33, :2], points[:, 263, :2] = [-30, -15], [30, -15]
    landmarks = np.stack([points[:, list(at), :2].mean(axis=1) for at in LANDMARK_POINTS], axis=1)
    answers = TeacherAnswers(
        names,
        rng.random((count, 4)).astype(np.float32),
        points.astype(np.float32),
        rng.normal(size=(count, 2)).astype(np.float32) * 10,
    )
    return answers, landmarks.astype(np.float32)


def test_features_are_the_means_of_both_sides_and_nan_for_another_face() -> None:
    answers, landmarks = _answers(6)
    answers.turns[1] = np.nan  # no face
    landmarks[2] += 200  # the detector's face is another one
    landmarks[3] = np.nan
    features = teacher_features(answers, landmarks)
    assert np.isfinite(features).all(axis=1).tolist() == [True, False, False, False, True, True]
    odds = np.log(answers.blendshapes / (1 - answers.blendshapes))
    np.testing.assert_allclose(features[0, :2], [odds[0, 1:3].mean(), odds[0, 3]], rtol=1e-4)
    np.testing.assert_allclose(features[0, -2:], [abs(answers.turns[0, 0]), answers.turns[0, 1]], rtol=1e-5)
    none = TeacherAnswers((), np.zeros((2, 0), np.float32), answers.points[:2], np.full((2, 2), np.nan, np.float32))
    assert np.isnan(teacher_features(none, landmarks[:2])).all()
    assert len(TeacherAnswers.join([none, answers])) == 8
    assert TeacherAnswers.join([none, answers]).found.tolist() == [False, False, True, False, True, True, True, True]


def test_eyes_overrule_the_teacher_and_held_out_subjects_have_codes_alone() -> None:
    count = 600
    rng = np.random.default_rng(3)
    answers, landmarks = _answers(count)
    smiling = rng.random(count) < 0.4
    answers.blendshapes[:, 1:3] = np.where(smiling, 0.8, 0.05)[:, None] + rng.uniform(-0.04, 0.04, (count, 2))
    names = tuple(f"p{k}" for k in range(count))
    coded = 200
    looks = np.full((coded, 3, 2), -2, np.int8)  # AU12 and AU4; AU4 of the first 50 was never looked at
    looks[:, 0, 0] = smiling[:coded]
    looks[:10, 0, 0] = -1  # cannot tell
    unlike = 10 + np.flatnonzero(smiling[10:coded])[:3]
    looks[unlike, 0, 0] = 0  # the eye is right, whatever the teacher says
    looks[50:, 0, 1] = 0
    splits = np.where(np.arange(count) % 10 == 0, "test", "train")
    smiles = np.full(count, -1, np.int8)
    smiles[300:310] = 1 - smiling[300:310]
    table = PhotographTable(names, (b"",) * count, np.array(names), smiles)
    codes = VisualCodes((12, 4), names[:coded], looks, (None,) * coded)
    found = label_photographs(table, landmarks, (4, 12), codes, splits, answers)
    trained = splits == "train"
    assert (found.labels[:10, 1] == -1).all()
    assert (found.labels[unlike, 1] == 0).all()
    uncoded = np.arange(count) >= coded
    assert (found.labels[uncoded & ~trained] == -1).all()
    assert (found.labels[300:310, 1] == -1).all()  # people and teacher contradict each other
    clear = uncoded & trained & ((np.arange(count) < 300) | (np.arange(count) >= 310))
    told = found.labels[clear, 1]
    assert (told == -1).mean() < 0.2
    assert (told[told >= 0] == smiling[clear][told >= 0]).all()
    assert (found.labels[uncoded, 0] == -1).all()  # nobody was ever seen with AU4: nothing to learn from
    assert set(found.used.tolist()) == set(np.flatnonzero((found.labels >= 0).any(axis=1)).tolist())
    alone = label_photographs(table, landmarks, (4, 12), codes, splits, None)
    assert (alone.labels[coded:300] == -1).all()
    assert (alone.labels[300:310, 1] == np.where(trained[300:310] & (smiles[300:310] == 1), 1, -1)).all()
    for text in ("| 12 |", "too few codes"):
        assert text in found.as_markdown()
