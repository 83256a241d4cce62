"""The command ``aucli evaluate``: parse, call, print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aucli.evaluation.benchmarks import Evaluated, ScoringOptions
    from aucli.evaluation.values import CrossValidation, Evaluation


def evaluate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of finished runs; or, with --codes, one table of annotate.", show_default=False),
    ] = None,
    codes: Annotated[
        list[Path] | None,
        typer.Option(help="Human codes: CSV, or an export of ELAN, Datavyu or BORIS. Can be repeated."),
    ] = None,
    coded_aus: Annotated[
        str | None,
        typer.Option(
            help="What the coder looked for, as 1,2,4: what never occurs is in no export.", show_default=False
        ),
    ] = None,
    align: Annotated[str, typer.Option(help="With --codes: auto, time or frame.")] = "auto",
    face: Annotated[str, typer.Option(help="With --codes: auto, largest, or the number of the coded face.")] = "auto",
    frame_base: Annotated[int, typer.Option(help="With --codes: number of a table's first frame, 0 or 1.")] = 0,
    shift: Annotated[float, typer.Option(metavar="S", help="With --codes: seconds to add to coded times.")] = 0.0,
    model: Annotated[
        str | None, typer.Option(help="A model, by name or folder, to try on a benchmark.", show_default=False)
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="bp4d, bp4dplus, disfa, disfaplus, gft or affwild2.", show_default=False)
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The data set's folder; not needed with a finished cache.", show_default=False)
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Its cache, made by prepare; made now if it is not there.", show_default=False)
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option("--fold", "--folds", help="A published test fold, or all of them.", show_default="every frame"),
    ] = None,
    numbering: Annotated[str, typer.Option(help="Which part fold k tests: paper or part.")] = "paper",
    aus: Annotated[str, typer.Option(help="shared, or numbers as 1,2,4.")] = "shared",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="The data set's own options. Can be repeated.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    lost_faces: Annotated[
        str, typer.Option(help="Frames without a face count as absent (negative), or not at all (leave_out).")
    ] = "negative",
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates for the intervals; 0 for none.")] = 1000,
    metric: Annotated[str, typer.Option(help="Of LaTeX and of tables with folds.")] = "f1",
    format_: Annotated[str, typer.Option("--format", help="table, json, csv or latex.")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file.", show_default="standard output")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes.")] = False,
) -> None:
    """Score runs, a model on a benchmark, or a table of annotate against human codes.

    F1-frame, accuracy, areas under ROC and precision-recall curves, kappas, MCC and base rates, per action unit and on
    average, with 95 % intervals bootstrapped over people. docs/evaluation.md says what each figure means.
    """
    from aucli.errors import OptionsError
    from aucli.evaluation.benchmarks import ModelOnBenchmark, ScoringOptions, evaluate_on_benchmark, evaluate_runs
    from aucli.evaluation.score_tables import check_format

    check_format(format_, metric)
    scoring = ScoringOptions(lost_faces=lost_faces, replicates=replicates)  # type: ignore[arg-type]  # it refuses others
    if (model is not None) + bool(codes) + bool(paths and not codes) != 1:
        raise OptionsError("give one of: folders of runs; a table and --codes; or --model with --dataset and --cache")
    evaluated: Evaluated
    if model is not None:
        from aucli.commands.progress import ProgressLines
        from aucli.datasets.benchmark import DatasetSource
        from aucli.datasets.readers.registry import parse_dataset_options
        from aucli.datasets.splits import SplitOptions

        if dataset is None:
            raise OptionsError("--model needs --dataset: the benchmark to try it on")
        what = ModelOnBenchmark(
            model=model,
            benchmark=DatasetSource(
                dataset=dataset,
                root=root,
                cache=cache,
                fold=int(fold) if fold is not None and fold.isdigit() else fold,
                dataset_options=parse_dataset_options(dataset, option or []),
                splits=SplitOptions(numbering=numbering),  # type: ignore[arg-type]  # likewise
                device=device,
            ),
            aus=None if aus == "shared" else _numbers(aus, "--aus"),
        )
        with ProgressLines(quiet=quiet) as progress:
            evaluated = evaluate_on_benchmark(what, scoring, on_progress=progress)
    elif codes:
        if paths is None or len(paths) != 1:
            raise OptionsError("--codes needs one table of annotate, or the folder of its tables")
        looked_for = _numbers(coded_aus, "--coded-aus") if coded_aus else ()
        evaluated = _agreement(paths[0], codes, looked_for, align, face, frame_base, shift, scoring)
    else:
        evaluated = evaluate_runs(paths or [], scoring)
    _write(evaluated.result, format_, metric, output)
    if not quiet:
        for note in evaluated.notes:
            typer.echo(f"note: {note}", err=True)


def _agreement(
    table: Path,
    codes: Sequence[Path],
    coded_aus: tuple[int, ...],
    align: str,
    face: str,
    frame_base: int,
    shift_s: float,
    scoring: ScoringOptions,
) -> Evaluated:
    from aucli.evaluation.agreement import AgreementOptions, compare_files
    from aucli.evaluation.benchmarks import Evaluated
    from aucli.human_codes.values import CodeOptions

    options = AgreementOptions(
        align=align,  # type: ignore[arg-type]  # the options refuse other words with lines of their own
        face=int(face) if face.isdigit() else face,  # type: ignore[arg-type]
        lost_faces=scoring.lost_faces,
        replicates=scoring.replicates,
        seed=scoring.seed,
    )
    code_options = CodeOptions(coded_aus=coded_aus, frame_base=frame_base, shift_s=shift_s)
    agreement = compare_files(table, codes, code_options=code_options, options=options)
    notes = [
        f"{v.video}: {v.compared} of {v.frames} frames compared, {v.faceless} of them without a face"
        + (f"; {v.unmatched_codes} coded rows have no frame" if v.unmatched_codes else "")
        for v in agreement.videos
    ]
    if agreement.not_compared:
        notes.append(f"only coded or only in the table: AU {', '.join(map(str, agreement.not_compared))}")
    return Evaluated(agreement.evaluation, (*notes, *agreement.notes))


def _numbers(text: str, option: str) -> tuple[int, ...]:
    from aucli.errors import OptionsError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionsError(f"{option} is {text!r}; write numbers, as 1,2,4") from None


def _write(result: Evaluation | CrossValidation, format_: str, metric: str, output: Path | None) -> None:
    from aucli.errors import TableError
    from aucli.evaluation.score_tables import render
    from aucli.runtime.files import whole_or_nothing

    text = render(result, kind=format_, metric=metric)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        with whole_or_nothing(output) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TableError(f"{output} cannot be written: {error.strerror}") from error
