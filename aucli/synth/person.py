"""One rendered person: face, paint, hair and clothes, made once; then posed for every picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import RigError
from aucli.synth.accessories import Solid, Veil, clothes, glasses, headwear
from aucli.synth.appearance import Appearance
from aucli.synth.facemap import map_coordinates, scalp_height
from aucli.synth.hair import Ribbons, grow_hair
from aucli.synth.mesh import Topology
from aucli.synth.rig import FACEKIT_RANGES, FACEKIT_VERTICES, Rig
from aucli.synth.skin import FacePaint, paint_skin, paint_strokes

Float32 = npt.NDArray[np.float32]

PARTS: Final = {"skin": 0, "mucosa": 1, "gums": 2, "teeth": 3, "eye_left": 4, "eye_right": 5}
_LASHES: Final = "M_EyeLashes"
INNER_LIPS: Final = ((61, 67), (62, 66), (63, 65))
# Distance of the inner lips' vertices, which lie a little behind the seam, when no gap can be seen.
_LIPS_MEET_CM: Final = 0.0
_NECK_PIVOT: Final = np.array([0.0, -5.0, 0.5], np.float32)


class Body:
    """What all people of a rig share: triangles to draw, parts, map coordinates, masks.

    Raises:
        RigError: if the rig is not FaceKit's mesh, on which masks and parts rely.
    """

    def __init__(self, rig: Rig) -> None:
        if not rig.is_facekit:
            raise RigError(
                f"the rig has {len(rig.neutral)} vertices; rendering needs FaceKit Light's {FACEKIT_VERTICES}, "
                "in the order of its present release"
            )
        if _LASHES not in rig.materials:
            raise RigError(f"the rig has no material {_LASHES}; it has {', '.join(rig.materials)}")
        self.rig = rig
        self.paint = FacePaint.of(rig)
        part = np.full(FACEKIT_VERTICES, -1, np.int32)
        for name, first_last in (
            ("skin", FACEKIT_RANGES["face"]),
            ("skin", FACEKIT_RANGES["head_neck"]),
            ("mucosa", FACEKIT_RANGES["mouth_socket"]),
            ("skin", FACEKIT_RANGES["eye_sockets"]),
            ("gums", FACEKIT_RANGES["gums_tongue"]),
            ("teeth", FACEKIT_RANGES["teeth"]),
            ("eye_left", FACEKIT_RANGES["sclera_left"]),
            ("eye_right", FACEKIT_RANGES["sclera_right"]),
        ):
            part[slice(*first_last)] = PARTS[name]
        drawn = (part[rig.triangles] >= 0).all(axis=1)
        self.part = part
        self.topology = Topology(rig.triangles[drawn], FACEKIT_VERTICES)
        face = (rig.triangles < FACEKIT_RANGES["face"][1]).all(axis=1)
        self.face_topology = Topology(rig.triangles[face], FACEKIT_VERTICES)
        self.map_coordinates = map_coordinates(rig.neutral)
        self.scalp_height = scalp_height(rig.neutral)
        self.lids = tuple(_moved_by(rig, f"eyeBlink_{side}") for side in ("L", "R"))
        self.neck_weight = _smoothstep(-14.5, -8.0, rig.neutral[:, 1] + 0.3 * np.clip(rig.neutral[:, 2] - 3, 0, 8))

    @cached_property
    def lashes(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Float32]:
        """Eyelashes: their vertices (N,), triangles (T, 3) into those, and how opaque each vertex is (N,) in [0, 1].

        FaceKit gives each lid three layers, in six bands of v: the upper lid's first, roots at the upper edge of a
        band. One layer of each lid is drawn, for all of them would paint a bar.
        """
        rig = self.rig
        chosen = rig.triangle_material == rig.materials.index(_LASHES)
        triangles, v = rig.triangles[chosen], rig.uv[rig.uv_triangles[chosen], 1]
        opacity = np.zeros(FACEKIT_VERTICES, np.float32)
        kept = []
        for low, high, strength in ((0.835, 1.0, 1.0), (0.335, 0.5, 0.3)):
            inside = ((v > low) & (v < high)).all(axis=1)
            band = v[inside]
            kept.append(triangles[inside])
            opacity[triangles[inside].ravel()] = strength * ((band - band.min()) / np.ptp(band)).ravel() ** 1.5
        layers = np.concatenate(kept)
        vertices = np.unique(layers)
        return vertices.astype(np.int32), np.searchsorted(vertices, layers).astype(np.int32), opacity[vertices]


def _moved_by(rig: Rig, shape: str) -> npt.NDArray[np.int64]:
    """Vertices of the face that a shape moves, (N,)."""
    face = rig.expressions[rig.expression_index[shape], : FACEKIT_RANGES["face"][1]]
    return np.flatnonzero(np.abs(face).max(axis=1) > 0.02)


@dataclass(frozen=True, eq=False)
class Person:
    """One person at rest, in head space (cm).

    Attributes:
        eye_centres, eye_radii: (2, 3) and (2,): left, right.
        lid_reach: (2,) activation of the rig's blink at which this person's lids just meet: left, right.
    """

    body: Body
    look: Appearance
    head: Float32
    eye_centres: Float32
    eye_radii: Float32
    lid_reach: Float32
    skin: npt.NDArray[np.uint8]
    strokes: npt.NDArray[np.uint8]
    hair: Ribbons
    on_head: Solid
    clothes: Solid
    lenses: Veil | None

    @classmethod
    def of(cls, body: Body, look: Appearance) -> Person:
        """Shape and paint a person."""
        head = body.rig.identity(np.array(look.identity))
        _close_lips(body, head)
        landmarks = head[body.rig.landmarks68]
        frames, lenses = glasses(look, landmarks)
        spheres = [_sphere(head[slice(*FACEKIT_RANGES[f"sclera_{side}"])]) for side in ("left", "right")]
        centres, radii = np.stack([sphere[0] for sphere in spheres]), np.array([sphere[1] for sphere in spheres])
        _flatten_corneas(head, centres, radii)
        return cls(
            body=body,
            look=look,
            head=head,
            eye_centres=centres.astype(np.float32),
            eye_radii=radii.astype(np.float32),
            lid_reach=_lid_reach(body, head),
            skin=paint_skin(look, body.paint),
            strokes=paint_strokes(look, body.paint),
            hair=grow_hair(body.rig, head, look),
            on_head=Solid.joined([headwear(look, head, landmarks), frames]),
            clothes=clothes(look, head),
            lenses=lenses,
        )


@dataclass(frozen=True, eq=False)
class Posed:
    """A person with an expression and a head pose, in world space (cm).

    Attributes:
        positions, normals: (V, 3) float32.
        hollows: (V,) float32 mean curvature, positive in hollows.
        head_from_rest: (4, 4) float64 rigid motion of the head.
        gaze: (2, 3) unit vectors of the left and right eye.
        eye_centres: (2, 3).
        lids_cm: heights of the upper and lower lid over the eye's centre: left, right, (4,).
        wrinkles_left, wrinkles_right: (16,) how strongly each wrinkle layer shows.
    """

    positions: Float32
    normals: Float32
    hollows: Float32
    head_from_rest: npt.NDArray[np.float64]
    gaze: Float32
    eye_centres: Float32
    lids_cm: Float32
    wrinkles_left: Float32
    wrinkles_right: Float32


def deform(person: Person, weights: dict[str, float], rotation: npt.NDArray[np.float64]) -> Float32:
    """Vertices (V, 3) of a person with weighted rig shapes and a head rotation (3, 3); the neck bends between."""
    positions = person.head + person.body.rig.offsets(_meeting_lids(person, weights))
    _lift_lids(person, positions)
    _sink_eyeballs(person, positions, weights)
    turned = (positions - _NECK_PIVOT) @ rotation.T.astype(np.float32) + _NECK_PIVOT
    share = person.body.neck_weight[:, None]
    return np.asarray(positions + share * (turned - positions), np.float32)


def pose(
    person: Person,
    weights: dict[str, float],
    wrinkles: tuple[Float32, Float32],
    rotation: npt.NDArray[np.float64],
    gaze_rad: tuple[float, float],
) -> Posed:
    """Deform, turn and look.

    Args:
        person: who.
        weights: rig shape -> activation, about 0-1.
        wrinkles: (16,) strengths for the left and right side.
        rotation: (3, 3) of the head in world space.
        gaze_rad: yaw (to the person's left) and pitch (up) of the eyes in the head.
    """
    body = person.body
    positions = deform(person, weights, rotation)
    normals = body.topology.normals(positions)
    rigid = np.eye(4)
    rigid[:3, :3] = rotation
    rigid[:3, 3] = _NECK_PIVOT - rotation @ _NECK_PIVOT
    centres = person.eye_centres @ rotation.T + rigid[:3, 3]
    up = rotation[:, 1]
    lids = []
    for eye, upper, lower in ((0, (43, 44), (46, 47)), (1, (37, 38), (40, 41))):
        for pair in (upper, lower):
            lid = positions[body.rig.landmarks68[list(pair)]].mean(axis=0)
            lids.append(float((lid - centres[eye]) @ up))
    return Posed(
        positions=positions,
        normals=normals,
        hollows=body.face_topology.hollows(positions, normals),
        head_from_rest=rigid,
        gaze=_gaze(gaze_rad, rotation),
        eye_centres=centres.astype(np.float32),
        lids_cm=np.array(lids, np.float32),
        wrinkles_left=wrinkles[0],
        wrinkles_right=wrinkles[1],
    )


def _gaze(gaze_rad: tuple[float, float], rotation: npt.NDArray[np.float64]) -> Float32:
    """Both eyes turn alike and converge a little: (2, 3) unit vectors."""
    yaw, pitch = gaze_rad
    directions = []
    for converge in (-0.025, 0.025):
        angle = yaw + converge
        directions.append([np.sin(angle) * np.cos(pitch), np.sin(pitch), np.cos(angle) * np.cos(pitch)])
    return np.asarray(np.array(directions) @ rotation.T, np.float32)


def _sphere(points: Float32) -> tuple[Float32, float]:
    """Centre (3,) and radius of the least-squares sphere through points."""
    p = points.astype(np.float64)
    solution = np.linalg.lstsq(np.column_stack([2 * p, np.ones(len(p))]), (p**2).sum(axis=1), rcond=None)[0]
    radius = float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))
    return solution[:3].astype(np.float32), radius


def _flatten_corneas(head: Float32, centres: Float32, radii: npt.NDArray[np.float64]) -> None:
    """Pull the eyeballs' bulges back onto a sphere: the iris is painted and turns, the bulge of the rig does not."""
    for side, centre, radius in zip(("left", "right"), centres, radii, strict=True):
        ball = slice(*FACEKIT_RANGES[f"sclera_{side}"])
        away = head[ball] - centre
        distance = np.linalg.norm(away, axis=1, keepdims=True)
        head[ball] = centre + away * np.minimum(1, radius / np.maximum(distance, 1e-6))


def lip_gap_cm(body: Body, points: Float32, up: npt.NDArray[np.floating[Any]]) -> float:
    """How far the inner lips stand apart, cm: mean over three pairs of vertices (V, 3), along the head's up (3,)."""
    pairs = body.rig.landmarks68[np.array(INNER_LIPS)]
    return float(((points[pairs[:, 0]] - points[pairs[:, 1]]) @ up).mean())


def _close_lips(body: Body, head: Float32) -> None:
    """Let the lips of a face at rest meet: the mean face's stand nearly a millimetre apart, some people's three."""
    up = np.array([0.0, 1.0, 0.0])
    closing = body.rig.offsets({"mouthClose": 1.0})
    share = (lip_gap_cm(body, head, up) - _LIPS_MEET_CM) / -lip_gap_cm(body, closing, up)
    head += np.float32(np.clip(share, -0.05, 0.12)) * closing


def _lid_reach(body: Body, head: Float32) -> Float32:
    """Wide eyes need more than the mean face's blink to close, narrow ones less: (2,)."""
    reach = []
    for side, upper, lower in (("L", (43, 44), (47, 46)), ("R", (37, 38), (41, 40))):
        over, under = (body.rig.landmarks68[list(pair)] for pair in (upper, lower))
        closing = body.rig.offsets({f"eyeBlink_{side}": 1.0})
        gap = float(np.mean(head[over, 1] - head[under, 1]))
        closed = float(np.mean(closing[under, 1] - closing[over, 1]))
        reach.append(np.clip(gap / max(closed, 1e-3), 0.6, 1.7))
    return np.array(reach, np.float32)


def _meeting_lids(person: Person, weights: dict[str, float]) -> dict[str, float]:
    """The same weights with the blink scaled to this person's eyes."""
    scaled = dict(weights)
    for side, reach in zip(("L", "R"), person.lid_reach.tolist(), strict=True):
        name = f"eyeBlink_{side}"
        if name in scaled:
            scaled[name] *= reach
    return scaled


def _lift_lids(person: Person, positions: Float32) -> None:
    """Lids slide over the eyeball: push them out of it where the linear blink cuts through."""
    for vertices, centre, radius in zip(person.body.lids, person.eye_centres, person.eye_radii, strict=True):
        away = positions[vertices] - centre
        distance = np.linalg.norm(away, axis=1, keepdims=True)
        positions[vertices] = centre + away * np.maximum(1, (radius + 0.1) / np.maximum(distance, 1e-6))


def _sink_eyeballs(person: Person, positions: Float32, weights: dict[str, float]) -> None:
    """Shrink an eyeball under its closing lid, whose coarse triangles would cut it."""
    for side, short, centre in zip(("left", "right"), ("L", "R"), person.eye_centres, strict=True):
        closed = min(weights.get(f"eyeBlink_{short}", 0.0), 1.0)
        if closed:
            ball = slice(*FACEKIT_RANGES[f"sclera_{side}"])
            positions[ball] = centre + (positions[ball] - centre) * np.float32(1 - 0.09 * closed)


def _smoothstep(low: float, high: float, x: Float32) -> Float32:
    u = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(u * u * (3 - 2 * u), np.float32)
