"""Coarse cells of a frame: their mean colours, and how far apart colours lie whatever the light."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.video.yuv import YuvFrame

FloatArray = npt.NDArray[np.float32]

POINTS_PER_CELL: Final = 3
"""A cell is the mean of 3 x 3 points of the frame."""


def means_of_cells(frame_rgb: Any, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Means of the points of cells, (..., 9 * C) -> (..., C, 3); the first C points are the first of each cell."""
    n_points = POINTS_PER_CELL**2
    pixels = pixels_at(frame_rgb, y, x).reshape(*y.shape[:-1], n_points, -1)
    sums = np.add.reduce(pixels, axis=-2, dtype=np.uint16) // np.uint16(n_points)
    return np.asarray(sums, np.uint8).reshape(*y.shape[:-1], -1, 3)


def pixels_at(frame_rgb: Any, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Pixels of a frame, (H, W, ...) numpy, torch or `YuvFrame`, by rows and columns; only these are copied."""
    if isinstance(frame_rgb, YuvFrame):
        return frame_rgb[y, x]
    if not isinstance(frame_rgb, np.ndarray):
        return np.asarray(frame_rgb[y, x].cpu().numpy())
    if not frame_rgb.flags.c_contiguous or y.shape != x.shape:
        return np.asarray(frame_rgb[y, x])
    height, width, *rest = frame_rgb.shape  # the same in a third of the time
    return np.asarray(frame_rgb.reshape(height * width, *rest).take(y.astype(np.intp) * width + x, axis=0))


@cache
def log_colours() -> FloatArray:
    """The logarithm of each of the 256 levels of a colour, kept from plunging where it is dark."""
    return np.asarray(np.log(np.arange(256, dtype=np.float32) + 16.0))


def opponent_colours(rgb: npt.NDArray[Any]) -> FloatArray:
    """Brightness, red against green, yellow against blue; logarithmic, so that a change of light is a shift.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (..., 3) float32.
    """
    log = log_colours()[rgb]
    red, green, blue = log[..., 0], log[..., 1], log[..., 2]
    colours, both = np.empty_like(log), red + green
    np.multiply(both + blue, np.float32(1 / 3), out=colours[..., 0])
    np.subtract(red, green, out=colours[..., 1])
    np.subtract(both * np.float32(0.5), blue, out=colours[..., 2])
    return np.asarray(colours)


def how_far_apart(a: FloatArray, b: FloatArray) -> FloatArray:
    """How far opponent colours (..., 3) lie apart, 0 to 1: hue counts four times as much as brightness."""
    return size_of_difference(a - b)


def size_of_difference(difference: FloatArray) -> FloatArray:
    """How far apart colours lie of which this is the difference: (..., 3) to (...), 0 to 1."""
    size = np.abs(difference)
    weighted = 0.5 * size[..., 0] + 2.0 * (size[..., 1] + size[..., 2])
    return np.asarray(np.minimum(weighted, 1.0))
