"""The story: frames -> faces -> tracks -> crops -> probabilities -> rows -> file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from aucli import __version__
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.resume import plan_output
from aucli.annotation.segments import FinishedVideo, Segments, WorkFolder, write_table
from aucli.annotation.stages import Engine, Stretches, find_faces, follow, read_action_units
from aucli.annotation.table import table_schema, to_rows
from aucli.errors import AucliError, VideoError
from aucli.faces.tracking import Tracker
from aucli.runtime.concurrency import iterate_in_thread
from aucli.runtime.files import sha256_file
from aucli.runtime.progress import OnProgress, Reporter
from aucli.video.inputs import find_videos
from aucli.video.reader import FrameReader, probe
from aucli.video.values import VideoInfo

STRETCH_FRAMES: Final = 1000
"""Frames between two points that are safe on disk: what a kill costs at most, some ten seconds on a small machine."""
BATCH_BYTES: Final = 24 * 2**20
"""Pixels in a batch on the CPU, unless its size is given: keeps memory alike from web clips to 4K."""


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        tables: files that hold the result.
        videos: label -> record of every video in the tables.
        skipped: labels that an earlier run had finished.
        failures: label or pattern -> one line: what could not be done. A video that broke in the middle is here and
            in `videos`.
        n_frames: frames annotated in this run.
        passed_over: a line for each folder: what of it was not taken for a video, and why.
    """

    tables: tuple[Path, ...]
    videos: Mapping[str, VideoRecord]
    skipped: tuple[str, ...]
    failures: Mapping[str, str]
    n_frames: int
    passed_over: tuple[str, ...] = ()


def annotate(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    options: AnnotateOptions | None = None,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Annotate videos with action units, every frame and every face.

    Args:
        videos: files, folders, globs or ``@list.txt``; one or several.
        output: ``x.parquet`` for one table, or a folder for one table per video.
        options: see `AnnotateOptions`.
        on_progress: called now and then from the calling thread.

    Returns:
        What was done. A video that fails does not stop the others: it is in `Outcome.failures`.

    Raises:
        AucliError: if nothing can be done at all: options, model, detector or output are wrong.
    """
    options = options or AnnotateOptions()
    patterns = [videos] if isinstance(videos, str | os.PathLike) else videos
    found = find_videos([os.fsdecode(pattern) for pattern in patterns], root=options.root)
    inputs, failures = found.videos, dict(found.problems)
    if not inputs:
        problems = "; ".join(f"{pattern}: {problem}" for pattern, problem in failures.items())
        raise VideoError(f"no video to annotate ({problems or 'none was named'})")
    with ExitStack() as stack:
        engine = Engine(options)
        stack.callback(engine.close)
        run = _describe_run(engine, options)
        plan = plan_output(Path(output), inputs, run, overwrite=options.overwrite)
        work = stack.enter_context(WorkFolder(plan.work_folder, run, overwrite=options.overwrite))
        finished = dict(plan.kept)
        skipped: list[str] = []
        n_frames = 0
        reporter = Reporter(on_progress, [0 if v.label in plan.finished else _size_bytes(v.path) for v in inputs])
        for video in inputs:
            reporter.begin(video.label)
            if video.label in plan.finished:
                finished[video.label] = plan.finished[video.label]
                skipped.append(video.label)
            else:
                try:
                    segments = work.segments(video.path)
                    reporter.go_on_from(segments.n_frames)
                    n_frames += annotate_video(video.path, segments, engine, options, reporter)
                except (VideoError, OSError) as error:
                    failures[video.label] = _one_line(error, video.path)
                    reporter.end(failures[video.label])
                    continue
                finished[video.label] = FinishedVideo.of(video.label, segments)
                if not plan.single:
                    write_table(plan.table_of(video), run, [finished[video.label]], version=__version__)
            if problem := _problem_of(finished[video.label].record, video.path):
                failures[video.label] = problem
            reporter.end(problem, kept=video.label in skipped)
        if plan.single and set(finished) - set(plan.kept) - set(skipped):
            write_table(plan.output, run, list(finished.values()), version=__version__)
        work.done = True
        tables = [plan.table_of(video) for video in inputs if video.label in finished]
        records = {label: video.record for label, video in finished.items()}
        return Outcome(tuple(dict.fromkeys(tables)), records, tuple(skipped), failures, n_frames, found.passed_over)


def annotate_video(path: Path, segments: Segments, engine: Engine, options: AnnotateOptions, reporter: Reporter) -> int:
    """Annotate one video from where an earlier run left off, and put it down stretch by stretch.

    Stages overlap: frames are decoded in a thread of their own, faces are found and read in the engine's threads, and
    this thread tracks and writes.

    Returns:
        The number of frames annotated now.

    Raises:
        VideoError: if the file cannot be read.
    """
    if segments.record is not None:
        return 0
    config = engine.model.config
    thresholds = options.thresholds_for(config)
    tracker = Tracker(max_faces=options.max_faces)
    if segments.state is not None:
        tracker.restore(segments.state)
    n_before, n_done, first_s = segments.n_frames, 0, None
    with FrameReader(
        path,
        device=engine.device,
        batch_size=options.batch_size or default_batch_size(path, engine.device),
        start_s=options.start_s,
        end_s=options.end_s,
        every_s=options.every_s,
        first_frame=segments.next_frame,
    ) as reader:
        digest = engine.pool.submit(sha256_file, path)
        n_expected = _expected_frames(reader.info, options)
        with iterate_in_thread(reader, ahead=2) as batches:
            stretches = Stretches(find_faces(batches, engine, stretch_frames=STRETCH_FRAMES), STRETCH_FRAMES)
            while segments.record is None:
                followed = follow(stretches.take(), tracker, engine)
                rows = [table_schema(config.au_columns, with_video=False).empty_table()]
                next_frame = segments.next_frame
                for frames in read_action_units(followed, engine):
                    rows.append(to_rows(frames, config.au_columns, thresholds))
                    next_frame = int(frames.index[-1]) + 1
                    n_done += len(frames.index)
                    first_s = float(frames.time_s[0]) if first_s is None else first_s
                    reporter.advance(n_before + n_done, n_expected, film_s=float(frames.time_s[-1]) - first_s)
                stretch = pa.concat_tables(rows).combine_chunks()
                if stretches.is_last:
                    n_rows = segments.n_rows + len(stretch)
                    record = VideoRecord.of(reader, n_rows, size_bytes=path.stat().st_size, sha256=digest.result())
                    segments.append(stretch, next_frame=next_frame, state=None, record=record)
                else:
                    segments.append(stretch, next_frame=next_frame, state=tracker.state())
    return n_done


def _describe_run(engine: Engine, options: AnnotateOptions) -> RunRecord:
    config = engine.model.config
    return RunRecord(
        model=config.name,
        model_digest=config.digest,
        aus=config.au_columns,
        thresholds=options.thresholds_for(config),
        detector=engine.detector.name,
        detector_digest=engine.detector.digest,
        options=options.deciding(),
    )


def default_batch_size(path: Path, device: str) -> int:
    """Return how many frames are decoded at once unless a user says so."""
    if device != "cpu":
        return 64
    info = probe(path)
    return int(np.clip(BATCH_BYTES // (info.width * info.height * 3), 1, 8))


def _expected_frames(info: VideoInfo, options: AnnotateOptions) -> int:
    """How many frames will come, roughly: for the progress bar only."""
    if info.fps <= 0:
        return 0
    duration_s = info.n_frames_header / info.fps
    span_s = max(0.0, min(options.end_s or duration_s, duration_s) - (options.start_s or 0.0))
    step_s = max(options.every_s or 0.0, 1.0 / info.fps)
    return int(np.ceil(span_s / step_s))


def _size_bytes(path: Path) -> int:
    """How much work a video is, compared to others of the run; one that is missing fails when its turn comes."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _problem_of(record: VideoRecord, path: Path) -> str | None:
    """Say what a user must know of a video that was read to its end."""
    if record.broken:
        return f"{_without_path(record.broken, path)}; the frames that decoded are in the table"
    if not record.n_rows:
        return f"none of its {record.n_frames} frames lies between --start and --end"
    return None


def _one_line(error: Exception, path: Path) -> str:
    """What went wrong with a video, without the video's own path: its label stands in front already."""
    if isinstance(error, AucliError):
        return _without_path(str(error), path)
    text = f"{getattr(error, 'filename', None) or ''}: {getattr(error, 'strerror', None) or error}".lstrip(": ")
    return _without_path(text, path)


def _without_path(text: str, path: Path) -> str:
    return text.removeprefix(f"{path}: ")
