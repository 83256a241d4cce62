"""The command ``aucli train``: parse, call, print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aucli.commands import dataset_options
from aucli.commands.options import Device, Json, Quiet, complete_models, fields_as_options
from aucli.commands.output import Printer, quoted

if TYPE_CHECKING:
    from aucli.runtime.progress import OnProgress, Reporter
    from aucli.training.plan import TrainingPlan
    from aucli.training.run import TrainResult
    from aucli.training.run_log import TrainingProgress

OPTION_OF: Final = {
    **dataset_options.OPTION_OF,
    "out": "--out",
    "recipe": "--recipe",
    "start": "--from",
    "overrides": "--set",
    "device": "--device",
    "checkpoint_every": "--checkpoint-every",
    "finish_again": "--finish-again",
    "allow_seen": "--allow-seen",
}
"""Option by field of `TrainOptions`, its source and its folds."""


def train(
    dataset: dataset_options.TrainingData,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.", show_default="runs/DATASET")] = Path(),
    root: Annotated[
        Path | None,
        typer.Option(
            help="The data set's folder; for synth the rig. Not needed with a finished cache.", show_default=False
        ),
    ] = None,
    cache: dataset_options.Cache = None,
    recipe: Annotated[
        str | None, typer.Option(help="A TOML file, or the name of a recipe of aucli.", show_default="the data set's")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A model to go on from, by name or folder: its network, crops and weights.",
            show_default="the recipe's",
            autocompletion=complete_models,
        ),
    ] = None,
    fold: Annotated[str, typer.Option("--fold", "--folds", help="A fold's number, or all: cross-validation.")] = "1",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: optim.lr=3e-5. Can be repeated."),
    ] = None,
    codes: dataset_options.Codes = None,
    people: dataset_options.People = None,
    option: dataset_options.Option = None,
    numbering: dataset_options.Numbering = "paper",
    folds_dir: dataset_options.FoldsDir = None,
    allow_shared_videos: dataset_options.AllowSharedVideos = False,
    allow_seen: dataset_options.AllowSeen = False,
    device: Device = "auto",
    checkpoint_every: Annotated[int, typer.Option(metavar="N", help="Steps between checkpoints.")] = 50,
    finish_again: Annotated[
        bool,
        typer.Option("--finish-again", help="Keep a run's encoder; do heads, thresholds, test and card anew."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on a benchmark or on free data, test it on other subjects, and write a model folder.

    The same command goes on with a run that was stopped. annotate --model OUT/model uses what comes out.
    """
    from aucli.runtime.packages import NEEDED_BY, require

    require(*NEEDED_BY["train"], for_="aucli train")
    from aucli.datasets.source import training_source
    from aucli.runtime.device import resolve_device
    from aucli.training import plan as planning
    from aucli.training import run
    from aucli.training.distributed import process_group, rank
    from aucli.training.options import TrainOptions

    with fields_as_options(OPTION_OF), process_group(resolve_device(device)) as own_device:
        pairs = dataset_options.pairs_of(dataset, option, codes, people)
        options = TrainOptions(
            source=training_source(dataset, root=root, cache=cache, pairs=pairs),
            out=out if out != Path() else Path("runs") / dataset,
            recipe=recipe,
            start=start,
            overrides=tuple(settings or ()),
            folds=dataset_options.fold_options(fold, numbering, folds_dir, allow_shared_videos),
            device=own_device,
            checkpoint_every=checkpoint_every,
            finish_again=finish_again,
            allow_seen=allow_seen,
        )
        is_first = rank() == 0
        output = Printer("train", as_json=as_json and is_first, quiet=quiet or not is_first, option_of=OPTION_OF)
        with output.progress() as progress:
            planned = planning.plan(options, report=output.note, on_prepare=progress)
        warnings = [output.as_typed(warning) for warning in planned.warnings]
        for warning in warnings:
            output.warn(warning)
        if dry_run:
            hours = _hours(planned)
            output.json(**_plan_as_json(planned, hours), warnings=warnings)
            for line in _plan_as_text(planned, hours):
                output.result(line)
            return
        for line in _plan_as_text(planned):
            output.note(line)
        with output.progress() as progress:
            folds = FoldReports(progress, [fold.number for fold in planned.folds])
            result = run.train(options, planned=planned, report=output.note, on_progress=folds)
    _print(output, result, warnings)


class FoldReports:
    """Turns what training says of a fold's encoder into `Progress`.

    Args:
        on_progress: who draws.
        numbers: of all folds, in their order.
    """

    def __init__(self, on_progress: OnProgress, numbers: Sequence[int]) -> None:
        self._on_progress, self._numbers = on_progress, list(numbers)
        self._reporter: Reporter | None = None
        self._at = -1

    def __call__(self, fold: int, now: TrainingProgress) -> None:
        """Take a report of a fold."""
        from aucli.runtime.progress import Reporter

        if self._reporter is None:  # the clock begins with the first step
            self._reporter = Reporter(self._on_progress, [1.0] * len(self._numbers), unit="steps", items="folds")
        while self._at < self._numbers.index(fold):
            if self._at >= 0:
                self._reporter.end()
            self._at += 1
            self._reporter.begin(f"fold {self._numbers[self._at]}")
            if self._numbers[self._at] == fold:
                self._reporter.go_on_from(now.step)
        step = f"fold {fold}, step {now.step}/{now.total_steps}  " if len(self._numbers) > 1 else ""
        self._reporter.advance(now.step, now.total_steps, note=step + figures(now))


def figures(now: TrainingProgress) -> str:
    """The figures beside the bar."""
    loss = f"loss {now.loss:.4f}"
    if now.validation_auc is None or now.validation_f1 is None:
        return loss
    return f"{loss}  AUC {now.validation_auc:.3f}  F1 {now.validation_f1:.3f}"


def _print(output: Printer, result: TrainResult, warnings: Sequence[str]) -> None:
    from dataclasses import asdict

    from aucli.evaluation.score_tables import render, render_comparison

    compared = result.comparison
    output.json(
        models=[str(model) for model in result.models],
        scores=asdict(result.scores),
        comparison=None if compared is None else {**asdict(compared), "verdict": list(compared.verdict())},
        warnings=list(warnings),
    )
    output.text(render(result.scores))
    if compared is not None:
        output.text(render_comparison(compared))
    for model in result.models:
        output.note(f"next: aucli annotate VIDEOS -o aus.parquet --model {quoted(model)}")


def _hours(planned: TrainingPlan) -> float:
    """Of the encoders of all folds, from a few steps of the first."""
    from aucli.training.estimate import seconds_per_step

    seconds = seconds_per_step(planned.recipe.encoder_training(), planned.folds[0].train, planned.device)
    stages = planned.recipe.stages
    epochs = sum(stage.epochs for stage in stages)
    mean_step_s = sum(one * stage.epochs / epochs for one, stage in zip(seconds, stages, strict=True))
    return mean_step_s * planned.steps / 3600


def _plan_as_json(planned: TrainingPlan, hours: float) -> dict[str, Any]:
    import numpy as np

    def split(faces: Any) -> dict[str, Any]:
        return {
            "faces": len(faces),
            "subjects": len(np.unique(faces.subjects)),
            "present": dict(zip(map(str, faces.aus), (faces.labels == 1).sum(axis=0).tolist(), strict=True)),
            "absent": dict(zip(map(str, faces.aus), (faces.labels == 0).sum(axis=0).tolist(), strict=True)),
        }

    return {
        "recipe": planned.recipe.model_dump(mode="json"),
        "device": planned.device,
        "parameters": planned.parameters,
        "steps": planned.steps,
        "hours_of_encoder_training": round(hours, 4),
        "folds": {fold.number: {name: split(faces) for name, faces in fold.splits()} for fold in planned.folds},
    }


def _plan_as_text(planned: TrainingPlan, hours: float | None = None) -> list[str]:
    import numpy as np

    recipe = planned.recipe
    lines = [
        f"{recipe.name}: {recipe.encoder.backbone}, {planned.parameters / 1e6:.1f} million parameters, loss "
        f"{recipe.loss.name}; {planned.steps} steps of {recipe.optim.batch_size} faces on {planned.device}"
    ]
    for fold in planned.folds:
        for name, faces in fold.splits():
            present = (faces.labels == 1).sum(axis=0)
            counts = ", ".join(f"AU{au} {count}" for au, count in zip(faces.aus, present, strict=True))
            subjects = len(np.unique(faces.subjects))
            lines.append(f"fold {fold.number} {name}: {len(faces)} faces of {subjects} subjects; present: {counts}")
    if hours is not None:
        lines.append(f"about {_duration(hours)} to train the encoder, by a few steps here; without heads and test")
    return lines


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.0f} minutes" if hours >= 1 / 60 else f"{hours * 3600:.0f} seconds"
