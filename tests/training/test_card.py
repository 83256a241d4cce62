"""The card says what was trained on whom, and how it can be done again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.source import DatasetSource
from aucli.evaluation.calibration import Calibration
from aucli.evaluation.predictions import FoldPredictions
from aucli.evaluation.scoring import evaluate
from aucli.training.card import describe_training
from aucli.training.card_figures import examine
from aucli.training.options import TrainOptions
from aucli.training.plan import TrainingFold, TrainingPlan, plan
from aucli.training.recipe import Recipe
from aucli.training.run_folder import data_digest


@pytest.fixture
def options(cache: Path, recipe: Path, tmp_path: Path) -> TrainOptions:
    source = DatasetSource(dataset="bp4d", cache=cache)
    overrides = ("leave_out=[12, 4]", "loss.bce_weight=0.25")
    return TrainOptions(source=source, out=tmp_path / "run", recipe=str(recipe), overrides=overrides, device="cpu")


def _card(
    options: TrainOptions, planned: TrainingPlan, fold: TrainingFold, calibration: Calibration | None = None
) -> str:
    test = fold.test
    probabilities = np.random.default_rng(0).random(test.labels.shape)
    results = evaluate(test.labels, probabilities, aus=test.aus, subjects=test.subjects, replicates=0)
    tested = FoldPredictions(
        dataset="bp4d",
        fold=1,
        model="tiny",
        aus=test.aus,
        thresholds=(0.5,) * len(test.aus),
        subjects=test.subjects,
        sequences=fold.sequences,
        frames=fold.frames,
        labels=test.labels,
        probabilities=probabilities.astype(np.float32),
    )
    blendshapes = np.full_like(tested.probabilities, 0.5)
    blendshapes[0] = np.nan
    rendered = probabilities, 5 * probabilities.astype(np.float32)
    figures = examine(tested, calibration=calibration, blendshapes=blendshapes, rendered=rendered)
    return describe_training("tiny", fold, planned, options, results, figures, calibration, hours=1.5)


def test_the_card_holds_data_subjects_and_recipe(options: TrainOptions) -> None:
    planned = plan(options)
    fold = planned.folds[0]
    card = _card(options, planned, fold)
    found = re.findall(r"(\d+) faces of (\d+) subjects \((\w+)\)", card)
    divided = {split: (int(n_faces), int(n_subjects)) for n_faces, n_subjects, split in found}
    assert divided == {split: (len(faces), len(set(faces.subjects))) for split, faces in fold.splits()}
    assert sum(n for n, _ in divided.values()) == 90
    assert "on bp4d, fold 1, by the recipe tiny" in card
    assert f"training labels and subjects: `{data_digest(fold.train)}`" in card
    assert "cross-entropy with weight 0.25" in card
    assert "1.50 hours on cpu" in card
    assert "thresholds: chosen on the validation subjects" in card
    tables = [part.split("\n\n")[0].count("\n| ") for part in card.split("\n| AU ")[1:]]
    assert tables == [len(fold.test.aus) + 1] + [len(fold.test.aus)] * 3, "scores with their mean, and three more"


def test_the_recipe_can_be_taken_from_the_card(options: TrainOptions) -> None:
    planned = plan(options)
    (text,) = re.findall(r"```json\n(.*?)```", _card(options, planned, planned.folds[0]), re.DOTALL)
    assert Recipe.model_validate(json.loads(text)) == planned.recipe


def test_only_aus_of_the_network_are_left_out_of_the_model(options: TrainOptions) -> None:
    planned = plan(options)
    left_out = re.findall(r"not columns of this model \(`leave_out`\): (.*)", _card(options, planned, planned.folds[0]))
    assert left_out == ["AU12"], "AU4 is none of the network's"


def test_the_card_says_what_was_done_to_probabilities_and_by_which_rule_thresholds_were_chosen(
    options: TrainOptions,
) -> None:
    plain = plan(options)
    assert "probabilities: as the network gives them, not calibrated" in _card(options, plain, plain.folds[0])
    more = ("decisions.calibrate=true", "decisions.max_false_alarms=0.05", "decisions.min_positives=10")
    planned = plan(replace(options, overrides=more))
    calibration = Calibration(np.array([0.5, 2.0]), np.array([-1.0, 0.25]))
    card = _card(options, planned, planned.folds[0], calibration)
    assert "part of the weights: AU12 0.50 -1.00, AU1 2.00 +0.25\n" in card
    assert "(highest F1; at most 5 % false alarms; where fewer than 10 of them show an action unit, else 0.5)" in card
    assert "not calibrated, for want of validation subjects" in _card(options, planned, planned.folds[0])


def test_experimental_aus_are_named(options: TrainOptions) -> None:
    marked = plan(replace(options, overrides=("experimental=[12]",)))
    assert "experimental (columns whose figures fall short of the others'): AU12\n" in _card(
        options, marked, marked.folds[0]
    )
    assert "experimental (columns" not in _card(options, plan(options), marked.folds[0])


def test_without_validation_subjects_the_card_says_so(options: TrainOptions) -> None:
    planned = plan(options)
    fold = planned.folds[0]
    nobody = fold.validation.subset(np.array([], np.intp))
    card = _card(options, planned, replace(fold, validation=nobody))
    assert "0 faces of 0 subjects (validation)" in card
    assert "thresholds: chosen on the training subjects, for want of others" in card
