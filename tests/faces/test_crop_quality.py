"""Sharpness and brightness of crops: as slow loops give them, and what they mean."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from aucli.faces.alignment import CropSpec
from aucli.faces.crop_quality import crop_quality, inner_face

SPEC = CropSpec(size_px=64)


def _texture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, 64, 64, 3), np.uint8)


def _slow(crop: np.ndarray) -> tuple[float, float]:
    rows, columns = inner_face(SPEC)
    grey = [[int(g) for _, g, _ in row] for row in crop[rows, columns]]
    h, w = len(grey), len(grey[0])
    mean = sum(map(sum, grey)) / (h * w)
    spread = sum((v - mean) ** 2 for row in grey for v in row) / (h * w)
    detail = [
        (4 * grey[y][x] - grey[y - 1][x] - grey[y + 1][x] - grey[y][x - 1] - grey[y][x + 1]) ** 2
        for y in range(1, h - 1)
        for x in range(1, w - 1)
    ]
    return (sum(detail) / len(detail) / spread) ** 0.5, mean


def test_no_crops() -> None:
    sharpness, brightness = crop_quality(np.zeros((0, 64, 64, 3), np.uint8), SPEC)
    assert sharpness.shape == brightness.shape == (0,)


def test_the_figures_are_those_of_slow_loops() -> None:
    crops = np.concatenate([_texture(seed) // (seed + 1) for seed in range(3)])
    found = np.stack(crop_quality(crops, SPEC), axis=1)
    np.testing.assert_allclose(found, [_slow(crop) for crop in crops], rtol=1e-6)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_crop_of_one_colour(level: int) -> None:
    sharpness, brightness = crop_quality(np.full((1, 64, 64, 3), level, np.uint8), SPEC)
    assert (sharpness[0], brightness[0]) == (0.0, level)


def test_blur_lowers_sharpness_and_light_hardly_changes_it() -> None:
    texture = _texture()[0]
    blurred = [np.asarray(Image.fromarray(texture).filter(ImageFilter.GaussianBlur(r))) for r in (0.5, 1, 2)]
    sharpness, _ = crop_quality(np.stack([texture, *blurred, texture // 2]), SPEC)
    assert (np.diff(sharpness[:4]) < 0).all()
    assert sharpness[4] == pytest.approx(sharpness[0], rel=0.02)


def test_the_face_lies_in_the_middle_whatever_the_crop() -> None:
    for spec in (CropSpec(), CropSpec(112, 1.0, 0.0), CropSpec(64, 1.1, 0.1)):
        rows, columns = inner_face(spec)
        inside = (spec.template_xy() > [columns.start, rows.start]) & (spec.template_xy() < [columns.stop, rows.stop])
        assert inside.all()
        assert rows.start >= 0 <= columns.start
        assert max(rows.stop, columns.stop) <= spec.size_px
