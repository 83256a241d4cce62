"""A rig made up of formulas: an egg with a nose, eyes and a mouth that opens, in FaceKit's order and with its names.

It lets all of rendering be tested where FaceKit is not at hand, but for what depends on how a real head looks.
FaceKit's parts keep their vertex ranges; of each, the first vertices make the surface and the others repeat them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.synth.rig import FACEKIT_RANGES, FACEKIT_VERTICES, MULTIPIE_68, Rig
from aucli.synth.studio import needed_shapes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EGG_CM: Final = (8.5, 13.2, 10.3)
MOUTH_Y: Final = -3.4
EYE: Final = (3.1, 3.5, 8.0)
EYE_RADIUS: Final = 1.5
IDENTITIES: Final = 100
_HALF_MOUTH: Final = 2.6
_MATERIALS: Final = ("M_Face", "M_Teeth", "M_EyeLashes")


def _mirrored(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Landmarks of the right side from those of the left; Multi-PIE counts from the right ear to the left one."""
    return [(-x, y) for x, y in reversed(points)]


_JAW: Final = ((1.5, -7.3), (3.1, -6.9), (4.3, -6.2), (5.6, -4.5), (6.4, -2.4), (6.7, -0.5), (7.0, 1.5), (7.1, 3.7))
_BROW: Final = ((1.2, 5.9), (2.4, 6.2), (3.7, 6.3), (4.8, 6.0), (5.7, 5.2))
_NOSE: Final = ((0.0, 3.7), (0.0, 2.6), (0.0, 1.6), (0.0, 0.4))
_NOSTRILS: Final = ((-1.3, -1.1), (-0.6, -1.1), (0.0, -1.2), (0.6, -1.1), (1.3, -1.1))
_LEFT_EYE: Final = ((1.8, 3.4), (2.7, 3.9), (3.7, 3.9), (4.5, 3.4), (3.7, 3.1), (2.7, 3.1))
_RIGHT_EYE: Final = ((-4.5, 3.4), (-3.7, 3.9), (-2.7, 3.9), (-1.8, 3.4), (-2.7, 3.1), (-3.7, 3.1))
_UPPER_LIP: Final = ((-2.5, -3.4), (-1.7, -2.8), (-0.7, -2.5), (0.0, -2.6), (0.7, -2.5), (1.7, -2.8), (2.5, -3.4))
_LOWER_LIP: Final = ((1.8, -4.1), (1.0, -4.3), (0.0, -4.4), (-1.0, -4.3), (-1.8, -4.1))
_INNER_UPPER: Final = ((-2.1, -3.4), (-1.1, -3.4), (0.0, -3.4), (1.1, -3.4), (2.1, -3.4))
_INNER_LOWER: Final = ((1.1, -3.4), (0.0, -3.4), (-1.1, -3.4))
_LANDMARKS: Final = (
    *_mirrored(_JAW), (0.0, -7.5), *_JAW, *_mirrored(_BROW), *_BROW,
    *_NOSE, *_NOSTRILS, *_RIGHT_EYE, *_LEFT_EYE, *_UPPER_LIP, *_LOWER_LIP, *_INNER_UPPER, *_INNER_LOWER,
)  # fmt: skip
_ON_LOWER_LIP: Final = frozenset({*range(55, 60), 65, 66, 67})


@dataclass(frozen=True)
class Bump:
    """A soft patch of skin that moves: a Gaussian about a point of the front of the face.

    Attributes:
        x, y: its middle, cm; x on the left side of the face.
        radii: along x and y, cm.
        by: how far the middle moves, cm.
        lip: ``upper`` or ``lower`` for skin on that side of the mouth only.
        above, below: y between which skin moves.
    """

    x: float
    y: float
    radii: tuple[float, float]
    by: tuple[float, float, float]
    lip: str = ""
    above: float = -99.0
    below: float = 99.0


# Moved on the left side under the name with _L, mirrored under _R.
_SIDED: Final[dict[str, tuple[Bump, ...]]] = {
    "browInnerUp": (Bump(1.4, 6.2, (1.3, 1.4), (0.0, 0.6, 0.0)),),
    "browOuterUp": (Bump(4.6, 6.0, (1.3, 1.4), (0.0, 0.7, 0.0)),),
    "browDown": (Bump(2.2, 6.0, (1.6, 1.3), (-0.15, -0.6, 0.0)),),
    "eyeBlink": (Bump(3.1, 4.0, (1.6, 0.6), (0.0, -0.85, 0.0), above=3.45),),
    "eyeWide": (Bump(3.1, 4.1, (1.4, 0.6), (0.0, 0.4, 0.0), above=3.45),),
    "eyeSquint": (Bump(3.1, 2.9, (1.4, 0.7), (0.0, 0.3, 0.0), below=3.3),),
    "cheekSquint": (Bump(3.4, 1.3, (1.5, 1.2), (0.0, 0.6, 0.0)),),
    "cheekRaiser": (Bump(3.5, 1.0, (1.5, 1.2), (0.0, 0.4, 0.2)),),
    "noseSneer": (Bump(1.0, 0.6, (0.9, 1.2), (0.0, 0.6, 0.0)),),
    "mouthUpperUp": (Bump(1.1, -2.9, (1.2, 1.2), (0.0, 0.6, 0.0), "upper"),),
    "mouthLowerDown": (Bump(1.1, -3.9, (1.2, 1.2), (0.0, -0.8, 0.0), "lower"),),
    "mouthSmile": (Bump(2.6, -3.4, (1.2, 1.3), (0.7, 0.9, 0.0)),),
    "mouthFrown": (Bump(2.6, -3.4, (1.2, 1.2), (0.0, -0.7, 0.0)),),
    "mouthDimple": (Bump(2.7, -3.4, (1.1, 1.2), (0.6, 0.0, -0.1)),),
    "mouthStretch": (Bump(2.8, -3.6, (1.2, 1.3), (0.7, -0.1, 0.0)),),
    "mouthPress": (
        Bump(1.0, -2.3, (1.4, 0.5), (0.0, -0.6, 0.0), "upper"),
        Bump(1.0, -4.5, (1.4, 0.5), (0.0, 0.6, 0.0), "lower"),
    ),
}
# Moved on both sides at once.
_WHOLE: Final[dict[str, tuple[Bump, ...]]] = {
    "jawOpen": (Bump(0.0, -5.0, (7.0, 4.5), (0.0, -2.4, 0.0), "lower"),),
    "mouthClose": (Bump(0.0, -3.6, (2.4, 1.0), (0.0, 0.4, 0.0), "lower"),),
    "mouthFunnel": (
        Bump(2.4, -3.4, (1.2, 1.3), (-0.5, 0.0, 0.3)),
        Bump(0.0, -4.0, (1.3, 0.8), (0.0, -0.4, 0.4), "lower"),
    ),
    "mouthPucker": (Bump(2.4, -3.4, (1.2, 1.3), (-0.8, 0.0, 0.3)),),
    "mouthRollUpper": (Bump(0.0, -2.5, (2.0, 0.6), (0.0, -0.8, 0.0), "upper"),),
    "mouthRollLower": (Bump(0.0, -4.3, (2.0, 0.6), (0.0, 0.8, 0.0), "lower"),),
    "mouthShrugLower": (Bump(0.0, -6.2, (2.0, 1.1), (0.0, 0.9, 0.1)),),
}


@cache
def made_up_rig() -> Rig:
    """The rig; the same arrays at every call."""
    parts = [_face(), _back_of_the_head(), *_inside_the_mouth(), *_eyes(), _lashes()]
    neutral = np.zeros((FACEKIT_VERTICES, 3))
    lower = np.zeros(FACEKIT_VERTICES, bool)
    triangles, materials, corners_uv = [], [], []
    for part in parts:
        neutral[part.vertices], lower[part.vertices] = part.xyz, part.lower
        triangles.append(part.triangles)
        materials.append(np.full(len(part.triangles), _MATERIALS.index(part.material), np.uint8))
        corners_uv.append(part.corners_uv if part.corners_uv is not None else np.zeros((3 * len(part.triangles), 2)))
    uv = np.concatenate(corners_uv)
    names = tuple(sorted({*needed_shapes(), "PupilDilate_L", "PupilDilate_R"}))
    return Rig(
        neutral=neutral.astype(np.float32),
        expressions=np.stack([_offsets(name, neutral, lower) for name in names]).astype(np.float16),
        expression_names=names,
        identities=np.stack([_identity(mode, neutral) for mode in range(IDENTITIES)]).astype(np.float16),
        triangles=np.concatenate(triangles).astype(np.int32),
        triangle_material=np.concatenate(materials),
        materials=_MATERIALS,
        uv=uv.astype(np.float32),
        uv_triangles=np.arange(len(uv), dtype=np.int32).reshape(-1, 3),
        landmarks68=np.array(MULTIPIE_68, np.int32),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Vertices (N,) of a part with their places (N, 3), whether below the mouth's slit (N,), and its triangles."""

    vertices: Ints
    xyz: Floats
    lower: npt.NDArray[np.bool_]
    triangles: Ints
    material: str = "M_Face"
    corners_uv: Floats | None = None


def _part(name: str, xyz: Floats, triangles: Ints, **more: Any) -> _Part:
    """A part whose first vertices are those given and whose others repeat them."""
    first, last = FACEKIT_RANGES[name]
    source = np.arange(last - first) % len(xyz)
    lower = np.zeros(last - first, bool)
    return _Part(np.arange(first, last), xyz[source], lower, triangles + first, **more)


def _egg(x: Floats, y: Floats) -> Floats:
    """Front of the head over x and y, with a nose: z, cm."""
    a, b, c = EGG_CM
    nose = 2.6 * np.exp(-((x / 1.0) ** 2) - ((y - 0.6) / np.where(y > 0.6, 2.2, 1.0)) ** 2)
    lips = 0.8 * np.exp(-((x / 2.2) ** 2) - ((y - MOUTH_Y) / 1.2) ** 2)
    return np.asarray(c * np.sqrt(np.clip(1 - (x / a) ** 2 - (y / b) ** 2, 0, None)) + nose + lips)


def _grid(rows: Ints) -> Ints:
    """Triangles (T, 3) of a grid of vertices whose rows go up and columns to the left side of the head."""
    a, b, c, d = (part.ravel() for part in (rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    kept: Ints = triangles[(triangles[:, 0] != triangles[:, 1]) & (triangles[:, 1] != triangles[:, 2])]
    return kept


def _heights() -> tuple[Floats, Floats]:
    """Heights of the face's rows below and above the slit of the mouth, which belongs to both."""
    return np.append(np.arange(-12.8, MOUTH_Y - 0.3, 0.7), MOUTH_Y), np.append(np.arange(MOUTH_Y, 12.8, 0.5), 13.0)


def _face() -> _Part:
    below, above = _heights()
    y_rows = np.concatenate([below, above])
    turn = np.radians(np.linspace(-75, 75, 61))
    squeeze = np.sqrt(1 - (y_rows / EGG_CM[1]) ** 2)
    x = EGG_CM[0] * squeeze[:, None] * np.sin(turn)
    y = np.repeat(y_rows[:, None], len(turn), axis=1)
    rows = np.arange(x.size).reshape(x.shape)
    lower = np.repeat((np.arange(len(y_rows)) < len(below))[:, None], len(turn), axis=1)
    # Beside the mouth, the two rows of the slit are one.
    seam = len(below) - 1
    beside = np.abs(x[seam]) > _HALF_MOUTH
    rows[seam, beside] = rows[seam + 1, beside]
    xy, lower = np.stack([x.ravel(), y.ravel()], 1), lower.ravel()
    chosen = _snap_landmarks(xy, lower, np.unique(rows))
    triangles = _grid(rows)
    # Between the rows of the slit there is nothing, and nothing before the eyes.
    crosses = (~lower[triangles]).any(axis=1) & lower[triangles].any(axis=1)
    both_on_slit = crosses & (np.abs(xy[triangles, 1] - MOUTH_Y) < 0.01).all(axis=1)
    middle = xy[triangles].mean(axis=1)
    in_eye = ((np.abs(middle[:, 0]) - 3.15) / 1.3) ** 2 + ((middle[:, 1] - 3.5) / 0.42) ** 2 < 1
    triangles = triangles[~both_on_slit & ~in_eye]
    xyz = np.column_stack([xy, _egg(*xy.T)])
    edge = np.abs(xy[:, 0]) > EGG_CM[0] * 0.9
    xyz[edge, 2] = (EGG_CM[2] * squeeze[:, None] * np.cos(turn)).ravel()[edge]
    # FaceKit's numbers: landmarks have theirs, the front of the face the first of the others.
    used = np.unique(rows)
    first, last = FACEKIT_RANGES["face"]
    narrow = FACEKIT_RANGES["narrow_face"][1]
    front = (np.abs(xy[:, 0]) < 7.3) & (xy[:, 1] > -10.0) & (xy[:, 1] < 9.6)
    taken = set(MULTIPIE_68)
    numbers = {True: iter([v for v in range(first, narrow) if v not in taken]), False: iter(range(narrow, last))}
    number_of = np.full(len(xy), -1)
    number_of[chosen] = MULTIPIE_68
    for point in used:
        if number_of[point] < 0:
            number_of[point] = next(numbers[bool(front[point])])
    source = np.empty(last, np.int64)
    of_front, of_rest = used[front[used]], used[~front[used]]
    source[:narrow] = of_front[np.arange(narrow) % len(of_front)]
    source[narrow:] = of_rest[np.arange(last - narrow) % len(of_rest)]
    source[number_of[used]] = used
    return _Part(np.arange(first, last), xyz[source], lower[source], number_of[triangles])


def _snap_landmarks(xy: Floats, lower: npt.NDArray[np.bool_], used: Ints) -> Ints:
    """Move the grid point nearest to each landmark there, in place: which points these are, (68,)."""
    free = np.zeros(len(xy), bool)
    free[used] = True
    chosen = []
    for number, place in enumerate(np.array(_LANDMARKS)):
        allowed = free & (lower == ((number in _ON_LOWER_LIP) or place[1] < MOUTH_Y))
        distance = np.where(allowed, ((xy - place) ** 2).sum(axis=1), np.inf)
        point = int(distance.argmin())
        xy[point] = place
        free[point] = False
        chosen.append(point)
    return np.array(chosen)


def _back_of_the_head() -> _Part:
    below, above = _heights()
    y = np.concatenate([below, above[1:]])
    turn = np.radians(np.linspace(75, 285, 33))
    squeeze = np.sqrt(1 - (y / EGG_CM[1]) ** 2)[:, None]
    back = np.stack(
        [EGG_CM[0] * squeeze * np.sin(turn), np.repeat(y[:, None], len(turn), 1), EGG_CM[2] * squeeze * np.cos(turn)],
        axis=-1,
    )
    around = np.linspace(0, 2 * np.pi, 25)
    y_neck = np.linspace(-19.0, -7.0, 7)
    ring = np.stack([5.5 * np.sin(around), np.zeros(25), 5.5 * np.cos(around) - 0.5], axis=-1)
    neck = ring[None] + np.array([0, 1, 0]) * y_neck[:, None, None]
    rows = np.arange(back[..., 0].size).reshape(back.shape[:2])
    rows_neck = np.arange(neck[..., 0].size).reshape(neck.shape[:2]) + rows.size
    xyz = np.concatenate([back.reshape(-1, 3), neck.reshape(-1, 3)])
    return _part("head_neck", xyz, np.concatenate([_grid(rows), _grid(rows_neck)]))


def _inside_the_mouth() -> list[_Part]:
    quad = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    two = np.array([[0, 1, 2], [0, 2, 3]])
    return [
        _part("mouth_socket", quad * [3.2, 2.4, 0] + [0, MOUTH_Y, 7.5], two),
        _part("gums_tongue", quad * [1.5, 0.5, 0] + [0, MOUTH_Y - 1.0, 8.0], two),
        _part("teeth", quad * [2.0, 0.5, 0] + [0, MOUTH_Y + 0.1, 9.6], two, material="M_Teeth"),
    ]


def _eyes() -> list[_Part]:
    up, around = np.radians(np.linspace(-89, 89, 22)), np.linspace(0, 2 * np.pi, 35)
    ball = np.stack(
        [
            np.cos(up)[:, None] * np.sin(around),
            np.repeat(np.sin(up)[:, None], 35, 1),
            np.cos(up)[:, None] * np.cos(around),
        ],
        axis=-1,
    ).reshape(-1, 3)
    rows = np.arange(len(ball)).reshape(22, 35)
    sides = (("left", 1), ("right", -1))
    return [_part(f"sclera_{name}", EYE_RADIUS * ball + [s * EYE[0], *EYE[1:]], _grid(rows)) for name, s in sides]


def _lashes() -> _Part:
    """A strip on the upper and the lower lid of either eye, in the bands of texture in which FaceKit has them."""
    xyz, v = [], []
    for side in (1, -1):
        for y, out, (low, high) in ((3.9, 0.3, (0.84, 0.99)), (3.1, -0.15, (0.34, 0.49))):
            for x in (2.4, 3.1, 3.8):
                z = float(_egg(np.array(x), np.array(y)))
                xyz += [(side * x, y, z), (side * x, y + out, z + 0.4)]
                v += [high, low]
    strips = [
        [(k, k + 1, k + 3), (k, k + 3, k + 2), (k + 2, k + 3, k + 5), (k + 2, k + 5, k + 4)] for k in (0, 6, 12, 18)
    ]
    triangles = np.array(strips).reshape(-1, 3)
    uv = np.column_stack([np.zeros(triangles.size), np.array(v)[triangles.ravel()]])
    return _part("eyelashes", np.array(xyz), triangles, material="M_EyeLashes", corners_uv=uv)


def _offsets(name: str, neutral: Floats, lower: npt.NDArray[np.bool_]) -> Floats:
    """Offsets (V, 3) of one shape, of the skin only; shapes without a bump move nothing."""
    total = np.zeros_like(neutral)
    last = FACEKIT_RANGES["face"][1]
    bumps = _WHOLE.get(name, ())
    signs: tuple[int, ...] = (1, -1)
    if name[-2:] in ("_L", "_R"):
        bumps, signs = _SIDED.get(name[:-2], ()), (1,) if name.endswith("_L") else (-1,)
    x, y = neutral[:last, 0], neutral[:last, 1]
    for bump in bumps:
        moves = (y > bump.above) & (y < bump.below)
        if bump.lip:
            moves &= lower[:last] == (bump.lip == "lower")
        for sign in signs if bump.x else (1,):
            share = np.exp(-(((x - sign * bump.x) / bump.radii[0]) ** 2) - ((y - bump.y) / bump.radii[1]) ** 2)
            total[:last] += np.where(moves, share, 0.0)[:, None] * np.array(bump.by) * [sign, 1, 1]
    return total


def _identity(mode: int, neutral: Floats) -> Floats:
    """One way in which people differ: a slow wave along the head, (V, 3); the higher, the fainter."""
    axis = mode % 3
    wave = np.cos((1 + mode // 3) * neutral[:, 1] / 6.0 + mode)
    offsets = np.zeros_like(neutral)
    offsets[:, axis] = 0.12 / (1 + mode / 3) * wave * (neutral[:, 0] / 6.0 if axis == 0 else 1.0)
    return offsets
