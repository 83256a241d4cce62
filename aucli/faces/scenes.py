"""What a frame shows around its people, in few bytes: what tells whether a scene went on."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from aucli.faces.cells import POINTS_PER_CELL, FloatArray, means_of_cells, opponent_colours, size_of_difference
from aucli.faces.values import Faces

SCENE_ROWS: Final = 12
SCENE_COLUMNS: Final = 16
PERSON_MARGIN: Final = 0.5
"""A person is taken to fill the face's box, grown by this share of it to three sides and down to the frame's edge."""
UNLIKE: Final = 0.25
"""Two cells of a scene whose colours lie farther apart than this show different things."""
LEAST_AROUND: Final = 0.15
"""With less of a frame than this left around its people, the whole frame is compared."""


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

    @cached_property
    def opponent(self) -> FloatArray:
        """The cells' opponent colours (12, 16, 3)."""
        return opponent_colours(self.cells)

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
    cells = means_of_cells(frame_rgb, *_scene_points(height, width)).reshape(SCENE_ROWS, SCENE_COLUMNS, 3)
    people = np.zeros((SCENE_ROWS, SCENE_COLUMNS), bool)
    cell_wh = np.array([width / SCENE_COLUMNS, height / SCENE_ROWS])
    for box in faces.boxes_xyxy.astype(np.float64):
        margin = PERSON_MARGIN * (box[2:] - box[:2])
        left, top = np.clip((box[:2] - margin) / cell_wh, 0, 1e3).astype(int)
        right = int(np.clip(np.ceil((box[2] + margin[0]) / cell_wh[0]), 0, 1e3))
        people[top:, left:right] = True
    return SceneThumbnail(cells, people, (int(width), int(height)))


@lru_cache(maxsize=8)
def _scene_points(height: int, width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Row and column of the points of a scene's cells, cell by cell: 12 rows of 16 cells."""
    y = (np.arange(SCENE_ROWS * POINTS_PER_CELL) + 0.5) * (height / (SCENE_ROWS * POINTS_PER_CELL))
    x = (np.arange(SCENE_COLUMNS * POINTS_PER_CELL) + 0.5) * (width / (SCENE_COLUMNS * POINTS_PER_CELL))
    grid = np.stack(np.meshgrid(y.astype(np.intp), x.astype(np.intp), indexing="ij"))
    in_cells = grid.reshape(2, SCENE_ROWS, POINTS_PER_CELL, SCENE_COLUMNS, POINTS_PER_CELL).transpose(0, 2, 4, 1, 3)
    rows, columns = in_cells.reshape(2, -1)
    return rows, columns


def unlike_cells(a: SceneThumbnail, b: SceneThumbnail) -> npt.NDArray[np.bool_]:
    """Cells that show different things in two frames, whatever the light: (12, 16)."""
    difference = b.opponent - a.opponent
    difference[..., 0] -= np.sort(difference[..., 0], axis=None)[difference[..., 0].size // 2]
    return np.asarray(size_of_difference(difference) > UNLIKE)


def same_scene(a: SceneThumbnail, b: SceneThumbnail) -> bool:
    """Whether two frames show one scene: half of what no person fills has not changed."""
    around = ~(a.people | b.people)
    if around.mean() < LEAST_AROUND:  # people fill the picture: they count, too
        around = np.ones_like(around)
    return bool(unlike_cells(a, b)[around].mean() <= 0.5)
