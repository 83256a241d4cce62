"""From intervals to frames: what was coded in each frame, and how strongly."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.human_codes.names import ABSENT, MISSING, PRESENT
from aucli.human_codes.values import ONE_SIDED, CodedIntervals, CodeOptions

ROUNDING_S: Final = 0.0005
"""Programs round times to a millisecond, so a frame shown at 0.0667 s may be coded as 0.067: times that differ by less
than half a millisecond are the same."""


def occurrence(
    codes: CodedIntervals,
    time_s: npt.NDArray[np.float64],
    options: CodeOptions,
    frame: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int8]:
    """Turn intervals into frames.

    Args:
        codes: intervals of one video.
        time_s: (N,) times at which frames are shown, ascending.
        options: for the stretch that was coded, the intensity from which an AU is present, and one-sided codes.
        frame: (N,) numbers of the frames; None for 0 to N - 1. Used for intervals in frame numbers.

    Returns:
        (N, A) int8 for `codes.coded_aus`: 1 where an interval of the AU covers the frame, -1 where it could not be
        scored or was not coded, else 0. Frame i is covered if onset <= time_s[i] < offset (to half a millisecond, see
        `ROUNDING_S`); a code of one moment covers the frame that is shown then. An AU weaker than
        `options.min_intensity` is absent; one that is seen on one side only counts as `options.one_sided` says.
    """
    labels = np.zeros((len(time_s), len(codes.coded_aus)), dtype=np.int8)
    ranges = _FrameRanges(codes, time_s, frame)
    strong = np.isnan(codes.grades) | (codes.grades >= options.min_intensity)
    for a, au in enumerate(codes.coded_aus):
        mine = codes.aus == au
        present = ranges.cover(mine & (codes.states == PRESENT) & strong)
        one_sided = ranges.cover(mine & (codes.states == ONE_SIDED) & strong)
        labels[one_sided, a] = PRESENT if options.one_sided == "count" else MISSING
        labels[present, a] = PRESENT
        labels[ranges.cover((mine | (codes.aus == 0)) & (codes.states == MISSING)), a] = MISSING
    labels[_unmarked(codes, ranges) | not_coded(time_s, options)] = MISSING
    return labels


def intensities(
    codes: CodedIntervals,
    time_s: npt.NDArray[np.float64],
    options: CodeOptions,
    frame: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """(N, A) intensity 0 to 5 in every frame, the strongest where intervals overlap.

    NaN where it could not be scored or was not coded, where the AU is present without an intensity, and where it is
    seen on one side only (unless these count). Arguments as for `occurrence`.
    """
    ranges = _FrameRanges(codes, time_s, frame)
    strength = np.zeros((len(time_s), len(codes.coded_aus)))
    states = (PRESENT, ONE_SIDED) if options.one_sided == "count" else (PRESENT,)
    for a, au in enumerate(codes.coded_aus):
        mine = codes.aus == au
        scored = mine & np.isin(codes.states, states)
        for grade in np.unique(codes.grades[scored & ~np.isnan(codes.grades)]):
            strength[ranges.cover(scored & (codes.grades == grade)), a] = grade
        unknown = ranges.cover(scored & np.isnan(codes.grades)) & (strength[:, a] == ABSENT)
        if options.one_sided != "count":
            unknown |= ranges.cover(mine & (codes.states == ONE_SIDED)) & (strength[:, a] == ABSENT)
        unknown |= ranges.cover((mine | (codes.aus == 0)) & (codes.states == MISSING))
        strength[unknown, a] = np.nan
    strength[_unmarked(codes, ranges) | not_coded(time_s, options)] = np.nan
    return strength


def not_coded(time_s: npt.NDArray[np.float64], options: CodeOptions) -> npt.NDArray[np.bool_]:
    """(N,) frames that lie outside the stretch that was coded."""
    if options.coded_span_s is None:
        return np.zeros(len(time_s), dtype=np.bool_)
    start, end = (t - ROUNDING_S for t in options.coded_span_s)
    outside: npt.NDArray[np.bool_] = (time_s < start) | (time_s >= end)
    return outside


def _unmarked(codes: CodedIntervals, ranges: _FrameRanges) -> npt.NDArray[np.bool_]:
    """(N,) frames outside of the stretches that are marked as coded; none, where no stretch is."""
    marks = (codes.aus == 0) & (codes.states == PRESENT)
    return ~ranges.cover(marks) if marks.any() else np.zeros(ranges.n, dtype=np.bool_)


class _FrameRanges:
    """For every interval the frames [first, last) that it covers."""

    def __init__(
        self, codes: CodedIntervals, time_s: npt.NDArray[np.float64], frame: npt.NDArray[np.int64] | None
    ) -> None:
        self.n = len(time_s)
        if codes.unit == "frame":
            shown = np.arange(self.n) if frame is None else frame
            self.first = np.searchsorted(shown, codes.onset, side="left")
            self.last = np.searchsorted(shown, codes.offset, side="left")
            return
        first = np.searchsorted(time_s, codes.onset - ROUNDING_S, side="left")
        last = np.searchsorted(time_s, codes.offset - ROUNDING_S, side="left")
        moment = codes.onset == codes.offset
        at = np.searchsorted(time_s, codes.onset + ROUNDING_S, side="right") - 1
        self.first = np.where(moment, np.maximum(at, 0), first)
        self.last = np.where(moment, at + 1, last)

    def cover(self, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(n,) frames that lie in at least one of the chosen intervals."""
        which = which & (self.last > self.first)
        steps = np.zeros(self.n + 1, dtype=np.int64)
        np.add.at(steps, self.first[which], 1)
        np.add.at(steps, self.last[which], -1)
        covered: npt.NDArray[np.bool_] = np.cumsum(steps)[: self.n] > 0
        return covered
