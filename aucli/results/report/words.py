"""Numbers and names as the page writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aucli.facs import AU_NAMES


def percent(share: float) -> str:
    """A share as a reader expects it: ``31 %``, ``2.5 %``, ``< 0.1 %``; a dash where it is unknown."""
    if not math.isfinite(share):
        return "–"
    value = 100 * share
    if 0 < value < 0.1:
        return "< 0.1 %"
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def duration(seconds: float) -> str:
    """A length of time: ``0.48 s``, ``12.5 s``, ``3:05 min``, ``1:02:09 h``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"


def moment(seconds: float) -> str:
    """A time in a film: ``12.48 s``, ``3:05.2``."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def count(number: int, word: str) -> str:
    """``1 video``, ``1,200 videos``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def au_label(column: str) -> str:
    """``AU12 Lip corner puller``; the column alone where it has no name."""
    return f"{column} {AU_NAMES.get(int(column[2:]), '')}".rstrip()


def without_common_folders(labels: Sequence[str]) -> list[str]:
    """Names of videos without the folders that all of them begin with: what tells them apart is left.

    >>> without_common_folders(["study/p01/film.mp4", "study/p02/film.mp4", "study/p02/talk.mp4"])
    ['p01/film.mp4', 'p02/film.mp4', 'p02/talk.mp4']
    """
    folders = [label.split("/")[:-1] for label in labels]
    n_common = 0
    while folders and all(len(parts) > n_common and parts[n_common] == folders[0][n_common] for parts in folders):
        n_common += 1
    return [label.split("/", n_common)[-1] for label in labels]
