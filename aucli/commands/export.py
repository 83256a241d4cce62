"""The command ``aucli export``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from aucli.commands.options import Json, Quiet, fields_as_options
from aucli.commands.output import Printer

TARGETS: Final = ("csv", "xlsx", "openface", "elan", "boris", "stata", "spss")
"""As in the library's registry, which is not imported for ``--help``."""
OPTION_OF: Final = {
    "to": "--to",
    "output": "--output",
    "overwrite": "--overwrite",
    "root": "--root",
    "raw": "--raw",
    "smooth_s": "--smooth",
    "hysteresis": "--hysteresis",
    "min_duration_s": "--min-duration",
    "join_gap_s": "--join-gap",
    "bridge_gap_s": "--bridge-gap",
    "min_interocular_px": "--min-interocular",
    "max_yaw_deg": "--max-yaw",
}
"""Option by field of `ExportOptions`, `EpisodeRules` and `RowFilter`."""


def complete_targets(incomplete: str) -> list[str]:
    """Names of targets that begin so."""
    return [name for name in TARGETS if name.startswith(incomplete)]


def export(
    table: Annotated[Path, typer.Argument(help="A table of annotate, or a folder of them.", show_default=False)],
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
    raw: Annotated[
        bool, typer.Option("--raw", help="elan, boris: the table's occurrence as it is, in place of episodes.")
    ] = False,
    smooth: Annotated[
        float | None,
        typer.Option(metavar="S", help="elan, boris: as of aucli episodes, in seconds.", show_default="0.2"),
    ] = None,
    hysteresis: Annotated[
        float | None, typer.Option(metavar="SHARE", help="elan, boris: as of aucli episodes.", show_default="0.2")
    ] = None,
    min_duration: Annotated[
        float | None,
        typer.Option(metavar="S", help="elan, boris: as of aucli episodes, in seconds.", show_default="0.1"),
    ] = None,
    join_gap: Annotated[
        float | None,
        typer.Option(metavar="S", help="elan, boris: as of aucli episodes, in seconds.", show_default="0.2"),
    ] = None,
    bridge_gap: Annotated[
        float | None,
        typer.Option(metavar="S", help="elan, boris: as of aucli episodes, in seconds.", show_default="0"),
    ] = None,
    min_interocular: Annotated[
        float | None,
        typer.Option(metavar="PX", help="Leave out faces whose eyes are closer.", show_default="all faces"),
    ] = None,
    max_yaw: Annotated[
        float | None,
        typer.Option(metavar="DEG", help="Leave out heads that are turned further.", show_default="all faces"),
    ] = None,
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

    ELAN and BORIS get episodes, with the defaults of aucli episodes; the others a row per frame and face. Each file
    appears when it is complete, or not at all. docs/export.md says what it holds.
    """
    from aucli.results.episodes import EpisodeRules
    from aucli.results.exports.run import ExportOptions
    from aucli.results.exports.run import export as export_table
    from aucli.results.row_filter import RowFilter

    out = Printer("export", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    rules = {
        "smooth_s": smooth,
        "hysteresis": hysteresis,
        "min_duration_s": min_duration,
        "join_gap_s": join_gap,
        "bridge_gap_s": bridge_gap,
    }
    given = {name: value for name, value in rules.items() if value is not None}
    with fields_as_options(OPTION_OF):
        options = ExportOptions(
            overwrite=overwrite,
            row_filter=RowFilter(min_interocular_px=min_interocular, max_yaw_deg=max_yaw),
            rules=EpisodeRules(**given) if given else None,
            raw=raw,
            root=root,
        )
        done = export_table(table, to, output, options)
    notes = [out.as_typed(note) for note in done.notes]
    out.json(
        target=done.target,
        files=[str(file) for file in done.files],
        n_videos=done.n_videos,
        n_rows=done.n_rows,
        notes=notes,
    )
    for note in notes:
        out.note(f"note: {note}")
    where = f"{len(done.files):,} files in {output}" if len(done.files) > 1 else str(done.files[0])
    out.result(f"{done.n_videos:,} videos, {done.n_rows:,} rows -> {where}")
