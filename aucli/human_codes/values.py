"""Human codes as values: intervals or frames of one video, and how intervals become frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.facs import AU_NAMES
from aucli.human_codes.names import MISSING, PRESENT

CodeFormat = Literal["auto", "frames", "elan", "datavyu", "boris"]

ROUNDING_S: Final = 0.0005
"""Programs round times to a millisecond, so a frame shown at 0.0667 s may be coded as 0.067: times that differ by less
than half a millisecond are the same."""


@dataclass(frozen=True, kw_only=True)
class CodeOptions:
    """How to read human codes.

    Attributes:
        format: ``auto`` sniffs it.
        names: what a tier, column or behaviour means: an action unit, or None to ignore it. Matched without regard to
            case, before anything else.
        missing_names: tiers, columns or behaviours that mark stretches in which no AU could be scored.
        coded_aus: what the coder looked for. An export does not name what never occurred, so without this only AUs that
            occur are compared.
        coded_span_s: stretch that was coded, in seconds of the video; frames outside are missing. None: all of it.
        shift_s: seconds to add to all coded times, where a coder's clock does not start with the video.
        min_intensity: FACS intensity (1 for A ... 5 for E) from which an AU counts as present.
        observation: BORIS's observation id to use, where a file holds several of one video.
        subject: BORIS's subject to use, where a file holds several.
        frame_base: number of the first frame in plain tables with a ``frame`` column.
        missing_codes: codes in plain tables that mean missing, besides empty cells.
    """

    format: CodeFormat = "auto"
    names: Mapping[str, int | None] = field(default_factory=dict)
    missing_names: tuple[str, ...] = ()
    coded_aus: tuple[int, ...] = ()
    coded_span_s: tuple[float, float] | None = None
    shift_s: float = 0.0
    min_intensity: int = 1
    observation: str | None = None
    subject: str | None = None
    frame_base: int = 0
    missing_codes: frozenset[int] = frozenset({-1, 9, 999})

    def __post_init__(self) -> None:
        if self.format not in get_args(CodeFormat):
            raise OptionsError(f"format is {self.format!r}; allowed are {', '.join(get_args(CodeFormat))}")
        for au in (*self.coded_aus, *(au for au in self.names.values() if au is not None)):
            if au not in AU_NAMES:
                raise OptionsError(f"{au} is not an action unit; known are {', '.join(map(str, AU_NAMES))}")
        if self.coded_span_s is not None and not self.coded_span_s[0] < self.coded_span_s[1]:
            raise OptionsError(f"coded_span_s is {self.coded_span_s}; it must end after it begins")
        if not 1 <= self.min_intensity <= 5:
            raise OptionsError(f"min_intensity is {self.min_intensity}; allowed are 1 to 5")
        if self.frame_base not in (0, 1):
            raise OptionsError(f"frame_base is {self.frame_base}; allowed are 0 and 1")

    def meaning(self, name: str) -> tuple[bool, int | None]:
        """Whether the caller said what a name means, and what."""
        for known, au in self.names.items():
            if known.casefold() == name.casefold().strip():
                return True, au
        return False, None

    def marks_missing(self, name: str) -> bool:
        """Whether a name marks stretches that could not be scored."""
        return name.casefold().strip() in {n.casefold() for n in self.missing_names}


@dataclass(frozen=True, eq=False)
class CodedIntervals:
    """Intervals of one video.

    Attributes:
        source: the file.
        video: name of the video as the file gives it; None where it gives none.
        aus: (K,) int32 action unit of each interval; 0 for all of them (a stretch that could not be scored).
        onset_s, offset_s: (K,) float64 seconds; equal for a code of one moment.
        states: (K,) int8: 1 present, 0 absent, -1 not scorable.
        coded_aus: action units that were looked for, sorted.
        notes: what a person should know, one line each.
    """

    source: Path
    video: str | None
    aus: npt.NDArray[np.int32]
    onset_s: npt.NDArray[np.float64]
    offset_s: npt.NDArray[np.float64]
    states: npt.NDArray[np.int8]
    coded_aus: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.aus), len(self.onset_s), len(self.offset_s), len(self.states)}
        if len(lengths) != 1:
            raise TableError(f"intervals of {self.source} have columns of {sorted(lengths)} rows")
        if (self.offset_s < self.onset_s).any():
            k = int(np.flatnonzero(self.offset_s < self.onset_s)[0])
            raise TableError(
                f"{self.source} has an interval that ends before it begins: {self.onset_s[k]:.3f} to "
                f"{self.offset_s[k]:.3f} s"
            )


@dataclass(frozen=True, eq=False)
class CodedFrames:
    """One row of codes per frame of one video.

    Attributes:
        source: the file.
        video: name of the video; None where the file gives none.
        coded_aus: (A) action units, the columns of `labels`.
        labels: (K, A) int8: 1, 0, -1 missing.
        frame: (K,) int64, from 0; None where rows are keyed by time.
        time_s: (K,) float64; None where rows are keyed by frame.
        notes: what a person should know, one line each.
    """

    source: Path
    video: str | None
    coded_aus: tuple[int, ...]
    labels: npt.NDArray[np.int8]
    frame: npt.NDArray[np.int64] | None
    time_s: npt.NDArray[np.float64] | None
    notes: tuple[str, ...] = ()


Codes = CodedIntervals | CodedFrames


def occurrence(codes: CodedIntervals, time_s: npt.NDArray[np.float64], options: CodeOptions) -> npt.NDArray[np.int8]:
    """Turn intervals into frames.

    Args:
        codes: intervals of one video.
        time_s: (N,) times at which frames are shown, ascending.
        options: for the stretch that was coded.

    Returns:
        (N, A) int8 for `codes.coded_aus`: 1 where an interval of the AU covers the frame, -1 where it could not be
        scored or was not coded, else 0. Frame i is covered if onset <= time_s[i] < offset (to half a millisecond, see
        `ROUNDING_S`); a code of one moment covers the frame that is shown then.
    """
    labels = np.zeros((len(time_s), len(codes.coded_aus)), dtype=np.int8)
    if not len(time_s):
        return labels
    first = np.searchsorted(time_s, codes.onset_s - ROUNDING_S, side="left")
    last = np.searchsorted(time_s, codes.offset_s - ROUNDING_S, side="left")
    moment = codes.onset_s == codes.offset_s
    shown = np.searchsorted(time_s, codes.onset_s + ROUNDING_S, side="right") - 1
    first = np.where(moment, np.maximum(shown, 0), first)
    last = np.where(moment, shown + 1, last)
    for a, au in enumerate(codes.coded_aus):
        mine = codes.aus == au
        labels[_covered(first, last, mine & (codes.states == PRESENT), len(time_s)), a] = PRESENT
        unscored = (mine | (codes.aus == 0)) & (codes.states == MISSING)
        labels[_covered(first, last, unscored, len(time_s)), a] = MISSING
    if options.coded_span_s is not None:
        start, end = (t - ROUNDING_S for t in options.coded_span_s)
        labels[(time_s < start) | (time_s >= end)] = MISSING
    return labels


def _covered(
    first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], which: npt.NDArray[np.bool_], n: int
) -> npt.NDArray[np.bool_]:
    """(n,) frames that lie in at least one of the chosen ranges [first, last)."""
    which = which & (last > first)
    steps = np.zeros(n + 1, dtype=np.int64)
    np.add.at(steps, first[which], 1)
    np.add.at(steps, last[which], -1)
    covered: npt.NDArray[np.bool_] = np.cumsum(steps)[:n] > 0
    return covered
