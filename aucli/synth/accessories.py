"""Clothes, hats and glasses: simple shapes fitted to one person's head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.synth.appearance import Appearance, Rgb
from aucli.synth.mesh import Topology
from aucli.synth.rig import FACEKIT_RANGES

Floats = npt.NDArray[np.floating[Any]]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Solid:
    """An opaque mesh coloured by vertex.

    Attributes:
        positions, normals: (N, 3) float32, cm.
        rgb: (N, 3) float32 linear albedo.
        finish: (N, 2) float32: roughness, and how much weave cloth shows.
        triangles: (T, 3) int32.
    """

    positions: Floats
    normals: Floats
    rgb: Floats
    finish: Floats
    triangles: Int32

    @classmethod
    def of(cls, positions: Floats, triangles: Int32, rgb: Rgb | Floats, *, roughness: float, weave: float) -> Solid:
        """A mesh with its normals, one colour (or one per vertex) and one finish."""
        positions = np.asarray(positions, np.float32)
        colours = np.broadcast_to(np.asarray(rgb, np.float32), positions.shape)
        finish = np.broadcast_to(np.array([roughness, weave], np.float32), (len(positions), 2))
        normals = Topology(triangles, len(positions)).normals(positions)
        return cls(positions, normals, np.ascontiguousarray(colours), np.ascontiguousarray(finish), triangles)

    @classmethod
    def joined(cls, parts: list[Solid]) -> Solid:
        """One mesh out of several; none gives an empty mesh."""
        if not parts:
            empty = np.zeros((0, 3), np.float32)
            return cls(empty, empty, empty, np.zeros((0, 2), np.float32), np.zeros((0, 3), np.int32))
        starts = np.cumsum([0, *(len(part.positions) for part in parts[:-1])])
        return cls(
            positions=np.concatenate([part.positions for part in parts]),
            normals=np.concatenate([part.normals for part in parts]),
            rgb=np.concatenate([part.rgb for part in parts]),
            finish=np.concatenate([part.finish for part in parts]),
            triangles=np.concatenate([p.triangles + int(s) for p, s in zip(parts, starts, strict=True)]),
        )


@dataclass(frozen=True, eq=False)
class Veil:
    """A see-through mesh: positions and normals (N, 3), rgba (N, 4) float32, triangles (T, 3) int32.

    A normal of length zero means: no reflection (lashes).
    """

    positions: Floats
    normals: Floats
    rgba: Floats
    triangles: Int32

    @property
    def hides(self) -> bool:
        """Whether it is so dark that what lies behind counts as hidden."""
        return bool(len(self.rgba)) and float(self.rgba[:, 3].mean()) > 0.5


@dataclass(frozen=True, eq=False)
class _Rings:
    """A body of level rings, superellipses about x = 0: heights, half widths, half depths and middles in z (R,), cm."""

    heights: Floats
    half_widths: Floats
    half_depths: Floats
    middles_z: Floats

    def points(self, angles: Floats) -> Floats:
        """Rings x angles: (R, A, 3); the angle runs from +x to +z."""
        c, s = np.cos(angles), np.sin(angles)
        x, z = (np.sign(value) * np.abs(value) ** (2 / 2.5) for value in (c, s))
        y = np.repeat(self.heights[:, None], len(angles), axis=1)
        return np.stack([self.half_widths[:, None] * x, y, self.half_depths[:, None] * z + self.middles_z[:, None]], -1)


def clothes(look: Appearance, head: Floats) -> Solid:
    """What stays where it is when the head turns: a shirt, and the part of a headscarf that lies on the shoulders."""
    rings = _torso_rings(head)
    parts = [_shirt(look, rings)]
    if look.headwear == "scarf":
        parts.append(_drape(look, rings))
    return Solid.joined(parts)


def _torso_rings(head: Floats) -> _Rings:
    """Neck opening, shoulders and chest, wide enough for this person's shoulders."""
    heights = np.array([-10.8, -11.6, -12.6, -13.8, -15.4, -17.5, -20.5, -24.0, -32.0, -42.0])
    half_width = np.array([7.0, 8.6, 11.2, 13.6, 15.6, 17.4, 18.8, 19.6, 20.0, 20.0])
    half_depth = np.array([6.9, 7.4, 8.2, 8.9, 9.4, 9.8, 10.6, 11.4, 12.0, 12.0])
    centre_z = np.array([-0.6, -0.9, -1.3, -1.5, -1.5, -1.3, -0.9, -0.5, 0.0, 0.0])
    below = head[head[:, 1] < -9.5]
    for ring, height in enumerate(heights):
        near = below[np.abs(below[:, 1] - height) < 0.9]
        if len(near):
            half_width[ring] = max(half_width[ring], float(np.abs(near[:, 0]).max()) + 0.5)
            half_depth[ring] = max(half_depth[ring], float(np.abs(near[:, 2] - centre_z[ring]).max()) + 0.5)
    return _Rings(heights, np.maximum.accumulate(half_width), np.maximum.accumulate(half_depth), centre_z)


def _shirt(look: Appearance, torso: _Rings) -> Solid:
    angles = np.linspace(0, 2 * np.pi, 49)
    rings = torso.points(angles)
    # The collar dips in front.
    collar_cm = float(np.random.default_rng([look.strokes_seed, 6]).uniform(1.0, 6.5))
    rings[:3, :, 1] -= collar_cm * np.clip(np.sin(angles), 0, 1) ** 2 * np.array([1.0, 0.8, 0.4])[:, None]
    colour = np.broadcast_to(np.array(look.clothes_rgb, np.float32), (*rings.shape[:2], 3)).copy()
    if look.clothes_stripes:
        colour[4::2] = look.clothes_stripe_rgb
    return Solid.of(rings.reshape(-1, 3), _grid(*rings.shape[:2]), colour.reshape(-1, 3), roughness=0.8, weave=1.0)


def headwear(look: Appearance, head: Floats, landmarks: Floats) -> Solid:
    """Beanie, cap or headscarf on this person's head (V, 3) with its landmarks (68, 3); none gives an empty mesh."""
    if look.headwear == "none":
        return Solid.joined([])
    if look.headwear == "scarf":
        return _hood(look, head, landmarks)
    upper = head[(head[:, 1] > 6.0)]
    low, high = upper.min(axis=0), upper.max(axis=0)
    centre = np.array([0.0, 4.5, 0.5 * (low[2] + high[2])])
    radii = np.array([0.5 * (high[0] - low[0]), high[1] - 4.5, 0.5 * (high[2] - low[2])])
    radii = radii + (1.3 if look.headwear == "beanie" else 1.0)
    dome = _dome(look, centre, radii)
    parts = [Solid.of(dome.reshape(-1, 3), _grid(*dome.shape[:2]), look.headwear_rgb, roughness=0.85, weave=0.9)]
    if look.headwear == "cap":
        parts.append(_visor(look, centre, radii, float(hat_edge_cm(look, np.zeros(1))[0])))
    return Solid.joined(parts)


def hat_edge_cm(look: Appearance, angle: Floats) -> Floats:
    """Height of the edge of a beanie or cap, by the angle about the vertical, 0 in front: it drops towards the back."""
    edge = np.random.default_rng([look.strokes_seed, 4]).uniform(7.6, 9.2)
    return np.asarray(edge - (4.6 if look.headwear == "beanie" else 2.6) * (0.5 - 0.5 * np.cos(angle)))


def _dome(look: Appearance, centre: Floats, radii: Floats) -> Floats:
    """Upper part of an ellipsoid, open below, full at the sides as knitted hats are: rings (12, 41, 3)."""
    angle = np.linspace(0, 2 * np.pi, 41)
    bottom = np.clip((hat_edge_cm(look, angle) - centre[1]) / radii[1], -0.6, 0.95)
    share = np.linspace(0, 1, 12)[:, None]
    latitude = np.arcsin(bottom)[None] * (1 - share) + 0.5 * np.pi * share
    ring = np.clip(np.cos(latitude), 0, 1) ** 0.8
    y = centre[1] + radii[1] * np.sin(latitude)
    return np.stack(
        [centre[0] + radii[0] * ring * np.sin(angle), y, centre[2] + radii[2] * ring * np.cos(angle)], axis=-1
    )


def _visor(look: Appearance, centre: Floats, radii: Floats, edge_y: float) -> Solid:
    angle = np.linspace(-1.15, 1.15, 21)
    reach = (
        np.linspace(0.96, 1.0, 2)[:, None] * np.ones(21)
        + np.array([[0.0], [1.0]]) * 0.52 * np.cos(angle / 1.15 * 0.5 * np.pi) ** 0.7
    )
    flat = np.sqrt(max(1 - ((edge_y - centre[1]) / radii[1]) ** 2, 0.1))
    x = centre[0] + radii[0] * flat * reach * np.sin(angle)
    z = centre[2] + radii[2] * flat * reach * np.cos(angle)
    y = np.full_like(x, edge_y + 0.3) - 0.05 * x**2 * np.array([[0.3], [0.45]]) - np.array([[0.0], [0.4]])
    grid = np.stack([x, y, z], axis=-1)
    return Solid.of(grid.reshape(-1, 3), _grid(2, 21), look.headwear_rgb, roughness=0.7, weave=0.6)


def _hood(look: Appearance, head: Floats, landmarks: Floats) -> Solid:
    """The part of a headscarf that turns with the head: a shell a little outside it, open for the face.

    Rows run from the edge of the opening around to the back of the head, on rays from the middle of the head; a ray
    ends beyond the farthest vertex near it, so that nothing of the head sticks out.
    """
    middle = np.array([0.0, 1.0, 1.0])
    edge = _opening(look, head, landmarks) - middle
    reach = np.linalg.norm(edge, axis=1)
    start, around = np.arccos(edge[:, 2] / reach), np.arctan2(edge[:, 1], edge[:, 0])
    turn = start + np.linspace(0, 1, 18)[:, None] * (np.pi - start)
    rays = np.stack([np.sin(turn) * np.cos(around), np.sin(turn) * np.sin(around), np.cos(turn)], axis=-1)
    vertices = head[: FACEKIT_RANGES["head_neck"][1] : 2] - middle
    vertices = vertices[vertices[:, 1] > -11.2]
    distance = np.linalg.norm(vertices, axis=1)
    near = rays.reshape(-1, 3) @ (vertices / distance[:, None]).T > np.cos(0.17)
    hull = np.where(near, distance, 9.0).max(axis=1).reshape(turn.shape)
    radius = 0.45 + np.maximum(hull, _smoothed(hull))
    radius = _smoothed(radius)
    radius[0] = reach + 0.1
    return Solid.of(
        (middle + radius[..., None] * rays).reshape(-1, 3),
        _grid(*turn.shape),
        look.headwear_rgb,
        roughness=0.8,
        weave=1.0,
    )


def _opening(look: Appearance, head: Floats, landmarks: Floats) -> Floats:
    """Where a headscarf's edge lies on the skin, from the forehead to below the chin: a closed line (65, 3)."""
    rng = np.random.default_rng([look.strokes_seed, 4])
    top = landmarks[17:27, 1].max() + rng.uniform(1.6, 3.2)
    bottom = landmarks[8, 1] - 0.3
    half_width = 0.5 * float(np.ptp(landmarks[:17, 0])) * rng.uniform(0.78, 0.88)
    angle = np.linspace(0, 2 * np.pi, 65)
    x = half_width * np.cos(angle) * (1 - 0.12 * np.clip(-np.sin(angle), 0, 1))
    y = 0.5 * (top + bottom) + 0.5 * (top - bottom) * np.sin(angle)
    front = head[slice(*FACEKIT_RANGES["face"])]
    front = front[front[:, 2] > 1.0]
    distance = (front[None, :, 0] - x[:, None]) ** 2 + (front[None, :, 1] - y[:, None]) ** 2
    near = distance < 0.15 + distance.min(axis=1, keepdims=True)
    return np.stack([x, y, np.where(near, front[None, :, 2], -np.inf).max(axis=1)], axis=1)


def _smoothed(rows: Floats) -> Floats:
    """Mean of each value of a grid with its neighbours; columns close in a ring whose first is its last."""
    ring = rows[:, :-1]
    ring = 0.5 * ring + 0.25 * (np.roll(ring, 1, axis=1) + np.roll(ring, -1, axis=1))
    padded = np.concatenate([ring[:1], ring, ring[-1:]])
    ring = 0.5 * ring + 0.25 * (padded[:-2] + padded[2:])
    return np.concatenate([ring, ring[:, :1]], axis=1)


def _drape(look: Appearance, torso: _Rings) -> Solid:
    """The part of a headscarf that lies about the neck and on the shoulders."""
    # From inside the hood, down the neck, and in a curve to the shoulders; heights, half widths, half depths, middles.
    share = np.array([0.0, 0.02, 0.08, 0.4])[:, None]
    neck = np.array([-7.6, 6.2, 6.6, 0.2]) + share * [0, torso.half_widths[0] - 5.4, torso.half_depths[0] - 5.8, -1.0]
    neck[:, 0] = (-7.6, -8.4, -9.3, -10.2)
    shoulders = np.stack(
        [torso.heights + 0.4, torso.half_widths + 0.8, torso.half_depths + 0.9, torso.middles_z], axis=1
    )
    grid = _Rings(*np.concatenate([neck, shoulders[:8]]).T).points(np.linspace(0, 2 * np.pi, 65))
    return Solid.of(grid.reshape(-1, 3), _grid(*grid.shape[:2]), look.headwear_rgb, roughness=0.8, weave=1.0)


def glasses(look: Appearance, landmarks: Floats) -> tuple[Solid, Veil | None]:
    """Frames and lenses before this person's eyes.

    Args:
        look: kind, colour and tint.
        landmarks: (68, 3) landmarks of the neutral face.
    """
    if look.glasses == "none":
        return Solid.joined([]), None
    rng = np.random.default_rng([look.strokes_seed, 5])
    eyes = np.stack([landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)])
    bridge = landmarks[27] + np.array([0, -0.5, 0.25])
    power = {"round": 2.0, "square": 4.5, "aviator": 2.6, "sunglasses": 3.4}[look.glasses]
    height = {"round": 2.1, "square": 1.7, "aviator": 2.3, "sunglasses": 2.2}[look.glasses] * rng.uniform(0.9, 1.1)
    width = {"round": 2.25, "square": 2.65, "aviator": 2.7, "sunglasses": 2.9}[look.glasses] * rng.uniform(0.95, 1.08)
    tube = float(rng.uniform(0.07, 0.16)) if look.glasses != "aviator" else 0.06
    plane_z = max(float(bridge[2]), float(eyes[:, 2].max()) + 1.7)
    frames, lenses = [], []
    for side, eye in ((-1, eyes[0]), (1, eyes[1])):
        rim = _rim(eye, width, height, power, plane_z, side, droop=0.25 if look.glasses == "aviator" else 0.08)
        frames.append(_tube(np.concatenate([rim, rim[:1]]), tube, look.glasses_rgb))
        lenses.append(rim)
        hinge = rim[np.argmax(side * rim[:, 0])] + np.array([0, 0.6, 0])
        ear = np.array(
            [side * abs(landmarks[0 if side < 0 else 16, 0]) * 1.04, landmarks[0, 1] + 0.6, landmarks[0, 2] - 3.5]
        )
        frames.append(_tube(np.stack([hinge, 0.5 * (hinge + ear) + [side * 0.25, 0, 0], ear]), tube, look.glasses_rgb))
    inner = [
        rim[np.argmax(-side * rim[:, 0])] + np.array([0, 0.35, 0]) for side, rim in ((-1, lenses[0]), (1, lenses[1]))
    ]
    middle = 0.5 * (inner[0] + inner[1]) + np.array([0, 0.25, 0.2])
    frames.append(_tube(np.stack([inner[0], middle, inner[1]]), tube, look.glasses_rgb))
    return Solid.joined(frames), _lenses(lenses, look)


def _rim(eye: Floats, width: float, height: float, power: float, z: float, side: int, droop: float) -> Floats:
    angle = np.linspace(0, 2 * np.pi, 33)[:-1]
    c, s = np.cos(angle), np.sin(angle)
    x = eye[0] + side * 0.15 + width * np.sign(c) * np.abs(c) ** (2 / power)
    y = eye[1] - 0.35 + height * np.sign(s) * np.abs(s) ** (2 / power) - droop * height * np.clip(-s, 0, 1) * 0.6
    # The frame wraps a little around the face.
    return np.stack([x, y, z - 0.028 * x**2 + 0.1], axis=1).astype(np.float32)


def _tube(path: Floats, radius: float, rgb: Rgb) -> Solid:
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(tangent[:, 1:2]) < 0.9, np.array([[0, 1.0, 0]]), np.array([[1.0, 0, 0]]))
    u = np.cross(tangent, helper)
    u /= np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-9)
    v = np.cross(tangent, u)
    turn = np.linspace(0, 2 * np.pi, 7)
    ring = np.cos(turn)[None, :, None] * u[:, None] + np.sin(turn)[None, :, None] * v[:, None]
    points = path[:, None] + radius * ring
    return Solid.of(points.reshape(-1, 3), _grid(len(path), 7), rgb, roughness=0.3, weave=0.0)


def _lenses(rims: list[Floats], look: Appearance) -> Veil:
    positions, triangles = [], []
    for number, rim in enumerate(rims):
        count = len(rim)
        positions.append(np.concatenate([rim.mean(axis=0, keepdims=True) + np.array([[0, 0, 0.12]]), rim]))
        k = np.arange(count)
        triangles.append(np.stack([np.zeros(count, int), k + 1, (k + 1) % count + 1], axis=1) + number * (count + 1))
    points = np.concatenate(positions).astype(np.float32)
    faces = np.concatenate(triangles).astype(np.int32)
    tint = np.array([0.004, 0.004, 0.005] if look.glasses == "sunglasses" else [0.3, 0.3, 0.3])
    rgba = np.broadcast_to(np.append(tint, look.lens_tint).astype(np.float32), (len(points), 4))
    return Veil(points, Topology(faces, len(points)).normals(points), np.ascontiguousarray(rgba), faces)


def _grid(rows: int, columns: int) -> Int32:
    """Triangles of a (rows, columns) grid of vertices."""
    r, c = np.mgrid[: rows - 1, : columns - 1].reshape(2, -1)
    first = r * columns + c
    quads = np.stack([first, first + columns, first + columns + 1, first + 1], axis=1)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
