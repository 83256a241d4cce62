"""The command ``aucli annotate``: parse, call, print."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aucli.commands.options import (
    FAILED,
    Detector,
    Device,
    Json,
    Model,
    Overwrite,
    Quiet,
    as_options,
    as_seconds,
    fields_as_options,
)
from aucli.commands.output import Printer, quoted
from aucli.errors import AucliError, OptionsError
from aucli.runtime.packages import NEEDED_BY, missing_packages

if TYPE_CHECKING:
    from aucli.annotation.outcome import Outcome
    from aucli.results.report.run import ReportOutcome
    from aucli.runtime.progress import OnProgress, Progress

OPTION_OF: Final = {
    "output": "-o",
    "model": "--model",
    "detector": "--detector",
    "detect_every": "--detect-every",
    "device": "--device",
    "precision": "--precision",
    "batch_size": "--batch-size",
    "every_s": "--every",
    "start_s": "--start",
    "end_s": "--end",
    "max_faces": "--max-faces",
    "min_face_px": "--min-face",
    "thresholds": "--threshold",
    "hysteresis_logit": "--hysteresis",
    "steady_crops_s": "--steady-crops",
    "stream": "--stream",
    "picture_rate": "--picture-rate",
    "workers": "--workers",
    "overwrite": "--overwrite",
    "root": "--root",
}
"""Option by field of `AnnotateOptions`, and by parameter of `annotate`."""
NEXT: Final = ("summary", "episodes", "export", "overlay")
"""Commands for a finished table, besides report and evaluate."""


def annotate(
    videos: Annotated[
        list[str],
        typer.Argument(help="Files, folders, globs, or @list.txt with one of these a line.", metavar="VIDEOS"),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="x.parquet: one table. Anything else: a folder, one table per video, as the videos lie in theirs.",
        ),
    ],
    model: Model = "aunce-small",
    detector: Detector = "centerface",
    detect_every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Search the whole picture on every N-th frame; carry faces in between where they move little. "
            "1: on every frame.",
            show_default="a few times a second, and in windows around known faces in between",
        ),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        str,
        typer.Option(
            metavar="auto|float32|int8",
            help="Numbers the AU network computes in. auto on a CPU: int8 if it has instructions for it (VNNI) and "
            "gains by it, else float32.",
        ),
    ] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Frames decoded at once. Never changes the values.", show_default="by device")
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="TIME", help="Take one frame in so long: 0.5s.", show_default="every frame", parser=as_seconds
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="F", help="Take F frames a second.", show_default="every frame")
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(metavar="TIME", help="Begin at this time: 90, 90s or 1:30.", show_default="0", parser=as_seconds),
    ] = None,
    end: Annotated[
        float | None,
        typer.Option(metavar="TIME", help="Stop before this time.", show_default="end of video", parser=as_seconds),
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
    hysteresis: Annotated[
        float,
        typer.Option(
            metavar="LOGITS",
            help="How far apart an AU begins and ends on film, against flicker: half above its threshold, half below. "
            "0: the threshold alone.",
        ),
    ] = 1.2,
    steady_crops: Annotated[
        float,
        typer.Option(
            metavar="TIME",
            help="For how long crops are held against the shaking of landmarks. 0: every frame by its own.",
            parser=as_seconds,
        ),
    ] = 2.0,
    stream: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Video stream to take, counted from 0.",
            show_default="marked as default, else the largest",
        ),
    ] = None,
    picture_rate: Annotated[
        float | None,
        typer.Option(metavar="F", help="Pictures a second in a folder of numbered pictures.", show_default="25"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads for the networks.", show_default="one per core")] = None,
    overwrite: Overwrite = False,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Name the videos in the table by their paths in this folder.", show_default="as typed"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="X.html", help="Write a page about the table as well: see aucli report.", show_default="none"
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Annotate videos: one row per video, frame and face, with every action unit.

    Exit status 0 if every video was annotated to its end, 1 if some were not (they are listed), 2 for wrong usage.
    """
    from aucli.annotation import supervised
    from aucli.annotation.options import AnnotateOptions

    # Who gave no --every may have given --fps, now or when the table was made: it is the same in another unit.
    option_of = OPTION_OF if every is not None else {**OPTION_OF, "every_s": "--every (1 / --fps)"}
    out = Printer("annotate", as_json=as_json, quiet=quiet, option_of=option_of)
    with fields_as_options(option_of):
        options = AnnotateOptions(
            model=model,
            detector=detector,
            detect_every=detect_every,
            device=device,
            precision=precision,
            batch_size=batch_size,
            every_s=_seconds_per_frame(every, fps),
            start_s=start,
            end_s=end,
            max_faces=max_faces,
            min_face_px=min_face,
            thresholds=_parse_thresholds(threshold or []),
            hysteresis_logit=hysteresis,
            steady_crops_s=steady_crops,
            stream=stream,
            picture_rate=picture_rate,
            workers=workers,
            overwrite=overwrite,
            root=root,
        )
        if report:
            _check_page(report)
        with out.progress() as draw:
            seen = Ended(draw)
            outcome = supervised.annotate_supervised(videos, output, options=options, on_progress=seen)
    page = _write_page(report, output, outcome, root) if report and outcome.tables else None
    _print(out, outcome, seen, output, page)
    if outcome.failures or (page and page.problem):
        raise typer.Exit(FAILED)


@dataclass(frozen=True)
class Page:
    """The page that was asked for: what it holds, or why there is none."""

    path: Path
    outcome: ReportOutcome | None = None
    problem: str | None = None


def _check_page(path: Path) -> None:
    """Say before any work if there can be no page."""
    from aucli.results.report.run import ReportOptions, check_report

    with fields_as_options({"output": "--report"}):
        check_report(path, ReportOptions())


def _write_page(path: Path, table: Path, outcome: Outcome, root: Path | None) -> Page:
    """Write the page; where that fails the tables are there all the same."""
    from aucli.results.report.run import ReportOptions, report

    options = ReportOptions(video_folders=(root,) if root else ())
    try:
        return Page(path, report(table, path, options=options, failures=outcome.failures))
    except AucliError as error:
        return Page(path, problem=as_options(str(error), {"output": "--report"}))


def _seconds_per_frame(every_s: float | None, fps: float | None) -> float | None:
    """Return the sampling interval from ``--every`` or ``--fps``.

    Raises:
        OptionsError: if both are given, or the rate is not positive.
    """
    if fps is None:
        return every_s
    if every_s is not None:
        raise OptionsError("--every and --fps say the same in two ways; give one of them")
    if not 1 / 86_400 <= fps <= 10_000:
        raise OptionsError(f"--fps is {fps:g}; allowed is one frame a day to 10000 a second")
    return 1.0 / fps


def _parse_thresholds(texts: Sequence[str]) -> dict[int, float]:
    """Read thresholds: ``["0.5", "AU12=0.4"]`` -> ``{0: 0.5, 12: 0.4}``; the key 0 stands for all AUs.

    Raises:
        OptionsError: if one cannot be read.
    """
    thresholds: dict[int, float] = {}
    for text in texts:
        match = re.fullmatch(r"(?:(?:AU)?0*(\d+)=)?([0-9.eE+-]+)", text.strip(), re.IGNORECASE)
        try:
            if match is None:
                raise ValueError
            thresholds[int(match[1] or 0)] = float(match[2])
        except ValueError:
            raise OptionsError(f"--threshold {text!r} cannot be read; write 0.5 or AU12=0.4") from None
    return thresholds


class Ended:
    """Remembers which videos came to their end in this run, and hands the reports on to who draws them."""

    def __init__(self, draw: OnProgress) -> None:
        self._draw = draw
        self.labels: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        """Take a report."""
        if progress.ended:
            self.labels.add(progress.item)
        self._draw(progress)


def _print(out: Printer, outcome: Outcome, seen: Ended, where: Path, page: Page | None) -> None:
    from aucli.commands.report import print_report, report_as_json

    done = seen.labels - set(outcome.skipped)
    annotated = {label: record for label, record in outcome.videos.items() if label in done}
    n_videos = len(seen.labels | set(outcome.failures))
    n_faces = sum(record.n_faces or 0 for record in annotated.values())
    n_frames_with_face = sum(record.n_frames_with_face or 0 for record in annotated.values())
    n_frames_in_table = n_frames_with_face + sum(record.n_rows for record in annotated.values()) - n_faces
    twice = {label: other for label, other in outcome.same_content().items() if label in annotated}
    out.json(
        exit_status=FAILED if outcome.failures or (page and page.problem) else 0,
        tables=[str(table) for table in outcome.tables],
        videos={label: asdict(record) for label, record in outcome.videos.items()},
        annotated=list(annotated),
        skipped=list(outcome.skipped),
        failures={label: out.as_typed(problem) for label, problem in outcome.failures.items()},
        passed_over=list(outcome.passed_over),
        notes=list(outcome.notes),
        n_frames=outcome.n_frames,
        experimental=list(outcome.experimental),
        same_content=twice,
        report=report_as_json(page.outcome) if page and page.outcome else None,
    )
    out.notes([*outcome.notes, *outcome.passed_over])
    out.notes([f"{label}: {note}" for label, record in annotated.items() for note in record.notes])
    out.warnings(
        [
            f"{label}: {record.losses}; the table has no rows of them"
            for label, record in annotated.items()
            if record.losses and label not in outcome.failures
        ]
    )
    out.notes([f"{label}: has the same content as {other}; both are in the table" for label, other in twice.items()])
    if outcome.skipped:
        out.note(f"{len(outcome.skipped)} of {n_videos} videos were finished before")
    out.failures(outcome.failures, of=n_videos, what="videos")
    if annotated:
        share = n_frames_with_face / max(n_frames_in_table, 1)
        out.result(
            f"{_counted(len(annotated), 'video')}, {_counted(n_frames_in_table, 'frame')}: "
            f"{_counted(n_faces, 'face')}; a face in {100 * share:.1f} % of the frames"
        )
    if outcome.tables and outcome.experimental:
        out.result(f"experimental: {', '.join(outcome.experimental)}")
    if outcome.tables:
        tables = "" if len(outcome.tables) == 1 else f"{_counted(len(outcome.tables), 'table')} in "
        out.result(f"-> {tables}{outcome.tables[0] if len(outcome.tables) == 1 else where}")
        if page and page.outcome:
            print_report(out, page.outcome)
        no_page = (page and page.outcome) or missing_packages(
            *NEEDED_BY["report"]
        )  # there is one, or it cannot be made
        if not no_page:
            out.result(f"next: aucli report {quoted(where)} -o report.html")
        out.result(f"{'next' if no_page else 'or'}: aucli {', '.join(NEXT)}, evaluate; in Python aucli.read")
    if page and page.problem:
        out.failed(str(page.path), page.problem)


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
