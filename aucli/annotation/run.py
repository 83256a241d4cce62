"""The story: frames -> faces -> tracks -> steady crops -> probabilities -> occurrence -> rows -> file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from aucli.annotation.engine import Engine
from aucli.annotation.finding import find_faces
from aucli.annotation.foreseen import expected_frames, foreseen_work
from aucli.annotation.memory import Memory
from aucli.annotation.occurrence import OccurrenceRule
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.outcome import Journal, NoJournal, Outcome, VideoOutcome
from aucli.annotation.problems import one_line, problem_of
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.resume import Output, plan_run
from aucli.annotation.segments import Segments, WorkFolder
from aucli.annotation.stages import Stretches, align, follow, read_action_units
from aucli.annotation.table import table_schema, to_rows
from aucli.annotation.writing import RunTables
from aucli.errors import StorageError, VideoError
from aucli.faces.steadying import SteadyLandmarks
from aucli.faces.tracking import Tracker
from aucli.runtime.concurrency import iterate_in_thread
from aucli.runtime.progress import OnProgress, Reporter, errors_of_the_caller
from aucli.video.content import CHANGED, ContentWatch, content_digest, content_fingerprint, content_size
from aucli.video.inputs import Inputs, VideoInput, find_videos
from aucli.video.reader import FrameReader

STRETCH_FRAMES: Final = 1000
"""Frames between two points that are safe on disk: what a kill costs at most, some ten seconds on a small machine."""


def annotate(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    options: AnnotateOptions | None = None,
    on_progress: OnProgress | None = None,
    journal: Journal | None = None,
) -> Outcome:
    """Annotate videos with action units, every frame and every face.

    Args:
        videos: files, folders, globs or ``@list.txt``; one or several.
        output: ``x.parquet`` for one table, or a folder for one table per video.
        options: see `AnnotateOptions`.
        on_progress: called now and then from the calling thread.
        journal: is told which video is at work; for who starts runs again.

    Returns:
        What was done. A video that fails does not stop the others; it is in `Outcome.failures`. Only a native library
        that crashes takes this process down, with all that is finished safe on disk; `annotate_supervised`, which the
        command line uses, goes on with the next video even then.

    Raises:
        AucliError: if nothing can be done at all: options, model, detector or output are wrong, or the disk is full.
    """
    options, journal = options or AnnotateOptions(), journal or NoJournal()
    place = Output.of(Path(output))
    inputs = _find(videos, options)
    with errors_of_the_caller(on_progress) as report, Engine(options) as engine:
        run = _describe_run(engine, options)
        with WorkFolder(place.work_folder, run, overwrite=options.overwrite) as work:
            plan = plan_run(place, inputs.videos, run, work, overwrite=options.overwrite)
            tables, refused = RunTables(place, run, plan), {**plan.refused, **journal.given_up}
            waiting = [video for video in inputs.videos if video.label not in {*plan.skipped, *refused}]
            foreseen = foreseen_work(
                [video.path for video in waiting], options, before_opening=lambda at: journal.begin(waiting[at].label)
            )
            work_of = dict(zip((video.label for video in waiting), foreseen, strict=True))
            reporter = Reporter(report, [work_of.get(video.label, 0.0) for video in inputs.videos])
            results: dict[str, VideoOutcome] = {}
            for video in inputs.videos:
                reporter.begin(video.label)
                journal.begin(video.label)
                if video.label in plan.skipped:
                    record = plan.finished[video.label].record
                    result = VideoOutcome(was_finished=True, problem=problem_of(record, video.path))
                elif video.label in refused:
                    result = VideoOutcome(problem=refused[video.label])
                else:
                    result = _annotate_next(video, work, tables, engine, options, reporter)
                results[video.label] = result
                reporter.end(result.problem, kept=video.label in plan.skipped)
                journal.end(video.label, result.n_frames)
            tables.write_what_waits()
            return Outcome.of(results, inputs, tables, run, notes=engine.notes)


def _annotate_next(
    video: VideoInput, work: WorkFolder, tables: RunTables, engine: Engine, options: AnnotateOptions, reporter: Reporter
) -> VideoOutcome:
    """Annotate one video of a run. Whatever goes wrong with it, the others go on, unless the disk is full."""
    n_frames, was_finished = 0, False
    try:
        segments = work.segments(video.label, content_fingerprint(video.path))
        was_finished = segments.record is not None
        n_frames = annotate_video(video.path, segments, engine, options, reporter)
        record = tables.add(segments)
        return VideoOutcome(n_frames, was_finished=was_finished, problem=problem_of(record, video.path))
    except StorageError:
        raise  # for the next video there would be no room either
    except Exception as error:  # whatever it is, it ends this video only
        return VideoOutcome(n_frames, was_finished=was_finished, problem=one_line(error, video.path))


def annotate_video(path: Path, segments: Segments, engine: Engine, options: AnnotateOptions, reporter: Reporter) -> int:
    """Annotate one video from where an earlier run left off, and put it down stretch by stretch.

    Stages overlap: frames are decoded in a thread of their own, faces are found and read in the engine's threads, and
    this thread tracks and writes.

    Returns:
        The number of frames annotated now.

    Raises:
        VideoError: if the file cannot be read, or changed meanwhile.
        StorageError: if the disk takes no more.
    """
    if segments.record is not None:
        return 0
    config, thresholds = engine.model.config, options.thresholds_for(engine.model.config)
    memory = Memory(
        Tracker(max_faces=options.max_faces),
        SteadyLandmarks(options.steady_crops_s),
        OccurrenceRule(thresholds, options.hysteresis_logit),
    )
    if segments.state is not None:
        memory.restore(segments.state)
    n_before, n_done, first_s = segments.n_frames, 0, None
    reporter.go_on_from(n_before)
    digest = engine.pool.submit(content_digest, path)
    watch = ContentWatch(path, segments.fingerprint, digest.result)
    with FrameReader(
        path,
        device=engine.device,
        batch_size=options.batch_size,
        start_s=options.start_s,
        end_s=options.end_s,
        every_s=options.every_s,
        first_frame=segments.next_frame,
        seek=segments.is_as_announced or not segments.next_frame,
        stream=options.stream,
        picture_rate=options.picture_rate,
        leave_out_damaged=True,
        whole=False,
    ) as reader:
        n_expected = expected_frames(reader.info.n_frames_header, reader.info.fps, options)
        with iterate_in_thread(reader, ahead=2) as batches:
            stretches = Stretches(find_faces(batches, engine, stretch_frames=STRETCH_FRAMES), STRETCH_FRAMES)
            while segments.record is None:
                aligned = align(follow(stretches.take(), memory.tracker, engine), memory.steady)
                rows = [table_schema(config.au_columns, with_video=False).empty_table()]
                next_frame = segments.next_frame
                for frames in read_action_units(aligned, engine):
                    rows.append(to_rows(frames, config.au_columns, memory.occurrence.decide(frames)))
                    next_frame = int(frames.index[-1]) + 1
                    n_done += len(frames.index)
                    first_s = float(frames.time_s[0]) if first_s is None else first_s
                    reporter.advance(n_before + n_done, n_expected, film_s=float(frames.time_s[-1]) - first_s)
                stretch = pa.concat_tables(rows).combine_chunks()
                _require_same(watch, segments, at_end=stretches.is_last)
                if not stretches.is_last:
                    segments.append(
                        stretch,
                        next_frame=next_frame,
                        state=memory.state(),
                        is_as_announced=reader.is_as_announced,
                    )
                    continue
                sha256, n_rows = digest.result(), segments.n_rows + len(stretch)
                record = VideoRecord.of(
                    reader,
                    n_rows,
                    size_bytes=content_size(path),
                    sha256=sha256,
                    fingerprint=segments.fingerprint,
                )
                segments.append(stretch, next_frame=next_frame, state=None, record=record)
    return n_done


def _require_same(watch: ContentWatch, segments: Segments, *, at_end: bool) -> None:
    """Make sure that the stretch just read is the video's, before it is put down."""
    try:
        watch.check(at_end=at_end)
    except VideoError as error:
        if str(error) == CHANGED:
            segments.discard()
        raise


def _find(videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], options: AnnotateOptions) -> Inputs:
    patterns = [videos] if isinstance(videos, str | os.PathLike) else videos
    inputs = find_videos([os.fsdecode(pattern) for pattern in patterns], root=options.root)
    if not inputs.videos:
        problems = "; ".join(f"{pattern}: {problem}" for pattern, problem in inputs.problems.items())
        raise VideoError(f"no video to annotate ({problems or 'none was named'})")
    return inputs


def _describe_run(engine: Engine, options: AnnotateOptions) -> RunRecord:
    config = engine.model.config
    return RunRecord(
        model=config.name,
        model_digest=config.digest,
        aus=config.au_columns,
        thresholds=options.thresholds_for(config),
        detector=engine.detector.name,
        detector_digest=engine.detector.digest,
        options={**options.deciding(), "face_search": engine.face_search, "precision": engine.precision},
        experimental=config.experimental_columns,
    )
