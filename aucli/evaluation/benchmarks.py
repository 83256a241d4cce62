"""Evaluation from three sides: finished runs, a model on a benchmark, a table of annotate against human codes.

All end in `aucli.evaluation.scoring`; here is only where labels and probabilities come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.faces import FaceSource
from aucli.datasets.folds import FoldOptions, Rows, check_folds, fold_rows
from aucli.datasets.prepared import open_faces
from aucli.datasets.seen import is_recorded, seen_among, told
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError, OptionsError
from aucli.evaluation.choices import LostFaces
from aucli.evaluation.predictions import FoldPredictions, find_predictions
from aucli.evaluation.scoring import evaluate_folds, evaluate_predictions
from aucli.evaluation.values import DEFAULT_REPLICATES, CrossValidation, Evaluation
from aucli.facs import listed_aus
from aucli.models.config import ModelConfig
from aucli.models.predictor import Predictor, open_predictor
from aucli.models.zoo import find_model
from aucli.runtime.device import available_cores, resolve_device
from aucli.runtime.progress import OnProgress, Reporter

FACES_PER_STEP: Final = 64


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How predictions become scores.

    Attributes:
        lost_faces: count frames without a face as predicted absent, or leave them out.
        replicates: bootstrap replicates over subjects; 0 for no intervals.
        seed: of the bootstrap.
    """

    lost_faces: LostFaces = "negative"
    replicates: int = DEFAULT_REPLICATES
    seed: int = 3407

    def __post_init__(self) -> None:
        if self.lost_faces not in ("negative", "leave_out"):
            raise OptionsError(f"`lost_faces` is {self.lost_faces!r}; allowed are negative, leave_out")
        if self.replicates < 0:
            raise OptionsError(f"`replicates` is {self.replicates}; allowed is 0 or more")


@dataclass(frozen=True, kw_only=True)
class ModelOnBenchmark:
    """A model and the faces it is tried on.

    Attributes:
        model: name, or path of a model folder.
        source: the faces.
        folds: which of them; all, as one test, by default.
        device: where faces are detected and the model runs.
        aus: action units to score, or None for those that model and data set share.
        allow_seen: score the model on people whom it has seen in training, with a note, instead of refusing.
    """

    model: str
    source: DatasetSource
    folds: FoldOptions = field(default_factory=FoldOptions)
    device: str = "auto"
    aus: tuple[int, ...] | None = None
    allow_seen: bool = False


@dataclass(frozen=True)
class Evaluated:
    """Scores, and what a reader must know to read them, one line each."""

    result: Evaluation | CrossValidation
    notes: tuple[str, ...] = ()


def evaluate_runs(folders: Sequence[Path], options: ScoringOptions | None = None) -> Evaluated:
    """Score finished runs from their predictions: one fold, or the folds of a cross-validation together.

    Raises:
        DatasetError: if there are none, they are of several data sets, a fold is there twice, or a subject is tested in
            two folds.
    """
    return Evaluated(_scored(find_predictions(folders), options or ScoringOptions()))


def evaluate_on_benchmark(
    what: ModelOnBenchmark,
    options: ScoringOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> Evaluated:
    """Score a model on a benchmark, on the action units that both know.

    Args:
        what: model, data and action units.
        options: how to score.
        on_progress: called while the data are prepared, sequence by sequence, and the faces read, fold by fold.

    Raises:
        OptionsError: if the model has seen some of the people in training (`aucli.datasets.seen`).
        AucliError: if model or data cannot be read, or they share no action unit.
    """
    # Before the data are prepared, which may take hours.
    config = find_model(what.model).config
    resolve_device(what.device)
    check_folds(what.source.dataset, what.folds)
    if unknown := [au for au in what.aus or () if au not in config.aus]:
        raise OptionsError(
            f"`aus` has AU {unknown[0]}, which {config.name} does not give; it gives {listed_aus(config.aus)}"
        )
    faces, problems = open_faces(what.source, crop=config.crop, device=what.device, on_progress=on_progress)
    evaluated = evaluate_faces(faces, what, options, on_progress=on_progress)
    return replace(evaluated, notes=(*problems, *evaluated.notes))


def evaluate_faces(
    faces: CachedFaces,
    what: ModelOnBenchmark,
    options: ScoringOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> Evaluated:
    """As `evaluate_on_benchmark`, for faces that are open already."""
    model = find_model(what.model)
    config = model.config
    dataset = what.source.dataset
    aus, notes = shared_aus(config, faces.aus, dataset, wanted=what.aus)
    folds, warnings = fold_rows(faces, dataset, what.folds)
    tested = [np.concatenate([faces.subjects[rows.test], faces.lost.subjects[lost]]) for _, rows, lost in folds]
    notes += _people_seen(config, np.unique(np.concatenate(tested)).tolist() if tested else [], what.allow_seen)
    predictor = open_predictor(model, device=resolve_device(what.device), threads=available_cores())
    reporter = Reporter(on_progress, [len(rows.test) for _, rows, _ in folds], unit="faces", items="folds")
    predictions = []
    for number, rows, lost in folds:
        reporter.begin(f"{dataset} fold {number}" if number else dataset)
        predictions.append(_predictions(faces, rows.test, lost, number, aus, config, predictor, dataset, reporter))
        reporter.end()
    return Evaluated(_scored(predictions, options or ScoringOptions()), (*notes, *warnings))


def _people_seen(config: ModelConfig, subjects: Sequence[str], allow_seen: bool) -> tuple[str, ...]:
    """A note on the people whom the model has seen, where there are any or they are not recorded.

    Raises:
        OptionsError: if there are any, and that is not allowed.
    """
    seen = seen_among(subjects, config.seen_subjects)
    if seen and not allow_seen:
        raise OptionsError(
            f"{config.name} has seen {told(seen, len(subjects))} in training: its figures on them say nothing about "
            "new people; score the `fold` that it was not trained on, or use `allow_seen`"
        )
    if seen:
        return (f"{config.name} has seen {told(seen, len(subjects))} in training: no figures for new people",)
    if not is_recorded(config.seen_subjects):
        return (f"whom {config.name} has seen in training is not recorded: make sure that it was nobody of these",)
    return ()


def shared_aus(
    config: ModelConfig, coded: tuple[int, ...], dataset: str, *, wanted: tuple[int, ...] | None = None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Action units that model and data set share, in the data set's order, and a note on each side's others.

    Raises:
        OptionsError: if they share none, or one that was wanted is not known to both.
    """
    shared = tuple(au for au in coded if au in config.aus)
    if wanted is not None and (lacking := [au for au in wanted if au not in shared]):
        raise OptionsError(
            f"AU {lacking[0]} is not known to both: {config.name} gives {listed_aus(config.aus)}, {dataset} codes "
            f"{listed_aus(coded)}"
        )
    if not shared:
        raise OptionsError(
            f"{config.name} and {dataset} share no action unit: it gives {listed_aus(config.aus)}, the data set codes "
            f"{listed_aus(coded)}"
        )
    notes = []
    if only_model := [au for au in config.aus if au not in coded]:
        notes.append(f"left out, for {dataset} does not code them: AU {listed_aus(only_model)}")
    if only_data := [au for au in coded if au not in config.aus]:
        notes.append(f"left out, for {config.name} does not give them: AU {listed_aus(only_data)}")
    return wanted or shared, tuple(notes)


def predict_faces(
    source: FaceSource, predictor: Predictor, n_aus: int, *, reporter: Reporter | None = None
) -> npt.NDArray[np.float32]:
    """Probabilities of all faces of a source, by the very predictor of annotate: (N, n_aus)."""
    probabilities = np.empty((len(source), n_aus), np.float32)
    for start in range(0, len(source), FACES_PER_STEP):
        rows = np.arange(start, min(start + FACES_PER_STEP, len(source)))
        faces = source[rows]
        frames = [
            np.ascontiguousarray(np.broadcast_to(picture[:height, :width], (height, width, 3)))
            for picture, (width, height) in zip(faces.pictures, faces.sizes_wh, strict=True)
        ]
        probabilities[rows] = predictor.predict(frames, np.arange(len(rows)), faces.landmarks_xy)
        if reporter is not None:
            reporter.advance(int(rows[-1]) + 1, len(source))
    return probabilities


def _scored(predictions: Sequence[FoldPredictions], options: ScoringOptions) -> Evaluation | CrossValidation:
    datasets = sorted({one.dataset for one in predictions})
    if len(datasets) > 1:
        raise DatasetError(f"the runs test {', '.join(datasets)}; evaluate one data set at a time")
    tested: dict[str, str] = {}
    for one in predictions:
        for subject in np.unique(one.subjects).tolist():
            if (other := tested.setdefault(subject, one.name)) != one.name:
                raise DatasetError(f"{subject} is tested in {other} and in {one.name}; they are no folds of one split")
    to_score = [one.to_score() for one in predictions]
    how: Any = {"lost_faces": options.lost_faces, "replicates": options.replicates, "seed": options.seed}
    return evaluate_predictions(to_score[0], **how) if len(to_score) == 1 else evaluate_folds(to_score, **how)


def _predictions(
    faces: CachedFaces,
    rows: Rows,
    lost: Rows,
    fold: int,
    aus: tuple[int, ...],
    config: ModelConfig,
    predictor: Predictor,
    dataset: str,
    reporter: Reporter,
) -> FoldPredictions:
    """What the model says of one fold; frames without a face follow at the end, with NaN."""
    given = predict_faces(faces.subset(rows), predictor, len(config.aus), reporter=reporter)
    of_model = [config.aus.index(au) for au in aus]
    of_data = [faces.aus.index(au) for au in aus]
    sequence = np.concatenate([faces.sequence_index[rows], faces.lost.sequence_index[lost]])
    names = np.array([one.name for one in faces.sequences], dtype=np.str_)
    subjects = np.array([one.subject for one in faces.sequences], dtype=np.str_)
    return FoldPredictions(
        dataset=dataset,
        fold=fold,
        model=config.name,
        aus=aus,
        thresholds=tuple(config.thresholds[i] for i in of_model),
        subjects=subjects[sequence],
        sequences=names[sequence],
        frames=np.concatenate([faces.frames[rows], faces.lost.frames[lost]]).astype(np.int32),
        labels=np.concatenate([faces.labels[rows], faces.lost.labels[lost]])[:, of_data],
        probabilities=np.concatenate([given[:, of_model], np.full((len(lost), len(aus)), np.nan, np.float32)]),
    )
