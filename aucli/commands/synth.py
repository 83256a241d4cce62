"""The command ``aucli synth``: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from aucli.commands.options import Json, Quiet, as_seconds, fields_as_options
from aucli.commands.output import Printer
from aucli.synth.options import Kind

OPTION_OF: Final = {
    "rig": "--rig",
    "out": "--out",
    "kind": "--kind",
    "count": "--count",
    "size_px": "--size",
    "seed": "--seed",
    "workers": "--workers",
    "pictures_per_person": "--per-person",
    "seconds": "--seconds",
    "fps": "--fps",
}
"""Option by field of `SynthOptions`."""


def synth(
    rig: Annotated[
        Path,
        typer.Option(
            help="ICT FaceKit Light: its folder FaceXModel of OBJ files, a packed facekit.npz, or a folder with one.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for pictures or videos and labels.parquet.", show_default=False)
    ],
    kind: Annotated[Kind, typer.Option(help="What to render.")] = "pictures",
    count: Annotated[int, typer.Option(help="How many pictures or videos.")] = 1000,
    size: Annotated[int, typer.Option(metavar="PX", help="Side of the square frames.")] = 224,
    seed: Annotated[int, typer.Option(help="Everything drawn follows from it.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per core that it may use.")] = 0,
    per_person: Annotated[int, typer.Option(help="Pictures of each person.")] = 8,
    seconds: Annotated[float, typer.Option(metavar="TIME", help="Length of each video.", parser=as_seconds)] = 6.0,
    fps: Annotated[float, typer.Option(metavar="F", help="Frames per second of the videos.")] = 25.0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Render faces whose action units are known: labelled pictures or videos from a FACS rig.

    A run that was stopped is completed by the same command. A server without a screen needs EGL and a driver (Debian:
    libegl1 and libgl1-mesa-dri); a GPU is used where its driver offers EGL.
    """
    from aucli.synth import generation
    from aucli.synth.options import SynthOptions

    output = Printer("synth", as_json=as_json, quiet=quiet, option_of=OPTION_OF)
    with fields_as_options(OPTION_OF):
        options = SynthOptions(
            rig=rig,
            out=out,
            kind=kind,
            count=count,
            size_px=size,
            seed=seed,
            workers=workers,
            pictures_per_person=per_person,
            seconds=seconds,
            fps=fps,
        )
        with output.progress() as progress:
            result = generation.generate(options, on_progress=progress)
    output.json(table=str(result.table), frames=result.frames, device=result.device)
    output.result(f"{result.frames:,} frames in {result.table}")
    output.result("next: aucli train --dataset synth (docs/training.md says how)")
