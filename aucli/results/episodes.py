"""Episodes: the stretches in which an action unit of a face is present, with onset, apex and offset.

How they are found, for each face and action unit:

1. Rows of a face whose frames follow one another without a break form a *run*. A run ends where the face is not seen
   (or its row is left out) in a frame of the film, and where the film itself lacks frames; a break of at most
   `bridge_gap_s` is taken into the run, and the time in it is reported (``unseen_s``).
2. Presence is the table's column of occurrences (`annotate` has decided it, with hysteresis), smoothed by majority: a
   frame belongs to an episode if the action unit is present in at least half of the `smooth_s` seconds around the
   middle of the frame's time, each frame counting for as long as it is shown, cut off at the ends of the run.
3. Episodes of a run with at most `join_gap_s` between them are joined; then those shorter than `min_duration_s` go.

So an action unit that is present in no frame has no episode, and one that is present in all of a run has one.

Time is kept in whole microseconds and probabilities in steps of 2^-24, so that sums are exact: what is found of a face
never depends on what else is in the table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError
from aucli.results.columns import ROW_COLUMNS, Thresholds, action_units, require_columns
from aucli.results.film_times import US_PER_S, BoolArray, IntArray
from aucli.results.presence import decided_anew
from aucli.results.read import TableGiven, lazy_rows
from aucli.results.row_filter import LEFT_OUT, RowFilter
from aucli.results.rows_of_faces import RowsOfFaces, face_numbers, rows_of_faces, video_codes
from aucli.results.runs import P_STEPS, REASONS, FloatArray, Runs, steps_of

if TYPE_CHECKING:
    import polars

CHUNK_ROWS: Final = 250_000
"""Rows worked on at once; a face has all of its rows in one chunk."""
MAJORITY: Final = 0.5


@dataclass(frozen=True)
class EpisodeRules:
    """How episodes are found; docs/episodes.md says it step by step.

    Attributes:
        smooth_s: width of the window in which the majority decides, seconds; 0 smooths nothing.
        min_duration_s: shorter episodes are left out, seconds.
        join_gap_s: longest pause between two episodes that are joined, seconds; the face is seen in it.
        bridge_gap_s: longest break without the face inside an episode, seconds.

    Raises:
        OptionsError: if a value is out of its range.
    """

    smooth_s: float = 0.2
    min_duration_s: float = 0.1
    join_gap_s: float = 0.2
    bridge_gap_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("smooth_s", "min_duration_s", "join_gap_s", "bridge_gap_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 3600):
                raise OptionsError(f"`{name}` is {value}; allowed are 0 to 3600 seconds")


def episode_schema() -> dict[str, polars.DataType]:
    """Columns of the table of episodes and their types.

    ``onset_s`` is the time of the first frame, ``apex_s`` that of the frame with the highest smoothed probability (of
    several the one with the highest probability, then the first), ``offset_s`` the time at which the last frame gives
    way to the next; ``onset_frame``, ``apex_frame`` and ``offset_frame`` are the numbers of first, apex and last frame.
    ``n_frames`` counts frames with the face. ``mean_probability`` weighs each by the time it is shown,
    ``peak_probability`` is the highest of one frame; both are of the table's own probabilities, not smoothed.
    ``unseen_s`` is the part of ``duration_s`` in which the face was not seen. ``onset_reason`` and ``offset_reason``
    are words of `runs.REASONS`.
    """
    import polars as pl

    return {
        "video": pl.String(),
        "face": pl.Int32(),
        "au": pl.String(),
        "episode": pl.Int32(),
        "onset_s": pl.Float64(),
        "apex_s": pl.Float64(),
        "offset_s": pl.Float64(),
        "duration_s": pl.Float64(),
        "onset_frame": pl.Int32(),
        "apex_frame": pl.Int32(),
        "offset_frame": pl.Int32(),
        "n_frames": pl.Int32(),
        "mean_probability": pl.Float64(),
        "peak_probability": pl.Float64(),
        "unseen_s": pl.Float64(),
        "onset_reason": pl.String(),
        "offset_reason": pl.String(),
    }


def episodes(
    table: TableGiven,
    *,
    thresholds: Thresholds | None = None,
    aus: str | int | Sequence[str | int] | None = None,
    smooth_s: float = 0.2,
    min_duration_s: float = 0.1,
    join_gap_s: float = 0.2,
    bridge_gap_s: float = 0.0,
    row_filter: RowFilter | None = None,
) -> polars.DataFrame:
    """Find the stretches in which each action unit of each face is present.

    Args:
        table: what `aucli.read` takes (a file of `annotate`, a folder, a glob, several of these), or the rows it gives,
            also lazy. Leave the rows without a face in: they tell when the face was not seen.
        thresholds: action unit -> probability, as ``{"AU12": 0.45}`` or ``{12: 0.45}``: presence of these action units
            is decided anew by the probabilities, see `aucli.results.presence.decided_anew`; else, and of all others, it
            is what the table's columns of occurrences say.
        aus: only these action units, as ``["AU12", 4]`` or ``"AU12"``; else all.
        smooth_s: see `EpisodeRules`, as for all that follow.
        min_duration_s: likewise.
        join_gap_s: likewise.
        bridge_gap_s: likewise.
        row_filter: rows that it leaves out count as if the face had not been seen.

    Returns:
        One row per episode, in the columns of `episode_schema`, by video and face in the order of the table, then by
        action unit, then in time.

    Raises:
        OptionsError: if a value is out of its range, or an action unit is not in the table.
        TableError: if the table cannot be read, lacks a column, or has two rows of one face in one frame.
    """
    rules = EpisodeRules(smooth_s, min_duration_s, join_gap_s, bridge_gap_s)
    given = lazy_rows(table)
    known = given.collect_schema().names()
    require_columns(known)
    row_filter = row_filter or RowFilter()
    signals = signals_of(action_units(known, aus), known)
    columns = [*ROW_COLUMNS, *row_filter.columns, *(c for s in signals.values() for c in s.columns)]
    rows = given.select([name for name in dict.fromkeys(columns) if name in known]).collect()
    rows = decided_anew(rows, thresholds)
    return episodes_of(rows_of_faces(rows, row_filter), signals, rules)


def episodes_of(faces: RowsOfFaces, signals: Mapping[str, Signal], rules: EpisodeRules) -> polars.DataFrame:
    """Find the episodes of each action unit, see `episodes`; `signals` is of `signals_of`."""
    import polars as pl

    found = []
    for chunk in faces.chunks(CHUNK_ROWS):
        finder = _Finder(chunk, rules)
        found += [_table_of(finder.find(signal), chunk, number) for number, signal in enumerate(signals.values())]
    return _named(pl.concat(found) if found else None, faces.videos, list(signals))


@dataclass(frozen=True)
class Signal:
    """What of a table is looked at for one action unit.

    Attributes:
        occurrence: column that says when it is present.
        probability: column that says how likely; that of the occurrence where the table has none.
    """

    occurrence: str
    probability: str

    @property
    def columns(self) -> tuple[str, str]:
        """Columns that are needed."""
        return self.occurrence, self.probability


def signals_of(names: Sequence[str], columns: Sequence[str]) -> dict[str, Signal]:
    """What to look at for each action unit of a table with these columns."""
    return {name: Signal(name, f"{name}_p" if f"{name}_p" in columns else name) for name in names}


@dataclass(frozen=True)
class _Found:
    """Episodes of one action unit, of all faces of some rows.

    Attributes:
        begin, apex, last: (E,) rows.
        n_frames: (E,) rows that have a value.
        seen_us: (E,) time in which the face was seen.
        mean, peak: (E,) probabilities.
        onset_reason, offset_reason: (E,) numbers in `runs.REASONS`.
    """

    begin: npt.NDArray[np.intp]
    apex: npt.NDArray[np.intp]
    last: npt.NDArray[np.intp]
    n_frames: IntArray
    seen_us: IntArray
    mean: FloatArray
    peak: FloatArray
    onset_reason: npt.NDArray[np.intp]
    offset_reason: npt.NDArray[np.intp]


class _Finder:
    """Finds episodes in some faces' rows; smoothing is prepared once for all action units."""

    def __init__(self, faces: RowsOfFaces, rules: EpisodeRules) -> None:
        self._faces, self._rules = faces, rules
        self._runs: Runs | None = None

    def find(self, signal: Signal) -> _Found:
        """Find the episodes of one action unit."""
        import polars as pl

        faces, rules = self._faces, self._rules
        occurrence, probability = (faces.rows[name].cast(pl.Float64).fill_nan(None) for name in signal.columns)
        usable = (occurrence.is_not_null() & probability.is_not_null() & faces.rows[LEFT_OUT].is_null()).to_numpy()
        if self._runs is None or not np.array_equal(self._runs.usable, usable):
            self._runs = Runs(
                faces.group,
                faces.times,
                usable,
                smooth_us=_us(rules.smooth_s),
                bridge_gap_us=_us(rules.bridge_gap_s),
            )
        runs = self._runs
        raw = probability.to_numpy()[runs.rows]
        begin, last = _stretches(runs.smooth(occurrence.to_numpy()[runs.rows]) >= MAJORITY, runs, rules)
        total = np.r_[0, np.cumsum(steps_of(raw) * runs.shown_us)]
        seen_us = runs.until_us[last + 1] - runs.until_us[begin]
        mean = np.where(seen_us > 0, (total[last + 1] - total[begin]) / np.maximum(seen_us, 1) / P_STEPS, raw[begin])
        apex, peak = _apexes(runs.smooth(raw), raw, begin, last)
        return _Found(
            runs.rows[begin],
            runs.rows[apex],
            runs.rows[last],
            last + 1 - begin,
            seen_us,
            np.minimum(mean, peak),  # a mean of equal values may be off by half a step
            peak,
            np.where(runs.is_first[begin], runs.reason_before[begin], 0),
            np.where(runs.is_last[last], runs.reason_after[last], 0),
        )


def _stretches(is_on: BoolArray, runs: Runs, rules: EpisodeRules) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First and last rows of the stretches that are on, joined and without the short ones."""
    before, after = np.r_[False, is_on[:-1]], np.r_[is_on[1:], False]
    begin = np.flatnonzero(is_on & (runs.is_first | ~before))
    last = np.flatnonzero(is_on & (runs.is_last | ~after))
    end_us = runs.begin_us + runs.shown_us
    run = np.cumsum(runs.is_first)
    pause_us = runs.begin_us[begin[1:]] - end_us[last[:-1]]
    parted = (run[begin[1:]] != run[last[:-1]]) | (pause_us > _us(rules.join_gap_s))
    is_any = np.ones(min(1, len(begin)), bool)
    begin, last = begin[np.r_[is_any, parted]], last[np.r_[parted, is_any]]
    is_long = end_us[last] - runs.begin_us[begin] >= _us(rules.min_duration_s)
    return begin[is_long], last[is_long]


def _us(seconds: float) -> int:
    return round(seconds * US_PER_S)


def _apexes(
    level: FloatArray, raw: FloatArray, begin: npt.NDArray[np.intp], last: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """The row with the highest level of each stretch, of several that with the highest raw value, then the first; and
    the highest raw value of each."""
    if not len(begin):
        return begin, np.zeros(0)
    length = last + 1 - begin
    starts = np.r_[0, np.cumsum(length)[:-1]]
    rows = np.arange(length.sum()) + np.repeat(begin - starts, length)
    is_best = level[rows] == np.repeat(np.maximum.reduceat(level[rows], starts), length)
    best_raw = np.where(is_best, raw[rows], -1.0)
    is_best &= best_raw == np.repeat(np.maximum.reduceat(best_raw, starts), length)
    best = np.flatnonzero(is_best)
    of_stretch = np.repeat(np.arange(len(begin)), length)[best]
    apex = rows[best[np.r_[True, np.diff(of_stretch) > 0]]]
    return apex, np.maximum.reduceat(raw[rows], starts)


def _table_of(found: _Found, faces: RowsOfFaces, au_number: int) -> polars.DataFrame:
    import polars as pl

    times, frame = faces.times, faces.rows["frame"].to_numpy()
    onset_us, offset_us = times.begin_us[found.begin], (times.begin_us + times.shown_us)[found.last]
    group = faces.group[found.begin]
    columns: dict[str, Any] = {
        "video_code": video_codes(group),
        "face": face_numbers(group),
        "au_number": np.full(len(group), au_number),
        "onset_s": onset_us / US_PER_S,
        "apex_s": times.begin_us[found.apex] / US_PER_S,
        "offset_s": offset_us / US_PER_S,
        "duration_s": (offset_us - onset_us) / US_PER_S,
        "onset_frame": frame[found.begin],
        "apex_frame": frame[found.apex],
        "offset_frame": frame[found.last],
        "n_frames": found.n_frames,
        "mean_probability": found.mean,
        "peak_probability": found.peak,
        "unseen_s": (offset_us - onset_us - found.seen_us) / US_PER_S,
        "onset_reason": found.onset_reason,
        "offset_reason": found.offset_reason,
    }
    return pl.DataFrame(columns)


def _named(found: polars.DataFrame | None, videos: Sequence[str], aus: Sequence[str]) -> polars.DataFrame:
    """Put names in place of numbers, in order."""
    import polars as pl

    schema = episode_schema()
    if found is None:
        return pl.DataFrame(schema=schema)

    def name(column: str, names: Sequence[str], alias: str) -> pl.Expr:
        return pl.col(column).replace_strict(list(range(len(names))), list(names), return_dtype=pl.String).alias(alias)

    group = ("video_code", "face", "au_number")
    return (
        found.sort(*group, "onset_s", maintain_order=True)
        .with_columns(pl.int_range(pl.len(), dtype=pl.Int32).over(group).alias("episode"))
        .with_columns(
            name("video_code", videos, "video"),
            name("au_number", aus, "au"),
            *(name(f"{side}_reason", REASONS, f"{side}_reason") for side in ("onset", "offset")),
        )
        .select([pl.col(column).cast(kind) for column, kind in schema.items()])
    )
