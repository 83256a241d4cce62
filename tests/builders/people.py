"""Made people: faces that look like nothing on earth, each unlike the other, without a picture or a detector."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from aucli.faces.appearance import CELLS, Appearances, Observation
from aucli.faces.scenes import SCENE_COLUMNS, SCENE_ROWS, SceneThumbnail
from aucli.faces.values import Faces

FACE_PX = 60.0
FRAME_WH = (640, 360)

Place = tuple[str, float, float] | tuple[str, float, float, float]
"""Who, x and y of the face's centre in pixels, and the detector's score where it is not 0.9."""


def appearance_of(who: str, noise: int = 0, seed: int = 0) -> Appearances:
    """What somebody looks like, with up to `noise` grey levels of noise; the same name gives the same looks."""
    rng = np.random.default_rng(zlib.crc32(who.encode()))
    noise_rng = np.random.default_rng(seed)

    def cells() -> np.ndarray:
        clean = rng.integers(30, 220, (1, CELLS, CELLS, 3))
        return (clean + noise_rng.integers(-noise, noise + 1, clean.shape)).astype(np.uint8)

    return Appearances(cells(), cells(), np.ones((1, CELLS, CELLS), bool))


def scene_of(name: str, size_wh: tuple[int, int] = FRAME_WH) -> SceneThumbnail:
    """A scene without people in the way; the same name gives the same scene."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    cells = rng.integers(0, 256, (SCENE_ROWS, SCENE_COLUMNS, 3)).astype(np.uint8)
    return SceneThumbnail(cells, np.zeros((SCENE_ROWS, SCENE_COLUMNS), bool), size_wh)


def frame_of(
    places: Sequence[Place], scene: str = "room", *, noise: int = 8, seed: int = 0, scale: float = 1.0
) -> Observation:
    """One frame with people at places; a frame `scale` times as large shows the same."""
    size_wh = (round(FRAME_WH[0] * scale), round(FRAME_WH[1] * scale))
    if not places:
        return Observation(Faces.empty(), Appearances.empty(), scene_of(scene, size_wh))
    xy = np.array([place[1:3] for place in places], np.float32)
    scores = np.array([place[3] if len(place) == 4 else 0.9 for place in places], np.float32)
    offsets = np.array([[-12, -10], [12, -10], [0, 2], [-10, 14], [10, 14]], np.float32)
    half = FACE_PX / 2
    boxes = np.concatenate([xy - half, xy + half], axis=1) * np.float32(scale)
    faces = Faces(boxes, (xy[:, None] + offsets[None]) * np.float32(scale), scores)
    looks = [appearance_of(place[0], noise, seed + n) for n, place in enumerate(places)]
    names = ("faces", "surrounds", "inside")
    appearances = Appearances(*(np.concatenate([getattr(one, name) for one in looks]) for name in names))
    return Observation(faces, appearances, scene_of(scene, size_wh))
