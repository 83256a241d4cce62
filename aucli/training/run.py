"""From a data set and a recipe to a model folder: the story of ``aucli train``.

    recipe -> faces (prepared now, or from the cache) -> folds, by person
    per fold: encoder -> heads on it -> thresholds on validation people -> the test people, once -> model folder

A fold lies in its own folder: ``recipe.json`` (every value), ``fold.json`` (digests of its sides), ``checkpoint.pt``,
``log.csv``, ``predictions.parquet`` and ``model/``. A run that was stopped goes on when the same command is given
again; finished folds are kept.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import RecipeError
from aucli.evaluation.predictions import PREDICTIONS_NAME, FoldPredictions, read_predictions, write_predictions
from aucli.evaluation.scoring import evaluate_folds, evaluate_predictions
from aucli.evaluation.thresholds import choose_thresholds
from aucli.evaluation.values import CrossValidation, Evaluation
from aucli.models.config import as_model_name
from aucli.models.network import AUNetwork
from aucli.runtime.files import folder_lock
from aucli.training.card import describe_training
from aucli.training.distributed import alone, barrier, rank
from aucli.training.linear_heads import fit_linear_heads, predict
from aucli.training.model_folder import write_bundle
from aucli.training.options import TrainOptions
from aucli.training.plan import TrainingFold, TrainingPlan, plan, sides
from aucli.training.recipe import Recipe
from aucli.training.run_log import TrainingProgress
from aucli.training.trainer import Trainer, check_same, data_digest

RECIPE_NAME: Final = "recipe.json"
FOLD_NAME: Final = "fold.json"
MODEL_FOLDER: Final = "model"


@dataclass(frozen=True)
class TrainResult:
    """What came out: model folders and the test scores."""

    models: tuple[Path, ...]
    scores: Evaluation | CrossValidation


def train(
    options: TrainOptions,
    *,
    planned: TrainingPlan | None = None,
    tell: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, TrainingProgress], None] = lambda _, __: None,
) -> TrainResult:
    """Train, test and write a model for each fold.

    Args:
        options: what to do.
        planned: what `plan` returned for these options, if it was called before.
        tell: called with a line of text now and then.
        on_progress: called with the fold's number and how its stage 1 stands.

    Raises:
        AucliError: if recipe or data make no sense, or the folder holds another run.
    """
    todo = planned or plan(options, tell=tell)
    models = []
    for fold in todo.folds:
        folder = options.out if len(todo.folds) == 1 else options.out / f"fold{fold.number}"
        finished = (folder / PREDICTIONS_NAME).is_file()
        # A finished fold is only read: no lock.
        with folder_lock(folder) if rank() == 0 and not finished else contextlib.nullcontext():
            if rank() == 0:
                _check_folder(folder, fold, todo.recipe, options.dataset)
            if not finished:
                _train_fold(fold, todo, options, folder, tell, on_progress)
        models.append(folder / MODEL_FOLDER)
    predictions = [read_predictions(model.parent / PREDICTIONS_NAME).to_score() for model in models]
    scores = evaluate_predictions(predictions[0]) if len(predictions) == 1 else evaluate_folds(predictions)
    return TrainResult(tuple(models), scores)


def _check_folder(folder: Path, fold: TrainingFold, recipe: Recipe, dataset: str) -> None:
    """Go on in a folder, or keep its result, only if it holds this very fold: recipe, people, faces, labels."""
    ours = {"dataset": dataset, "fold": fold.number} | {name: data_digest(faces) for name, faces in sides(fold)}
    path = folder / FOLD_NAME
    if not path.is_file():
        if (folder / PREDICTIONS_NAME).is_file():
            raise RecipeError(f"{folder} holds a finished run of another version; choose another folder, or remove it")
        path.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")
        (folder / RECIPE_NAME).write_text(recipe.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
        check_same(Recipe.model_validate_json((folder / RECIPE_NAME).read_text(encoding="utf-8")), recipe, folder)
        changed = [name for name, value in ours.items() if theirs[name] != value]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{folder} holds a run that cannot be read ({error}); remove it") from error
    if changed:
        number = f"{theirs['dataset']} fold {theirs['fold']}"
        what = number if changed[0] in ("dataset", "fold") else f"other {changed[0]} faces, people or labels"
        raise RecipeError(f"{folder} holds a run on {what}; choose another folder, or remove this one")


def _train_fold(
    fold: TrainingFold,
    todo: TrainingPlan,
    options: TrainOptions,
    folder: Path,
    tell: Callable[[str], None],
    on_progress: Callable[[int, TrainingProgress], None],
) -> None:
    recipe, began = todo.recipe, time.monotonic()
    trainer = Trainer(
        recipe,
        fold.train,
        folder,
        validation=fold.validation,
        device=todo.device,
        checkpoint_every=options.checkpoint_every,
        progress=lambda now: on_progress(fold.number, now),
    )
    network = trainer.run()
    if rank() == 0:
        with alone():
            _finish_fold(network, fold, todo, options, folder, tell, began)
    barrier()


def _finish_fold(
    network: AUNetwork,
    fold: TrainingFold,
    todo: TrainingPlan,
    options: TrainOptions,
    folder: Path,
    tell: Callable[[str], None],
    began: float,
) -> None:
    """Heads, thresholds, the test people and the model folder: the work of the first process alone."""
    recipe = todo.recipe
    if recipe.linear.epochs:
        tell("linear evaluation: heads on the frozen encoder")
        fit_linear_heads(network, fold.train, recipe)
    network.eval()
    chosen_on = fold.validation if len(fold.validation) else fold.train
    thresholds = choose_thresholds(chosen_on.labels, predict(network, chosen_on, recipe).double().numpy())
    tell("the test people")
    name = model_name(options.out, fold.number if len(todo.folds) > 1 else None)
    tested = _test(fold, network, recipe, options.dataset, np.clip(thresholds, 0.01, 0.99).round(4), name)
    results = evaluate_predictions(tested.to_score())
    hours = (time.monotonic() - began) / 3600
    write_bundle(
        network.cpu(),
        results,
        recipe,
        folder / MODEL_FOLDER,
        name=name,
        licence="other (derived from data under their own terms)",
        summary=f"trained on {options.dataset}, fold {fold.number}",
        card=describe_training(name, fold, todo, options, results, hours),
        leave_out=recipe.leave_out,
    )
    write_predictions(folder / PREDICTIONS_NAME, tested)  # last: its presence says that the fold is finished


def _test(
    fold: TrainingFold,
    network: AUNetwork,
    recipe: Recipe,
    dataset: str,
    thresholds: npt.NDArray[Any],
    name: str,
) -> FoldPredictions:
    probabilities = predict(network, fold.test, recipe).float().numpy()
    lost = np.full((len(fold.lost_labels), probabilities.shape[1]), np.nan, np.float32)
    return FoldPredictions(
        dataset=dataset,
        fold=fold.number,
        model=name,
        aus=recipe.encoder.aus,
        thresholds=tuple(float(t) for t in thresholds),
        subjects=np.concatenate([fold.test.subjects, fold.lost_subjects]),
        sequences=np.concatenate([fold.sequences, fold.lost_sequences]),
        frames=np.concatenate([fold.frames, fold.lost_frames]).astype(np.int32),
        labels=np.concatenate([fold.test.labels, fold.lost_labels]),
        probabilities=np.concatenate([probabilities, lost]),
    )


def model_name(out: Path, fold: int | None) -> str:
    """A model is named after the folder of its run, and its fold where there are several."""
    name = as_model_name(out.resolve().name)
    return name if fold is None else f"{name}-fold{fold}"
