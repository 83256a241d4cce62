"""Shrinking of parts, against Pillow's own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from aucli.faces.averaging import averaged, resized

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


@pytest.mark.parametrize("gap", [1.0, 2.0])
@pytest.mark.parametrize("size_wh", [(11, 23), (48, 32), (120, 90)])
def test_a_part_is_resized_as_pillow_does_it(gap: float, size_wh: tuple[int, int]) -> None:
    part, box = (7, 5, 107, 85), (0.3, 1.6, 98.9, 79.5)
    cut = Image.fromarray(np.ascontiguousarray(PICTURE[5:85, 7:107]))
    expected = np.asarray(cut.resize(size_wh, Image.Resampling.BILINEAR, box=box, reducing_gap=gap))
    np.testing.assert_array_equal(resized(PICTURE, part, box, size_wh, gap), expected)


def test_means_are_of_whole_squares_and_of_what_is_left_of_them() -> None:
    """Black outside the frame counts as black."""
    means = np.asarray(averaged(PICTURE, (118, 86, 124, 91), (4, 3)))
    squares = np.zeros((5, 6, 3))
    squares[:4, :2] = PICTURE[86:, 118:]
    expected = [[squares[y : y + 3, x : x + 4].mean(axis=(0, 1)) for x in (0, 4)] for y in (0, 3)]
    assert np.abs(means - np.array(expected)).max() <= 0.5 + 1e-6
