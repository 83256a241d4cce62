"""The command ``aucli synth``: parse, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def synth(
    rig: Annotated[
        Path,
        typer.Option(
            help="ICT FaceKit Light: its folder FaceXModel of OBJ files, a packed facekit.npz, or a folder with one.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for pictures or videos and labels.parquet.", show_default=False)],
    kind: Annotated[str, typer.Option(help="pictures or videos.")] = "pictures",
    count: Annotated[int, typer.Option(help="How many pictures or videos.")] = 1000,
    size: Annotated[int, typer.Option(help="Side of the square frames, pixels.")] = 224,
    seed: Annotated[int, typer.Option(help="Everything drawn follows from it.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes; 0 for one per CPU.")] = 0,
    per_person: Annotated[int, typer.Option(help="Pictures of each person.")] = 8,
    seconds: Annotated[float, typer.Option(help="Length of each video.")] = 6.0,
    fps: Annotated[float, typer.Option(help="Frames per second of the videos.")] = 25.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")] = False,
) -> None:
    """Render faces whose action units are known: labelled pictures or videos from a FACS rig.

    A run that was stopped is completed by the same command. A server without a screen needs EGL and a driver (Debian:
    libegl1 and libgl1-mesa-dri); a GPU is used where its driver offers EGL.
    """
    from aucli.commands.progress import ProgressLines
    from aucli.synth.generation import generate
    from aucli.synth.options import SynthOptions

    options = SynthOptions(
        rig=rig,
        out=out,
        kind=kind,  # type: ignore[arg-type]  # SynthOptions refuses other words with a line of its own
        count=count,
        size_px=size,
        seed=seed,
        workers=workers,
        pictures_per_person=per_person,
        seconds=seconds,
        fps=fps,
    )
    with ProgressLines(quiet=quiet or as_json) as progress:
        result = generate(options, on_progress=progress)
    if as_json:
        typer.echo(json.dumps({"table": str(result.table), "frames": result.frames, "device": result.device}))
    elif not quiet:
        typer.echo(f"{result.frames} frames in {result.table}")
