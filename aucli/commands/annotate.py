"""aucli annotate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aucli.commands.options import FAILED, Json, Quiet

if TYPE_CHECKING:
    from aucli.annotation.outcome import Outcome


def annotate(
    videos: Annotated[
        list[str],
        typer.Argument(help="Files, folders, globs, or @list.txt with one of these a line.", metavar="VIDEOS..."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="x.parquet: one table. Anything else: a folder, one table per video.")
    ],
    model: Annotated[str, typer.Option(help="Name of a model, or path of a model folder.")] = "aunce-small",
    detector: Annotated[
        str, typer.Option(help="centerface, an insightface pack, an imported detector, or an SCRFD .onnx file.")
    ] = "centerface",
    detect_every: Annotated[
        int,
        typer.Option(
            metavar="N", help="Detect faces on every N-th frame; carry them in between where they move little."
        ),
    ] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Frames decoded at once. Never changes the values.", show_default="by device")
    ] = None,
    every: Annotated[
        float | None, typer.Option(metavar="S", help="Take one frame every S seconds.", show_default="every frame")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(metavar="F", help="Take F frames a second.", show_default="every frame")
    ] = None,
    start: Annotated[
        float | None, typer.Option(metavar="S", help="Begin at this time, in seconds.", show_default="0")
    ] = None,
    end: Annotated[
        float | None, typer.Option(metavar="S", help="Stop before this time, in seconds.", show_default="end of video")
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
    stream: Annotated[
        int | None,
        typer.Option(metavar="N", help="Video stream to take, counted from 0.", show_default="the one FFmpeg prefers"),
    ] = None,
    picture_rate: Annotated[
        float | None,
        typer.Option(metavar="F", help="Pictures a second in a folder of numbered pictures.", show_default="25"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads for the networks.", show_default="one per core")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--resume", help="Do these videos anew, or go on with what is there.")
    ] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Name the videos in the table by their paths in this folder.", show_default="as typed"
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Annotate videos: one row per video, frame and face, with every action unit.

    Exit status 0 if every video was annotated to its end, 1 if some were not (they are listed), 2 for wrong options.
    """
    from aucli.annotation.options import AnnotateOptions, parse_thresholds, seconds_per_frame

    options = AnnotateOptions(
        model=model,
        detector=detector,
        detect_every=detect_every,
        device=device,
        batch_size=batch_size,
        every_s=seconds_per_frame(every, fps),
        start_s=start,
        end_s=end,
        max_faces=max_faces,
        min_face_px=min_face,
        thresholds=parse_thresholds(threshold or []),
        stream=stream,
        picture_rate=picture_rate,
        workers=workers,
        overwrite=overwrite,
        root=root,
    )
    from aucli.annotation.supervised import annotate_supervised
    from aucli.commands.progress import ProgressLines

    with ProgressLines(quiet=quiet) as progress:
        outcome = annotate_supervised(videos, output, options=options, on_progress=progress)
    _print_outcome(outcome, as_json=as_json, quiet=quiet)
    if outcome.failures:
        raise typer.Exit(FAILED)


def _print_outcome(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    from dataclasses import asdict

    if as_json:
        typer.echo(
            json.dumps(
                {
                    "tables": [str(table) for table in outcome.tables],
                    "videos": {label: asdict(record) for label, record in outcome.videos.items()},
                    "skipped": list(outcome.skipped),
                    "failures": dict(outcome.failures),
                    "n_frames": outcome.n_frames,
                    "passed_over": list(outcome.passed_over),
                }
            )
        )
    elif not quiet:
        for line in outcome.passed_over:
            typer.echo(f"note: {line}", err=True)
        for label, record in outcome.videos.items():
            for line in record.notes if label not in outcome.skipped else ():
                typer.echo(f"note: {label}: {line}", err=True)
            if record.n_failed:
                promised = record.n_frames + record.n_failed
                typer.echo(f"note: {label}: {record.n_failed} of {promised} promised frames did not decode", err=True)
        if outcome.skipped:
            typer.echo(f"{len(outcome.skipped)} of {len(outcome.videos)} videos were finished before", err=True)
        if outcome.tables:
            where = str(outcome.tables[0]) if len(outcome.tables) == 1 else f"{len(outcome.tables)} tables"
            typer.echo(f"{outcome.n_frames} frames annotated -> {where}")
    for label, problem in outcome.failures.items():
        typer.secho(f"failed: {label}: {problem}", err=True, fg="red")
