"""How much work the videos of a run are, before one is read: for the progress bar only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from aucli.annotation.options import AnnotateOptions
from aucli.video.announced import announced_frames
from aucli.video.content import content_size

MOST_OPENED: Final = 500
"""Opening a file takes some milliseconds, and more over a network: of more videos each n-th is opened."""


def foreseen_work(
    paths: Sequence[Path], options: AnnotateOptions, *, before_opening: Callable[[int], object] = lambda _: None
) -> list[float]:
    """Say how many frames each video will give, roughly: the time a run takes goes by them, and hardly by bytes.

    A video whose header is silent, or that is one of too many to open, counts by its bytes, at the rate of the others.
    One that cannot be read counts nothing: it fails at once when its turn comes.

    Args:
        paths: of the videos.
        options: say which frames are asked for.
        before_opening: called with the place of each video that is about to be opened, which may crash the process.
    """
    step = -(-len(paths) // MOST_OPENED)
    known: dict[int, float] = {}
    for at in range(0, len(paths), step or 1):
        before_opening(at)
        told = announced_frames(paths[at], stream=options.stream, picture_rate=options.picture_rate)
        if told is not None:
            known[at] = expected_frames(*told, options)
    sizes = [_size_bytes(path) for path in paths]
    bytes_of_known = sum(sizes[at] for at in known if known[at])
    per_byte = sum(known.values()) / bytes_of_known if bytes_of_known else 1.0
    return [known.get(at, size * per_byte) for at, size in enumerate(sizes)]


def expected_frames(n_frames: float, fps: float, options: AnnotateOptions) -> int:
    """Say how many frames of a video will come, roughly.

    Args:
        n_frames: that it has.
        fps: a second; 0 where that means nothing.
        options: say which are asked for.
    """
    if fps <= 0:
        return int(n_frames)
    duration_s = n_frames / fps
    span_s = max(0.0, min(options.end_s or duration_s, duration_s) - (options.start_s or 0.0))
    step_s = max(options.every_s or 0.0, 1.0 / fps)
    return int(np.ceil(span_s / step_s))


def _size_bytes(path: Path) -> int:
    try:
        return content_size(path)
    except OSError:
        return 0
