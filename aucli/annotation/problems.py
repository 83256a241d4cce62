"""What a user is told of a video: one line."""

from __future__ import annotations

import traceback
from pathlib import Path

from aucli.annotation.records import VideoRecord
from aucli.errors import AucliError, printable


def problem_of(record: VideoRecord, path: Path) -> str | None:
    """Say what a user must know of a video that was read to its end."""
    if record.broken:
        whole = "undamaged frames" if record.n_damaged else "frames that decoded"
        return f"{_without_path(record.broken, path)}; the {whole} are in the table"
    if not record.n_rows:
        return f"none of its {record.n_frames} frames lies between `start_s` and `end_s`"
    return None


def one_line(error: Exception, path: Path) -> str:
    """Say what went wrong with a video, without its path: its label stands in front already.

    What nobody foresaw is told with its place in the program, for a report.
    """
    if isinstance(error, AucliError):
        return _without_path(str(error), path)
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename and str(error.filename) != str(path) else ""
        return printable(f"{where}{error.strerror}")
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())
    return printable(
        f"{type(error).__name__}{place}: {text[:300]}; this is a fault of aucli or of a library: report it"
    )


def _without_path(text: str, path: Path) -> str:
    return text.removeprefix(f"{path}: ").removeprefix(f"{printable(str(path))}: ")
