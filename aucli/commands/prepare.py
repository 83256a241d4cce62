"""The command ``aucli prepare``: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aucli.commands import dataset_options
from aucli.commands.options import fields_as_options

if TYPE_CHECKING:
    from aucli.datasets.prepare import Prepared


def prepare(
    dataset: Annotated[str, typer.Option(help=dataset_options.BENCHMARKS_HELP, show_default=False)],
    root: Annotated[Path, typer.Option(help="The data set's folder, as its owners hand it out.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the cache.", show_default=False)],
    option: dataset_options.Option = None,
    detector: Annotated[str, typer.Option(help="As for annotate: use the same one there.")] = "centerface",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[int | None, typer.Option(help="Threads.", show_default="one per core")] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures in one task.")] = 8,
    side: Annotated[int, typer.Option(metavar="PX", help="Side of the cached pictures at most.")] = 256,
    border: Annotated[
        float, typer.Option(metavar="X", help="Their side relative to that of annotate's crop, for jitter.")
    ] = 1.4,
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--resume", help="Begin anew, or go on with what is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Prepare a benchmark for training: read it, find and align the faces, and put them with their labels into a cache.

    A run that was stopped is completed by the same command, and a finished cache is left as it is. Exit status 0 if
    every sequence was read, 1 if some were not (they are listed), 2 for wrong options.
    """
    from aucli.commands.progress import ProgressLines
    from aucli.datasets.prepare import PrepareOptions
    from aucli.datasets.prepare import prepare as run
    from aucli.datasets.source import DatasetSource

    with fields_as_options(dataset_options.PREPARE_OPTION_OF):
        options = PrepareOptions(
            source=DatasetSource.from_pairs(dataset, root=root, cache=out, pairs=option or ()),
            detector=detector,
            device=device,
            workers=workers,
            batch_size=batch_size,
            side_px=side,
            border=border,
            overwrite=overwrite,
        )
        with ProgressLines(quiet=quiet or as_json) as progress:
            prepared = run(options, on_progress=progress)
    _print(prepared, as_json=as_json, quiet=quiet)
    if prepared.failures:
        raise typer.Exit(1)


def _print(prepared: Prepared, *, as_json: bool, quiet: bool) -> None:
    from aucli.datasets.cache.writer import REPORT_NAME

    report = prepared.report
    if as_json:
        result = {
            "cache": str(prepared.cache),
            "report": str(prepared.cache / REPORT_NAME),
            "frames": report.frames,
            "faces": prepared.n_faces,
            "sequences_written": prepared.n_written,
            "sequences_kept": prepared.n_kept,
            "warnings": len(report.warnings),
            "failures": dict(prepared.failures),
        }
        typer.echo(json.dumps(result))
    elif not quiet:
        from rich.console import Console

        Console(stderr=True).print(report.to_table())
        if prepared.n_kept:
            kept, total = prepared.n_kept, prepared.n_kept + prepared.n_written
            again = "" if prepared.n_written else "; --overwrite reads the data set again"
            typer.echo(f"{kept} of {total} sequences were prepared before{again}", err=True)
        typer.echo(f"{prepared.n_faces} faces in {report.frames} labelled frames -> {prepared.cache}")
    for name, problem in prepared.failures.items():
        typer.secho(f"failed: {name}: {problem}", err=True, fg="red")
