"""Human codes as values: intervals or frames of one video, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.facs import AU_NAMES
from aucli.human_codes.names import OneSided

ONE_SIDED: Final = 2
"""State of an interval in which the action unit was coded on one side of the face only."""


@dataclass(frozen=True, kw_only=True)
class CodeOptions:
    """How to read human codes.

    Attributes:
        format: ``auto`` finds out by the content; else the name of a program of `aucli.human_codes.registry`.
        names: what a tier, column or behaviour means: an action unit, or None to ignore it. Matched without regard to
            case, before anything else.
        missing_names: tiers, columns or behaviours that mark stretches in which no AU could be scored.
        coded_names: tiers, columns or behaviours that mark the stretches that were coded; where there are any, frames
            outside of them are missing.
        coded_aus: what the coder looked for. An export does not name what never occurred, so without this only AUs that
            occur are compared.
        coded_span_s: stretch that was coded, in seconds of the video; frames outside are missing, and codes outside are
            passed over. None: all of it.
        shift_s: seconds to add to all coded times, where a coder's clock does not start with the video.
        min_intensity: FACS intensity (1 for A ... 5 for E) from which an AU counts as present.
        one_sided: an AU that was coded on one side of the face only (AU12L, R14) is left out of the comparison where it
            occurs, or counts as present.
        observation: BORIS's observation id to use, where a file holds several of one video.
        subject: the one to use, where a file holds codes of several: BORIS's subject, ELAN's participant.
        coder: coder to use, where a file holds the work of several: ELAN's annotator.
        frame_rate: frames per second of timecodes (hh:mm:ss:ff) whose file does not say it; None takes the film's.
        frame_base: number of the first frame in tables of frame numbers.
        missing_codes: codes in plain tables that mean missing, besides empty cells.
    """

    format: str = "auto"
    names: Mapping[str, int | None] = field(default_factory=dict)
    missing_names: tuple[str, ...] = ()
    coded_names: tuple[str, ...] = ()
    coded_aus: tuple[int, ...] = ()
    coded_span_s: tuple[float, float] | None = None
    shift_s: float = 0.0
    min_intensity: float = 1
    one_sided: OneSided = "leave_out"
    observation: str | None = None
    subject: str | None = None
    coder: str | None = None
    frame_rate: float | None = None
    frame_base: int = 0
    missing_codes: frozenset[int] = frozenset({-1, 9, 999})

    def __post_init__(self) -> None:
        for au in (*self.coded_aus, *(au for au in self.names.values() if au is not None)):
            if au not in AU_NAMES:
                raise OptionsError(f"{au} is not an action unit; known are {', '.join(map(str, AU_NAMES))}")
        if self.coded_span_s is not None and not self.coded_span_s[0] < self.coded_span_s[1]:
            raise OptionsError(f"`coded_span_s` is {self.coded_span_s}; it must end after it begins")
        if not 1 <= self.min_intensity <= 5:
            raise OptionsError(f"`min_intensity` is {self.min_intensity}; allowed are 1 to 5")
        if self.one_sided not in get_args(OneSided):
            raise OptionsError(f"`one_sided` is {self.one_sided!r}; allowed are {', '.join(get_args(OneSided))}")
        if self.frame_rate is not None and not 1 <= self.frame_rate <= 1000:
            raise OptionsError(f"`frame_rate` is {self.frame_rate}; allowed are 1 to 1000 frames/s")
        if self.frame_base not in (0, 1):
            raise OptionsError(f"`frame_base` is {self.frame_base}; allowed are 0 and 1")

    def meaning(self, name: str) -> tuple[bool, int | None]:
        """Whether the caller said what a name means, and what."""
        for known, au in self.names.items():
            if known.casefold().strip() == name.casefold().strip():
                return True, au
        return False, None

    def marks_missing(self, name: str) -> bool:
        """Whether a name marks stretches that could not be scored."""
        return _among(name, self.missing_names)

    def marks_coded(self, name: str) -> bool:
        """Whether a name marks stretches that were coded."""
        return _among(name, self.coded_names)


def _among(name: str, names: tuple[str, ...]) -> bool:
    return name.casefold().strip() in {one.casefold().strip() for one in names}


@dataclass(frozen=True, eq=False)
class CodedIntervals:
    """Intervals of one video, half-open: [onset, offset).

    Attributes:
        source: the file.
        video: name of the video as the file gives it, or a `MediaLink`; None where it gives none.
        subject: who was coded, where the file says it.
        aus: (K,) int32 action unit of each interval; 0 for all of them: a stretch that could not be scored or, with
            the state present, one that was coded.
        onset, offset: (K,) float64 in `unit`; equal for a code of one moment.
        unit: seconds of the film, or its frame numbers from 0.
        states: (K,) int8: 1 present, 0 absent, -1 not scorable, 2 present on one side (`ONE_SIDED`).
        grades: (K,) float64 FACS intensity 1 to 5; NaN where none was coded.
        coded_aus: action units that were looked for, sorted.
        notes: what a reader should know, one line each.
    """

    source: Path
    video: str | None
    subject: str | None
    aus: npt.NDArray[np.int32]
    onset: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    unit: Literal["s", "frame"]
    states: npt.NDArray[np.int8]
    grades: npt.NDArray[np.float64]
    coded_aus: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.aus), len(self.onset), len(self.offset), len(self.states), len(self.grades)}
        if len(lengths) != 1:
            raise TableError(f"intervals of {self.source} have columns of {sorted(lengths)} rows")
        if (self.offset < self.onset).any():
            k = int(np.flatnonzero(self.offset < self.onset)[0])
            span = f"{self.onset[k]:.3f} to {self.offset[k]:.3f} {self.unit}"
            raise TableError(f"{self.source} has an interval that ends before it begins: {span}")


@dataclass(frozen=True, eq=False)
class CodedFrames:
    """One row of codes per frame of one video and one face.

    Attributes:
        source: the file.
        video: name of the video; None where the file gives none.
        subject: whose face, where the file holds several.
        coded_aus: (A) action units, the columns of `labels`.
        labels: (K, A) int8: 1, 0, -1 missing.
        grades: (K, A) float64 intensity 0 to 5, NaN missing; None where no intensities were coded.
        frame: (K,) int64, from 0; None where rows are keyed by time.
        time_s: (K,) float64; None where rows are keyed by frame.
        centre_xy: (K, 2) float64 where the coded face is in the frame, px; None where the file does not say.
        by_time: rows find their frame by time rather than by number, unless the caller says otherwise.
        notes: what a reader should know, one line each.
    """

    source: Path
    video: str | None
    subject: str | None
    coded_aus: tuple[int, ...]
    labels: npt.NDArray[np.int8]
    grades: npt.NDArray[np.float64] | None
    frame: npt.NDArray[np.int64] | None
    time_s: npt.NDArray[np.float64] | None
    centre_xy: npt.NDArray[np.float64] | None = None
    by_time: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.labels.shape != (n, len(self.coded_aus)):
            raise TableError(f"{self.source}: labels of the shape {self.labels.shape} for {len(self.coded_aus)} AUs")
        for key in (self.frame, self.time_s, self.centre_xy, self.grades):
            if key is not None and len(key) != n:
                raise TableError(f"{self.source}: {n} rows of labels and {len(key)} of frames, times or places")
        for key in (self.frame, self.time_s):
            if key is not None and len(np.unique(key)) != n:
                where = f" for {self.video}" if self.video else ""
                raise TableError(f"{self.source} has a frame twice{where}; one row per frame is needed")


Codes = CodedIntervals | CodedFrames
