"""The command ``aucli evaluate``: parse, call, print."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aucli.commands import code_options, dataset_options
from aucli.commands.options import Device, Json, complete_models, fields_as_options, numbers
from aucli.commands.output import Printer
from aucli.datasets.readers.registry import READERS, listed
from aucli.evaluation import choices

if TYPE_CHECKING:
    from aucli.evaluation.benchmarks import Evaluated

OPTION_OF: Final = {
    **dataset_options.OPTION_OF,
    "codes": "--option codes",  # `--codes` are those of a table here
    "people": "--option people",
    "model": "--model",
    "aus": "--aus",
    "device": "--device",
    "lost_faces": "--lost-faces",
    "replicates": "--replicates",
    "metric": "--metric",
    "allow_seen": "--allow-seen",
    "kind": "--format",
    "output": "-o",
}
"""Option by field of `ModelOnBenchmark` and `ScoringOptions`; those about human codes are in `code_options`."""


def evaluate(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of finished runs; or, with --codes, tables of annotate.", show_default=False),
    ] = None,
    codes: code_options.Codes = None,
    against: code_options.Against = None,
    codes_format: code_options.CodesFormat = "auto",
    name: code_options.Name = None,
    missing_name: code_options.MissingName = None,
    coded_name: code_options.CodedName = None,
    coded_aus: code_options.CodedAus = None,
    coded_span: code_options.CodedSpan = None,
    shift: code_options.Shift = 0.0,
    min_intensity: code_options.MinIntensity = "A",
    one_sided: code_options.OneSided = "leave_out",
    observation: code_options.Observation = None,
    subject: code_options.Subject = None,
    coder: code_options.Coder = None,
    frame_rate: code_options.FrameRate = None,
    frame_base: code_options.FrameBase = 0,
    missing_code: code_options.MissingCode = None,
    align: code_options.Align = "auto",
    tolerance: code_options.Tolerance = None,
    face: code_options.Face = "auto",
    video: code_options.Video = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A model, by name or folder, to try on a benchmark.",
            show_default=False,
            autocompletion=complete_models,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help=f"{listed(*READERS)}.", show_default=False, autocompletion=dataset_options.complete_benchmarks
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The data set's folder; not needed with a finished cache.", show_default=False)
    ] = None,
    cache: dataset_options.Cache = None,
    fold: Annotated[
        str | None,
        typer.Option("--fold", "--folds", help="A published test fold, or all of them.", show_default="every frame"),
    ] = None,
    numbering: dataset_options.Numbering = "paper",
    folds_dir: dataset_options.FoldsDir = None,
    allow_shared_videos: dataset_options.AllowSharedVideos = False,
    aus: Annotated[str, typer.Option(help="shared, or numbers as 1,2,4.")] = "shared",
    option: dataset_options.Option = None,
    allow_seen: dataset_options.AllowSeen = False,
    device: Device = "auto",
    lost_faces: Annotated[
        choices.LostFaces,
        typer.Option(help="Frames without a face count as absent (negative), or not at all (leave_out)."),
    ] = "negative",
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates for the intervals; 0 for none.")] = 1000,
    metric: Annotated[choices.Metric, typer.Option(help="Of LaTeX and of tables with folds.")] = "f1",
    format_: Annotated[choices.Format, typer.Option("--format", help="How the scores are written.")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file.", show_default="standard output")
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the scores, no notes.")] = False,
) -> None:
    """Score runs, a model on a benchmark, a table of annotate against human codes, or two coders against each other.

    F1-frame, accuracy, areas under ROC and precision-recall curves, kappas, MCC and base rates, per action unit and on
    average, with 95 % intervals bootstrapped over subjects. docs/evaluation.md says what each figure means.
    """
    from aucli.errors import OptionsError
    from aucli.evaluation import benchmarks
    from aucli.evaluation.score_tables import render
    from aucli.runtime.place import require_place_for_file

    out = Printer("evaluate", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    with fields_as_options(OPTION_OF):
        scoring = benchmarks.ScoringOptions(lost_faces=lost_faces, replicates=replicates)
    if not codes:
        code_options.refuse_without_codes(context)
    if (model is not None) + bool(codes) + bool(paths and not codes) != 1:
        raise OptionsError("give one of: folders of runs; a table and --codes; or --model with --dataset and --cache")
    if output is not None:
        with fields_as_options(OPTION_OF):
            require_place_for_file(output, inputs=[*(paths or ()), *(codes or ()), *(against or ())])
    if paths and not codes:
        _refuse_tables(paths)
    evaluated: Evaluated
    if model is not None:
        from aucli.datasets.source import DatasetSource

        if dataset is None:
            raise OptionsError("--model needs --dataset: the benchmark to try it on")
        with fields_as_options(OPTION_OF):
            what = benchmarks.ModelOnBenchmark(
                model=model,
                source=DatasetSource.from_pairs(dataset, root=root, cache=cache, pairs=option or ()),
                folds=dataset_options.fold_options(fold, numbering, folds_dir, allow_shared_videos),
                device=device,
                aus=None if aus == "shared" else numbers(aus, "--aus"),
                allow_seen=allow_seen,
            )
            with out.progress() as progress:
                evaluated = benchmarks.evaluate_on_benchmark(what, scoring, on_progress=progress)
    elif codes:
        given = code_options.CodesGiven(
            codes=codes,
            against=against or (),
            codes_format=codes_format,
            name=name or (),
            missing_name=missing_name or (),
            coded_name=coded_name or (),
            coded_aus=coded_aus,
            coded_span=coded_span,
            shift=shift,
            min_intensity=min_intensity,
            one_sided=one_sided,
            observation=observation,
            subject=subject,
            coder=coder,
            frame_rate=frame_rate,
            frame_base=frame_base,
            missing_code=missing_code or (),
            align=align,
            tolerance=tolerance,
            face=face,
            video=video,
        )
        evaluated = code_options.evaluate_codes(paths, given, scoring)
    else:
        evaluated = benchmarks.evaluate_runs(paths or [], scoring)
    _print(out, evaluated, render(evaluated.result, kind=format_, metric=metric), output)


def _refuse_tables(paths: list[Path]) -> None:
    """Say what is missing where a table stands in place of runs.

    Raises:
        OptionsError: naming the first table.
    """
    from aucli.annotation.table import read_metadata
    from aucli.errors import OptionsError, TableError

    for path in paths:
        if path.suffix.lower() == ".parquet" and path.is_file():
            with contextlib.suppress(TableError):
                read_metadata(path)
                raise OptionsError(f"{path} is a table of annotate; give the human codes to compare it with by --codes")


def _print(out: Printer, evaluated: Evaluated, text: str, file: Path | None) -> None:
    from dataclasses import asdict

    from aucli.errors import TableError
    from aucli.runtime.files import whole_or_nothing

    if file is not None:
        try:
            with whole_or_nothing(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise TableError(f"{file} cannot be written: {error.strerror}") from error
    else:
        out.asked_for(text)
    notes = [out.as_typed(note) for note in evaluated.notes]
    out.json(result=asdict(evaluated.result), notes=notes)
    out.notes(notes)
