"""The face unrolled: a flat map in centimetres on which skin, hair strokes and wrinkles are drawn.

A point of the neutral mesh goes to (s, t): s is the arc around the head's vertical axis at a radius of 10 cm, so
that s is close to x near the middle of the face, and t is its height y. All people share the mesh, so a mark drawn
on the map follows the identity and the expression. The map is square, from -12.5 to 12.5 cm both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from aucli.synth.rig import FACEKIT_RANGES, Rig

Floats = npt.NDArray[np.floating[Any]]

MAP_CM: Final = 25.0
RADIUS_CM: Final = 10.0
WRINKLE_MAP_PX: Final = 512

WRINKLES: Final = (
    "forehead_inner",
    "forehead_outer",
    "glabella",
    "nose_root",
    "crows_feet",
    "infraorbital",
    "lower_lid",
    "nose_side",
    "nasolabial",
    "dimple",
    "mouth_frown",
    "chin",
    "cheek",
    "lip_lines",
    "mouth_stretch",
    "eye_bag",
)
"""Layers of the wrinkle map, four to a texture; each is raised or lowered for the left and the right side."""

_Curve = Sequence[tuple[float, float]]
# Frontal (x, y) of the neutral face in cm, left side; the right side mirrors it. (curve, width cm, strength)
_WRINKLE_CURVES: Final[dict[str, tuple[tuple[_Curve, float, float], ...]]] = {
    "forehead_inner": (
        (((0.0, 7.25), (1.4, 7.45), (2.6, 7.75), (3.4, 7.9)), 0.13, 1.0),
        (((0.0, 8.25), (1.3, 8.4), (2.7, 8.7), (3.6, 8.75)), 0.13, 0.9),
        (((0.0, 9.2), (1.4, 9.3), (2.6, 9.5)), 0.13, 0.6),
    ),
    "forehead_outer": (
        (((2.2, 7.6), (3.6, 7.95), (4.9, 7.7), (5.8, 7.1)), 0.13, 1.0),
        (((2.0, 8.55), (3.4, 8.8), (4.8, 8.6), (5.7, 8.1)), 0.13, 0.85),
        (((2.2, 9.4), (3.4, 9.6), (4.6, 9.4)), 0.13, 0.5),
    ),
    "glabella": (
        (((0.62, 4.75), (0.72, 5.5), (0.95, 6.3), (1.05, 6.8)), 0.14, 1.25),
        (((0.2, 5.2), (0.22, 5.9), (0.3, 6.5)), 0.1, 0.45),
    ),
    "nose_root": ((((0.0, 4.3), (0.45, 4.25), (0.9, 4.05)), 0.11, 1.0), (((0.0, 4.75), (0.5, 4.7)), 0.1, 0.6)),
    "crows_feet": (
        (((5.15, 3.75), (5.8, 4.25), (6.3, 4.8)), 0.09, 0.9),
        (((5.2, 3.4), (6.0, 3.55), (6.7, 3.75)), 0.09, 1.0),
        (((5.1, 3.0), (5.8, 2.75), (6.5, 2.6)), 0.09, 1.0),
        (((4.95, 2.65), (5.5, 2.15), (6.1, 1.75)), 0.09, 0.75),
    ),
    "infraorbital": ((((1.75, 2.65), (2.5, 1.95), (3.4, 1.7), (4.4, 1.85), (5.2, 2.35)), 0.16, 1.0),),
    "lower_lid": (
        (((2.0, 2.9), (2.9, 2.62), (3.8, 2.62), (4.6, 2.95)), 0.1, 0.9),
        (((1.9, 2.6), (2.8, 2.3), (3.8, 2.3)), 0.08, 0.45),
    ),
    "nose_side": (
        (((0.45, 3.5), (0.85, 3.15), (1.2, 2.6)), 0.1, 1.0),
        (((0.5, 3.0), (0.95, 2.65), (1.3, 2.1)), 0.1, 1.0),
        (((0.6, 2.45), (1.05, 2.1), (1.4, 1.6)), 0.1, 0.7),
    ),
    "nasolabial": ((((1.8, 0.3), (2.25, -0.5), (2.75, -1.4), (3.15, -2.4), (3.35, -3.3)), 0.17, 1.3),),
    "dimple": ((((2.95, -2.75), (3.25, -3.3), (3.25, -3.75), (3.0, -4.25)), 0.14, 1.3),),
    "mouth_frown": ((((2.65, -3.85), (3.0, -4.5), (3.1, -5.3), (2.95, -6.0)), 0.16, 1.1),),
    "chin": ((((0.0, -5.05), (0.8, -5.1), (1.5, -5.4), (1.9, -5.9)), 0.18, 1.0),),
    "cheek": ((((3.95, -0.9), (4.35, -2.0), (4.4, -3.0), (4.15, -3.9)), 0.17, 0.8),),
    "lip_lines": (
        *((((x, -1.9), (0.95 * x, -2.5), (0.9 * x, -3.2)), 0.06, 0.8) for x in (0.25, 0.65, 1.05, 1.45, 1.85)),
        *((((0.9 * x, -3.5), (0.95 * x, -4.1), (x, -4.7)), 0.06, 0.7) for x in (0.2, 0.6, 1.0, 1.4, 1.8)),
    ),
    "mouth_stretch": (
        (((3.05, -2.8), (3.3, -3.5), (3.15, -4.3)), 0.11, 0.9),
        (((3.55, -2.6), (3.85, -3.5), (3.65, -4.6)), 0.11, 0.7),
    ),
    "eye_bag": ((((1.8, 2.45), (2.5, 1.75), (3.4, 1.5), (4.3, 1.75)), 0.2, 1.0),),
}


def map_coordinates(rest: Floats) -> Floats:
    """Where points of the neutral mesh lie on the map.

    Args:
        rest: (V, 3) points, cm.

    Returns:
        (V, 2) float32 in [0, 1] over the map, from its lower left corner; outside it for the back of the head.
    """
    s = np.arctan2(rest[:, 0], rest[:, 2]) * RADIUS_CM
    return (np.stack([s, rest[:, 1]], axis=1) / MAP_CM + 0.5).astype(np.float32)


def frontal_to_map(rig: Rig, points_xy: Sequence[tuple[float, float]]) -> Floats:
    """Map coordinates (N, 2) in [0, 1] of points given by x and y on the front of the neutral face."""
    first, last = FACEKIT_RANGES["narrow_face"]
    front = rig.neutral[first:last]
    front = front[front[:, 2] > 3.0]
    query = np.asarray(points_xy, np.float32)
    distance = ((front[None, :, :2] - query[:, None]) ** 2).sum(axis=2)
    # Of the vertices about there, the foremost: behind lips and lids lie others with the same x and y.
    near = distance < 0.12 + distance.min(axis=1, keepdims=True)
    z = np.where(near, front[None, :, 2], -np.inf).max(axis=1)
    return map_coordinates(np.column_stack([query, z]).astype(np.float32))


def smooth_curve(points: npt.NDArray[np.floating[Any]], count: int) -> Floats:
    """Catmull-Rom through the points: (count, D)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    position = np.linspace(0, len(points) - 1, count)
    k = np.minimum(position.astype(int), len(points) - 2)
    u = (position - k)[:, None]
    p0, p1, p2, p3 = (padded[k + shift] for shift in range(4))
    curve = 2 * p1 + (p2 - p0) * u + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u**2 + (3 * p1 - p0 - 3 * p2 + p3) * u**3
    return np.asarray(0.5 * curve, np.float32)


def wrinkle_maps(rig: Rig) -> Floats:
    """Heights of the wrinkle layers: (16, 512, 512) float32, about -1 in a furrow and up to 0.4 on its banks."""
    layers = np.zeros((len(WRINKLES), WRINKLE_MAP_PX, WRINKLE_MAP_PX), np.float32)
    for layer, name in zip(layers, WRINKLES, strict=True):
        for curve, width_cm, strength in _WRINKLE_CURVES[name]:
            left = smooth_curve(frontal_to_map(rig, list(curve)), 24)
            for line in (left, np.column_stack([1 - left[:, 0], left[:, 1]])):
                _engrave(layer, line * WRINKLE_MAP_PX, width_cm / MAP_CM * WRINKLE_MAP_PX, strength)
    _pebble_chin(layers[WRINKLES.index("chin")], rig)
    return layers


def wrinkle_height(layers: Floats, left: Floats, right: Floats) -> npt.NDArray[np.uint8]:
    """All wrinkles of a picture in one map.

    Args:
        layers: (16, S, S) from `wrinkle_maps`.
        left, right: (16,) how strongly each shows on either side.

    Returns:
        (S, S) uint8; height = 4 (value / 255 - 0.7), so heights from -2.8 to 1.2 can be told.
    """
    half = layers.shape[-1] // 2
    total = np.zeros(layers.shape[1:], np.float32)
    for layer, on_left, on_right in zip(layers, left, right, strict=True):
        if on_right:
            total[:, :half] += on_right * layer[:, :half]
        if on_left:
            total[:, half:] += on_left * layer[:, half:]
    return np.asarray(np.clip(total * (255 / 4) + 0.7 * 255 + 0.5, 0, 255), np.uint8)


def _engrave(layer: Floats, line_px: Floats, width_px: float, strength: float) -> None:
    """Carve a furrow with raised banks along a line; it runs out at both ends."""
    margin = int(5 * width_px) + 2
    x0, y0 = np.maximum(np.floor(line_px.min(axis=0)).astype(int) - margin, 0)
    x1, y1 = np.minimum(np.ceil(line_px.max(axis=0)).astype(int) + margin, WRINKLE_MAP_PX)
    ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    distance = np.full(xs.shape, np.inf, np.float32)
    along = np.zeros(xs.shape, np.float32)
    for k, ((ax, ay), (bx, by)) in enumerate(pairwise(line_px.tolist())):
        length2 = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-6)
        u = np.clip(((xs - ax) * (bx - ax) + (ys - ay) * (by - ay)) / length2, 0, 1)
        d = np.hypot(xs - ax - u * (bx - ax), ys - ay - u * (by - ay))
        closer = d < distance
        distance[closer] = d[closer]
        along[closer] = (k + u[closer]) / (len(line_px) - 1)
    end = np.clip(np.minimum(along, 1 - along) * 5 + 0.15, 0, 1)
    profile = -np.exp(-((distance / width_px) ** 2)) + 0.4 * np.exp(-(((distance - 2.2 * width_px) / width_px) ** 2))
    layer[y0:y1, x0:x1] += strength * end * profile


def _pebble_chin(layer: Floats, rig: Rig) -> None:
    """The dimpled skin of a raised chin."""
    centre = frontal_to_map(rig, [(0.0, -6.35)])[0] * WRINKLE_MAP_PX
    ys, xs = np.mgrid[:WRINKLE_MAP_PX, :WRINKLE_MAP_PX].astype(np.float32)
    scale = WRINKLE_MAP_PX / MAP_CM
    inside = np.exp(-((((xs - centre[0]) / (1.3 * scale)) ** 2 + ((ys - centre[1]) / (0.9 * scale)) ** 2) ** 2))
    pebbles = blurred_noise(np.random.default_rng(5), WRINKLE_MAP_PX, 0.11 * scale)
    layer += 0.6 * inside * np.minimum(pebbles, 0.3)


def blurred_noise(rng: np.random.Generator, size_px: int, sigma_px: float) -> Floats:
    """Tileable Gaussian noise with a given grain: (size, size) float32, mean 0, deviation 1."""
    spectrum = np.fft.rfft2(rng.standard_normal((size_px, size_px)))
    fy = np.fft.fftfreq(size_px)[:, None]
    fx = np.fft.rfftfreq(size_px)[None]
    spectrum *= np.exp(-2 * (np.pi * sigma_px) ** 2 * (fx**2 + fy**2))
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (size_px, size_px))
    return np.asarray(noise / noise.std(), np.float32)


@lru_cache(maxsize=1)
def noise_texture(size_px: int = 256) -> npt.NDArray[np.uint8]:
    """Four independent tileable noises over several octaves: (size, size, 4) uint8, always the same."""
    rng = np.random.default_rng(11)
    channels = []
    for _ in range(4):
        octaves = [0.6**k * blurred_noise(rng, size_px, size_px / 2 ** (k + 4)) for k in range(5)]
        noise = np.sum(octaves, axis=0)
        channels.append(np.clip(noise / noise.std() * 0.2 + 0.5, 0, 1))
    return np.ascontiguousarray((np.stack(channels, axis=-1) * 255).astype(np.uint8))


def polygon_mask(points_01: npt.NDArray[np.floating[Any]], size_px: int, blur_px: float) -> Floats:
    """Soft mask (size, size) in [0, 1] of a polygon in map coordinates; row 0 is the lower edge."""
    picture = Image.new("L", (size_px, size_px))
    ImageDraw.Draw(picture).polygon([tuple(p) for p in (points_01 * size_px).tolist()], fill=255)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(blur_px)), np.float32) / 255


def gaussian_spot(rig: Rig, centre_xy: tuple[float, float], radii_cm: tuple[float, float], size_px: int) -> Floats:
    """Soft elliptical spot, mirrored to both sides: (size, size) in [0, 1]."""
    centre = frontal_to_map(rig, [centre_xy])[0] * size_px
    scale = size_px / MAP_CM
    ys, xs = np.mgrid[:size_px, :size_px].astype(np.float32)
    height = ((ys - centre[1]) / (radii_cm[1] * scale)) ** 2
    sides = [np.exp(-(((xs - x) / (radii_cm[0] * scale)) ** 2 + height)) for x in (centre[0], size_px - centre[0])]
    return np.asarray(np.maximum(*sides), np.float32)


def scalp_height(rest: Floats) -> Floats:
    """How far each point lies above an average hairline, cm: positive under the hair, (V,) float32."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    # From the middle of the forehead over the temple, the front and the back of the ear to the nape.
    angle = np.degrees(np.arctan2(x, z))
    hairline = np.interp(
        angle, (0, 15, 28, 40, 52, 68, 80, 100, 120, 180), (10.3, 10.2, 9.6, 8.6, 7.2, 4.6, 3.6, 2.8, -1.5, -4.0)
    )
    return np.asarray(y - hairline, np.float32)
