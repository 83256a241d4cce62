"""The command ``aucli prepare``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aucli.commands import dataset_options
from aucli.commands.options import FAILED, Detector, Device, Json, Overwrite, Quiet, fields_as_options
from aucli.commands.output import Printer, quoted

if TYPE_CHECKING:
    from aucli.datasets.prepare import Prepared


def prepare(
    dataset: dataset_options.Benchmark,
    root: Annotated[Path, typer.Option(help="The data set's folder, as its owners hand it out.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the cache.", show_default=False)],
    codes: dataset_options.Codes = None,
    people: dataset_options.People = None,
    option: dataset_options.Option = None,
    detector: Detector = "centerface",
    device: Device = "auto",
    workers: Annotated[int | None, typer.Option(help="Threads.", show_default="one per core")] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures in one task.")] = 8,
    side: Annotated[int, typer.Option(metavar="PX", help="Side of the cached pictures at most.")] = 256,
    border: Annotated[
        float, typer.Option(metavar="X", help="Their side relative to that of annotate's crop, for jitter.")
    ] = 1.4,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prepare a benchmark for training: read it, find and align the faces, and put them with their labels into a cache.

    A run that was stopped is completed by the same command, and a finished cache is left as it is. Exit status 0 if
    every sequence was read, 1 if some were not (they are listed), 2 for wrong options.
    """
    from aucli.datasets import prepare as preparing
    from aucli.datasets.source import DatasetSource

    output = Printer("prepare", as_json=as_json, quiet=quiet, option_of=dataset_options.PREPARE_OPTION_OF)
    with fields_as_options(dataset_options.PREPARE_OPTION_OF):
        pairs = dataset_options.pairs_of(dataset, option, codes, people)
        options = preparing.PrepareOptions(
            source=DatasetSource.from_pairs(dataset, root=root, cache=out, pairs=pairs),
            detector=detector,
            device=device,
            workers=workers,
            batch_size=batch_size,
            side_px=side,
            border=border,
            overwrite=overwrite,
        )
        with output.progress() as progress:
            prepared = preparing.prepare(options, on_progress=progress)
    _print(output, prepared)
    if prepared.failures:
        raise typer.Exit(FAILED)


def _print(output: Printer, prepared: Prepared) -> None:
    from aucli.datasets.cache.writer import REPORT_NAME
    from aucli.runtime.files import bundled_folder

    report = prepared.report
    output.json(
        exit_status=FAILED if prepared.failures else 0,
        cache=str(prepared.cache),
        report=str(prepared.cache / REPORT_NAME),
        frames=report.frames,
        faces=prepared.n_faces,
        sequences_written=prepared.n_written,
        sequences_kept=prepared.n_kept,
        warnings=len(report.warnings),
        failures={name: output.as_typed(problem) for name, problem in prepared.failures.items()},
    )
    output.note_table(report.to_table())
    if prepared.n_kept:
        kept, total = prepared.n_kept, prepared.n_kept + prepared.n_written
        again = "" if prepared.n_written else "; --overwrite reads the data set again"
        output.note(f"{kept} of {total} sequences were prepared before{again}")
    output.failures(prepared.failures, of=report.sequences, what="sequences")
    output.result(f"{prepared.n_faces:,} faces in {report.frames:,} labelled frames -> {prepared.cache}")
    there = f"--dataset {report.dataset} --cache {quoted(prepared.cache)}"
    if (bundled_folder("train") / f"{report.dataset}.toml").is_file():
        output.result(f"next: aucli train {there}")
    else:  # no recipe is made for it: its owner writes one, or tests a model on it
        output.result(f"next: aucli train {there} --recipe FILE.toml, or aucli evaluate {there} --model MODEL")
