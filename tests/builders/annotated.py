"""Annotated frames, rows and finished videos without a video: random values in the right shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from aucli.annotation.finished import FinishedVideo
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.segments import Segments, WorkFolder
from aucli.annotation.table import AnnotatedFrames, to_rows
from aucli.faces.tracking import TrackedFaces
from aucli.faces.values import Faces

COLUMNS = ("AU01", "AU12")
RUN = RunRecord("m", "d", COLUMNS, (0.5, 0.5), "centerface", "e", {"detect_every": 1})
VIDEO = VideoRecord(3, 0, 3, 64, 48, 25.0, 0.12, 0, "h264", "pyav", 100, "abc", None, "f")


def annotated_frames(counts: list[int], seed: int = 0, first: int = 0) -> AnnotatedFrames:
    """Frames with so many faces each, numbered from `first`."""
    rng = np.random.default_rng(seed)
    tracked = [
        TrackedFaces(
            Faces(
                rng.uniform(0, 99, (n, 4)).astype(np.float32),
                rng.uniform(0, 99, (n, 5, 2)).astype(np.float32),
                rng.uniform(0, 1, n).astype(np.float32),
            ),
            np.arange(n, dtype=np.int32),
            rng.uniform(size=n) < 0.5,
        )
        for n in counts
    ]
    index = np.arange(first, first + len(counts), dtype=np.int32)
    n_faces = sum(counts)
    probabilities = rng.uniform(0, 1, (n_faces, 2)).astype(np.float32)
    sharpness, brightness = (rng.uniform(0, most, n_faces).astype(np.float32) for most in (1, 255))
    return AnnotatedFrames(index, index / 25.0, tracked, probabilities, sharpness, brightness)


def rows_of(frames: AnnotatedFrames) -> pa.Table:
    """Their rows; present is what reaches 0.5."""
    return to_rows(frames, COLUMNS, frames.probabilities >= 0.5)


def half_done(work: WorkFolder, label: str, *stretches: list[int], fingerprint: str = "f") -> Segments:
    """A video with these stretches in the work folder, each given as faces a frame."""
    segments = work.segments(label, fingerprint)
    for number, counts in enumerate(stretches):
        rows = rows_of(annotated_frames(counts, seed=number, first=segments.next_frame))
        segments.append(rows, next_frame=segments.next_frame + len(counts), state={"stretch": number})
    return segments


def finished_video(work: WorkFolder, label: str, *stretches: list[int], fingerprint: str = "f") -> FinishedVideo:
    """The same, complete."""
    segments = half_done(work, label, *stretches[:-1], fingerprint=fingerprint)
    counts = stretches[-1]
    rows = rows_of(annotated_frames(counts, seed=99, first=segments.next_frame))
    n_rows = segments.n_rows + len(rows)
    record = replace(VIDEO, n_rows=n_rows, fingerprint=fingerprint, n_frames=segments.next_frame + len(counts))
    segments.append(rows, next_frame=segments.next_frame + len(counts), state=None, record=record)
    return FinishedVideo.of(segments)
