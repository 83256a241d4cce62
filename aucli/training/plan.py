"""Which recipe, which faces and which folds a training will use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.cache.writer import manifest_of
from aucli.datasets.faces import FaceSource
from aucli.datasets.folds import check_folds, fold_rows
from aucli.datasets.free.sources import FreeDataWanted, FreeSource, RenderedFaces, read_free_data
from aucli.datasets.label_values import PRESENT, SplitName
from aucli.datasets.prepared import cache_for, open_faces
from aucli.datasets.seen import seen_among, told
from aucli.datasets.source import DatasetSource
from aucli.errors import OptionsError, RecipeError
from aucli.facs import AU_NAMES, listed_aus
from aucli.models.network import AUNetwork, require_input_size
from aucli.runtime.device import resolve_device
from aucli.runtime.files import bundled_folder
from aucli.runtime.place import require_place_for_folder
from aucli.training.distributed import first_process_first, world_size
from aucli.training.options import TrainOptions
from aucli.training.recipe import Recipe, load_recipe
from aucli.training.start import aus_of_start, digest_of_start, require_start, seen_by_start, shape_of_start

FEW_PEOPLE: Final = 3
"""An action unit that fewer people show is learnt from one or two, or tested on nobody."""


@dataclass(frozen=True, eq=False)
class TrainingFold:
    """One division of the subjects.

    Attributes:
        number: from 1.
        train, validation, test: faces of different subjects.
        sequences, frames: (N,) of the test faces, for the file of predictions.
        lost_labels, lost_subjects, lost_sequences, lost_frames: test frames in which no face was found.
        renders, renders_apart, blendshapes: of free data, see `aucli.datasets.free.sources.FreeData`.
        seen_by_start: those of the test subjects whom the model that training starts from has seen.
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
    renders: Mapping[SplitName, RenderedFaces] = field(default_factory=dict)
    renders_apart: bool = False
    blendshapes: npt.NDArray[np.float32] | None = None
    seen_by_start: tuple[str, ...] = ()

    def splits(self) -> Iterator[tuple[str, FaceSource]]:
        """The three splits with their names."""
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))


@dataclass(frozen=True)
class TrainingPlan:
    """What a run would do: printed by a dry run."""

    recipe: Recipe
    folds: tuple[TrainingFold, ...] = field(repr=False)
    warnings: tuple[str, ...]
    parameters: int
    steps: int
    device: str
    sources: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file name of what free data were made from, and of a file of start weights."""
    labelling: str = ""
    """Where the labels of photographs come from, as a Markdown table; empty without photographs."""


def find_recipe(options: TrainOptions) -> Path:
    """The recipe's file.

    Raises:
        OptionsError: if there is none.
    """
    name = options.recipe or options.dataset
    bundled = bundled_folder("train")
    for path in (Path(name), bundled / f"{name}.toml", bundled / name):
        if path.is_file():
            return path
    known = sorted(str(path.relative_to(bundled).with_suffix("")) for path in bundled.rglob("*.toml"))
    raise OptionsError(f"there is no recipe {name!r}; give a file, or one of {', '.join(known)}")


def plan(
    options: TrainOptions,
    *,
    report: Callable[[str], None] = lambda _: None,
    on_prepare: Callable[[Any], None] | None = None,
) -> TrainingPlan:
    """Read recipe and data, and divide the subjects.

    Raises:
        AucliError: if recipe or data make no sense, or do not fit each other.
    """
    require_place_for_folder(options.out, field="out")
    shape = None if options.start is None else shape_of_start(options.start)
    recipe = load_recipe(find_recipe(options), options.overrides, shape=shape)
    if recipe.data != options.dataset:
        raise OptionsError(
            f"the recipe {recipe.name} is for {recipe.data}, the data are {options.dataset}; "
            f"add `overrides` data={options.dataset} if that is meant"
        )
    device = resolve_device(options.device)
    if not recipe.encoder.aus and isinstance(options.source, FreeSource):
        raise RecipeError(f"encoder.aus is missing: {options.dataset} has labels of whatever is asked for")
    known = aus_of_start(recipe.encoder.pretrained)
    training = recipe.with_aus(known or tuple(AU_NAMES), known=known).encoder_training()
    network = require_start(training.network, training.start)
    for size_px in sorted({training.network.input_size_px, *(stage.size_px for stage in training.stages)}):
        require_input_size(network, size_px)
    warnings: tuple[str, ...] = ()
    sources = digest_of_start(training.start)
    labelling = ""
    with first_process_first():
        if isinstance(options.source, FreeSource):
            folds, labelling = _free_folds(options, options.source, recipe, report)
            sources |= {path.name: digest for path, digest in options.source.digests.items()}
        else:
            faces, warnings = _open(options, options.source, recipe, on_prepare)
            recipe, of_aus = _with_coded_aus(recipe, faces, known)
            folds, of_folds = _benchmark_folds(options, faces, recipe)
            warnings += (*of_aus, *of_folds)
            training = recipe.encoder_training()
            network = AUNetwork(training.network)
    folds, of_people_seen = _with_people_seen(folds, training.start, allow_seen=options.allow_seen)
    warnings += of_people_seen
    steps = [training.batches(fold.train, world_size=world_size()).total_steps for fold in folds]
    for fold in folds:
        warnings += tuple(
            f"fold {fold.number} has no {name} subjects: {meaning}"
            for name, faces, meaning in (
                ("validation", fold.validation, "thresholds are chosen on the training subjects"),
                ("test", fold.test, "the model's card holds no figures"),
            )
            if not len(faces) and not (name == "validation" and recipe.decisions.threshold > 0)
        )
    return TrainingPlan(
        recipe=recipe,
        folds=folds,
        warnings=warnings,
        parameters=sum(p.numel() for p in network.parameters()),
        steps=sum(steps),
        device=device,
        sources=sources,
        labelling=labelling,
    )


def _open(
    options: TrainOptions, source: DatasetSource, recipe: Recipe, on_prepare: Callable[[Any], None] | None
) -> tuple[CachedFaces, tuple[str, ...]]:
    check_folds(options.dataset, options.folds)
    _require_aus_before_preparing(source, recipe)
    return open_faces(
        source,
        crop=recipe.largest_crop(),
        may_enlarge=recipe.may_enlarge,
        device=options.device,
        on_progress=on_prepare,
    )


def _with_coded_aus(recipe: Recipe, faces: CachedFaces, known: tuple[int, ...]) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with the action units of the data set, where it leaves them open, and what is not worth a column.

    Raises:
        RecipeError: if no face shows any.
    """
    if recipe.encoder.aus:
        return recipe, ()
    people = [len(np.unique(faces.subjects[faces.labels[:, a] == PRESENT])) for a in range(len(faces.aus))]
    shown = dict(zip(faces.aus, people, strict=True))
    coded = [au for au in faces.aus if shown[au]]
    if not coded:
        raise RecipeError("no face shows an action unit: there is nothing to learn")
    never = [au for au in faces.aus if not shown[au]]
    few = [au for au in coded if shown[au] < FEW_PEOPLE]
    warnings = []
    if never:
        warnings.append(f"coded, and never present in a face: AU {listed_aus(never)}; no column comes of it")
    if few:
        warnings.append(f"shown by fewer than {FEW_PEOPLE} people: AU {listed_aus(few)}; such a column is experimental")
    return recipe.with_aus(coded, known=known, experimental=few), tuple(warnings)


def _benchmark_folds(
    options: TrainOptions, faces: CachedFaces, recipe: Recipe
) -> tuple[tuple[TrainingFold, ...], tuple[str, ...]]:
    lacking = [au for au in recipe.encoder.aus if au not in faces.aus and au not in recipe.leave_out]
    if lacking:
        raise RecipeError(
            f"encoder.aus asks for AU {lacking[0]}, of which the prepared faces have no labels; they have "
            f"{', '.join(map(str, faces.aus))} (where {options.dataset} codes it, prepare them with the option aus)"
        )
    faces = faces.with_aus(recipe.encoder.aus)
    how = replace(options.folds, validation_share=recipe.split.validation, seed=recipe.seed)
    divided, warnings = fold_rows(faces, options.dataset, how)
    names = np.array([one.name for one in faces.sequences], dtype=np.str_)
    folds = []
    for number, rows, lost in divided:
        trained_on = rows.train
        known: npt.NDArray[np.bool_] = np.asarray((faces.labels[trained_on] >= 0).all(axis=1))
        if recipe.loss.authors_code and not known.all():
            warnings += (
                f"fold {number}: loss.authors_code knows no missing labels; {int((~known).sum())} of {len(known)} "
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
                lost_subjects=faces.lost.subjects[lost],
                lost_sequences=names[faces.lost.sequence_index[lost]],
                lost_frames=faces.lost.frames[lost],
            )
        )
    return tuple(folds), warnings


def _require_aus_before_preparing(source: DatasetSource, recipe: Recipe) -> None:
    """Refuse AUs that would not be read: to prepare a benchmark may take hours.

    Raises:
        OptionsError: naming the first, and what to give.
    """
    read = source.reader_options.aus or source.benchmark.aus
    lacking = [au for au in recipe.encoder.aus if au not in read]
    if read and lacking and manifest_of(cache_for(source, recipe.largest_crop())) is None:
        together = ",".join(map(str, sorted({*read, *lacking})))
        raise OptionsError(
            f"encoder.aus asks for AU {lacking[0]}, and {source.dataset} is read with {', '.join(map(str, read))}; "
            f"give `options` aus={together}, if it codes them"
        )


def _with_people_seen(
    folds: tuple[TrainingFold, ...], start: str, *, allow_seen: bool
) -> tuple[tuple[TrainingFold, ...], tuple[str, ...]]:
    """The folds, each with those of its test subjects whom the start has seen, and a warning for each that has any.

    Raises:
        OptionsError: if one has any, and that is not allowed.
    """
    known, marked, warnings = seen_by_start(start), [], []
    for fold in folds:
        subjects = {*fold.test.subjects.tolist(), *fold.lost_subjects.tolist()}
        if seen := seen_among(subjects, known):
            what = f"fold {fold.number} tests {told(seen, len(subjects))} whom encoder.pretrained={start} has seen"
            if not allow_seen:
                raise OptionsError(
                    f"{what}: figures on them say nothing about new people; start from a model that has not seen "
                    "them, or use `allow_seen`"
                )
            warnings.append(f"{what}: the card says so")
        marked.append(replace(fold, seen_by_start=seen))
    return tuple(marked), tuple(warnings)


def _free_folds(
    options: TrainOptions, source: FreeSource, recipe: Recipe, report: Callable[[str], None]
) -> tuple[tuple[TrainingFold, ...], str]:
    wanted = FreeDataWanted(
        aus=recipe.encoder.aus,
        colour=recipe.encoder.colour,
        with_renders=recipe.data == "synth",
        seed=recipe.seed,
        **recipe.split.model_dump(),
        **recipe.free_data.model_dump(),
    )
    found = read_free_data(source, wanted, source.cache or options.out / "cache", report=report)
    parts = found.splits
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
        renders=found.renders,
        renders_apart=found.renders_apart,
        blendshapes=found.blendshapes,
    )
    return (fold,), found.labelling
