"""The command ``aucli train``: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aucli.commands import dataset_options
from aucli.commands.options import as_options, fields_as_options

if TYPE_CHECKING:
    from aucli.training.plan import TrainingPlan


def train(
    dataset: Annotated[
        str,
        typer.Option(help=dataset_options.TRAINING_HELP, show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.", show_default="runs/DATASET")] = Path(),
    root: Annotated[
        Path | None,
        typer.Option(
            help="The data set's folder; for synth the rig. Not needed with a finished cache.", show_default=False
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Made by prepare; made now if it is not there.", show_default=False)
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A TOML file, or the name of a recipe of aucli.", show_default="the data set's")
    ] = None,
    fold: Annotated[str, typer.Option("--fold", "--folds", help="A published fold, or all: cross-validation.")] = "1",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: optim.lr=3e-5. Can be repeated."),
    ] = None,
    option: dataset_options.Option = None,
    numbering: dataset_options.Numbering = "paper",
    folds_dir: dataset_options.FoldsDir = None,
    allow_shared_videos: dataset_options.AllowSharedVideos = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    checkpoint_every: Annotated[int, typer.Option(metavar="N", help="Steps between checkpoints.")] = 50,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Train a model on a benchmark or on free data, test it on other people, and write a model folder.

    The same command goes on with a run that was stopped. annotate --model OUT/model uses what comes out.
    """
    from aucli.runtime.packages import require

    # All that a run needs at any time, so that none fails at its end; the exporter writes the model's graph.
    require("torch", "timm", "pydantic", "onnxscript", for_="aucli train")
    from aucli.commands.progress import ProgressLines
    from aucli.commands.train_display import TrainDisplay
    from aucli.datasets.source import training_source
    from aucli.evaluation.score_tables import render
    from aucli.runtime.device import resolve_device
    from aucli.training.distributed import process_group, rank
    from aucli.training.options import TrainOptions
    from aucli.training.plan import plan
    from aucli.training.run import train as train_folds

    with fields_as_options(dataset_options.OPTION_OF), process_group(resolve_device(device)) as own_device:
        options = TrainOptions(
            source=training_source(dataset, root=root, cache=cache, pairs=option or ()),
            out=out if out != Path() else Path("runs") / dataset,
            recipe=recipe,
            overrides=tuple(settings or ()),
            folds=dataset_options.fold_options(fold, numbering, folds_dir, allow_shared_videos),
            device=own_device,
            checkpoint_every=checkpoint_every,
        )
        is_first = rank() == 0
        with TrainDisplay(quiet=quiet or as_json or not is_first) as display:
            with ProgressLines(quiet=quiet or as_json or not is_first) as preparing:
                planned = plan(options, tell=display.tell, on_prepare=preparing)
            for warning in planned.warnings if is_first else ():
                text = as_options(warning, dataset_options.OPTION_OF)
                typer.secho(f"warning: {text}", err=True, fg="yellow")
            if dry_run:
                hours = _hours(planned)
                if is_first:
                    typer.echo(_plan_as_json(planned, hours) if as_json else _plan_as_text(planned, hours))
                return
            display.tell(_plan_as_text(planned))
            result = train_folds(options, planned=planned, tell=display.tell, on_progress=display.show)
    if is_first and not quiet:
        typer.echo(render(result.scores, kind="json" if as_json else "table"), nl=False)
        for model in result.models:
            display.tell(f"aucli annotate --model {model} ...")


def _hours(planned: TrainingPlan) -> float:
    """Of stage 1 of all folds, from a few steps of the first."""
    from aucli.training.estimate import seconds_per_stage

    seconds = seconds_per_stage(planned.recipe, planned.folds[0].train, planned.device)
    stages = planned.recipe.stages
    epochs = sum(stage.epochs for stage in stages)
    mean_step_s = sum(one * stage.epochs / epochs for one, stage in zip(seconds, stages, strict=True))
    return mean_step_s * planned.steps / 3600


def _plan_as_json(planned: TrainingPlan, hours: float) -> str:
    import numpy as np

    from aucli.training.plan import sides

    def side(faces: Any) -> dict[str, Any]:
        return {
            "faces": len(faces),
            "people": len(np.unique(faces.subjects)),
            "present": dict(zip(map(str, faces.aus), (faces.labels == 1).sum(axis=0).tolist(), strict=True)),
            "absent": dict(zip(map(str, faces.aus), (faces.labels == 0).sum(axis=0).tolist(), strict=True)),
        }

    about = {
        "recipe": planned.recipe.model_dump(mode="json"),
        "device": planned.device,
        "parameters": planned.parameters,
        "steps": planned.steps,
        "hours_of_stage_1": round(hours, 4),
        "folds": {fold.number: {name: side(faces) for name, faces in sides(fold)} for fold in planned.folds},
    }
    return json.dumps(about, indent=1)


def _plan_as_text(planned: TrainingPlan, hours: float | None = None) -> str:
    import numpy as np

    from aucli.training.plan import sides

    recipe = planned.recipe
    lines = [
        f"{recipe.name}: {recipe.encoder.backbone}, {planned.parameters / 1e6:.1f} million parameters, loss "
        f"{recipe.loss.name}; {planned.steps} steps of {recipe.optim.batch_size} faces on {planned.device}"
    ]
    for fold in planned.folds:
        for name, faces in sides(fold):
            present = (faces.labels == 1).sum(axis=0)
            counts = ", ".join(f"AU{au} {count}" for au, count in zip(faces.aus, present, strict=True))
            people = len(np.unique(faces.subjects))
            lines.append(f"fold {fold.number} {name}: {len(faces)} faces of {people} people; present: {counts}")
    if hours is not None:
        lines.append(f"about {_duration(hours)} for stage 1, by a few steps here; linear evaluation and test apart")
    return "\n".join(lines)


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.0f} minutes" if hours >= 1 / 60 else f"{hours * 3600:.0f} seconds"
