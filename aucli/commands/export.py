"""The command ``aucli export``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from aucli.commands import result_options
from aucli.commands.options import Json, Quiet, fields_as_options
from aucli.commands.output import Printer

TARGETS: Final = ("csv", "xlsx", "openface", "elan", "boris", "stata", "spss")
"""As in the library's registry, which is not imported for ``--help``."""
OPTION_OF: Final = {
    **result_options.OPTION_OF,
    "to": "--to",
    "overwrite": "--overwrite",
    "root": "--root",
    "raw": "--raw",
}
"""Option by field of `ExportOptions`, `EpisodeRules` and `RowFilter`."""
_RULES: Final = ("smooth", "min_duration", "join_gap", "bridge_gap")


def complete_targets(incomplete: str) -> list[str]:
    """Names of targets that begin so."""
    return [name for name in TARGETS if name.startswith(incomplete)]


def export(
    context: typer.Context,
    tables: result_options.TablesGiven,
    to: Annotated[
        str,
        typer.Option(
            metavar="|".join(TARGETS), help="What to write.", show_default=False, autocompletion=complete_targets
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="x.csv, x.xlsx, x.eaf, x.boris, x.dta or x.sav: one file. Else a folder: a file per video.",
            show_default=False,
        ),
    ],
    aus: result_options.Aus = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="elan, boris: the table's occurrence as it is, in place of episodes.")
    ] = False,
    smooth: result_options.Smooth = 0.2,
    min_duration: result_options.MinDuration = 0.1,
    join_gap: result_options.JoinGap = 0.2,
    bridge_gap: result_options.BridgeGap = 0.0,
    min_interocular: result_options.MinInterocular = None,
    max_yaw: result_options.MaxYaw = None,
    max_pitch: result_options.MaxPitch = None,
    min_sharpness: result_options.MinSharpness = None,
    min_brightness: result_options.MinBrightness = None,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="elan, boris: the folder that the videos' names begin in, for links to them.",
            show_default="this folder",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a table as files of another program: CSV, Excel, OpenFace's CSV, ELAN, BORIS, Stata or SPSS.

    ELAN and BORIS get episodes, found by the same options as those of aucli episodes; the others get a row per frame
    and face. Each file appears when it is complete, or not at all. docs/export.md says what it holds.
    """
    from aucli.results.episodes import EpisodeRules
    from aucli.results.exports.run import ExportOptions
    from aucli.results.exports.run import export as export_table
    from aucli.results.row_filter import RowFilter

    out = Printer("export", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    sources = [context.get_parameter_source(name) for name in _RULES]
    is_given = any(source is not None and source.name != "DEFAULT" for source in sources)
    with fields_as_options(OPTION_OF):
        rules = EpisodeRules(smooth, min_duration, join_gap, bridge_gap)
        options = ExportOptions(
            aus=result_options.au_list(aus),
            overwrite=overwrite,
            row_filter=RowFilter(min_interocular, max_yaw, max_pitch, min_sharpness, min_brightness),
            rules=rules if is_given else None,
            raw=raw,
            root=root,
        )
        done = export_table(tables, to, output, options)
    notes = [out.as_typed(note) for note in done.notes]
    out.json(
        target=done.target,
        files=[str(file) for file in done.files],
        n_videos=done.n_videos,
        n_rows=done.n_rows,
        n_stretches=done.n_stretches,
        what=done.what,
        notes=notes,
    )
    for note in notes:
        out.note(f"note: {note}")
    where = f"{len(done.files):,} files in {output}" if len(done.files) > 1 else str(done.files[0])
    videos = "1 video" if done.n_videos == 1 else f"{done.n_videos:,} videos"
    rows = f"{done.n_rows:,} rows" if done.n_stretches is None else f"{done.n_stretches:,} stretches"
    out.result(f"{videos}, {rows} -> {where}")
    more = "; --raw gives every frame as it is in the table" if done.n_stretches is not None and not raw else ""
    out.result(done.what + more)
