"""Which code belongs to which frame: by number or by the nearest time; and codes that belong to none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.human_codes.names import Alignment
from aucli.human_codes.occurrence import ROUNDING_S, intensities, not_coded, occurrence
from aucli.human_codes.values import CodedIntervals, CodeOptions, Codes

END_SLACK_S: Final = 1.0
"""Codes may run so far past the last frame: sound goes on after the pictures, and coders stop a little late."""


@dataclass(frozen=True, eq=False)
class FilmFrames:
    """Frames of a film at which codes are looked up: all of it, or some.

    Attributes:
        name: of the film.
        frame: (N,) int64 numbers, ascending.
        time_s: (N,) float64 when each is shown, ascending.
    """

    name: str
    frame: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]

    @property
    def rate(self) -> float | None:
        """Frames per second of the film itself, also where only some of its frames are here; None for one frame."""
        if len(self.frame) < 2:
            return None
        step_s = float(np.median(np.diff(self.time_s) / np.diff(self.frame)))
        return 1 / step_s if step_s > 0 else None

    @property
    def step_s(self) -> float:
        """Usual time between two of these frames; 0 for a single one."""
        return float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.0


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """Codes of one film and subject, laid on its frames.

    Attributes:
        labels: (N, A) int8: 1, 0, -1 where there is no code.
        grades: (N, A) float64 intensity 0 to 5, NaN where none is known.
        rows: (R,) frames that a coded row was found for; all frames, for intervals.
        found: (R,) the coded row of each; empty for intervals.
        unmatched: coded rows that no frame took.
        span: first and last time or frame that is coded, as text with its unit; "" where there are no codes.
    """

    labels: npt.NDArray[np.int8]
    grades: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]
    unmatched: int
    span: str


def lay_on_frames(
    codes: Codes,
    frames: FilmFrames,
    aus: tuple[int, ...],
    code_options: CodeOptions,
    *,
    align: Alignment = "auto",
    tolerance_s: float | None = None,
) -> FrameLabels:
    """Find the code of every frame.

    Args:
        codes: of this film.
        frames: of the film.
        aus: (A) action units wanted; one that was not coded is missing everywhere.
        code_options: how codes are read.
        align: by frame number or by time; ``auto`` takes what the codes are kept by.
        tolerance_s: farthest a coded time may be from a frame's; None is half the smaller of the two usual steps.

    Raises:
        TableError: if codes lie outside the film, or none matches a frame.
        OptionsError: if the codes cannot be aligned as asked.
    """
    labels = np.full((len(frames.frame), len(aus)), -1, dtype=np.int8)
    grades = np.full(labels.shape, np.nan)
    shared = [(a, codes.coded_aus.index(au)) for a, au in enumerate(aus) if au in codes.coded_aus]
    to, of = np.array([a for a, _ in shared], np.int64), np.array([i for _, i in shared], np.int64)
    if isinstance(codes, CodedIntervals):
        if align == "frame" and codes.unit == "s":
            raise OptionsError(f"{codes.source} holds intervals in seconds; align them by time (`align`)")
        _refuse_outside(codes, codes.onset, codes.offset, codes.unit, frames, code_options)
        labels[:, to] = occurrence(codes, frames.time_s, code_options, frames.frame)[:, of]
        grades[:, to] = intensities(codes, frames.time_s, code_options, frames.frame)[:, of]
        every = np.arange(len(labels))
        return FrameLabels(
            labels, grades, every, np.empty(0, np.int64), 0, _span(codes.onset, codes.offset, codes.unit)
        )
    if align == "frame" and codes.frame is None:
        raise OptionsError(f"{codes.source} has no frame column; align by time (`align`)")
    if align == "time" and codes.time_s is None:
        raise OptionsError(f"{codes.source} has no time_s column; align by frame (`align`)")
    by_frame = codes.frame is not None and align != "time" and (align == "frame" or not codes.by_time)
    if by_frame and code_options.shift_s:
        raise OptionsError(f"{codes.source} is aligned by frame number; `shift_s` moves times only (`align`)")
    at = codes.frame if by_frame else codes.time_s
    assert at is not None
    at = at.astype(np.float64)
    unit: Literal["s", "frame"] = "frame" if by_frame else "s"
    _refuse_outside(codes, at, at, unit, frames, code_options)
    if by_frame and _counts_from_1(at, frames):
        raise TableError(
            f"{codes.source}: the codes run from frame 1 to {at.max():.0f}, the film from 0 to {frames.frame[-1]}: the "
            "coder counted from 1; say so with `frame_base`"
        )
    if by_frame:
        nearest = nearest_codes(frames.frame.astype(np.float64), at, 0.0)
    else:
        nearest = nearest_codes(frames.time_s, at, _tolerance(at, frames, tolerance_s))
    rows = np.flatnonzero(nearest >= 0).astype(np.int64)
    found = nearest[rows]
    if not len(rows):
        raise TableError(
            f"{codes.source}: no code matches a frame of {frames.name}: {_ranges(at, at, frames, unit)}; say how rows "
            "find their frame with `align`, `tolerance_s`, `frame_base` or `shift_s`"
        )
    labels[np.ix_(rows, to)] = codes.labels[np.ix_(found, of)]
    if codes.grades is not None:
        grades[np.ix_(rows, to)] = codes.grades[np.ix_(found, of)]
    away = not_coded(frames.time_s, code_options)
    labels[away], grades[away] = -1, np.nan
    return FrameLabels(labels, grades, rows, found, len(at) - len(np.unique(found)), _span(at, at, unit))


def nearest_codes(
    frame_time_s: npt.NDArray[np.float64], code_time_s: npt.NDArray[np.float64], tolerance_s: float
) -> npt.NDArray[np.int64]:
    """(N,) for each frame the code nearest in time, the earlier of two as near; -1 if it is beyond the tolerance.

    Args:
        frame_time_s: (N,) times of the frames.
        code_time_s: (K,) times of the codes, in any order, all different.
        tolerance_s: farthest distance; half a millisecond is given on top, since programs round times.
    """
    if not len(code_time_s):
        return np.full(len(frame_time_s), -1, dtype=np.int64)
    order = np.argsort(code_time_s, kind="stable")
    times = code_time_s[order]
    after = np.minimum(np.searchsorted(times, frame_time_s), len(times) - 1)
    before = np.maximum(after - 1, 0)
    later = np.abs(times[after] - frame_time_s) < np.abs(times[before] - frame_time_s)
    nearest = np.where(later, after, before)
    close = np.abs(times[nearest] - frame_time_s) <= tolerance_s + ROUNDING_S
    return np.where(close, order[nearest], -1).astype(np.int64)


def _tolerance(code_time_s: npt.NDArray[np.float64], frames: FilmFrames, wanted_s: float | None) -> float:
    if wanted_s is not None:
        return wanted_s
    steps = [frames.step_s] if frames.step_s else []
    if len(code_time_s) > 1:
        steps.append(float(np.median(np.diff(np.sort(code_time_s)))))
    return min(steps, default=0.0) / 2


def _counts_from_1(coded_frames: npt.NDArray[np.float64], frames: FilmFrames) -> bool:
    """Whether frame numbers begin at 1 and end one beyond a film that begins at 0: each code would be one frame off."""
    if not len(coded_frames) or not len(frames.frame):
        return False
    first_last = (coded_frames.min(), coded_frames.max())
    return bool(frames.frame[0] == 0 and first_last == (1, frames.frame[-1] + 1))


def _refuse_outside(
    codes: Codes,
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    unit: Literal["s", "frame"],
    frames: FilmFrames,
    code_options: CodeOptions,
) -> None:
    """Codes beyond a film come from another clock or another film; in silence they would count as "absent".

    A code is outside if it lies more than `END_SLACK_S` before or after the film; an interval also if it does not touch
    the film at all.
    """
    if not len(start) or not len(frames.frame):
        return
    first, end_of_film, slack = _film_range(frames, unit)
    beyond = (end > end_of_film + slack) | (start < first - slack)
    if isinstance(codes, CodedIntervals):
        beyond |= (start > end_of_film) | (end < first)
    if code_options.coded_span_s is not None and unit == "s":
        beyond &= (end > code_options.coded_span_s[0]) & (start < code_options.coded_span_s[1])
    if beyond.any():
        raise TableError(
            f"{codes.source}: {int(beyond.sum())} of {len(start)} codes lie outside {frames.name}: "
            f"{_ranges(start, end, frames, unit)}; move them with `shift_s`, name the stretch that was coded with "
            "`coded_span_s`, or check that they belong to this film"
        )


def _film_range(frames: FilmFrames, unit: Literal["s", "frame"]) -> tuple[float, float, float]:
    """First moment or frame of a film, its end, and how far codes may go beyond."""
    if unit == "frame":
        step = float(np.median(np.diff(frames.frame))) if len(frames.frame) > 1 else 1.0
        return float(frames.frame[0]), float(frames.frame[-1]) + step, END_SLACK_S * (frames.rate or 1.0)
    return float(frames.time_s[0]), float(frames.time_s[-1]) + frames.step_s, END_SLACK_S


def film_range(frames: FilmFrames, unit: str) -> str:
    """The film's range in words."""
    if unit == "frame":
        return f"frame {frames.frame[0]} to {frames.frame[-1]}"
    first, end, _ = _film_range(frames, "s")
    return f"{first:.3f} to {end:.3f} s"


def _ranges(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], frames: FilmFrames, unit: str) -> str:
    return f"the codes run from {_span(start, end, unit)}, the film from {film_range(frames, unit)}"


def _span(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], unit: str) -> str:
    if not len(start):
        return ""
    low, high = float(start.min()), float(end.max())
    if unit == "frame" and high > float(start.max()):
        high -= 1  # intervals are half-open
    return f"frame {low:.0f} to {high:.0f}" if unit == "frame" else f"{low:.3f} to {high:.3f} s"
