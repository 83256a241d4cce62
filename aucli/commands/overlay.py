"""The command ``aucli overlay``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aucli.commands.options import FAILED, Json, Quiet, fields_as_options
from aucli.commands.output import Printer

if TYPE_CHECKING:
    from aucli.results.overlay.run import OverlayOptions, OverlayOutcome

OPTION_OF: Final = {
    "output": "-o",
    "face": "--face",
    "blur_others": "--blur-others",
    "anonymise": "--anonymise",
    "min_interocular_px": "--min-interocular",
    "max_yaw_deg": "--max-yaw",
    "sound": "--no-sound",
    "overwrite": "--overwrite",
}
"""Option by field of `OverlayOptions`, and by parameter of `overlay`."""


def overlay(
    video: Annotated[Path, typer.Argument(help="A video, a folder of numbered pictures, or a photograph.")],
    table: Annotated[Path, typer.Argument(help="The table that annotate made of it, or the folder of its tables.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="x.mp4, .m4v, .mov or .mkv; of a photograph x.png, .jpg, .webp, .tif or .bmp."
        ),
    ],
    face: Annotated[
        int | None, typer.Option(metavar="N", help="Draw this face only.", show_default="every face")
    ] = None,
    blur_others: Annotated[
        bool, typer.Option("--blur-others", help="With --face: blur every other face beyond recognition.")
    ] = False,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Blur every face beyond recognition; boxes and bars stay.")
    ] = False,
    min_interocular: Annotated[
        float | None,
        typer.Option(metavar="PX", help="No bars for faces whose eyes are closer.", show_default="bars for all faces"),
    ] = None,
    max_yaw: Annotated[
        float | None,
        typer.Option(
            metavar="DEG", help="No bars for heads that are turned further.", show_default="bars for all faces"
        ),
    ] = None,
    no_sound: Annotated[
        bool, typer.Option("--no-sound", help="Leave the sound out: voices tell who people are.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it is there.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a table into its video: boxes, face numbers, and the action units that are present with their bars.

    The video is known by its contents, whatever it is called. Every frame keeps its presentation time, and the sound
    is kept. A face that annotate did not find is not blurred: the end says how many frames to look at.
    """
    from aucli.results.overlay import run
    from aucli.results.row_filter import RowFilter

    out = Printer("overlay", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    with fields_as_options(OPTION_OF):
        options = run.OverlayOptions(
            face=face,
            blur_others=blur_others,
            anonymise=anonymise,
            row_filter=RowFilter(min_interocular_px=min_interocular, max_yaw_deg=max_yaw),
            sound=not no_sound,
            overwrite=overwrite,
        )
        with out.progress() as draw:
            outcome = run.overlay(video, table, output, options=options, on_progress=draw)
    _print(out, outcome, options)
    if outcome.broken:
        raise typer.Exit(FAILED)


def _print(out: Printer, outcome: OverlayOutcome, options: OverlayOptions) -> None:
    from dataclasses import asdict

    out.json(exit_status=FAILED if outcome.broken else 0, **(asdict(outcome) | {"output": str(outcome.output)}))
    out.notes([*outcome.notes, *outcome.sound])
    hides = options.anonymise or options.blur_others
    if outcome.n_not_in_table:
        done = "blurred whole" if hides else "shown with the last values before them, or plain"
        are = "frame is" if outcome.n_not_in_table == 1 else "frames are"
        out.note(f"note: {outcome.n_not_in_table:,} {are} not in the table and {done}")
    if outcome.n_crowded:
        out.note(
            f"note: in {outcome.n_crowded:,} frames there was no room for the bars of every face; `face` draws one face"
        )
    if hides:
        _warn_of_faces(out, outcome)
    frames = f"{outcome.n_frames:,} {'frame' if outcome.n_frames == 1 else 'frames'}"
    out.result(f"{frames}, {outcome.n_without_face_row:,} without a face; {outcome.encoder}")
    out.result(f"-> {outcome.output}")


def _warn_of_faces(out: Printer, outcome: OverlayOutcome) -> None:
    """Say how many frames should be looked at before the film is shown; nothing where a face was found in all."""
    parts = []
    if n := outcome.n_without_face_row:
        parts.append(
            f"{n:,} {'frame has' if n == 1 else 'frames have'} no face in the table, and a face that was not found is "
            "not blurred"
        )
    if n := outcome.n_held:
        parts.append(f"in {n:,} {'frame' if n == 1 else 'frames'} a face's last or next place is blurred in its stead")
    if parts:
        out.warn(f"{'; '.join(parts)}; look through the film before you show it")
