"""Codes written into a file and read, as the tests of several readers and of commands do it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aucli.human_codes.occurrence import occurrence
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedFrames, CodedIntervals, CodeOptions

TIMES_25 = np.arange(100) / 25


def write(folder: Path, text: str | bytes, name: str = "codes.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def intervals(path: Path, options: CodeOptions | None = None) -> CodedIntervals:
    (one,) = read_codes(path, options)
    assert isinstance(one, CodedIntervals)
    return one


def frames(path: Path, options: CodeOptions | None = None) -> CodedFrames:
    (one,) = read_codes(path, options)
    assert isinstance(one, CodedFrames)
    return one


def covered(codes: CodedIntervals, au: int, options: CodeOptions | None = None) -> tuple[int, int] | None:
    """First and last frame with the AU at 25 frames/s; None if there is none. There must be one stretch only."""
    labels = occurrence(codes, TIMES_25, options or CodeOptions())[:, codes.coded_aus.index(au)]
    where = np.flatnonzero(labels == 1)
    if not len(where):
        return None
    assert where[-1] - where[0] == len(where) - 1, "more than one stretch"
    return int(where[0]), int(where[-1])
