"""Patches, boxes and rows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from aucli.results.overlay.paint import FACE_COLOURS, AuReading, Painter, Patch, colour_of

BLUE = FACE_COLOURS[0]


@pytest.mark.parametrize(("x", "y"), [(3, 4), (-2, -3), (15, 12), (-40, 0), (0, 60)])
def test_a_patch_is_laid_over_as_pillow_does_it(x: int, y: int) -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (16, 20, 3), dtype=np.uint8)
    picture = Image.fromarray(rng.integers(0, 255, (7, 9, 4), dtype=np.uint8), "RGBA")
    plain = Image.fromarray(frame).convert("RGBA")
    over = Image.new("RGBA", plain.size)
    over.paste(picture, (x, y))
    expected = np.asarray(Image.alpha_composite(plain, over).convert("RGB")).astype(int)
    Patch.of(picture).draw(frame, x, y)
    assert np.abs(frame.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(
    "box", [(10, 10, 60, 50), (-20, -20, 30, 30), (70, 50, 200, 200), (5, 5, 6, 6), (40, 40, 20, 20)]
)
def test_boxes_are_drawn_within_the_frame_and_nowhere_else(box: tuple[float, float, float, float]) -> None:
    frame = np.full((80, 100, 3), 200, np.uint8)
    Painter(640, 360).box(frame, box, BLUE)
    touched = (frame != 200).any(axis=2)
    x0, y0, x1, y1 = (int(side) for side in box)
    outside = np.ones((80, 100), bool)
    outside[max(y0 - 1, 0) : max(y1 + 1, 0), max(x0 - 1, 0) : max(x1 + 1, 0)] = False
    assert not touched[outside].any()
    if box == (10, 10, 60, 50):
        assert (frame[10, 10:60] == BLUE).all()
        assert (frame[10:50, 59] == BLUE).all()
        assert not touched[14:46, 14:56].any()


def lit(painter: Painter, reading: AuReading, colour: tuple[int, int, int]) -> int:
    """How many pixels of a panel have a colour."""
    patch = painter.panel([reading], colour, bars=True)
    return int((np.abs(patch.light.astype(int) - colour).sum(axis=2) < 12)[:, 8:].sum())


def test_a_bar_is_as_long_as_the_probability_and_grey_unless_present() -> None:
    painter = Painter(640, 360)
    lengths = [lit(painter, AuReading("AU12", percent, 0, True), BLUE) for percent in (20, 40, 80)]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.15)
    assert lengths[2] == pytest.approx(4 * lengths[0], rel=0.15)
    assert lit(painter, AuReading("AU12", 80, 0, False), BLUE) == 0


def test_rows_stand_one_below_the_other_and_say_what_they_say_alone() -> None:
    painter = Painter(640, 360)
    one, two = AuReading("AU04", 12, 50, False), AuReading("AU12", 93, 50, True)
    both = painter.panel([one, two], BLUE, bars=True).light
    upper, lower = (painter.panel([reading], BLUE, bars=True).light for reading in (one, two))
    row_px = len(both) - len(upper)
    np.testing.assert_array_equal(both[: len(upper) - 4], upper[:-4])
    np.testing.assert_array_equal(both[row_px + 4 :], lower[4:])


def test_colours_repeat_and_faces_have_numbers() -> None:
    assert colour_of(0) == colour_of(len(FACE_COLOURS))
    painter = Painter(640, 360)
    assert not np.array_equal(painter.tag(0).light, painter.tag(7).light)
