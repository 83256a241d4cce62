"""What faces and scenes look like, in few bytes: what tells one person from another where places do not.

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

from aucli.faces.alignment import CropSpec, invert_similarity, similarity_from_landmarks
from aucli.faces.values import Faces

FloatArray = npt.NDArray[np.float32]

CELLS: Final = 12
POINTS_PER_CELL: Final = 3
"""A cell is the mean of 3 x 3 points of the frame."""
FACE_SPEC: Final = CropSpec(size_px=CELLS * POINTS_PER_CELL, scale=0.62, shift_y=0.0)
SURROUND_SPEC: Final = CropSpec(size_px=CELLS * POINTS_PER_CELL, scale=0.34, shift_y=-0.06)
VIEW_BYTES: Final = CELLS * CELLS * 3

SCENE_ROWS: Final = 12
SCENE_COLUMNS: Final = 16
PERSON_MARGIN: Final = 0.5
"""A person is taken to fill the face's box, grown by this share of it to three sides and down to the frame's edge."""
UNLIKE: Final = 0.25
"""Two cells of a scene whose colours lie farther apart than this show different things."""
LEAST_AROUND: Final = 0.15
"""With less of a frame than this left around its people, the whole frame is compared."""

SCORE_AT_ZERO: Final = 8.1
SCORE_PER_COLOURS: Final = -11.1
SCORE_PER_SKIN: Final = -5.9
SCORE_PER_HEAD: Final = -5.5
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


FACE_REGION: Final = _block((4, 7), (5, 7))
"""Cells of the surround that show skin: the light is judged by their brightness."""
HEAD_REGION: Final = _block((1, 7), (3, 9)) & ~_block((4, 7), (4, 8))
CLOTHES_REGION: Final = _block((8, 12), (3, 9))


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
    n, n_points = len(faces), FACE_SPEC.size_px**2
    to_frame = invert_similarity(similarity_from_landmarks(faces.landmarks_xy, FACE_SPEC.template_xy()))
    xy = np.clip(to_frame @ _points(), -1e6, 1e6).astype(np.int32)
    height, width = frame_rgb.shape[:2]
    x, y = np.clip(xy[:, 0], 0, width - 1), np.clip(xy[:, 1], 0, height - 1)
    cells = _mean(pixels_at(frame_rgb, y, x).reshape(n, 2, CELLS, POINTS_PER_CELL, CELLS, POINTS_PER_CELL, 3), (3, 5))
    around = (xy[:, 0, n_points:] == x[:, n_points:]) & (xy[:, 1, n_points:] == y[:, n_points:])
    middle = slice(POINTS_PER_CELL // 2, None, POINTS_PER_CELL)
    inside = around.reshape(n, SURROUND_SPEC.size_px, SURROUND_SPEC.size_px)[:, middle, middle]
    return Appearances(cells[:, 0], cells[:, 1], inside)


@cache
def _points() -> npt.NDArray[np.float64]:
    """Where the points of the face and then those of the surround lie in the face's crop: (3, P), the third being 1."""
    size_px = FACE_SPEC.size_px
    v, u = (np.mgrid[:size_px, :size_px] + 0.5) / size_px - 0.5
    ratio = FACE_SPEC.scale / SURROUND_SPEC.scale
    around = u * ratio, (v - SURROUND_SPEC.shift_y) * ratio + FACE_SPEC.shift_y
    of_both = np.stack([np.stack([u, v]), np.stack(around)], axis=1).reshape(2, -1)
    return np.concatenate([(of_both + 0.5) * size_px, np.ones((1, 2 * size_px**2))])


def pixels_at(frame_rgb: Any, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Pixels of a frame, (H, W, ...) numpy or torch, by rows and columns; only these are copied."""
    pixels = frame_rgb[y, x]
    return np.asarray(pixels if isinstance(pixels, np.ndarray) else pixels.cpu().numpy())


def _mean(blocks: npt.NDArray[np.uint8], axes: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.asarray(blocks.sum(axis=axes, dtype=np.uint16) // POINTS_PER_CELL**2, np.uint8)


@dataclass(frozen=True)
class Features:
    """What appearances are compared by, worked out once.

    Attributes:
        colours: (N, 3, 432) of unit length: whole face, left half, right half, free of brightness and contrast.
        skin: (N, 2) opponent colours of the face's middle.
        surrounds: (N, 144, 3) opponent colours, brightness relative to the face's.
        inside: (N, 144) bool.
    """

    colours: FloatArray
    skin: FloatArray
    surrounds: FloatArray
    inside: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, appearances: Appearances) -> Self:
        """Work them out."""
        n, half = len(appearances), CELLS // 2
        cells = appearances.faces.astype(np.float32)
        colours = np.zeros((n, 3, VIEW_BYTES), np.float32)
        colours[:, 0] = _unit(cells)
        halves = colours[:, 1:].reshape(n, 2, CELLS, CELLS, 3)
        halves[:, 0, :, :half] = _unit(cells[:, :, :half]).reshape(n, CELLS, half, 3)
        halves[:, 1, :, half:] = _unit(cells[:, :, half:]).reshape(n, CELLS, half, 3)
        skin = _opponent(cells[:, 3:10, 3:9])[..., 1:].mean(axis=(1, 2))
        surrounds = _opponent(appearances.surrounds)
        light = np.sort(surrounds[:, FACE_REGION, 0], axis=1)[:, FACE_REGION.sum() // 2]
        surrounds[..., 0] -= light[:, None, None]
        return cls(colours, skin, surrounds.reshape(n, CELLS**2, 3), appearances.inside.reshape(n, CELLS**2))

    def __getitem__(self, which: Sequence[int]) -> Features:
        """Choose faces by a list of indices."""
        return Features(self.colours[which], self.skin[which], self.surrounds[which], self.inside[which])

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Self:
        """Put features one after another."""
        names = ("colours", "skin", "surrounds", "inside")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _unit(cells: FloatArray) -> FloatArray:
    """Flatten to (N, D), free of mean, of unit length."""
    flat = cells.reshape(len(cells), int(np.prod(cells.shape[1:])))
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9), np.float32)


@cache
def _logarithms() -> FloatArray:
    return np.asarray(np.log(np.arange(256, dtype=np.float32) + 16.0))


def _opponent(rgb: npt.NDArray[Any]) -> FloatArray:
    """Brightness, red against green, yellow against blue; logarithmic, so that a change of light is a shift."""
    log = _logarithms()[rgb.astype(np.uint8)]
    red, green, blue = log[..., 0], log[..., 1], log[..., 2]
    return np.asarray(np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], axis=-1))


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
    n, m = len(a.skin), len(b.skin)
    correlation = np.matmul(a.colours.transpose(1, 0, 2), b.colours.transpose(1, 2, 0)).astype(np.float64)
    by_colours = SCORE_AT_ZERO + SCORE_PER_COLOURS * (
        1.0 - np.stack([correlation[0], correlation.max(axis=0)], axis=-1)
    )
    scores = np.full((n, m, 2), -np.inf)
    i, j = np.nonzero(by_colours[..., 1] >= at_least)
    if not len(i):
        return scores
    skin = np.abs(a.skin[i] - b.skin[j]).sum(axis=1)
    grey = (np.abs(a.skin[i]).max(axis=1) < GREY) & (np.abs(b.skin[j]).max(axis=1) < GREY)
    rest = SCORE_PER_SKIN * np.where(grey, NEUTRAL_SKIN, skin)
    both = a.inside[i] & b.inside[j]
    apart = np.where(both, _apart(a.surrounds[i], b.surrounds[j]), 0.0)
    for block, weight, neutral in (
        (HEAD_REGION, SCORE_PER_HEAD, NEUTRAL_HEAD),
        (CLOTHES_REGION, SCORE_PER_CLOTHES, NEUTRAL_CLOTHES),
    ):
        region = block.ravel()
        seen = both[:, region].sum(axis=1)
        enough = seen >= region.sum() / 4
        rest = rest + weight * np.where(enough, apart[:, region].sum(axis=1) / np.maximum(seen, 1), neutral)
    scores[i, j] = by_colours[i, j] + rest[:, None]
    return scores


def _apart(a: FloatArray, b: FloatArray) -> FloatArray:
    """How far opponent colours (..., 3) lie apart, 0 to 1: hue counts four times as much as brightness."""
    difference = np.abs(a - b)
    return np.asarray(np.minimum(0.5 * difference[..., 0] + 2.0 * (difference[..., 1] + difference[..., 2]), 1.0))


@dataclass(frozen=True)
class SceneThumbnail:
    """What is around the people of one frame.

    Attributes:
        cells: (12, 16, 3) uint8 RGB: the whole frame, each cell a mean colour.
        people: (12, 16) bool: cells that people fill.
        size_wh: width and height of the frame, pixels.
    """

    cells: npt.NDArray[np.uint8]
    people: npt.NDArray[np.bool_]
    size_wh: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        data = self.cells.tobytes() + np.packbits(self.people).tobytes()
        return {"size_wh": list(self.size_wh), "cells": base64.b64encode(data).decode("ascii")}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Undo `to_json`."""
        data, n = np.frombuffer(base64.b64decode(value["cells"]), np.uint8), SCENE_ROWS * SCENE_COLUMNS
        return cls(
            data[: 3 * n].reshape(SCENE_ROWS, SCENE_COLUMNS, 3),
            np.unpackbits(data[3 * n :], count=n).astype(bool).reshape(SCENE_ROWS, SCENE_COLUMNS),
            (int(value["size_wh"][0]), int(value["size_wh"][1])),
        )


def describe_scene(frame_rgb: Any, faces: Faces) -> SceneThumbnail:
    """Say what a frame shows around its people.

    Args:
        frame_rgb: (H, W, 3) uint8, numpy or torch.
        faces: those of people in it.
    """
    height, width = frame_rgb.shape[:2]
    y = (np.arange(SCENE_ROWS * POINTS_PER_CELL) + 0.5) * (height / (SCENE_ROWS * POINTS_PER_CELL))
    x = (np.arange(SCENE_COLUMNS * POINTS_PER_CELL) + 0.5) * (width / (SCENE_COLUMNS * POINTS_PER_CELL))
    pixels = pixels_at(frame_rgb, y.astype(np.intp)[:, None], x.astype(np.intp)[None])
    blocks = pixels.reshape(SCENE_ROWS, POINTS_PER_CELL, SCENE_COLUMNS, POINTS_PER_CELL, 3)
    people = np.zeros((SCENE_ROWS, SCENE_COLUMNS), bool)
    cell_wh = np.array([width / SCENE_COLUMNS, height / SCENE_ROWS])
    for box in faces.boxes_xyxy.astype(np.float64):
        margin = PERSON_MARGIN * (box[2:] - box[:2])
        left, top = np.clip((box[:2] - margin) / cell_wh, 0, 1e3).astype(int)
        right = int(np.clip(np.ceil((box[2] + margin[0]) / cell_wh[0]), 0, 1e3))
        people[top:, left:right] = True
    return SceneThumbnail(_mean(blocks, (1, 3)), people, (int(width), int(height)))


def unlike_cells(a: SceneThumbnail, b: SceneThumbnail) -> npt.NDArray[np.bool_]:
    """Cells that show different things in two frames, whatever the light: (12, 16)."""
    of_a, of_b = _opponent(a.cells), _opponent(b.cells)
    brighter = np.sort((of_b[..., 0] - of_a[..., 0]).ravel())[of_a[..., 0].size // 2]
    of_a[..., 0] += brighter
    return np.asarray(_apart(of_a, of_b) > UNLIKE)


def same_scene(a: SceneThumbnail, b: SceneThumbnail) -> bool:
    """Whether two frames show one scene: half of what no person fills has not changed."""
    around = ~(a.people | b.people)
    if around.mean() < LEAST_AROUND:  # people fill the picture: they count, too
        around = np.ones_like(around)
    return bool(unlike_cells(a, b)[around].mean() <= 0.5)


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
