"""Skin, make-up, brows and beard, painted on the face map once per person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from aucli.synth.appearance import Appearance
from aucli.synth.facemap import (
    MAP_CM,
    blurred_noise,
    frontal_to_map,
    gaussian_spot,
    map_coordinates,
    polygon_mask,
    smooth_curve,
    wrinkle_maps,
)
from aucli.synth.rig import Rig

Floats = npt.NDArray[np.floating[Any]]

SKIN_PX = 512
STROKES_PX = 768


@dataclass(frozen=True, eq=False)
class FacePaint:
    """Masks that all people share, because they share the mesh: computed once per process.

    Attributes:
        wrinkles: (16, 512, 512) float32 heights, see `wrinkle_maps`.
        lips, lids, liner, cheeks, tip, under_eyes: (512, 512) float32 masks in [0, 1].
        beard_areas: masks (512, 512) of moustache, chin and cheeks with jaw.
        brow_line: (24, 2) map coordinates along the left brow, from the nose outwards.
    """

    wrinkles: npt.NDArray[np.float32]
    lips: Floats
    lids: Floats
    liner: Floats
    cheeks: Floats
    tip: Floats
    under_eyes: Floats
    beard_areas: dict[str, Floats]
    brow_line: Floats

    @classmethod
    def of(cls, rig: Rig) -> FacePaint:
        """Draw the masks for a rig."""
        corners = map_coordinates(rig.neutral[rig.landmarks68])
        lips = polygon_mask(_closed(corners[48:60]), SKIN_PX, 0.9)
        eyes = [_closed(corners[first : first + 6]) for first in (36, 42)]
        lids = np.maximum.reduce([polygon_mask(_grown(eye, 1.35, 0.014), SKIN_PX, 5.0) for eye in eyes])
        liner = np.maximum.reduce([_ring(eye) for eye in eyes])
        return cls(
            wrinkles=wrinkle_maps(rig),
            lips=lips,
            lids=lids,
            liner=liner,
            cheeks=gaussian_spot(rig, (4.3, -0.2), (1.9, 1.5), SKIN_PX),
            tip=gaussian_spot(rig, (0.0, 0.2), (1.3, 1.2), SKIN_PX),
            under_eyes=gaussian_spot(rig, (3.0, 2.2), (1.5, 0.6), SKIN_PX),
            beard_areas=_beard_areas(rig, lips),
            brow_line=smooth_curve(corners[22:27], 24),
        )


def paint_skin(look: Appearance, paint: FacePaint) -> npt.NDArray[np.uint8]:
    """Square root of the linear albedo, and gloss: (512, 512, 4) uint8, row 0 at the lower edge of the map."""
    rng = np.random.default_rng([look.strokes_seed, 1])
    mottle = np.float32(0.7) * _noise(rng, 14.0) + np.float32(0.5) * _noise(rng, 4.0)
    base = np.array(look.skin_rgb, np.float32)
    flush = 0.55 * paint.cheeks + 0.6 * paint.tip + 0.12 * mottle * look.blotches
    flush = (0.25 + 0.75 * look.redness) * flush
    red = np.stack([1 + 0.04 * flush, 1 - 0.2 * flush, 1 - 0.17 * flush], axis=-1)
    rgb = (base * red * (1 + 0.06 * look.blotches * mottle)[..., None]).astype(np.float32)
    tired = (0.12 + 0.3 * look.age) * paint.under_eyes
    rgb *= 1 - tired[..., None] * np.array([0.6, 0.7, 0.55], np.float32)
    rgb = _spots(rgb, look, rng)
    rgb = _blend(rgb, np.array([base[0] * 1.02, base[1] * 0.62, base[2] * 0.62]), 0.55 * look.blush * paint.cheeks)
    rgb = _blend(rgb, np.array(look.eye_shadow_rgb), look.eye_shadow * paint.lids)
    rgb = _blend(rgb, np.array((0.01, 0.008, 0.008)), 0.8 * look.eye_liner * paint.liner)
    rgb = _blend(rgb, base * np.array([0.85, 0.5, 0.5]), 0.35 * (1 - look.eye_liner) * paint.liner)
    lip_tone = np.array(look.lip_rgb)[None, None] * (1 + 0.1 * _noise(rng, 1.2))[..., None]
    rgb = _blend(rgb, lip_tone, 0.88 * paint.lips)
    gloss = look.gloss * (0.35 + 0.65 * paint.tip + 0.2 * mottle) * (1 - paint.lips) + look.lip_gloss * paint.lips
    # The root keeps eight bits from banding in dark skin.
    encoded = np.concatenate([np.sqrt(np.clip(rgb, 0, 1)), np.clip(gloss, 0, 1)[..., None]], axis=-1)
    return np.asarray(encoded * 255 + 0.5, np.uint8)


def paint_strokes(look: Appearance, paint: FacePaint) -> npt.NDArray[np.uint8]:
    """Hairs drawn one by one: (768, 768, 2) uint8, brows and beard in channel 0 and 1."""
    rng = np.random.default_rng([look.strokes_seed, 2])
    brows = _draw_strokes(*_brow_strokes(look, paint, rng), width=1)
    roots, tips = _beard_strokes(look, paint, rng)
    beard = _draw_strokes(roots, tips, width=1)
    if look.beard == "stubble":
        beard = beard * (0.45 + 0.4 * look.beard_density)
    elif look.beard != "none":
        # Under a beard the skin lies in its shade.
        area = _beard_area(look, paint)
        shade = np.asarray(Image.fromarray((area * 255).astype(np.uint8)).resize((STROKES_PX,) * 2), np.float32)
        beard = np.maximum(beard, 0.75 * look.beard_density * shade)
    soft = np.asarray(Image.fromarray(brows.astype(np.uint8)).filter(ImageFilter.GaussianBlur(3)), np.float32)
    brows = np.maximum(brows * 0.9, soft * (0.5 + 0.5 * look.brow_density))
    return np.asarray(np.clip(np.stack([brows, beard], axis=-1), 0, 255), np.uint8)


@lru_cache(maxsize=8)
def _noise_pool(sigma_px: float) -> Floats:
    return blurred_noise(np.random.default_rng(23), SKIN_PX, sigma_px)


def _noise(rng: np.random.Generator, sigma_px: float) -> Floats:
    """Noise of a given grain: one tileable field, shifted and turned at random, which is much faster than a new one."""
    field = np.roll(_noise_pool(sigma_px), rng.integers(0, SKIN_PX, 2).tolist(), axis=(0, 1))
    return field.T if rng.random() < 0.5 else field


def _closed(points: Floats) -> Floats:
    """A smooth closed outline through points: (96, 2)."""
    count = len(points)
    wrapped = np.concatenate([points[-2:], points, points[:3]])
    curve = smooth_curve(wrapped, 32 * (len(wrapped) - 1) + 1)
    return curve[64 : 64 + 32 * count]


def _grown(outline: Floats, factor: float, lift: float) -> Floats:
    centre = outline.mean(axis=0)
    return np.asarray((outline - centre) * factor + centre + np.array([0, lift]), np.float32)


def _ring(eye: Floats) -> Floats:
    """A thin band just outside the lids' edges: stronger above."""
    ring = polygon_mask(_grown(eye, 1.12, 0.002), SKIN_PX, 0.8) - polygon_mask(_grown(eye, 1.0, -0.002), SKIN_PX, 0.8)
    rows = np.arange(SKIN_PX, dtype=np.float32)[:, None] / SKIN_PX
    upper = np.clip((rows - eye[:, 1].mean()) / 0.01 + 0.5, 0.25, 1)
    return np.asarray(np.clip(ring, 0, 1) * upper, np.float32)


def _blend(rgb: Floats, colour: npt.NDArray[np.floating[Any]], share: Floats) -> Floats:
    mask = np.clip(share, 0, 1).astype(np.float32)[..., None]
    return rgb + mask * (np.asarray(colour, np.float32) - rgb)


def _spots(rgb: Floats, look: Appearance, rng: np.random.Generator) -> Floats:
    """Freckles, moles and the spots of age."""
    picture = Image.new("L", (SKIN_PX, SKIN_PX))
    draw = ImageDraw.Draw(picture)
    freckles = int(700 * look.freckles)
    for x, y, radius, strength in zip(
        rng.normal(0.5, 0.13, freckles),
        rng.normal(0.52, 0.06, freckles),
        rng.uniform(0.5, 1.3, freckles),
        rng.uniform(60, 170, freckles),
        strict=True,
    ):
        _dot(draw, x, y, radius, strength)
    for _ in range(int(rng.poisson(2 + 8 * look.age))):
        _dot(draw, rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.9), rng.uniform(0.7, 1.8), rng.uniform(90, 230))
    mask = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), np.float32) / 255
    return _blend(rgb, np.array(look.skin_rgb) * np.array([0.5, 0.34, 0.26]), mask)


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius_px: float, strength: float) -> None:
    cx, cy = x * SKIN_PX, y * SKIN_PX
    draw.ellipse((cx - radius_px, cy - radius_px, cx + radius_px, cy + radius_px), fill=int(strength))


def _draw_strokes(roots: Floats, tips: Floats, *, width: int) -> Floats:
    """Bent hairs from roots to tips, both (N, 2) in map pixels: (768, 768) float32 in 0-255."""
    picture = Image.new("L", (STROKES_PX, STROKES_PX))
    draw = ImageDraw.Draw(picture)
    for (x0, y0), (x1, y1) in zip(roots.tolist(), tips.tolist(), strict=True):
        draw.line((x0, y0, x1, y1), fill=235, width=width)
    return np.asarray(picture, np.float32)


def _brow_strokes(look: Appearance, paint: FacePaint, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Upright at the inner end, lying along the arch further out."""
    scale = STROKES_PX / MAP_CM
    count = int(260 + 420 * look.brow_density * look.brow_thickness_cm)
    along = rng.uniform(-0.03, 1.0, count) ** 1.0
    k = np.clip(along * 23, 0, 22.99)
    low = k.astype(int)
    centre = paint.brow_line[low] + (k - low)[:, None] * (paint.brow_line[low + 1] - paint.brow_line[low])
    tangent = paint.brow_line[np.minimum(low + 2, 23)] - paint.brow_line[np.maximum(low - 1, 0)]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    profile = np.clip(1.15 - 0.85 * along, 0.2, 1) * np.clip((along + 0.1) * 6, 0.45, 1)
    offset = rng.uniform(-0.5, 0.5, count) * look.brow_thickness_cm * profile
    roots = centre * STROKES_PX + across * (offset * scale)[:, None]
    roots[:, 1] += look.brow_lift_cm * scale
    lean = np.clip(1.25 - 2.2 * along, -0.35, 1.25) - 0.6 * offset / look.brow_thickness_cm + rng.normal(0, 0.16, count)
    direction = tangent * np.cos(lean)[:, None] + across * np.sin(lean)[:, None]
    tips = roots + direction * (rng.uniform(0.25, 0.55, count) * scale)[:, None]
    # The other brow is no exact mirror: its own hairs are drawn by reversing the order.
    keep = rng.random(count) < 0.93
    mirror = np.array([-1.0, 1.0])
    shift = np.array([float(STROKES_PX), 0.0])
    return (
        np.concatenate([roots, roots[keep] * mirror + shift]).astype(np.float32),
        np.concatenate([tips, tips[keep] * mirror + shift]).astype(np.float32),
    )


def _beard_areas(rig: Rig, lips: Floats) -> dict[str, Floats]:
    """Where moustache, chin beard and cheek beard grow: masks (512, 512)."""
    outlines = {
        "moustache": [(0, -1.35), (1.3, -1.45), (2.3, -2.3), (2.95, -3.4), (2.75, -3.9), (2.2, -3.3), (0, -2.6)],
        "chin": [(0, -4.6), (1.1, -4.85), (2.2, -3.9), (2.9, -3.7), (3.1, -5.2), (2.6, -7.2), (0, -8.3)],
        "cheeks": [
            (3.1, -3.4),
            (4.6, -2.2),
            (6.0, -0.6),
            (6.6, 1.6),
            (7.2, 2.2),
            (7.2, -1.0),
            (6.3, -4.6),
            (4.4, -6.6),
            (2.4, -7.6),
            (2.6, -5.0),
        ],
    }
    areas = {}
    for name, points in outlines.items():
        side = frontal_to_map(rig, points)
        mirrored = np.column_stack([1 - side[:, 0], side[:, 1]])
        mask = np.maximum(polygon_mask(side, SKIN_PX, 3.5), polygon_mask(mirrored, SKIN_PX, 3.5))
        areas[name] = mask * (1 - lips)
    return areas


def _beard_area(look: Appearance, paint: FacePaint) -> Floats:
    parts = {
        "none": (),
        "moustache": ("moustache",),
        "goatee": ("moustache", "chin"),
        "stubble": ("moustache", "chin", "cheeks"),
        "full": ("moustache", "chin", "cheeks"),
    }[look.beard]
    areas = [paint.beard_areas[name] for name in parts]
    return np.maximum.reduce(areas) if areas else np.zeros((SKIN_PX, SKIN_PX), np.float32)


def _beard_strokes(look: Appearance, paint: FacePaint, rng: np.random.Generator) -> tuple[Floats, Floats]:
    empty = np.zeros((0, 2), np.float32)
    if look.beard == "none":
        return empty, empty
    area = _beard_area(look, paint)
    weight = np.cumsum(area.ravel(), dtype=np.float64)
    count = int(weight[-1] * (0.10 if look.beard == "stubble" else 0.11) * (0.5 + look.beard_density))
    cell = np.searchsorted(weight, rng.uniform(0, weight[-1], count))
    ratio = STROKES_PX / SKIN_PX
    roots = (np.stack([cell % SKIN_PX, cell // SKIN_PX], axis=1) + rng.random((count, 2))) * ratio
    length_cm = 0.06 if look.beard == "stubble" else rng.uniform(0.3, 0.7, count)
    turn = rng.normal(0, 0.35, count) + 0.9 * np.sign(roots[:, 0] - STROKES_PX / 2) * (roots[:, 1] / STROKES_PX > 0.36)
    direction = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    tips = roots + direction * (np.asarray(length_cm) * STROKES_PX / MAP_CM).reshape(-1, 1)
    return roots.astype(np.float32), tips.astype(np.float32)
