"""What faces look like, in few bytes: what tells one person from another where places do not.

Nothing here was learnt from faces. A face is kept as a coarse upright picture of itself and of the hair and clothes
around it. That knows a person again within one film: same clothes, much the same light. It does not know a person from
another day; that takes a face recognition network.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from aucli.faces.alignment import CropSpec
from aucli.faces.cells import (
    POINTS_PER_CELL,
    FloatArray,
    how_far_apart,
    log_colours,
    means_of_cells,
    opponent_colours,
)
from aucli.faces.scenes import SceneThumbnail, describe_scene
from aucli.faces.values import Faces

CELLS: Final = 12
FACE_SPEC: Final = CropSpec(size_px=CELLS * POINTS_PER_CELL, scale=0.62, shift_y=0.0)
SURROUND_SPEC: Final = CropSpec(size_px=CELLS * POINTS_PER_CELL, scale=0.34, shift_y=-0.06)
VIEW_BYTES: Final = CELLS * CELLS * 3

SCORE_AT_ZERO: Final = 7.65
SCORE_PER_COLOURS: Final = -11.0
SCORE_PER_SKIN: Final = -6.7
SCORE_PER_HEAD: Final = -6.6
SCORE_PER_CLOTHES: Final = -1.7
"""Logistic regression of "the same person" on four distances, fitted on one half of the pairs and judged on the other:
docs/people.md says on whom and with what errors."""
NEUTRAL_SKIN: Final = 0.12
NEUTRAL_HEAD: Final = 0.45
NEUTRAL_CLOTHES: Final = 0.55
"""What a distance counts where it cannot be measured: grey pictures have no skin colour, tight ones no clothes."""
GREY: Final = 0.02
"""Opponent colours no larger than this are those of a grey picture."""


def _block(rows: tuple[int, int], columns: tuple[int, int]) -> npt.NDArray[np.bool_]:
    block = np.zeros((CELLS, CELLS), bool)
    block[rows[0] : rows[1], columns[0] : columns[1]] = True
    return block


def _oval() -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[:CELLS, :CELLS] + 0.5 - CELLS / 2
    return np.asarray((x / 4.5) ** 2 + (y / 6.0) ** 2 <= 1.0)


FACE_OVAL: Final = _oval()
"""Cells of the face that are compared: in the corners is what lies behind it, or a neighbour."""
FACE_REGION: Final = _block((4, 7), (5, 7))
"""Cells of the surround that show skin: the light is judged by their brightness."""
HEAD_REGION: Final = _block((1, 7), (3, 9)) & ~_block((4, 7), (4, 8))
CLOTHES_REGION: Final = _block((8, 12), (3, 9))
_SKIN_CELLS: Final = np.flatnonzero(_block((3, 10), (3, 9)))
_LIGHT_CELLS: Final = np.flatnonzero(FACE_REGION)
_AROUND_CELLS: Final = np.concatenate([np.flatnonzero(HEAD_REGION), np.flatnonzero(CLOTHES_REGION)])
"""The cells of the surround that are compared: first hair and head, then clothes."""
_AROUND_AND_LIGHT_CELLS: Final = np.concatenate([_AROUND_CELLS, _LIGHT_CELLS])
_FIRST_CELLS: Final = np.array([0, HEAD_REGION.sum()])
"""Where among these cells the head begins, and the clothes."""
_CELLS_OF: Final = np.array([HEAD_REGION.sum(), CLOTHES_REGION.sum()])
_MIDDLES: Final = slice((POINTS_PER_CELL**2 // 2 * 2 + 1) * CELLS**2, (POINTS_PER_CELL**2 // 2 * 2 + 2) * CELLS**2)
"""The points in the middle of the surround's cells, in the order of `_points`."""
_LEFT: Final = np.arange(CELLS**2) % CELLS < CELLS // 2
_OVAL_CELLS: Final = np.concatenate(
    [np.flatnonzero(FACE_OVAL.ravel() & _LEFT), np.flatnonzero(FACE_OVAL.ravel() & ~_LEFT)]
)
"""The cells of the face that are compared: the left half, then, as many, the right half."""


@dataclass(frozen=True)
class Appearances:
    """What F faces look like.

    Attributes:
        faces: (F, 12, 12, 3) uint8 RGB: the upright face, each cell a mean colour.
        surrounds: (F, 12, 12, 3) uint8 RGB: the same at about half the scale, with hair, neck and clothes.
        inside: (F, 12, 12) bool: which cells of the surround lie in the frame.
    """

    faces: npt.NDArray[np.uint8]
    surrounds: npt.NDArray[np.uint8]
    inside: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.faces)
        shapes = (self.faces.shape, self.surrounds.shape, self.inside.shape)
        if shapes != ((n, CELLS, CELLS, 3), (n, CELLS, CELLS, 3), (n, CELLS, CELLS)):
            raise ValueError(f"expected shapes ((F, 12, 12, 3), (F, 12, 12, 3), (F, 12, 12)), got {shapes}")

    @classmethod
    def empty(cls) -> Self:
        """No face."""
        cells = np.zeros((0, CELLS, CELLS, 3), np.uint8)
        return cls(cells, cells, np.zeros((0, CELLS, CELLS), bool))

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, which: Sequence[int] | npt.NDArray[Any]) -> Appearances:
        """Choose faces by a list of indices or a boolean mask."""
        rows = np.asarray(which)
        rows = rows if rows.dtype == bool else rows.astype(np.intp)
        return Appearances(self.faces[rows], self.surrounds[rows], self.inside[rows])

    def only(self, face: int) -> Appearances:
        """One of them; shares memory with all."""
        row = slice(face, face + 1)
        return Appearances(self.faces[row], self.surrounds[row], self.inside[row])

    @cached_property
    def features(self) -> Features:
        """What they are compared by."""
        return Features.of(self)

    def to_text(self) -> str:
        """All bytes in base64, for JSON."""
        parts = (self.faces.tobytes(), self.surrounds.tobytes(), np.packbits(self.inside).tobytes())
        return base64.b64encode(b"".join(parts)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Undo `to_text` for one face."""
        data = np.frombuffer(base64.b64decode(text), np.uint8)
        shape = (1, CELLS, CELLS, 3)
        inside = np.unpackbits(data[2 * VIEW_BYTES :], count=CELLS * CELLS).astype(bool)
        return cls(
            data[:VIEW_BYTES].reshape(shape),
            data[VIEW_BYTES : 2 * VIEW_BYTES].reshape(shape),
            inside.reshape(1, CELLS, CELLS),
        )


def describe(frame_rgb: Any, faces: Faces) -> Appearances:
    """Say what faces look like.

    Args:
        frame_rgb: (H, W, 3) uint8, numpy or torch (of which only the pixels needed are copied).
        faces: F faces of it.
    """
    if not len(faces):
        return Appearances.empty()
    cells = np.empty((len(faces), 2, CELLS, CELLS, 3), np.uint8)
    inside = np.empty((len(faces), CELLS, CELLS), bool)
    for face, landmarks_xy in enumerate(faces.landmarks_xy):  # one by one: what is worked with stays in the cache
        cells[face], inside[face] = _describe_face(frame_rgb, landmarks_xy)
    return Appearances(cells[:, 0], cells[:, 1], inside)


def _describe_face(frame_rgb: Any, landmarks_xy: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Cells of one face and its surround (2, 12, 12, 3), and which of the surround's lie in the frame (12, 12)."""
    height, width = frame_rgb.shape[:2]
    points = _points_in_frame(landmarks_xy)
    x, y = points.real.copy(), points.imag.copy()
    x_middle, y_middle = x[_MIDDLES], y[_MIDDLES]
    inside = (x_middle >= 0) & (x_middle < width) & (y_middle >= 0) & (y_middle < height)
    for place, length in ((x, width), (y, height)):
        np.minimum(np.maximum(place, 0.0, out=place), length - 1.0, out=place)
    cells = means_of_cells(frame_rgb, y.astype(np.intp), x.astype(np.intp))
    return cells.reshape(2, CELLS, CELLS, 3), inside.reshape(CELLS, CELLS)


def _points_in_frame(landmarks_xy: npt.NDArray[Any]) -> npt.NDArray[np.complex128]:
    """Where the cells' points of a face (5, 2) lie in the frame: (P,), x + iy in pixels.

    As complex numbers, `similarity_from_landmarks` is one factor, and its inverse a division by it.
    """
    template, points = _points()
    landmarks = np.ascontiguousarray(landmarks_xy, np.float64).view(np.complex128)[:, 0]
    centre = landmarks.sum() / template.size
    factor = np.vdot(landmarks - centre, template)
    spread = np.vdot(landmarks - centre, landmarks - centre)
    return np.asarray(centre + (spread / factor if factor else 0.0) * points)


@cache
def _points() -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
    """Where landmarks (5,) and the cells' points (P,) lie in the face's crop, x + iy from the landmarks' centre.

    Points are in order of the point in its cell, then of face and surround, then of the cell: means are sums of rows.
    """
    size_px = FACE_SPEC.size_px
    v, u = (np.mgrid[:size_px, :size_px] + 0.5) / size_px - 0.5
    ratio = FACE_SPEC.scale / SURROUND_SPEC.scale
    around = u * ratio, (v - SURROUND_SPEC.shift_y) * ratio + FACE_SPEC.shift_y
    of_both = (np.stack([np.stack([u, v]), np.stack(around)], axis=1) + 0.5) * size_px
    in_cells = of_both.reshape(2, 2, CELLS, POINTS_PER_CELL, CELLS, POINTS_PER_CELL).transpose(0, 3, 5, 1, 2, 4)
    points, template = in_cells.reshape(2, -1), FACE_SPEC.template_xy().T
    centre = template.mean(axis=1, keepdims=True)
    points, template = points - centre, template - centre
    return template[0] + 1j * template[1], points[0] + 1j * points[1]


@dataclass(frozen=True)
class Features:
    """What appearances are compared by, worked out once.

    Attributes:
        whole: (N, D) float32 of unit length: colours of the oval, free of brightness and contrast.
        halves: (N, 2, D / 2) the same of its left and right half.
        skin: (N, 2) opponent colours of the face's middle.
        around: (N, C, 3) opponent colours of head and clothes, brightness relative to the face's.
        inside: (N, C) bool: which of these lie in the frame.
    """

    whole: FloatArray
    halves: FloatArray
    skin: FloatArray
    around: FloatArray
    inside: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, appearances: Appearances) -> Self:
        """Work them out."""
        n = len(appearances)
        faces, surrounds = (cells.reshape(n, CELLS**2, 3) for cells in (appearances.faces, appearances.surrounds))
        colours = faces.take(_OVAL_CELLS, axis=1).reshape(n, 3 * len(_OVAL_CELLS)).astype(np.float32)
        skin = np.add.reduce(log_colours()[faces.take(_SKIN_CELLS, axis=1)], axis=1) / np.float32(len(_SKIN_CELLS))
        around = opponent_colours(surrounds.take(_AROUND_AND_LIGHT_CELLS, axis=1))
        light = np.sort(around[:, len(_AROUND_CELLS) :, 0], axis=1)[:, len(_LIGHT_CELLS) // 2]
        around = around[:, : len(_AROUND_CELLS)]
        around[..., 0] -= light[:, None]
        return cls(
            _unit(colours),
            _unit(colours.reshape(n, 2, colours.shape[1] // 2)),
            skin @ _HUES,
            around,
            appearances.inside.reshape(n, CELLS**2).take(_AROUND_CELLS, axis=1),
        )

    def __getitem__(self, which: Sequence[int] | slice) -> Features:
        """Choose faces."""
        return Features(*(getattr(self, name)[which] for name in _FEATURES))

    def only(self, face: int) -> Features:
        """One of them; shares memory with all."""
        return self[slice(face, face + 1)]

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Self:
        """Put features one after another."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FEATURES))

    def put(self, row: int, one: Features) -> None:
        """Put the features of one face in the place of those of another."""
        for name in _FEATURES:
            getattr(self, name)[row] = getattr(one, name)[0]


_HUES: Final = np.array([[1.0, 0.5], [-1.0, 0.5], [0.0, -1.0]], np.float32)
"""From logarithms of red, green and blue to red against green, and yellow against blue."""
_FEATURES: Final = ("whole", "halves", "skin", "around", "inside")


def _unit(colours: FloatArray) -> FloatArray:
    """Free of mean and of unit length along the last axis."""
    free = colours - np.add.reduce(colours, axis=-1, keepdims=True) / np.float32(colours.shape[-1])
    length = np.sqrt(np.einsum("...d,...d->...", free, free))[..., None]
    return np.asarray(free / np.maximum(length, np.float32(1e-9)), np.float32)


def same_person_scores(a: Features, b: Features, *, at_least: float = -np.inf) -> npt.NDArray[np.float64]:
    """How much speaks for each face of `a` being the person of each face of `b`: log-odds at even odds beforehand.

    Args:
        a: N faces.
        b: M faces.
        at_least: pairs that cannot reach this are not looked at closely.

    Returns:
        (N, M, 2): judged by the whole face, and by the better of whole, left half and right half: a person who comes
        out from behind another is known by the half that shows. -inf for pairs that cannot reach `at_least`.
    """
    whole = a.whole @ b.whole.T
    halves = np.matmul(a.halves.transpose(1, 0, 2), b.halves.transpose(1, 2, 0))
    scores = np.empty((*whole.shape, 2))
    scores[..., 0], scores[..., 1] = whole, np.maximum(whole, np.maximum(halves[0], halves[1]))
    scores = SCORE_AT_ZERO + SCORE_PER_COLOURS * (1.0 - scores)
    close = scores[..., 1] >= at_least
    i, j = np.nonzero(close)
    scores[~close] = -np.inf
    skin_a, skin_b = np.abs(a.skin[i]), np.abs(b.skin[j])
    grey = np.maximum(skin_a, skin_b).max(axis=1, initial=0.0) < GREY
    skin = np.where(grey, NEUTRAL_SKIN, np.abs(a.skin[i] - b.skin[j]).sum(axis=1))
    both = a.inside[i] & b.inside[j]
    apart = how_far_apart(a.around[i], b.around[j]) * both
    seen = np.add.reduceat(both, _FIRST_CELLS, axis=1, dtype=np.intp)
    mean = np.add.reduceat(apart, _FIRST_CELLS, axis=1) / np.maximum(seen, 1)
    around = np.where(4 * seen >= _CELLS_OF, mean, (NEUTRAL_HEAD, NEUTRAL_CLOTHES))
    rest = SCORE_PER_SKIN * skin + SCORE_PER_HEAD * around[:, 0] + SCORE_PER_CLOTHES * around[:, 1]
    scores[i, j] += rest[:, None]
    return scores


@dataclass(frozen=True)
class Observation:
    """What was found in one frame.

    Attributes:
        faces: F of them.
        appearances: what they look like.
        scene: what is around them.
    """

    faces: Faces
    appearances: Appearances
    scene: SceneThumbnail

    def __post_init__(self) -> None:
        if len(self.faces) != len(self.appearances):
            raise ValueError(f"{len(self.faces)} faces, but {len(self.appearances)} appearances")


def observe(frame_rgb: Any, faces: Faces) -> Observation:
    """Put together what a frame shows."""
    return Observation(faces, describe(frame_rgb, faces), describe_scene(frame_rgb, faces))


def described(frame_rgb: Any, faces: Faces) -> Observation:
    """The same, with what tracking compares worked out here, in one of several threads, not in the one that tracks."""
    seen = observe(frame_rgb, faces)
    _ = seen.appearances.features
    return seen
