"""Runs: the stretches in which a face is seen without a break, why they begin and end, and smoothing within them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.results.film_times import BoolArray, FilmTimes, IntArray

FloatArray = npt.NDArray[np.float64]

P_STEPS: Final = 2**24
"""Steps of a probability: those that float32 distinguishes near 1."""

BY_PROBABILITY: Final = "probability"
FACE_NOT_SEEN: Final = "face_not_seen"
ROW_LEFT_OUT: Final = "left_out"
NO_FRAME: Final = "no_frame"
FILM_EDGE: Final = "film_edge"
REASONS: Final = (BY_PROBABILITY, FACE_NOT_SEEN, ROW_LEFT_OUT, NO_FRAME, FILM_EDGE)
"""Why an episode begins or ends where it does: the probability rose or fell; the face was not seen in the frame before
or after; its row there was left out or has no value; the film lacks frames; the film begins or ends. Of all but the
first the true onset or offset is unknown, so that the duration is a least duration."""


class Runs:
    """The stretches without a break of some faces, and what smoothing needs to know of time.

    Args:
        group: (N,) number of the face, of every row.
        times: of every row.
        usable: (N,) rows that have a value.
        smooth_us: width of the moving mean, microseconds.
        bridge_gap_us: longest break that does not end a run, microseconds.

    Attributes:
        rows: (R,) indices of usable rows; all that follows is of them.
        begin_us, shown_us: (R,) when and for how long each row's frame is shown.
        until_us: (R + 1,) time shown before each row; after all.
        is_first, is_last: (R,) of a run.
        reason_before, reason_after: (R,) why a run begins or ends there, numbers in `REASONS`.
    """

    def __init__(
        self, group: IntArray, times: FilmTimes, usable: BoolArray, *, smooth_us: int, bridge_gap_us: int
    ) -> None:
        self.usable = usable
        self.rows = np.flatnonzero(usable)
        self.begin_us, self.shown_us = times.begin_us[self.rows], times.shown_us[self.rows]
        self.until_us = np.r_[0, np.cumsum(self.shown_us)]
        gap_us = self.begin_us[1:] - (self.begin_us + self.shown_us)[:-1]
        parted = (np.diff(group[self.rows]) != 0) | (gap_us > bridge_gap_us)
        is_any = np.ones(min(1, len(self.rows)), bool)
        self.is_first, self.is_last = np.r_[is_any, parted], np.r_[parted, is_any]
        self._prepare_smoothing(smooth_us)
        follows = (np.diff(group) == 0) & (np.diff(times.rank) == 1)
        self.reason_before = _reasons(times.is_first, times.hole_before, np.r_[False, follows])[self.rows]
        self.reason_after = _reasons(times.is_last, times.hole_after, np.r_[follows, False])[self.rows]

    def _prepare_smoothing(self, smooth_us: int) -> None:
        """Find the rows in which each row's window begins and ends, and how much of those is before either end."""
        first = np.flatnonzero(self.is_first)
        run = np.cumsum(self.is_first) - 1
        # All runs on one line of time, so far apart that no window reaches the next.
        line_us = self.begin_us - self.begin_us[first][run]
        length_us = (line_us + self.shown_us)[self.is_last] + smooth_us + 1
        line_us = line_us + np.r_[0, np.cumsum(length_us)][run]
        middle_us = line_us + self.shown_us // 2
        self._window: list[tuple[npt.NDArray[np.intp], IntArray]] = []
        for end_us in (middle_us - smooth_us // 2, middle_us + smooth_us - smooth_us // 2):
            row = np.maximum(np.searchsorted(line_us, end_us, side="right") - 1, first[run])
            self._window.append((row, np.clip(end_us - line_us[row], 0, self.shown_us[row])))
        (begin, before), (end, within) = self._window
        self._width_us = self.until_us[end] + within - self.until_us[begin] - before

    def smooth(self, values: FloatArray) -> FloatArray:
        """The moving mean over time of (R,) values from 0 to 1; a window without extent gives the row's own value."""
        steps = steps_of(values)
        until = np.r_[0, np.cumsum(steps * self.shown_us)]  # may overflow and wrap round: differences stay right
        (begin, before), (end, within) = self._window
        total = until[end] + steps[end] * within - until[begin] - steps[begin] * before
        mean = total / np.maximum(self._width_us, 1)
        return np.where(self._width_us > 0, mean, steps) / P_STEPS


def steps_of(values: FloatArray) -> IntArray:
    """Probabilities as whole numbers of steps, see `P_STEPS`."""
    return np.rint(values * P_STEPS).astype(np.int64)


def _reasons(is_edge: BoolArray, is_hole: BoolArray, has_row: BoolArray) -> npt.NDArray[np.intp]:
    """Why a run may begin (or end) at each row, numbers in `REASONS`: at the film's edge, at a hole, or beside a frame
    in which the face has a row that is not used, or none."""
    beside = np.where(has_row, REASONS.index(ROW_LEFT_OUT), REASONS.index(FACE_NOT_SEEN))
    return np.where(is_edge, REASONS.index(FILM_EDGE), np.where(is_hole, REASONS.index(NO_FRAME), beside))
