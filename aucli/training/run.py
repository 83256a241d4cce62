"""From a data set and a recipe to a model folder: the story of ``aucli train``.

    recipe -> faces (prepared now, or from the cache) -> folds, by subject
    per fold: encoder -> heads on it -> thresholds on validation subjects -> the test subjects, once -> model folder

A fold lies in its own folder: ``recipe.json`` (every value), ``fold.json`` (digests of its splits), ``checkpoint.pt``,
``log.csv``, ``predictions.parquet`` and ``model/``. A run that was stopped goes on when the same command is given
again; finished folds are kept.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING
from aucli.datasets.seen import joined, keys_by_dataset
from aucli.datasets.source import DatasetSource
from aucli.evaluation.comparison import Comparison, compare_predictions
from aucli.evaluation.predictions import FoldPredictions, read_predictions, write_predictions
from aucli.evaluation.scoring import evaluate_folds, evaluate_predictions
from aucli.evaluation.values import CrossValidation, Evaluation
from aucli.models.config import as_model_name
from aucli.models.network import AUNetwork
from aucli.runtime.files import folder_lock
from aucli.training.beside_start import compare_with_start, predict_by_start
from aucli.training.card import describe_training
from aucli.training.card_figures import examine
from aucli.training.decisions import make_decisions
from aucli.training.distributed import barrier, rank, rank_zero_only
from aucli.training.embeddings import predict
from aucli.training.linear_heads import fit_linear_heads
from aucli.training.model_folder import write_model_folder
from aucli.training.options import TrainOptions
from aucli.training.plan import TrainingFold, TrainingPlan, plan
from aucli.training.run_folder import RunFolder
from aucli.training.run_log import TrainingProgress
from aucli.training.start import seen_by_start
from aucli.training.trainer import Trainer

OnMessage = Callable[[str], None]


@dataclass(frozen=True)
class TrainResult:
    """What came out: model folders and the test scores."""

    models: tuple[Path, ...]
    scores: Evaluation | CrossValidation
    comparison: Comparison | None = None
    """With the model that training started from, on the same test subjects; None where it started from none."""


def train(
    options: TrainOptions,
    *,
    planned: TrainingPlan | None = None,
    report: OnMessage = lambda _: None,
    on_progress: Callable[[int, TrainingProgress], None] = lambda _, __: None,
) -> TrainResult:
    """Train, test and write a model for each fold.

    Args:
        options: what to do.
        planned: what `plan` returned for these options, if it was called before.
        report: called with a line of text now and then.
        on_progress: called with the fold's number and how the training of its encoder stands.

    Raises:
        AucliError: if recipe or data make no sense, or the folder holds another run.
    """
    planned = planned or plan(options, report=report)
    folders = []
    for fold in planned.folds:
        path = options.out if len(planned.folds) == 1 else options.out / f"fold{fold.number}"
        folder = RunFolder.of(path, fold, planned.recipe, options.dataset)
        if rank() == 0:
            folder.check(finish_again=options.finish_again)
        if options.finish_again or not folder.is_finished:
            with folder_lock(folder.path) if rank() == 0 else contextlib.nullcontext():
                _train_fold(fold, planned, options, folder, report, on_progress)
        folders.append(folder)
    predictions = [read_predictions(folder.predictions).to_score() for folder in folders]
    scores = evaluate_predictions(predictions[0]) if len(predictions) == 1 else evaluate_folds(predictions)
    comparison = compare_with_start([(folder.start_predictions, folder.predictions) for folder in folders])
    return TrainResult(tuple(folder.model for folder in folders), scores, comparison)


def _train_fold(
    fold: TrainingFold,
    planned: TrainingPlan,
    options: TrainOptions,
    folder: RunFolder,
    report: OnMessage,
    on_progress: Callable[[int, TrainingProgress], None],
) -> None:
    began = time.monotonic()
    if rank() == 0:
        folder.begin(planned.labelling, finish_again=options.finish_again)
    trainer = Trainer(
        planned.recipe.encoder_training(),
        fold.train,
        folder.path,
        validation=fold.validation,
        device=planned.device,
        checkpoint_every=options.checkpoint_every,
        progress=lambda now: on_progress(fold.number, now),
    )
    is_trained = trainer.step >= trainer.total_steps or trainer.early_stopping.has_stopped
    network = trainer.run()
    if rank() == 0:
        with rank_zero_only():
            _finish_fold(network, fold, planned, options, folder, report, None if is_trained else began)
    barrier()


def _finish_fold(
    network: AUNetwork,
    fold: TrainingFold,
    planned: TrainingPlan,
    options: TrainOptions,
    folder: RunFolder,
    report: OnMessage,
    began: float | None,
) -> None:
    """Heads, thresholds, the test subjects and the model folder: the work of the first process alone.

    `began` is when the encoder's training was last started, None if it was through before.
    """
    recipe = planned.recipe
    if recipe.linear.epochs:
        report("linear evaluation: heads on the frozen encoder")
        fit_linear_heads(
            network,
            fold.train,
            recipe.linear,
            crop=recipe.crop,
            augment=recipe.augment,
            seed=recipe.seed,
            report=report,
        )
    network.eval()
    columns = measured_columns(fold, recipe.leave_out)
    decisions = make_decisions(network, fold, recipe).of(columns)
    report("the test subjects")
    name = model_name(options.out, fold.number if len(planned.folds) > 1 else None)
    tested = _test_predictions(
        fold,
        predict(network, fold.test, recipe.crop).float().numpy()[:, columns],
        columns=columns,
        thresholds=np.clip(decisions.thresholds, 0.01, 0.999).round(5),
        dataset=options.dataset,
        model=name,
    )
    results = evaluate_predictions(tested.to_score())
    by_start = None
    if isinstance(options.source, DatasetSource):
        by_start = predict_by_start(recipe.encoder.pretrained, fold, tested, device=planned.device)
    if by_start is not None:
        write_predictions(folder.start_predictions, by_start)
    beside = (
        None
        if by_start is None
        else compare_predictions([by_start.to_score()], [tested.to_score()], names=(by_start.model, name))
    )
    rendered = None
    if "test" in fold.renders and len(fold.renders["test"].faces):
        report("renders of test subjects")
        renders = fold.renders["test"]
        said = predict(network, renders.faces, recipe.crop).double().numpy()
        rendered = said[:, columns], renders.intensities[:, columns]
    peer = None if fold.blendshapes is None else fold.blendshapes[:, columns]
    figures = examine(tested, calibration=decisions.calibration, blendshapes=peer, rendered=rendered)
    hours = None if began is None else (time.monotonic() - began) / 3600
    write_model_folder(
        network.cpu(),
        results,
        folder.model,
        crop=recipe.crop,
        name=name,
        licence="other (derived from data under their own terms)",
        summary=f"trained on {options.dataset}, fold {fold.number}",
        card=describe_training(name, fold, planned, options, results, figures, decisions.calibration, hours, beside),
        leave_out=recipe.leave_out,
        experimental=recipe.experimental,
        seen_subjects=seen_in_training(fold, options, recipe.encoder.pretrained),
    )
    write_predictions(folder.predictions, tested)  # last: its presence says that the fold is finished


def _test_predictions(
    fold: TrainingFold,
    probabilities: npt.NDArray[np.float32],
    *,
    columns: Sequence[int],
    thresholds: npt.NDArray[Any],
    dataset: str,
    model: str,
) -> FoldPredictions:
    """What the model says about every test frame; about those without a face, nothing (NaN).

    Args:
        fold: its faces.
        probabilities: (N, len(columns)).
        columns: places of these action units among the fold's.
        thresholds: (len(columns)).
        dataset: its name.
        model: its name.
    """
    lost = np.full((len(fold.lost_labels), probabilities.shape[1]), np.nan, np.float32)
    return FoldPredictions(
        dataset=dataset,
        fold=fold.number,
        model=model,
        aus=tuple(fold.test.aus[a] for a in columns),
        thresholds=tuple(float(t) for t in thresholds),
        subjects=np.concatenate([fold.test.subjects, fold.lost_subjects]),
        sequences=np.concatenate([fold.sequences, fold.lost_sequences]),
        frames=np.concatenate([fold.frames, fold.lost_frames]).astype(np.int32),
        labels=np.concatenate([fold.test.labels, fold.lost_labels])[:, list(columns)],
        probabilities=np.concatenate([probabilities, lost]),
    )


def measured_columns(fold: TrainingFold, leave_out: Collection[int]) -> list[int]:
    """Places of the action units that are measured: all but those that are left out of the model and nobody coded."""
    parts = [*(faces.labels for _, faces in fold.splits()), fold.lost_labels]
    coded = np.any([(labels != MISSING).any(axis=0) for labels in parts], axis=0)
    return [a for a, au in enumerate(fold.test.aus) if coded[a] or au not in leave_out]


def seen_in_training(fold: TrainingFold, options: TrainOptions, start: str) -> dict[str, tuple[str, ...]]:
    """Keys of everyone whose faces took part in a fold, or in the model that it started from."""
    own: dict[str, tuple[str, ...]] = {}
    if isinstance(options.source, DatasetSource):
        own = keys_by_dataset({*fold.train.subjects.tolist(), *fold.validation.subjects.tolist()})
    return joined(own, seen_by_start(start))


def model_name(out: Path, fold: int | None) -> str:
    """A model is named after the folder of its run, and its fold where there are several."""
    name = as_model_name(out.resolve().name)
    return name if fold is None else f"{name}-fold{fold}"
