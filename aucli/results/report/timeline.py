"""When something is present, as stretches to draw: exact where that is little, else by bins of equal length.

A bin is drawn as present if anything in it is: a single frame is never lost by drawing less, and what is drawn may
look longer than it is, by less than a bin at either end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aucli.results.film_times import BoolArray, IntArray

Stretches = npt.NDArray[np.int64]
"""(S, 2) begin and end, microseconds; rising, none touches the next."""


def exact_stretches(begin_us: IntArray, end_us: IntArray) -> Stretches:
    """The union of some spans of time.

    Args:
        begin_us: (R,) rising.
        end_us: (R,) each at or after its begin.
    """
    if not len(begin_us):
        return np.zeros((0, 2), np.int64)
    reach_us = np.maximum.accumulate(end_us)
    is_new = np.r_[True, begin_us[1:] > reach_us[:-1]]
    last = np.r_[np.flatnonzero(is_new)[1:] - 1, len(begin_us) - 1]
    return np.stack([begin_us[is_new], reach_us[last]], axis=1)


def binned_stretches(begin_us: IntArray, end_us: IntArray, *, from_us: int, until_us: int, n_bins: int) -> Stretches:
    """The bins that hold a part of a span, neighbours joined.

    Args:
        begin_us: (R,) begins of the spans, within the bins.
        end_us: (R,) their ends.
        from_us: begin of the first bin.
        until_us: end of the last one.
        n_bins: how many there are.
    """
    length_us = until_us - from_us
    if not len(begin_us) or length_us <= 0:
        return np.zeros((0, 2), np.int64)
    first = np.clip((begin_us - from_us) * n_bins // length_us, 0, n_bins - 1)
    last = np.clip(-((from_us - end_us) * n_bins // length_us) - 1, first, n_bins - 1)
    change = np.bincount(first, minlength=n_bins + 1) - np.bincount(last + 1, minlength=n_bins + 1)
    is_on = np.r_[False, np.cumsum(change)[:n_bins] > 0, False]
    edges = np.flatnonzero(np.diff(is_on.astype(np.int8)))
    at_us = from_us + edges * length_us // n_bins
    return np.asarray(at_us.reshape(-1, 2), np.int64)


def stretches(
    begin_us: IntArray, shown_us: IntArray, chosen: BoolArray, *, from_us: int, until_us: int, n_bins: int | None
) -> Stretches:
    """When some of a face's rows are shown.

    Args:
        begin_us: (R,) of each row, rising.
        shown_us: (R,) for how long.
        chosen: (R,) which rows count.
        from_us: begin of the film.
        until_us: its end.
        n_bins: None draws every frame exactly.
    """
    begin_us, end_us = begin_us[chosen], (begin_us + shown_us)[chosen]
    if n_bins is None:
        return exact_stretches(begin_us, end_us)
    return binned_stretches(begin_us, end_us, from_us=from_us, until_us=until_us, n_bins=n_bins)
