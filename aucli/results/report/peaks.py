"""Which moments of a film are shown as stills: the strongest episode of each action unit, at its apex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aucli.results.report.study import Study, StudyFilm

if TYPE_CHECKING:
    import polars

LEAST_DISTANCE: Final = 0.04
"""Of two peaks of one face, as a share of the film: nearer ones would show nearly the same."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the frame."""


@dataclass(frozen=True)
class Peak:
    """A face at the apex of an episode, or of several in the same frame.

    Attributes:
        number: 1-based, in time, within the film.
        frame: its number.
        time_s: its time.
        face: the person's number.
        box: of the face.
        aus: columns of the episodes that have their apex here, with the highest probability in each.
    """

    number: int
    frame: int
    time_s: float
    face: int
    box: Box
    aus: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Overview:
    """A frame with as many faces as any, to tell who has which number.

    Attributes:
        frame: its number.
        time_s: its time.
        boxes: face -> box.
    """

    frame: int
    time_s: float
    boxes: dict[int, Box]


def choose_peaks(
    study: Study, film: StudyFilm, episodes: polars.DataFrame, faces: Sequence[int], most: int
) -> tuple[Peak, ...]:
    """Choose the peaks of a film: first the strongest of each action unit, then the next strongest.

    Args:
        study: all.
        film: one of it.
        episodes: of the film.
        faces: people to choose from.
        most: how many at most.
    """
    import polars as pl

    candidates = (
        episodes.filter(pl.col("face").is_in(list(faces)))
        .sort("peak_probability", "apex_s", "face", "au", descending=[True, False, False, False])
        .with_columns(pl.int_range(pl.len()).over("au").alias("turn"))
        .sort("turn", "peak_probability", "apex_s", "face", descending=[False, True, False, False], maintain_order=True)
    )
    least_s = LEAST_DISTANCE * (film.end_s - film.begin_s)
    chosen: dict[tuple[int, int], list[tuple[str, float]]] = {}
    times: dict[tuple[int, int], float] = {}
    for one in candidates.iter_rows(named=True):
        key = (one["face"], one["apex_frame"])
        if key in chosen:
            chosen[key].append((one["au"], one["peak_probability"]))
        elif len(chosen) < most and all(
            face != one["face"] or abs(times[face, frame] - one["apex_s"]) >= least_s for face, frame in chosen
        ):
            chosen[key], times[key] = [(one["au"], one["peak_probability"])], one["apex_s"]
    boxes = _boxes(study, film, [frame for _, frame in chosen])
    in_time = sorted(chosen, key=lambda key: (times[key], key))
    return tuple(
        Peak(number, frame, times[face, frame], face, boxes[frame, face], tuple(sorted(chosen[face, frame])))
        for number, (face, frame) in enumerate(in_time, 1)
    )


def choose_overview(study: Study, film: StudyFilm, peaks: Sequence[Peak]) -> Overview | None:
    """Choose a frame with as many faces as any: one of the peaks' where that serves, else the first."""
    rows = study.rows[film.rows]
    has_face = rows["face"].is_not_null().to_numpy()
    if not has_face.any():
        return None
    frames, count = np.unique(rows["frame"].to_numpy()[has_face], return_counts=True)
    fullest = frames[count == count.max()].tolist()
    at_peaks = [peak.frame for peak in peaks if peak.frame in set(fullest)]
    frame = at_peaks[0] if at_peaks else int(fullest[0])
    time_s = float(rows["time_s"].to_numpy()[rows["frame"].to_numpy() == frame][0])
    boxes = {face: box for (_, face), box in _boxes(study, film, [frame]).items()}
    return Overview(frame, time_s, boxes)


def _boxes(study: Study, film: StudyFilm, frames: Sequence[int]) -> dict[tuple[int, int], Box]:
    import polars as pl

    rows = study.rows[film.rows].filter(pl.col("frame").is_in(list(set(frames))) & pl.col("face").is_not_null())
    places = rows.select("frame", "face", *(pl.col(side).cast(pl.Float64).fill_null(0.0) for side in "xywh"))
    return {(frame, face): (x, y, x + w, y + h) for frame, face, x, y, w, h in places.iter_rows()}
