"""Plain tables of human codes: one row per frame, one column per action unit."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from aucli.errors import TableError
from aucli.facs import AU_NAMES
from aucli.human_codes.names import MISSING, aus_of_name
from aucli.human_codes.text import seconds, split_table, whole_number
from aucli.human_codes.values import CodedFrames, CodeOptions, Codes

_AU_COLUMN = re.compile(r"(?:AU[ _-]?)?0*(\d{1,2})(?:_c|_occurrence)?", re.IGNORECASE)
"""``AU12``, ``au_12``, ``12``, and OpenFace's ``AU12_c``; not ``AU12_r`` or ``AU12_p``, which are no occurrence."""

_FRAME_NAMES = ("frame", "frame_number", "frames")
_TIME_NAMES = ("time_s", "time", "timestamp")
_VIDEO_NAMES = ("video", "file", "filename")


def is_frames_header(cells: list[str]) -> bool:
    """Whether header cells name a frame or a time."""
    return bool({cell.casefold() for cell in cells} & {*_FRAME_NAMES, *_TIME_NAMES})


def read_frames(source: Path, text: str, options: CodeOptions) -> list[Codes]:
    """Read a table with ``frame`` or ``time_s``, AU columns, and perhaps ``video``; one value per video.

    Raises:
        TableError: if a column is lacking or doubled, a frame occurs twice, or a code is unknown.
    """
    header, rows = split_table(text, source)
    frame_at, time_at, video_at = (_first(header, names) for names in (_FRAME_NAMES, _TIME_NAMES, _VIDEO_NAMES))
    if frame_at is None and time_at is None:
        raise TableError(f"{source} has no column frame or time_s; its header is {', '.join(header)}")
    if not rows:
        raise TableError(f"{source} has a header and no rows")
    columns = _au_columns(header, {frame_at, time_at, video_at}, source, options)
    by_video: dict[str | None, list[list[str]]] = {}
    for row in rows:
        by_video.setdefault(row[video_at] if video_at is not None else None, []).append(row)
    return [_of_video(video, mine, columns, frame_at, time_at, source, options) for video, mine in by_video.items()]


def _first(header: list[str], names: tuple[str, ...]) -> int | None:
    lower = [cell.casefold() for cell in header]
    return next((lower.index(name) for name in names if name in lower), None)


def _au_columns(header: list[str], taken: set[int | None], source: Path, options: CodeOptions) -> dict[int, int]:
    """Column by action unit, in FACS order."""
    columns: dict[int, int] = {}
    for i, cell in enumerate(header):
        said, au = options.meaning(cell)
        number = _AU_COLUMN.fullmatch(cell)
        if not said:
            named = () if cell.casefold().startswith("au") else aus_of_name(cell)
            au = int(number.group(1)) if number else next(iter(named), None)
        if i in taken or au not in AU_NAMES:
            continue
        if au in columns:
            raise TableError(f"{source} has two columns for AU{au}: {header[columns[au]]} and {cell}")
        columns[au] = i
    if not columns:
        raise TableError(f"{source} has no AU columns; its header is {', '.join(header)}")
    return dict(sorted(columns.items()))


def _of_video(
    video: str | None,
    rows: list[list[str]],
    columns: dict[int, int],
    frame_at: int | None,
    time_at: int | None,
    source: Path,
    options: CodeOptions,
) -> CodedFrames:
    labels = np.array(
        [[_frame_label(row[i], au, source, options) for au, i in columns.items()] for row in rows], dtype=np.int8
    )
    frame = time_s = None
    if frame_at is not None:
        frame = np.array([whole_number(row[frame_at], source, "frame") for row in rows], np.int64) - options.frame_base
        if (frame < 0).any():
            raise TableError(f"{source} has a frame below frame_base {options.frame_base}; set it to 0")
    if time_at is not None:
        time_s = np.array([seconds(row[time_at], source) for row in rows], np.float64) + options.shift_s
    for key in (frame, time_s):
        if key is not None and len(np.unique(key)) != len(key):
            where = f" for {video}" if video else ""
            raise TableError(f"{source} has a frame twice{where}; one row per frame is needed")
    return CodedFrames(source, video, tuple(columns), labels, frame, time_s)


def _frame_label(cell: str, au: int, source: Path, options: CodeOptions) -> int:
    word = cell.strip().casefold()
    if not word or word in ("nan", "na", "n/a", "null", "none"):
        return MISSING
    if word in ("true", "false"):
        return int(word == "true")
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if value in options.missing_codes:
        return MISSING
    if value in (0, 1) and options.min_intensity == 1:
        return int(value)
    if 0 <= value <= 5 and value == int(value):
        return int(value >= options.min_intensity)
    raise TableError(
        f"{source} has {cell!r} for AU{au}; allowed are 0, 1, an intensity up to 5, an empty cell and "
        f"{', '.join(map(str, sorted(options.missing_codes)))} for missing"
    )
