"""Evaluation from three sides: finished runs, a model on a benchmark, a table of annotate against human codes.

All end in `aucli.training.metrics`; here is only where labels and probabilities come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.annotation import Progress as PrepareProgress
from aucli.device import available_cores, resolve_device
from aucli.errors import DatasetError, OptionsError
from aucli.inference import Predictor, open_predictor
from aucli.training.data.cache import INDEX_NAME
from aucli.training.data.cached_faces import CachedFaces
from aucli.training.data.labelled_faces import FaceSource
from aucli.training.data.registry import BENCHMARKS
from aucli.training.metrics import (
    DEFAULT_REPLICATES,
    CrossValidation,
    Evaluation,
    LostFaces,
    evaluate_folds,
    evaluate_predictions,
)
from aucli.training.predictions import FoldPredictions, find_predictions
from aucli.training.splits import SplitOptions, SplitRows, make_splits
from aucli.zoo import ModelConfig, find_model, user_folder

FACES_PER_STEP: Final = 64
Progress = Callable[[int, int], None]


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
            raise OptionsError(f"--lost-faces is {self.lost_faces!r}; allowed are negative, leave_out")
        if self.replicates < 0:
            raise OptionsError(f"--replicates is {self.replicates}; allowed is 0 or more")


@dataclass(frozen=True, kw_only=True)
class ModelOnBenchmark:
    """A model and the faces it is tried on.

    Attributes:
        model: name, or path of a model folder.
        dataset: short name of the benchmark.
        root: its folder, needed where there is no finished cache.
        cache: of ``aucli prepare``; with a root it is made or completed first. None is a folder of the user's own, by
            data set and root: the owners' folder stays as it is.
        fold: number of a published test fold, ``all`` for each of them, None for every frame of the data set.
        aus: action units to score, or None for those that model and data set share.
        dataset_options: the benchmark's own options, for reading it.
        splits: how it is split.
        device: as for annotate.
    """

    model: str
    dataset: str
    root: Path | None = None
    cache: Path | None = None
    fold: int | str | None = None
    aus: tuple[int, ...] | None = None
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    splits: SplitOptions = field(default_factory=SplitOptions)
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.dataset not in BENCHMARKS:
            raise OptionsError(f"--dataset is {self.dataset!r}; allowed are {', '.join(BENCHMARKS)}")
        if self.cache is None and self.root is None:
            raise OptionsError(
                "give --root, the data set's folder, or --cache, the faces that aucli prepare made of it"
            )
        if isinstance(self.fold, str) and self.fold != "all":
            raise OptionsError(f"--fold is {self.fold!r}; allowed are a number or all")


@dataclass(frozen=True)
class Evaluated:
    """Scores, and what a person must know to read them, one line each."""

    result: Evaluation | CrossValidation
    notes: tuple[str, ...] = ()


def evaluate_runs(folders: Sequence[Path], options: ScoringOptions | None = None) -> Evaluated:
    """Score finished runs from their predictions: one fold, or the folds of a cross-validation together.

    Raises:
        DatasetError: if there are none, they are of several data sets, a fold is there twice, or a person is tested in
            two folds.
    """
    return Evaluated(_scored(find_predictions(folders), options or ScoringOptions()))


def evaluate_on_benchmark(
    what: ModelOnBenchmark,
    options: ScoringOptions | None = None,
    *,
    on_prepare: Callable[[PrepareProgress], None] | None = None,
    on_progress: Progress | None = None,
) -> Evaluated:
    """Score a model on a benchmark, on the action units that both know.

    Args:
        what: model, data and action units.
        options: how to score.
        on_prepare: called while the data are prepared, sequence by sequence.
        on_progress: called with the number of faces done and of all.

    Raises:
        AucliError: if model or data cannot be read, or they share no action unit.
    """
    find_model(what.model)  # before the data are prepared, which may take hours
    return evaluate_faces(open_faces(what, on_prepare=on_prepare), what, options, on_progress=on_progress)


def evaluate_faces(
    faces: CachedFaces,
    what: ModelOnBenchmark,
    options: ScoringOptions | None = None,
    *,
    on_progress: Progress | None = None,
) -> Evaluated:
    """As `evaluate_on_benchmark`, for faces that are open already."""
    model = find_model(what.model)
    config = model.config
    aus, notes = shared_aus(config, faces.aus, what.dataset, wanted=what.aus)
    folds, warnings = fold_rows(faces, what)
    predictor = open_predictor(model, device=resolve_device(what.device), threads=available_cores())
    done, total = 0, sum(len(rows.test) for _, rows, _ in folds)

    def report(count: int) -> None:
        if on_progress is not None:
            on_progress(done + count, total)

    predictions = []
    for number, rows, lost in folds:
        predictions.append(_predictions(faces, rows.test, lost, number, aus, config, predictor, what.dataset, report))
        done += len(rows.test)
    return Evaluated(_scored(predictions, options or ScoringOptions()), (*notes, *warnings))


def open_faces(what: ModelOnBenchmark, *, on_prepare: Callable[[PrepareProgress], None] | None = None) -> CachedFaces:
    """The prepared faces of a benchmark; they are prepared now if that was not done or not finished.

    A finished cache is taken as it is, however it was prepared, unless options of the data set are given: then it must
    have been made with these.

    Raises:
        AucliError: if there is no finished cache and no root, or the cache is of another data set.
    """
    cache = what.cache
    if cache is None:
        assert what.root is not None
        root = hashlib.sha256(str(what.root.resolve()).encode()).hexdigest()
        cache = user_folder() / "caches" / f"{what.dataset}-{root[:12]}"
    if what.root is not None and (what.dataset_options or not (cache / INDEX_NAME).is_file()):
        from aucli.training.preparation import PrepareOptions, prepare

        prepare(
            PrepareOptions(
                dataset=what.dataset,
                root=what.root,
                out=cache,
                dataset_options=what.dataset_options,
                device=what.device,
            ),
            on_progress=on_prepare,
        )
    faces = CachedFaces.open(cache)
    held = sorted({sequence.dataset for sequence in faces.sequences})
    if held != [what.dataset]:
        raise DatasetError(f"the cache {cache} holds {', '.join(held) or 'nobody'}, not {what.dataset}")
    return faces


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
            f"AU {lacking[0]} is not known to both: {config.name} gives {_listed(config.aus)}, {dataset} codes "
            f"{_listed(coded)}"
        )
    if not shared:
        raise OptionsError(
            f"{config.name} and {dataset} share no action unit: it gives {_listed(config.aus)}, the data set codes "
            f"{_listed(coded)}"
        )
    notes = []
    if only_model := [au for au in config.aus if au not in coded]:
        notes.append(f"left out, for {dataset} does not code them: AU {_listed(only_model)}")
    if only_data := [au for au in coded if au not in config.aus]:
        notes.append(f"left out, for {config.name} does not give them: AU {_listed(only_data)}")
    return wanted or shared, tuple(notes)


def predict_faces(
    source: FaceSource, predictor: Predictor, n_aus: int, *, report: Callable[[int], None] | None = None
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
        if report is not None:
            report(int(rows[-1]) + 1)
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


Rows = npt.NDArray[np.int64]


def fold_rows(faces: CachedFaces, what: ModelOnBenchmark) -> tuple[list[tuple[int, SplitRows, Rows]], tuple[str, ...]]:
    """Number, rows of the three sides and rows of lost test frames of each fold that is asked for, and warnings."""
    if what.fold is None:
        nobody = np.zeros(0, np.int64)
        return [(0, SplitRows(nobody, nobody, np.arange(len(faces))), np.arange(len(faces.lost)))], ()
    samples = faces.samples()
    splits, warnings = make_splits(samples, what.splits)
    chosen = [split for split in splits if what.fold in ("all", split.number)]
    if not chosen:
        numbers = ", ".join(str(split.number) for split in splits)
        raise OptionsError(f"--fold is {what.fold}; {what.dataset} has the folds {numbers}")
    folds = []
    for split in chosen:
        lost = np.isin(faces.lost.identities, split.test)
        if split.test_partition is not None:
            scored = np.array([s.partition == split.test_partition for s in faces.sequences], dtype=np.bool_)
            lost &= scored[faces.lost.sequence_index]
        folds.append((split.number, split.rows(samples), np.flatnonzero(lost)))
    return folds, warnings


def _predictions(
    faces: CachedFaces,
    rows: Rows,
    lost: Rows,
    fold: int,
    aus: tuple[int, ...],
    config: ModelConfig,
    predictor: Predictor,
    dataset: str,
    report: Callable[[int], None],
) -> FoldPredictions:
    """What the model says of one fold; frames without a face follow at the end, with NaN."""
    given = predict_faces(faces.subset(rows), predictor, len(config.aus), report=report)
    of_model = [config.aus.index(au) for au in aus]
    of_data = [faces.aus.index(au) for au in aus]
    sequence = np.concatenate([faces.sequence_index[rows], faces.lost.sequence_index[lost]])
    names = np.array([one.name for one in faces.sequences], dtype=np.str_)
    people = np.array([one.subject for one in faces.sequences], dtype=np.str_)
    return FoldPredictions(
        dataset=dataset,
        fold=fold,
        model=config.name,
        aus=aus,
        thresholds=tuple(config.thresholds[i] for i in of_model),
        subjects=people[sequence],
        sequences=names[sequence],
        frames=np.concatenate([faces.frames[rows], faces.lost.frames[lost]]).astype(np.int32),
        labels=np.concatenate([faces.labels[rows], faces.lost.labels[lost]])[:, of_data],
        probabilities=np.concatenate([given[:, of_model], np.full((len(lost), len(aus)), np.nan, np.float32)]),
    )


def _listed(aus: Sequence[int]) -> str:
    return ", ".join(map(str, aus))
