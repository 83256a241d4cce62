"""What lies behind a face: walls, rooms, foliage and lights, drawn small and blurred as a lens would."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from aucli.synth.facemap import blurred_noise

UInt8 = npt.NDArray[np.uint8]

_SIDE_PX = 112


def sample_background(rng: np.random.Generator) -> UInt8:
    """Draw one background: (112, 112, 3) uint8 sRGB."""
    kind = rng.choice(4, p=(0.25, 0.35, 0.25, 0.15))
    base = rng.uniform(20, 235, 3) if rng.random() < 0.2 else np.full(3, rng.uniform(10, 245)) + rng.normal(0, 14, 3)
    picture = _gradient(rng, base)
    if kind == 1:
        picture = _room(rng, picture)
    elif kind == 2:
        picture = _foliage(rng, picture)
    elif kind == 3:
        picture = _bokeh(rng, picture)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(float(rng.gamma(1.5, 1.4)))))


def half_means_linear(background: UInt8) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean linear colours (3,) of the upper and the lower half."""
    linear = (background.astype(np.float32) / 255) ** 2.2
    half = len(linear) // 2
    return linear[:half].mean(axis=(0, 1)), linear[half:].mean(axis=(0, 1))


def _gradient(rng: np.random.Generator, base: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    axis = np.linspace(-1, 1, _SIDE_PX)
    slope = rng.normal(0, 22, 2)
    shade = slope[0] * axis[:, None] + slope[1] * axis[None]
    return np.asarray(base + shade[..., None] + 4 * blurred_noise(rng, _SIDE_PX, 1.0)[..., None])


def _room(rng: np.random.Generator, picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Upright and level shapes: shelves, doors, windows, furniture."""
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 14))):
        x, y = rng.uniform(-20, _SIDE_PX, 2)
        w, h = rng.uniform(6, 70, 2)
        colour = tuple(int(value) for value in np.clip(rng.uniform(0, 255) + rng.normal(0, 30, 3), 0, 255))
        if rng.random() < 0.8:
            draw.rectangle((x, y, x + w, y + h), fill=colour)
        else:
            draw.line((x, y, x + w, y + rng.normal(0, 20)), fill=colour, width=int(rng.integers(1, 6)))
    return np.asarray(image, np.float64)


def _foliage(rng: np.random.Generator, picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Patches of two colours: leaves, crowds, cloth."""
    other = rng.uniform(10, 245) + rng.normal(0, 28, 3)
    grain = blurred_noise(rng, _SIDE_PX, float(rng.uniform(1.5, 9)))
    share = 1 / (1 + np.exp(-3 * grain))
    return np.asarray(picture + share[..., None] * (other - picture) * rng.uniform(0.4, 1))


def _bokeh(rng: np.random.Generator, picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lights out of focus in the dark."""
    picture = picture * rng.uniform(0.1, 0.5)
    ys, xs = np.mgrid[:_SIDE_PX, :_SIDE_PX]
    for _ in range(int(rng.integers(4, 24))):
        x, y = rng.uniform(0, _SIDE_PX, 2)
        inside = (xs - x) ** 2 + (ys - y) ** 2 < rng.uniform(2, 11) ** 2
        picture[inside] += rng.uniform(40, 255) * rng.uniform(0.4, 1, 3)
    return picture
