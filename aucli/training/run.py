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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli import __version__
from aucli.datasets.benchmark import Benchmark, fold_rows, open_faces
from aucli.datasets.faces import FaceSource
from aucli.datasets.free.sources import FreeSources, read_free_data
from aucli.datasets.readers.registry import BENCHMARKS
from aucli.datasets.splits import SplitOptions
from aucli.errors import OptionsError, RecipeError
from aucli.evaluation.predictions import PREDICTIONS_NAME, FoldPredictions, read_predictions, write_predictions
from aucli.evaluation.scoring import evaluate_folds, evaluate_predictions
from aucli.evaluation.thresholds import choose_thresholds
from aucli.evaluation.values import CrossValidation, Evaluation
from aucli.models.network import AUNetwork
from aucli.runtime.device import resolve_device
from aucli.runtime.files import bundled_folder, claimed
from aucli.training.batches import BatchMaker
from aucli.training.bundle import results_table, write_bundle
from aucli.training.gather import alone
from aucli.training.linear_evaluation import fit_linear_heads, predict
from aucli.training.processes import barrier, first_process_first, rank, world_size
from aucli.training.recipe import Recipe, load_recipe
from aucli.training.run_log import Progress
from aucli.training.trainer import Trainer, check_same, data_digest, start_from

FREE: Final = ("synth", "photographs")
"""Data that needs no form."""

RECIPE_NAME: Final = "recipe.json"
FOLD_NAME: Final = "fold.json"
MODEL_FOLDER: Final = "model"


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What is trained, on what.

    Attributes:
        dataset: a benchmark's short name, ``synth`` or ``photographs``.
        out: folder of the run.
        root: the benchmark's folder; for ``synth`` the rig. Not needed with a finished cache.
        cache: of ``aucli prepare``; None for a folder of the user's own (benchmarks) or inside the run (free data).
        recipe: file, or name of a recipe that comes with aucli; None for the one of the data set's name.
        overrides: ``section.key=value``, instead of the recipe's values.
        fold: number of a published fold, or ``all``.
        dataset_options: the data set's own options.
        numbering: how folds are counted, see `aucli.datasets.splits`.
        device: auto, cpu, cuda or cuda:N.
        checkpoint_every: steps between checkpoints.
    """

    dataset: str
    out: Path
    root: Path | None = None
    cache: Path | None = None
    recipe: str | None = None
    overrides: tuple[str, ...] = ()
    fold: int | str = 1
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    numbering: str = "paper"
    device: str = "auto"
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        known = (*BENCHMARKS, *FREE)
        if self.dataset not in known:
            raise OptionsError(f"--dataset is {self.dataset!r}; allowed are {', '.join(known)}")
        if isinstance(self.fold, str) and self.fold != "all":
            raise OptionsError(f"--fold is {self.fold!r}; allowed are a number or all")
        if self.checkpoint_every < 1:
            raise OptionsError(f"--checkpoint-every is {self.checkpoint_every}; allowed is 1 or more")


@dataclass(frozen=True, eq=False)
class TrainingFold:
    """One division of the people.

    Attributes:
        number: from 1.
        train, validation, test: faces of different people.
        sequences, frames: (N,) of the test faces, for the file of predictions.
        lost_labels, lost_subjects, lost_sequences, lost_frames: test frames in which no face was found.
    """

    number: int
    train: FaceSource
    validation: FaceSource
    test: FaceSource
    sequences: npt.NDArray[Any]
    frames: npt.NDArray[Any]
    lost_labels: npt.NDArray[Any]
    lost_subjects: npt.NDArray[Any]
    lost_sequences: npt.NDArray[Any]
    lost_frames: npt.NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """What a run would do: printed by ``--dry-run``."""

    recipe: Recipe
    folds: tuple[TrainingFold, ...] = field(repr=False)
    warnings: tuple[str, ...]
    parameters: int
    steps: int
    device: str
    sources: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file name of what free data were made from."""


@dataclass(frozen=True)
class TrainResult:
    """What came out: model folders and the test scores."""

    models: tuple[Path, ...]
    scores: Evaluation | CrossValidation


def find_recipe(options: TrainOptions) -> Path:
    """The recipe's file.

    Raises:
        RecipeError: if there is none.
    """
    name = options.recipe or options.dataset
    bundled = bundled_folder("train")
    for path in (Path(name), bundled / f"{name}.toml", bundled / name):
        if path.is_file():
            return path
    known = sorted(str(path.relative_to(bundled).with_suffix("")) for path in bundled.rglob("*.toml"))
    raise RecipeError(f"there is no recipe {name!r}; give a file, or one of {', '.join(known)}")


def plan(
    options: TrainOptions,
    *,
    tell: Callable[[str], None] = lambda _: None,
    on_prepare: Callable[[Any], None] | None = None,
) -> Plan:
    """Read recipe and data, and divide the people.

    Raises:
        AucliError: if recipe or data make no sense, or do not fit each other.
    """
    recipe = load_recipe(find_recipe(options), options.overrides)
    if options.out.exists() and not options.out.is_dir():
        raise OptionsError(f"--out is {options.out}, which is a file; give a folder")
    if recipe.data != options.dataset:
        raise RecipeError(
            f"the recipe {recipe.name} is for {recipe.data}, the data are {options.dataset}; "
            f"add --set data={options.dataset} if that is meant"
        )
    device = resolve_device(options.device)
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}
    with first_process_first():
        if options.dataset in FREE:
            free = FreeSources.from_options(options.root, options.dataset_options)
            folds, sources = _free_folds(options, free, recipe, tell), free.digests()
        else:
            folds, warnings = _published_folds(options, recipe, on_prepare)
    epochs = sum(stage.epochs for stage in recipe.stages)
    steps = [BatchMaker(recipe, fold.train, world_size=world_size()).steps_per_epoch * epochs for fold in folds]
    network = AUNetwork(recipe.encoder_config())
    if recipe.encoder.pretrained != "timm":  # that one is downloaded: not for a dry run
        start_from(network, recipe.encoder.pretrained)  # a start that does not fit is told before anything is done
    for fold in folds:
        warnings += tuple(
            f"fold {fold.number} has no {name} people: {meaning}"
            for name, faces, meaning in (
                ("validation", fold.validation, "thresholds are chosen on the training people"),
                ("test", fold.test, "the model's card holds no figures"),
            )
            if not len(faces)
        )
    return Plan(
        recipe=recipe,
        folds=folds,
        warnings=warnings,
        parameters=sum(p.numel() for p in network.parameters()),
        steps=sum(steps),
        device=device,
        sources=sources,
    )


def train(
    options: TrainOptions,
    *,
    planned: Plan | None = None,
    tell: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, Progress], None] = lambda _, __: None,
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
        with claimed(folder) if rank() == 0 else contextlib.nullcontext():
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
    todo: Plan,
    options: TrainOptions,
    folder: Path,
    tell: Callable[[str], None],
    on_progress: Callable[[int, Progress], None],
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
    todo: Plan,
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
        card=_card(name, fold, todo, options, results, hours),
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
        subjects=np.concatenate([fold.test.identities, fold.lost_subjects]),
        sequences=np.concatenate([fold.sequences, fold.lost_sequences]),
        frames=np.concatenate([fold.frames, fold.lost_frames]).astype(np.int32),
        labels=np.concatenate([fold.test.labels, fold.lost_labels]),
        probabilities=np.concatenate([probabilities, lost]),
    )


def _published_folds(
    options: TrainOptions, recipe: Recipe, on_prepare: Callable[[Any], None] | None
) -> tuple[tuple[TrainingFold, ...], tuple[str, ...]]:
    what = Benchmark(
        dataset=options.dataset,
        root=options.root,
        cache=options.cache,
        fold=options.fold,
        dataset_options=options.dataset_options,
        splits=SplitOptions(
            numbering=options.numbering,  # type: ignore[arg-type]  # SplitOptions refuses other words itself
            validation_share=recipe.split.validation,
            seed=recipe.seed,
        ),
        device=options.device,
    )
    faces, problems = open_faces(what, on_prepare=on_prepare)
    lacking = [au for au in recipe.encoder.aus if au not in faces.aus]
    if lacking:
        raise RecipeError(
            f"encoder.aus asks for AU {lacking[0]}, which {options.dataset} does not code; allowed are "
            f"{', '.join(map(str, faces.aus))}"
        )
    faces = faces.with_aus(recipe.encoder.aus)
    divided, warnings = fold_rows(faces, what)
    warnings = (*problems, *warnings)
    names = np.array([one.name for one in faces.sequences], dtype=np.str_)
    folds = []
    for number, rows, lost in divided:
        trained_on = rows.train
        known: npt.NDArray[np.bool_] = np.asarray((faces.labels[trained_on] >= 0).all(axis=1))
        if recipe.loss.published and not known.all():
            warnings += (
                f"fold {number}: the published loss knows no missing labels; {int((~known).sum())} of {len(known)} "
                "training faces are left out",
            )
            trained_on = trained_on[known]
        folds.append(
            TrainingFold(
                number=number,
                train=faces.subset(trained_on),
                validation=faces.subset(rows.validation),
                test=faces.subset(rows.test),
                sequences=names[faces.sequence_index[rows.test]],
                frames=faces.frames[rows.test],
                lost_labels=faces.lost.labels[lost],
                lost_subjects=faces.lost.identities[lost],
                lost_sequences=names[faces.lost.sequence_index[lost]],
                lost_frames=faces.lost.frames[lost],
            )
        )
    return tuple(folds), warnings


def _free_folds(
    options: TrainOptions, sources: FreeSources, recipe: Recipe, tell: Callable[[str], None]
) -> tuple[TrainingFold, ...]:
    if options.fold not in (1, "all"):
        raise OptionsError(f"--fold is {options.fold}; {options.dataset} has one division of the people, fold 1")
    parts = read_free_data(sources, recipe, options.cache or options.out / "cache", tell=tell)
    n, n_aus = len(parts["test"]), len(recipe.encoder.aus)
    no_names = np.zeros(0, np.str_)
    fold = TrainingFold(
        number=1,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        sequences=np.full(n, options.dataset),
        frames=np.arange(n, dtype=np.int32),
        lost_labels=np.zeros((0, n_aus), np.int8),
        lost_subjects=no_names,
        lost_sequences=no_names,
        lost_frames=np.zeros(0, np.int32),
    )
    return (fold,)


def sides(fold: TrainingFold) -> Iterator[tuple[str, FaceSource]]:
    """The three sides with their names, for tables."""
    yield from (("train", fold.train), ("validation", fold.validation), ("test", fold.test))


def model_name(out: Path, fold: int | None) -> str:
    """A model is named after the folder of its run, and its fold where there are several."""
    name = "-".join(out.resolve().name.split()) or "model"
    return name if fold is None else f"{name}-fold{fold}"


def _card(name: str, fold: TrainingFold, todo: Plan, options: TrainOptions, results: Evaluation, hours: float) -> str:
    recipe = todo.recipe
    people = {side: len(np.unique(faces.identities)) for side, faces in sides(fold)}
    divided = ", ".join(f"{len(faces)} faces of {people[side]} people ({side})" for side, faces in sides(fold))
    thresholds = "the validation people" if len(fold.validation) else "the training people, for want of others"
    left_out = ", ".join(f"AU{au}" for au in recipe.leave_out if au in recipe.encoder.aus)
    notes = [
        f"network: {recipe.encoder.backbone}, {recipe.crop.size_px} px crops ({recipe.encoder.colour}), start: "
        f"{recipe.encoder.pretrained or 'random'}",
        f"loss: {recipe.loss.name}, beside it cross-entropy with weight {recipe.loss.bce_weight:g}; seed "
        f"{recipe.seed}; {hours:.2f} hours on {todo.device} since it was last started",
        f"thresholds: chosen on {thresholds}; the test people were scored once, at the end",
        f"{len(fold.lost_labels)} test frames without a face count as absent",
        *([f"in the table below, but not columns of this model (`leave_out`): {left_out}"] if left_out else []),
        f"SHA-256 of the training labels and people: `{data_digest(fold.train)}`",
        *(f"SHA-256 of {source}: `{digest}`" for source, digest in todo.sources.items()),
    ]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"""# {name}

Trained by aucli {__version__} on {options.dataset}, fold {fold.number}, by the recipe {recipe.name}: {divided}.
Nobody is on two sides.

{listed}

{results_table(results)}

Intervals are bootstrapped over people. The weights derive from data under their own terms: read the data set's licence
before you share them. Not for decisions about a person, and not validated on other footage than this.

Every value of the recipe:

```json
{json.dumps(recipe.model_dump(mode="json"), indent=1)}
```
"""
