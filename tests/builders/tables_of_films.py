"""Tables of real films whose faces are where a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from aucli.annotation.finished import FinishedVideo
from aucli.annotation.records import VideoRecord
from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import AnnotatedFrames, to_rows
from aucli.annotation.writing import write_table
from aucli.faces.tracking import TrackedFaces
from aucli.faces.values import Faces
from aucli.video.content import content_digest, content_fingerprint, content_size
from aucli.video.reader import FrameReader
from tests.builders.annotated import RUN

Box = tuple[float, float, float, float]
FacesOfFrame = Callable[[int], Mapping[int, Box]]


def table_of_film(
    video: Path,
    path: Path,
    faces: FacesOfFrame,
    *,
    probabilities: Mapping[str, float] | None = None,
    every_s: float | None = None,
    label: str | None = None,
) -> Path:
    """Write the table that `annotate` would write if it found these faces.

    Args:
        video: a real file.
        path: of the table.
        faces: for each frame the boxes (left, top, right, bottom) by number of the face.
        probabilities: of each action unit, in all frames; AU12 at 0.9 and AU04 at 0.2 if not given.
        every_s: as of `annotate`.
        label: name of the video in the table; its own if not given.
    """
    probabilities = probabilities or {"AU04": 0.2, "AU12": 0.9}
    thresholds = (0.5,) * len(probabilities)
    options = RUN.options | ({"every_s": every_s} if every_s else {})
    run = replace(RUN, aus=tuple(probabilities), thresholds=thresholds, options=options)
    label = label or video.name
    with FrameReader(video, every_s=every_s) as reader:
        stamps = [(int(i), float(t)) for batch in reader for i, t in zip(batch.index, batch.time_s, strict=True)]
    frames = []
    for index, _ in stamps:
        found = dict(sorted(faces(index).items()))
        boxes = np.array(list(found.values()), np.float32).reshape(-1, 4)
        landmarks = np.zeros((len(found), 5, 2), np.float32)
        given = Faces(boxes, landmarks, np.ones(len(found), np.float32))
        frames.append(TrackedFaces(given, np.array(list(found), np.int32), np.ones(len(found), bool)))
    n_faces = sum(len(one.tracks) for one in frames)
    annotated = AnnotatedFrames(
        np.array([index for index, _ in stamps], np.int32),
        np.array([time_s for _, time_s in stamps]),
        frames,
        np.tile(np.array(list(probabilities.values()), np.float32), (n_faces, 1)),
        sharpness=np.ones(n_faces, np.float32),
        brightness=np.full(n_faces, 128.0, np.float32),
    )
    rows = to_rows(annotated, run.aus, annotated.probabilities >= np.array(run.thresholds, np.float32))
    fingerprint = content_fingerprint(video)
    record = VideoRecord.of(
        reader, len(rows), size_bytes=content_size(video), sha256=content_digest(video), fingerprint=fingerprint
    )
    with WorkFolder(path.with_suffix(".partial"), run, overwrite=True) as work:
        segments = work.segments(label, fingerprint)
        segments.append(rows, next_frame=stamps[-1][0] + 1, state=None, record=record)
        write_table(path, run, [FinishedVideo.of(segments)], version="0")
        segments.discard()
    return path
