"""Hair as ribbons that grow out of the scalp, lean with the style and fall by gravity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.synth.accessories import hat_edge_cm
from aucli.synth.appearance import Appearance, HairStyle
from aucli.synth.facemap import scalp_height
from aucli.synth.rig import FACEKIT_RANGES, Rig

Floats = npt.NDArray[np.floating[Any]]
Int32 = npt.NDArray[np.int32]

_SEGMENTS: Final = 9


@dataclass(frozen=True, eq=False)
class Ribbons:
    """Strips of hair, two vertices across.

    Attributes:
        positions, normals, tangents: (N, 3) float32 in head space.
        strand: (N, 3) float32: across (0 or 1), along (0 at the root, 1 at the tip), seed of the ribbon.
        triangles: (T, 3) int32.
    """

    positions: Floats
    normals: Floats
    tangents: Floats
    strand: Floats
    triangles: Int32

    @property
    def empty(self) -> bool:
        """Whether there is no hair to draw."""
        return len(self.triangles) == 0


@dataclass(frozen=True)
class _Style:
    """Ribbons per head, length and width (cm), lift off the scalp, pull of gravity, curl, and the way it is combed.

    `hanging` hair falls beside face and neck; `knotted` hair is drawn to a knot at the back of the head.
    """

    count: int
    length_cm: tuple[float, float]
    width_cm: float
    lift: float
    gravity: float
    curl: float
    comb: tuple[float, float, float]  # sideways away from the parting, backwards, down
    hanging: bool = False
    knotted: bool = False


_STYLES: Final[dict[HairStyle, _Style]] = {
    "short": _Style(850, (1.2, 2.8), 0.75, 0.22, 0.05, 0.10, (0.45, 0.75, 0.35)),
    "swept": _Style(780, (5.0, 8.0), 0.85, 0.20, 0.06, 0.04, (0.5, 1.2, 0.1)),
    "fringe": _Style(800, (4.0, 7.5), 0.85, 0.12, 0.30, 0.05, (0.6, -0.35, 0.5)),
    "bob": _Style(780, (12.0, 18.0), 1.0, 0.10, 0.45, 0.035, (1.1, 0.35, 0.4), hanging=True),
    "long": _Style(780, (22.0, 32.0), 1.15, 0.10, 0.45, 0.05, (1.1, 0.45, 0.4), hanging=True),
    "tied": _Style(750, (8.0, 12.0), 0.95, 0.03, 0.0, 0.02, (0.05, 1.5, 0.05), knotted=True),
    "curly": _Style(1000, (3.5, 6.5), 0.7, 0.9, 0.05, 0.55, (0.3, 0.3, 0.0)),
}


def no_hair() -> Ribbons:
    """The empty case."""
    nothing = np.zeros((0, 3), np.float32)
    return Ribbons(nothing, nothing, nothing, nothing, np.zeros((0, 3), np.int32))


def grow_hair(rig: Rig, head: Floats, look: Appearance) -> Ribbons:
    """Grow one person's hair.

    Args:
        rig: gives the scalp's triangles and where the hairline lies.
        head: (V, 3) neutral face of this person, cm.
        look: style, colour, hairline and seed.
    """
    if look.hair not in _STYLES or look.headwear == "scarf":
        return no_hair()
    style = _STYLES[look.hair]
    rng = np.random.default_rng([look.strokes_seed, 3])
    roots, normals = _roots(rig, head, look, style.count, rng)
    if look.headwear in ("beanie", "cap"):
        below = roots[:, 1] < hat_edge_cm(look, np.arctan2(roots[:, 0], roots[:, 2])) + 0.3
        roots, normals = roots[below], normals[below]
    if len(roots) == 0:
        return no_hair()
    return _ribbons(_grow(roots, normals, head, style, rng), head, style, rng)


def _roots(rig: Rig, head: Floats, look: Appearance, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points on the scalp, denser near the hairline where they show: positions and normals, both (N, 3)."""
    last = FACEKIT_RANGES["head_neck"][1]
    triangles = rig.triangles[(rig.triangles < last).all(axis=1)]
    height = scalp_height(rig.neutral)[triangles].mean(axis=1) - look.hairline_cm
    triangles, height = triangles[height > 0.1], height[height > 0.1]
    a, b, c = (head[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    area = np.linalg.norm(normals, axis=1)
    edge = np.exp(-np.maximum(height, 0) / 1.5)
    weight = area * (1 + 2.0 * edge)
    chosen = rng.choice(len(triangles), count, p=weight / weight.sum())
    u, v = np.sqrt(rng.random((1, count))), rng.random((1, count))
    mix = np.stack([1 - u, u * (1 - v), u * v])[..., 0, :]
    roots = sum(mix[k][:, None] * corner[chosen] for k, corner in enumerate((a, b, c)))
    unit = normals[chosen] / np.maximum(area[chosen], 1e-9)[:, None]
    return np.asarray(roots, np.float32), np.asarray(unit, np.float32)


def _grow(roots: Floats, normals: Floats, head: Floats, style: _Style, rng: np.random.Generator) -> Floats:
    """Follow each ribbon from its root in equal steps: (N, segments + 1, 3)."""
    count = len(roots)
    length = rng.uniform(*style.length_cm, count)
    # Hair over the face stays short of the eyes.
    front = (roots[:, 2] > 5.0) & (np.abs(roots[:, 0]) < 5.5)
    if style.comb[1] < 0:
        length = np.where(front, np.minimum(length, roots[:, 1] - 6.4 + rng.normal(0.6, 0.5, count)), length)
    # At the nape and behind the ears, hair that is not long is cut short and lies down.
    nape = (roots[:, 1] < 2.5) & (roots[:, 2] < 3.0) & (not style.hanging)
    length = np.where(nape, np.minimum(length, 1.6), length)
    centre, radii = _skull(head)
    if style.comb[1] < 0:
        # What is combed forward lies on the forehead, which stands out from the ellipsoid.
        radii = radii + np.array([0.0, 0.0, 0.6], np.float32)
    knot = centre + radii * np.array([0.0, 0.15, -1.05], np.float32)
    if style.knotted:
        length = np.where(nape, length, 1.25 * np.linalg.norm(knot - roots, axis=1))
    step = np.maximum(length, 0.5)[:, None] / _SEGMENTS
    parting = rng.uniform(-2.5, 2.5)
    sideways, back, down = style.comb
    away = np.tanh((roots[:, 0] - parting) / 1.2)
    comb = np.stack([sideways * away, np.full(count, -down), np.full(count, -back)], axis=1)
    if style.hanging:
        # Long hair is combed away from the face.
        comb += np.clip((roots[:, 2:] - 2.0) / 5.0, 0, 1) * np.array([0, -0.1, -0.9])
    comb = np.where(nape[:, None], np.array([0.0, -1.0, -0.15]), comb)
    comb += 0.10 * rng.normal(0, 1, (count, 3))
    direction = _unit(np.where(nape[:, None], 0.15, style.lift) * normals + comb)
    points = [roots - 0.15 * normals]
    curl = rng.normal(0, 1, (count, 3))
    growing = np.ones((count, 1), bool)
    for k in range(_SEGMENTS):
        curl = 0.6 * curl + 0.8 * rng.normal(0, 1, (count, 3))
        if style.knotted:
            direction = np.where(nape[:, None], direction, _unit(direction + 1.5 * _unit(knot - points[-1])))
        if style.hanging:
            # Below the widest part of the skull it falls straight down.
            direction = direction * np.where(points[-1][:, 1:2] < 4.0, np.array([0.55, 1.0, 0.55]), 1.0)
        direction = _hugging(direction, points[-1], centre, radii, style)
        along = direction + np.array([0, -style.gravity, 0]) * (0.6 + 0.12 * k) + style.curl * curl
        direction = _unit(along)
        reached = points[-1] + step * direction
        grown = _outside(reached, centre, radii, roots)
        # Hair that would hang over the face, or bend around it, ends there.
        growing &= ~_over_face(grown) & (np.abs(grown[:, :1] - reached[:, :1]) < 0.8)
        points.append(np.where(growing, grown, points[-1]))
        direction = np.where(growing, _unit(points[-1] - points[-2]), direction)
    curves = np.stack(points, axis=1).astype(np.float32)
    # Long hair does not end on a cheek in a stump.
    return curves[growing[:, 0]] if style.hanging else curves


def _hugging(direction: Floats, points: Floats, centre: Floats, radii: Floats, style: _Style) -> Floats:
    """Bend hair that rises off the skull along it: smooth hair lies close, curly hair stands."""
    normal = _unit((points - centre) / radii**2)
    rise = np.maximum((direction * normal).sum(axis=1, keepdims=True), 0)
    near = points[:, 1:2] > (3.0 if style.hanging else -2.0)
    return np.asarray(direction - np.clip(1.0 - style.lift, 0, 1) * near * rise * normal)


def _skull(head: Floats) -> tuple[Floats, Floats]:
    """Centre and radii of an ellipsoid about the skull, from this person's own head."""
    first, last = FACEKIT_RANGES["head_neck"]
    scalp = np.concatenate([head[: FACEKIT_RANGES["face"][1]], head[first:last]])
    upper = scalp[scalp[:, 1] > 5.0]
    low, high = upper.min(axis=0), upper.max(axis=0)
    centre = np.array([0.0, 4.0, 0.5 * (low[2] + high[2])], np.float32)
    radii = np.array([0.5 * (high[0] - low[0]), high[1] - 4.0, 0.5 * (high[2] - low[2])], np.float32)
    return centre, radii + 0.1


def _outside(points: Floats, centre: Floats, radii: Floats, roots: Floats) -> Floats:
    """Push points out of the skull, and hanging hair out of neck and face."""
    local = (points - centre) / radii
    distance = np.linalg.norm(local, axis=1, keepdims=True)
    points = np.where(distance < 1, centre + local / np.maximum(distance, 1e-6) * radii, points)
    hanging = points[:, 1] < 2.5
    # Below the temples, hair hangs beside the face: in front of the ears it keeps the width of the head.
    width = np.where(points[:, 2] > -1.0, radii[0] + 0.25, 0.0)
    sign = np.where(roots[:, 0] >= 0, 1.0, -1.0)
    beside = (np.abs(points[:, 0]) < width) & (np.abs(points[:, 0]) > width - 2.5)
    x = np.where(hanging & beside, sign * width, points[:, 0])
    return np.stack([x, points[:, 1], points[:, 2]], axis=1).astype(np.float32)


def _over_face(points: Floats) -> npt.NDArray[np.bool_]:
    """Which points lie before the face: (N, 1)."""
    inside = (np.abs(points[:, :1]) < 6.6 - 0.35 * np.maximum(points[:, 1:2] - 5.0, 0)) & (points[:, 2:] > 1.0)
    return np.asarray(inside & (points[:, 1:2] < 7.6))


def _ribbons(curves: Floats, head: Floats, style: _Style, rng: np.random.Generator) -> Ribbons:
    count, knots = curves.shape[:2]
    centre, _ = _skull(head)
    tangents = np.gradient(curves, axis=1)
    tangents = _unit(tangents)
    outward = curves - np.array([0.0, 0.0, centre[2]]) - np.array([0, 1.0, 0]) * np.minimum(curves[..., 1:2], 5.0)
    outward = _unit(outward - (outward * tangents).sum(axis=-1, keepdims=True) * tangents)
    across: Floats = np.cross(tangents, outward)
    tilt = rng.normal(0, 0.45, (count, 1, 1))
    across = across * np.cos(tilt) + outward * np.sin(tilt)
    width = style.width_cm * rng.uniform(0.7, 1.4, (count, 1, 1)) * np.linspace(1.0, 0.55, knots)[None, :, None]
    both = np.stack([curves - 0.5 * width * across, curves + 0.5 * width * across], axis=2)
    strand = np.zeros((count, knots, 2, 3), np.float32)
    strand[..., 1, 0] = 1
    strand[..., 1] = np.linspace(0, 1, knots)[None, :, None]
    strand[..., 2] = rng.random((count, 1, 1))
    first = (np.arange(count)[:, None] * knots + np.arange(knots - 1)[None]) * 2
    first = first.reshape(-1, 1)
    triangles = np.concatenate([first + np.array(corners) for corners in ((0, 1, 2), (2, 1, 3))])
    twice = np.repeat
    return Ribbons(
        positions=both.reshape(-1, 3).astype(np.float32),
        normals=twice(outward.reshape(-1, 3), 2, axis=0).astype(np.float32),
        tangents=twice(tangents.reshape(-1, 3), 2, axis=0).astype(np.float32),
        strand=strand.reshape(-1, 3),
        triangles=triangles.astype(np.int32),
    )


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)
