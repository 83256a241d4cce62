from __future__ import annotations

import csv
import io
import json
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn import metrics as reference

from aucli.errors import DatasetError, OptionsError
from aucli.evaluation.figures import decision_scores, ranked_scores
from aucli.evaluation.score_tables import folds_tables, scores_tables, to_csv, to_json, to_latex
from aucli.evaluation.scoring import evaluate, evaluate_folds
from aucli.evaluation.thresholds import choose_thresholds
from aucli.evaluation.values import METRICS, Evaluation, Predictions

AUS = (1, 4, 12)


def random_table(seed: int, n: int, *, rate: float = 0.3) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Labels with some missing, and probabilities that know a little about them, with ties."""
    random = np.random.default_rng(seed)
    labels = (random.random((n, 3)) < rate).astype(np.int8)
    p = np.round(np.clip(0.25 * labels + random.random((n, 3)) * 0.75, 0, 1), 2).astype(np.float32)
    labels[random.random((n, 3)) < 0.2] = -1
    return labels, p


def values(result: Evaluation, metric: str) -> list[float | None]:
    return [row.scores[metric].value for row in result.per_au]


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), rate=st.sampled_from([0.0, 0.05, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_scores_agree_with_scikit_learn(seed: int, n: int, rate: float) -> None:
    labels, p = random_table(seed, n, rate=rate)
    result = evaluate(labels, p, aus=AUS, thresholds=0.4, replicates=0)
    for a, row in enumerate(result.per_au):
        known = labels[:, a] >= 0
        truth, score = labels[known, a], p[known, a].astype(np.float64)
        said = (score >= 0.4).astype(np.int8)
        got = {m: row.scores[m].value for m in METRICS}
        assert (row.labelled, row.positive, row.missing) == (len(truth), int(truth.sum()), n - len(truth))
        if not len(truth):
            assert set(got.values()) == {None}
            continue
        assert got["accuracy"] == pytest.approx(reference.accuracy_score(truth, said))
        assert got["free_kappa"] == pytest.approx(2 * reference.accuracy_score(truth, said) - 1)
        if truth.sum() == 0:
            assert got["f1"] is None
        else:
            assert got["f1"] == pytest.approx(reference.f1_score(truth, said, zero_division=0.0))
        if len(np.unique(truth)) < 2:
            assert [got[m] for m in ("roc_auc", "pr_auc", "kappa", "mcc", "f1_balanced")] == [None] * 5
            continue
        assert got["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, score))
        assert got["pr_auc"] == pytest.approx(reference.average_precision_score(truth, score))
        assert got["kappa"] == pytest.approx(reference.cohen_kappa_score(truth, said))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert got["mcc"] == pytest.approx(reference.matthews_corrcoef(truth, said))
        balance = np.where(truth == 1, (truth == 0).sum(), (truth == 1).sum())
        weighted = reference.f1_score(truth, said, sample_weight=balance, zero_division=0.0)
        assert got["f1_balanced"] == pytest.approx(weighted)


def test_nothing_at_all_is_null_everywhere() -> None:
    result = evaluate(np.empty((0, 3), np.int8), np.empty((0, 3), np.float32), aus=AUS)
    assert {value for m in METRICS for value in values(result, m)} == {None}
    assert {result.mean[m].value for m in METRICS} == {None}
    assert [row.base_rate for row in result.per_au] == [None] * 3
    assert [row.all_positive_f1 for row in result.per_au] == [None] * 3
    json.loads(to_json(result))


def test_the_mean_runs_over_defined_scores_and_says_over_how_many() -> None:
    labels = np.array([[1, 0, -1], [0, 0, -1]], dtype=np.int8)
    result = evaluate(labels, np.full((2, 3), 0.9), aus=AUS, replicates=0)
    assert values(result, "f1") == [pytest.approx(2 / 3), None, None]
    assert result.mean["f1"].value == pytest.approx(2 / 3)
    assert result.averaged["f1"] == 1
    assert result.averaged["accuracy"] == 2


def test_the_published_all_positive_line() -> None:
    """BP4D: base rate 21.1 % gives 34.8 for AU1, as in the tables of published results."""
    labels = np.array([[1]] * 211 + [[0]] * 789, dtype=np.int8)
    (row,) = evaluate(labels, np.ones((1000, 1)), aus=(1,), replicates=0).per_au
    assert row.all_positive_f1 == pytest.approx(0.348, abs=5e-4)
    assert row.scores["f1"].value == row.all_positive_f1


def test_lost_faces_count_as_absent_or_are_left_out() -> None:
    labels = np.array([[1], [1], [0]], dtype=np.int8)
    p = np.array([[0.9], [np.nan], [0.1]], dtype=np.float32)
    (counted,) = evaluate(labels, p, aus=(12,), replicates=0).per_au
    (left_out,) = evaluate(labels, p, aus=(12,), replicates=0, lost_faces="leave_out").per_au
    assert (counted.lost, left_out.lost) == (1, 1)
    assert (counted.labelled, left_out.labelled) == (3, 2)
    assert counted.scores["f1"].value == pytest.approx(2 / 3)
    assert left_out.scores["f1"].value == 1.0


def test_a_threshold_is_reached_by_an_equal_probability() -> None:
    labels, p = np.array([[1]], np.int8), np.array([[0.5]], np.float32)
    assert evaluate(labels, p, aus=(1,), replicates=0).per_au[0].scores["f1"].value == 1.0


@given(seed=st.integers(0, 10_000), n=st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_chosen_thresholds_are_the_best_there_are(seed: int, n: int) -> None:
    labels, p = random_table(seed, n)
    chosen = choose_thresholds(labels, p)
    for a in range(3):
        known = labels[:, a] >= 0
        truth, score = labels[known, a], p[known, a].astype(np.float64)
        if len(np.unique(truth)) < 2:
            assert chosen[a] == 0.5
            continue
        said = score >= np.linspace(0, 1, 401)[:, None]
        tried = 2 * (said & (truth == 1)).sum(axis=1) / (said.sum(axis=1) + truth.sum())
        assert reference.f1_score(truth, score >= chosen[a], zero_division=0.0) >= tried.max() - 1e-12


def test_intervals_agree_with_resampling_frames_person_by_person() -> None:
    labels, p = random_table(7, 600)
    subjects = np.repeat(np.arange(12), 50)
    result = evaluate(labels, p, aus=AUS, subjects=subjects, replicates=40, seed=1)
    random = np.random.default_rng([1, 0])
    weights = random.multinomial(12, np.full(12, 1 / 12), size=40)
    slow: dict[str, list[float]] = {"f1": [], "roc_auc": [], "pr_auc": [], "kappa": []}
    for weight in weights:
        rows = np.concatenate([np.flatnonzero(subjects == s) for s in np.repeat(np.arange(12), weight)])
        rows = rows[labels[rows, 0] >= 0]
        truth, score = labels[rows, 0], p[rows, 0].astype(np.float64)
        slow["f1"].append(reference.f1_score(truth, score >= 0.5))
        slow["kappa"].append(reference.cohen_kappa_score(truth, score >= 0.5))
        slow["roc_auc"].append(reference.roc_auc_score(truth, score))
        slow["pr_auc"].append(reference.average_precision_score(truth, score))
    for metric, drawn in slow.items():
        estimate = result.per_au[0].scores[metric]
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert estimate.low == pytest.approx(low, abs=1e-9)
        assert estimate.high == pytest.approx(high, abs=1e-9)


def test_many_different_probabilities_hardly_move_the_intervals() -> None:
    random = np.random.default_rng(0)
    labels = (random.random((20_000, 1)) < 0.2).astype(np.int8)
    p = np.clip(0.2 * labels + random.random((20_000, 1)) * 0.8, 0, 1)
    subjects = np.repeat(np.arange(20), 1000)
    fine = evaluate(labels, p, aus=(1,), subjects=subjects, replicates=50).per_au[0].scores
    coarse = evaluate(labels, np.round(p, 3), aus=(1,), subjects=subjects, replicates=50).per_au[0].scores
    for metric in ("roc_auc", "pr_auc"):
        assert fine[metric].low == pytest.approx(coarse[metric].low, abs=2e-3)
        assert fine[metric].low < fine[metric].value < fine[metric].high  # type: ignore[operator]


def test_one_person_has_no_interval() -> None:
    labels, p = random_table(0, 50)
    result = evaluate(labels, p, aus=AUS, subjects=np.zeros(50, int))
    assert result.replicates == 0
    assert result.per_au[0].scores["f1"].low is None


def test_a_score_that_most_replicates_lack_has_no_interval() -> None:
    labels = np.zeros((40, 1), np.int8)
    labels[0] = 1
    result = evaluate(labels, np.full((40, 1), 0.6), aus=(1,), subjects=np.repeat(np.arange(4), 10))
    assert result.per_au[0].scores["f1"].value is not None
    assert result.per_au[0].scores["f1"].low is None
    assert result.per_au[0].scores["accuracy"].low is not None


def folds() -> list[Predictions]:
    made = []
    for k in range(3):
        labels, p = random_table(k, 120 + 60 * k, rate=0.1 + 0.2 * k)
        subjects = np.array([f"s{i % 6}" for i in range(len(labels))])
        made.append(Predictions(f"fold {k + 1}", AUS, labels, p, subjects, np.full(3, 0.3 + 0.1 * k)))
    return made


def test_mean_of_folds_and_pooled_are_two_numbers() -> None:
    result = evaluate_folds(folds(), replicates=200)
    for m in METRICS:
        for a in range(3):
            single = [fold.per_au[a].scores[m].value for fold in result.folds]
            assert result.mean.per_au[a].scores[m].value == pytest.approx(np.mean(single))  # type: ignore[arg-type]
        assert result.mean.mean[m].value == pytest.approx(np.mean(values(result.mean, m)))  # type: ignore[arg-type]
    everything = folds()
    labels = np.concatenate([f.labels for f in everything])
    said = np.concatenate([f.probabilities.astype(np.float64) >= f.thresholds for f in everything])
    known = labels[:, 0] >= 0
    pooled = result.pooled.per_au[0].scores["f1"].value
    assert pooled == pytest.approx(reference.f1_score(labels[known, 0], said[known, 0]))
    assert pooled != pytest.approx(result.mean.per_au[0].scores["f1"].value)
    assert result.pooled.subjects == 18, "a subject of one fold is not the namesake of another"
    low, high = result.mean.mean["f1"].low, result.mean.mean["f1"].high
    assert low is not None
    assert high is not None
    assert low < result.mean.mean["f1"].value < high  # type: ignore[operator]


def test_the_published_mean_of_folds() -> None:
    """AUNCE's per-fold F1 of AU1 on BP4D, 56.95 59.38 44.40, has the mean 53.58."""
    made = []
    for k, f1 in enumerate((0.5695, 0.5938, 0.4440)):
        tp = 10_000
        wrong = round(2 * tp * (1 - f1) / f1)
        labels = np.concatenate([np.ones(tp), np.zeros(wrong)]).astype(np.int8)[:, None]
        made.append(Predictions(f"{k}", (1,), labels, np.ones(labels.shape), np.zeros(len(labels)), np.array([0.5])))
    result = evaluate_folds(made, replicates=0)
    assert result.mean.per_au[0].scores["f1"].value == pytest.approx(0.5358, abs=1e-4)


def test_bad_input_is_named() -> None:
    labels, p = random_table(0, 5)
    with pytest.raises(DatasetError, match=r"labels of test have the shape \(5, 3\); expected \(5, 2\)"):
        evaluate(labels, p, aus=(1, 2))
    with pytest.raises(DatasetError, match="other values"):
        evaluate(labels + 5, p, aus=AUS)
    with pytest.raises(DatasetError, match="0 to 1"):
        evaluate(labels, p + 1, aus=AUS)
    with pytest.raises(OptionsError, match="`lost_faces` is 'drop'"):
        evaluate(labels, p, aus=AUS, lost_faces="drop")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="`replicates` is -1"):
        evaluate(labels, p, aus=AUS, replicates=-1)
    with pytest.raises(DatasetError, match="no folds"):
        evaluate_folds([])
    one, other = folds()[:2]
    changed = Predictions(other.name, (1, 4, 6), other.labels, other.probabilities, other.subjects, other.thresholds)
    with pytest.raises(DatasetError, match="fold 2 has AUs"):
        evaluate_folds([one, changed])


def test_perfect_and_reversed_predictions() -> None:
    confusion = np.array([[5, 0, 0, 5], [0, 5, 5, 0]])
    scores = decision_scores(confusion)
    assert scores["mcc"].tolist() == [1, -1]
    assert scores["kappa"].tolist() == [1, -1]
    assert ranked_scores(np.array([0.1, 0.9]), np.array([False, True])) == (1.0, 1.0)


def test_tables_in_every_form() -> None:
    result = evaluate_folds(folds(), replicates=50)
    console = Console(width=300, file=io.StringIO(), color_system=None)
    for table in (*scores_tables(result.mean, width=300), *folds_tables(result, width=300)):
        console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    f1 = result.mean.per_au[0].scores["f1"]
    assert f"{100 * f1.value:.1f} [{100 * f1.low:.1f}, {100 * f1.high:.1f}]" in text  # type: ignore[operator]
    assert "1 Inner brow raiser" in text
    assert "bootstrap" in text
    rows = list(csv.DictReader(io.StringIO(to_csv([result.mean, result.pooled]))))
    assert len(rows) == 2 * (3 + 1) * len(METRICS)
    assert float(rows[0]["value"]) == pytest.approx(f1.value, abs=1e-6)
    loaded = json.loads(to_json(result))
    assert loaded["mean"]["per_au"][0]["scores"]["f1"]["value"] == f1.value
    latex = to_latex([*result.folds, result.mean])
    assert latex.count(r"\\") == 1 + 4 + 1
    assert rf"mean of folds & {100 * f1.value:.1f}" in latex  # type: ignore[operator]
    with pytest.raises(OptionsError, match="unknown metric 'F1'"):
        to_latex([result.mean], metric="F1")
    with pytest.raises(OptionsError, match="no evaluations"):
        to_latex([])
