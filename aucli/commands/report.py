"""The command ``aucli report``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aucli.commands import result_options
from aucli.commands.options import Json, Quiet, fields_as_options
from aucli.commands.output import Printer

if TYPE_CHECKING:
    from aucli.results.report.run import ReportOutcome

OPTION_OF: Final = {
    "output": "-o",
    "title": "--title",
    "pictures": "--no-pictures",
    "video_folders": "--video-folder",
    "videos": "--video",
    "min_interocular_px": "--min-interocular",
    "max_yaw_deg": "--max-yaw",
    "max_pitch_deg": "--max-pitch",
    "min_sharpness": "--min-sharpness",
    "min_brightness": "--min-brightness",
    "overwrite": "--overwrite",
}
"""Option by field of `ReportOptions` and `RowFilter`, and by parameter of `report`."""


def report(
    table: Annotated[Path, typer.Argument(help="A table of annotate, or the folder of its tables.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page: x.html.")],
    title: Annotated[str | None, typer.Option(help="Title of the page.", show_default="the table's name")] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="No stills: for films that nobody else may see.")
    ] = False,
    video_folder: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Where the videos lie now, if not where they were. Can be repeated.",
            show_default="as named in the table",
        ),
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this video of the table. Can be repeated.", show_default="all"),
    ] = None,
    min_interocular: result_options.MinInterocular = None,
    max_yaw: result_options.MaxYaw = None,
    max_pitch: result_options.MaxPitch = None,
    min_sharpness: result_options.MinSharpness = None,
    min_brightness: result_options.MinBrightness = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is no page of aucli, too.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a page about a table: one HTML file that opens offline in any browser.

    It tells what was run and what to distrust, how often each action unit was present and which go together, and shows
    of each video a timeline with stills at the peaks.
    """
    from aucli.results.report import run
    from aucli.results.row_filter import RowFilter

    out = Printer("report", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    with fields_as_options(OPTION_OF):
        options = run.ReportOptions(
            title=title,
            pictures=not no_pictures,
            video_folders=tuple(video_folder or ()),
            videos=tuple(video or ()),
            row_filter=RowFilter(min_interocular, max_yaw, max_pitch, min_sharpness, min_brightness),
            overwrite=overwrite,
        )
        with out.progress() as draw:
            outcome = run.report(table, output, options=options, on_progress=draw)
    print_report(out, outcome)
    out.json(**report_as_json(outcome))


def print_report(out: Printer, outcome: ReportOutcome) -> None:
    """Say what a page holds and what it lacks."""
    if outcome.left_out:
        out.note(outcome.left_out)
    out.notes([f"{label}: no stills: {why}" for label, why in outcome.without_pictures.items()])
    if lacking := outcome.n_videos - outcome.n_timelines - outcome.n_without_face:
        out.note(f"note: {lacking} videos have no timeline, so that the page opens quickly; `videos` draws one alone")
    videos = "1 video" if outcome.n_videos == 1 else f"{outcome.n_videos:,} videos"
    stills = "1 still" if outcome.n_pictures == 1 else f"{outcome.n_pictures:,} stills"
    size = f"{outcome.size_bytes / 1e6:.1f} MB" if outcome.size_bytes >= 1e6 else f"{outcome.size_bytes / 1e3:.0f} kB"
    out.result(f"{videos}, {stills}, {size}")
    out.result(f"-> {outcome.output}")


def report_as_json(outcome: ReportOutcome) -> dict[str, Any]:
    """What JSON tells of a page."""
    from dataclasses import asdict

    return asdict(outcome) | {"output": str(outcome.output)}
