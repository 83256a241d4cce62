"""Times as coding programs write them: seconds, clock times, and SMPTE timecode, whose frames need a rate."""

from __future__ import annotations

import math
import re
from typing import Final, Literal, NamedTuple

from aucli.errors import OptionsError, TableError

Unit = Literal["s", "ms", "min", "timecode", "pal", "pal50", "ntsc"]
"""``s`` also reads clock times and timecodes, which say themselves what they are."""

NTSC_RATE: Final = 30000 / 1001
_RATE_ROUNDING: Final = 0.005
"""29.97 is written for 30000/1001."""
_SCALE: Final = {"ms": 0.001, "min": 60.0}
_NUMBER = re.compile(r"([+-]?\d{1,15}(?:[.,]\d*)?|[.,]\d+)(?:[eE]([+-]?\d{1,2}))?\s*(ms|msec|s|sec)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2}(?:[.,]\d*)?)", re.ASCII)
_MILLISECOND_CLOCK = re.compile(r"(\d{1,4}):(\d\d):(\d\d):(\d{3})", re.ASCII)
_TIMECODE = re.compile(r"(\d{1,4}):(\d\d):(\d\d)([:;])(\d\d)", re.ASCII)


class CodedTime(NamedTuple):
    """A time as it was coded.

    Attributes:
        seconds: seconds, or the whole seconds of a timecode.
        frames: frames of a timecode after the whole seconds; None for a time that needs no rate.
        drop: the timecode leaves out frame numbers so as to keep to the clock at 29.97 or 59.94 frames/s.
        rate: frames per second, where they are known.
    """

    seconds: float
    frames: int | None = None
    drop: bool = False
    rate: float | None = None


def read_time(cell: str, unit: Unit = "s") -> CodedTime | None:
    """A cell as a time; None if it is none.

    Reads plain numbers of `unit`, ``h:mm:ss.mmm``, ``mm:ss.mmm``, ``hh:mm:ss:mmm``, and the timecodes ``hh:mm:ss:ff``
    and ``hh:mm:ss;ff`` (drop-frame); decimal point or comma.
    """
    cell = cell.strip()
    timecode = _TIMECODE.fullmatch(cell)
    if timecode:
        hours, minutes, whole, mark, frames = timecode.groups()
        seconds = float(int(hours) * 3600 + int(minutes) * 60 + int(whole))
        rate = {"pal": 25.0, "pal50": 50.0, "ntsc": NTSC_RATE}.get(unit)
        return CodedTime(seconds, int(frames), mark == ";" or unit == "ntsc", rate)
    if unit in ("pal", "pal50", "ntsc", "timecode"):
        return None
    in_milliseconds = _MILLISECOND_CLOCK.fullmatch(cell)
    if in_milliseconds:
        hours, minutes, whole, thousandths = map(int, in_milliseconds.groups())
        return CodedTime(hours * 3600 + minutes * 60 + whole + thousandths / 1000)
    clock = _CLOCK.fullmatch(cell)
    if clock:
        hours, minutes, rest = clock.groups()
        return CodedTime(int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", ".")))
    number = _NUMBER.fullmatch(cell)
    if number:
        digits, exponent, said = number.groups()
        value = float(digits.replace(",", ".")) * 10.0 ** int(exponent or 0)
        scale = 0.001 if said in ("ms", "msec") else 1.0 if said else _SCALE.get(unit, 1.0)
        return CodedTime(value * scale) if math.isfinite(value) else None
    return None


def timecode_seconds(time: CodedTime) -> float:
    """A coded time in seconds of the film.

    A timecode counts frames: hh:mm:ss:ff is frame (3600 hh + 60 mm + ss) n + ff at n = the rate rounded, shown at that
    number divided by the rate. Drop-frame leaves out the numbers 0 and 1 (0 to 3 at 59.94) of every minute but each
    tenth (SMPTE ST 12-1).

    Raises:
        OptionsError: if the rate is needed and not known.
        TableError: if the timecode is impossible at this rate.
    """
    if time.frames is None:
        return time.seconds
    rate = time.rate or (NTSC_RATE if time.drop else None)
    if rate is None:
        raise OptionsError("times are timecodes as hh:mm:ss:ff; say their frames per second with `frame_rate`")
    nominal = round(rate)
    if abs(rate - nominal * 1000 / 1001) < _RATE_ROUNDING:
        rate = nominal * 1000 / 1001
    if time.frames >= nominal:
        raise TableError(f"a timecode has frame {time.frames} of a second; at {rate:.4g} frames/s there are {nominal}")
    count = time.seconds * nominal + time.frames
    if time.drop:
        if nominal % 30:
            raise TableError(f"drop-frame timecode (hh:mm:ss;ff) is of 29.97 or 59.94 frames/s, not of {rate:.4g}")
        minutes = int(time.seconds) // 60
        count -= nominal // 15 * (minutes - minutes // 10)
        # Drop-frame exists only beside the NTSC rates, whichever way the film's is written.
        rate = nominal * 1000 / 1001
    return count / rate
