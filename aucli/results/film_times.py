"""When each frame of a table is shown, for how long, and where a film has no frames: true for variable frame rates.

A frame is shown until the next one of its film that stands in the table, whether a face was found in that one or not.
A frame after which the film has none for longer than its own frame interval explains is shown for one such interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import TableError

if TYPE_CHECKING:
    import polars

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

US_PER_S: Final = 1_000_000
"""Times are whole microseconds inside: sums and comparisons of them are exact."""
MISSING_FRAMES: Final = 1.5
"""A step longer than this many frame intervals, over frame numbers that are left out, is a hole: frames are missing."""
HOLE_INTERVALS: Final = 5.0
HOLE_US: Final = US_PER_S // 2
"""Over consecutive frame numbers a step is a hole if it is longer than `HOLE_INTERVALS` frame intervals and this: a
film of variable frame rate may show a frame for long; damaged stretches, whose frames do not decode, are longer."""


@dataclass(frozen=True)
class FilmTimes:
    """When the frame of each row is shown.

    Attributes:
        begin_us: (R,) presentation time, microseconds.
        shown_us: (R,) for how long, microseconds; 0 in a film of one frame.
        rank: (R,) number of the frame among all frames of all films: those of one film are consecutive.
        is_first, is_last: (R,) first and last frame of its film.
        hole_before, hole_after: (R,) whether the film lacks frames just before and after the frame.
    """

    begin_us: IntArray
    shown_us: IntArray
    rank: IntArray
    is_first: BoolArray
    is_last: BoolArray
    hole_before: BoolArray
    hole_after: BoolArray

    def __getitem__(self, rows: npt.NDArray[Any] | slice) -> FilmTimes:
        """Choose rows by indices, a mask or a slice."""
        return FilmTimes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def film_times(rows: polars.DataFrame) -> FilmTimes:
    """Find out when the frame of each row is shown.

    Args:
        rows: every row of the films: columns ``video_code`` of `with_codes`, ``frame``, ``time_s``, in any order.

    Raises:
        TableError: if the times of a film's frames go backwards.
    """
    key = (rows["video_code"].to_numpy().astype(np.int64) << 32) + rows["frame"].to_numpy().astype(np.int64)
    if len(key) and (np.diff(key) < 0).any():
        frames, first, rank = np.unique(key, return_index=True, return_inverse=True)
    else:  # in order already, as annotate writes them
        is_new = np.r_[True, np.diff(key) > 0] if len(key) else np.zeros(0, bool)
        first, rank = np.flatnonzero(is_new), np.cumsum(is_new) - 1
        frames = key[first]
    begin_us = np.rint(rows["time_s"].to_numpy()[first] * US_PER_S).astype(np.int64)
    shown_us, is_hole, is_last = _frames_shown(frames >> 32, frames & 0xFFFFFFFF, begin_us)
    is_first = np.r_[True, is_last[:-1]] if len(frames) else np.zeros(0, bool)
    hole_before = np.r_[False, is_hole[:-1]] if len(frames) else np.zeros(0, bool)
    return FilmTimes(
        begin_us[rank],
        shown_us[rank],
        rank.astype(np.int64),
        is_first[rank],
        is_last[rank],
        hole_before[rank],
        is_hole[rank],
    )


def _frames_shown(film: IntArray, frame: IntArray, begin_us: IntArray) -> tuple[IntArray, BoolArray, BoolArray]:
    """How long each frame is shown, whether a hole follows it, and whether it is the last; frames in order."""
    if not len(film):
        return np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, bool)
    is_last = np.r_[np.diff(film) > 0, True]
    step_us = np.where(is_last, 0, np.r_[np.diff(begin_us), 0])
    step = np.where(is_last, 0, np.r_[np.diff(frame), 0])
    if (step_us < 0).any():
        raise TableError("the times of a film's frames go backwards; is the table one of annotate's?")
    interval_us, interval = _medians(film, is_last, step_us), _medians(film, is_last, step)
    frames_missing = (step >= 2 * interval) & (step_us >= MISSING_FRAMES * interval_us)
    too_long = (step_us > HOLE_INTERVALS * interval_us) & (step_us > HOLE_US)
    is_hole = ~is_last & (frames_missing | too_long)
    return np.where(is_last | is_hole, interval_us, step_us), is_hole, is_last


def _medians(film: IntArray, is_last: BoolArray, steps: IntArray) -> IntArray:
    """The median step of each film, at each of its frames; 0 for a film of one frame."""
    import polars as pl

    step = pl.when(~pl.col("is_last")).then(pl.col("step"))
    table = pl.DataFrame({"film": film, "is_last": is_last, "step": steps})
    medians = table.select(step.median().over("film").fill_null(0.0).round())
    return medians.to_series().cast(pl.Int64).to_numpy()
