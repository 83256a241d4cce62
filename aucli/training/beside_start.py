"""What the model that training started from says about the test faces, so that the two can be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from aucli.errors import ModelError
from aucli.evaluation.benchmarks import predict_faces
from aucli.evaluation.comparison import Comparison, compare_predictions
from aucli.evaluation.predictions import FoldPredictions, read_predictions
from aucli.models.predictor import open_predictor
from aucli.models.zoo import find_model
from aucli.runtime.device import available_cores
from aucli.training.plan import TrainingFold
from aucli.training.start import is_model


def predict_by_start(start: str, fold: TrainingFold, tested: FoldPredictions, *, device: str) -> FoldPredictions | None:
    """The start's probabilities of a fold's test frames, as annotate would give them, by its own thresholds.

    Args:
        start: see `aucli.training.start.start_from`.
        fold: its faces.
        tested: what the trained model says about them.
        device: where the start runs.

    Returns:
        On the action units that both give; None where the start is no model with heads, or they share none.
    """
    if not is_model(start) or not len(fold.test):
        return None
    model = find_model(start)
    shared = [au for au in tested.aus if au in model.config.aus]
    if not model.config.has_heads or not shared:
        return None
    try:
        predictor = open_predictor(model, device=device, threads=available_cores())
    except ModelError:  # weights that only training can use
        return None
    of_model, of_fold = [model.config.aus.index(au) for au in shared], [tested.aus.index(au) for au in shared]
    found = predict_faces(fold.test, predictor, len(model.config.aus))[:, of_model]
    lost = np.full((len(fold.lost_labels), len(shared)), np.nan, np.float32)
    return replace(
        tested,
        model=model.config.name,
        aus=tuple(shared),
        thresholds=tuple(model.config.thresholds[a] for a in of_model),
        labels=tested.labels[:, of_fold],
        probabilities=np.concatenate([found, lost]),
    )


def compare_with_start(folders: list[tuple[Path, Path]]) -> Comparison | None:
    """Both models on the test people of all folds; None where a fold holds nothing of the start.

    Args:
        folders: of each fold, the predictions of the start and those of the trained model.
    """
    if not folders or not all(path.is_file() for path, _ in folders):
        return None
    before, after = zip(*((read_predictions(a), read_predictions(b)) for a, b in folders), strict=True)
    return compare_predictions(
        [one.to_score() for one in before],
        [one.to_score() for one in after],
        names=(before[0].model, after[0].model if len(after) == 1 else "the trained model"),
    )
