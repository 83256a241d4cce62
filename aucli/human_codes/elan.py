"""ELAN's "Export as tab-delimited text".

Source: ELAN manual (Max Planck Institute for Psycholinguistics), section "Tab-delimited text file". Times come in up to
four formats (hh:mm:ss.ms, ss.msec, msec, frames). With a column per tier there is a header of ``Begin Time - ss.msec``
... and tier names; without, there is no header, and a row is tier, participant, begin, end, duration and value. Lines
with the media files may come first; they start with ``"#``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aucli.errors import TableError
from aucli.human_codes.collector import Collector
from aucli.human_codes.text import clock_seconds, delimiter_of, seconds, split_cells
from aucli.human_codes.values import CodeOptions, Codes


def read_elan(source: Path, text: str, options: CodeOptions) -> list[Codes]:
    """Read an export with or without header, one value per video.

    Raises:
        TableError: if times are lacking or cannot be told apart, or nothing is an action unit.
    """
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith(('"#', "#"))]
    if not lines:
        raise TableError(f"{source} holds no annotations")
    delimiter = delimiter_of(lines[0])
    rows = [split_cells(line, delimiter) for line in lines]
    collector = Collector(source, options)
    if any(cell.casefold().startswith("begin time") for cell in rows[0]):
        _read_with_header(rows[0], rows[1:], source, collector)
    else:
        _read_without_header(rows, source, collector)
    return collector.finish()


def _read_with_header(header: list[str], rows: list[list[str]], source: Path, collector: Collector) -> None:
    """A column per tier, or tier and value in columns of their own."""
    lower = [cell.casefold() for cell in header]
    begin, end = _time_column(lower, "begin time"), _time_column(lower, "end time")
    if begin is None or end is None:
        raise TableError(f"{source} lacks begin or end times; export both")
    tier_at = lower.index("tier") if "tier" in lower else None
    file_at = next((i for i, cell in enumerate(lower) if cell in ("file", "file name", "file path")), None)
    values = [
        i
        for i, cell in enumerate(lower)
        if i not in (tier_at, file_at)
        and cell not in ("participant", "annotator")
        and not cell.startswith(("begin time", "end time", "duration"))
    ]
    if not values:
        raise TableError(f"{source} has times and no annotations; its header is {', '.join(header)}")
    for short in rows:
        row = short + [""] * (len(header) - len(short))
        span = (_in_seconds(row, begin, lower, source), _in_seconds(row, end, lower, source))
        video = row[file_at] if file_at is not None else None
        if tier_at is not None:
            collector.add(video, row[tier_at], row[values[-1]], *span)
            continue
        for i in values:
            # An empty cell of a tier column is no annotation.
            if row[i]:
                collector.add(video, header[i], row[i], *span)


def _time_column(header: Sequence[str], what: str) -> int | None:
    """The column of a time, in the format that needs least interpretation."""
    for unit in ("ss.msec", "msec", "hh:mm:ss.ms", ""):
        for i, cell in enumerate(header):
            if cell.startswith(what) and cell.endswith(unit) and not (unit == "msec" and cell.endswith("ss.msec")):
                return i
    return None


def _in_seconds(row: Sequence[str], column: int, header: Sequence[str], source: Path) -> float:
    value = seconds(row[column], source)
    return value / 1000 if header[column].endswith("- msec") else value


def _read_without_header(rows: list[list[str]], source: Path, collector: Collector) -> None:
    """Tier, participant, begin, end, duration, value: told apart by the shape of the cells."""
    times = time_columns(rows)
    if times is None:
        raise TableError(
            f"{source} has no begin and end times that can be told apart; export it with a column per tier"
        )
    begin, end, scale, last = times
    for number, row in enumerate(rows, start=1):
        if len(row) <= end:
            raise TableError(f"line {number} of {source} has {len(row)} cells; others have {len(rows[0])}")
        value = row[last + 1] if len(row) > last + 1 else ""
        collector.add(None, row[0], value, seconds(row[begin], source) * scale, seconds(row[end], source) * scale)


def time_columns(rows: list[list[str]]) -> tuple[int, int, float, int] | None:
    """Begin and end column of rows without header, the factor to seconds, and the last column of any time.

    The first column is the tier. Formats in order of preference: hh:mm:ss.mmm, ss.mmm, whole milliseconds. Columns that
    say begin, end or duration again in another format are recognised by their values.
    """
    if not rows or len(rows[0]) < 3:
        return None
    for shape, scale in ((r"\d{1,2}:\d{2}:\d{2}[.,]\d{1,3}", 1.0), (r"\d+[.,]\d{1,3}", 1.0), (r"\d+", 0.001)):
        fitting = [
            i for i in range(1, len(rows[0])) if all(i < len(row) and re.fullmatch(shape, row[i]) for row in rows)
        ]
        if len(fitting) < 2:
            continue
        begin, end = fitting[:2]
        starts, ends = _column(rows, begin) * scale, _column(rows, end) * scale
        if (ends < starts).any():
            return None
        known = (starts, ends, ends - starts)
        timed = [i for i in range(end + 1, len(rows[0])) if _says_again(_column(rows, i), known)]
        return begin, end, scale, max([end, *timed])
    return None


def _column(rows: list[list[str]], i: int) -> npt.NDArray[np.float64]:
    return np.array([clock_seconds(row[i]) if i < len(row) else np.nan for row in rows])


def _says_again(values: npt.NDArray[np.float64], known: Sequence[npt.NDArray[np.float64]]) -> bool:
    """Whether a column holds known times, in seconds or milliseconds, rounded to a millisecond."""
    return any(np.allclose(values * unit, times, atol=0.0021, rtol=0) for times in known for unit in (1.0, 0.001))
