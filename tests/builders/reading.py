"""Reads a whole video with the reader, and compares it with what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.video.reader import FrameReader
from tests.builders.media import (
    Decoded,
)


def read_all(path: Path, **options: Any) -> tuple[FrameReader, Decoded]:
    """Everything that a reader gives, checked for batch sizes on the way."""
    index: list[int] = []
    time_s: list[float] = []
    frames: list[npt.NDArray[np.uint8]] = []
    with FrameReader(path, **options) as reader:
        for batch in reader:
            assert 1 <= len(batch) <= options.get("batch_size", 32)
            assert isinstance(batch.frames_rgb, np.ndarray)
            index += batch.index.tolist()
            time_s += batch.time_s.tolist()
            frames += list(batch.frames_rgb)
    return reader, Decoded(index, np.array(time_s), frames)


def assert_same_frames(found: Decoded, expected: Decoded, index: list[int]) -> None:
    assert found.timestamps == index
    np.testing.assert_allclose(found.time_s, expected.time_s[index], atol=2e-6)
    for n, picture in zip(index, found.frames_rgb, strict=True):
        assert picture.shape == expected.frames_rgb[n].shape
        np.testing.assert_array_equal(picture, expected.frames_rgb[n], err_msg=f"frame {n}")


def shapes_of(path: Path, **options: Any) -> tuple[FrameReader, list[tuple[int, int]]]:
    """Width and height of every frame."""
    with FrameReader(path, **options) as reader:
        sizes = [(batch.frames_rgb.shape[2], batch.frames_rgb.shape[1]) for batch in reader for _ in range(len(batch))]
    return reader, sizes
