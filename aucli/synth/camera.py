"""A pinhole camera in world space: centimetres, y up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """Where the picture is taken from.

    Attributes:
        world_from_camera: (3, 3) rotation; columns are the camera's right, up and backward axes.
        position: (3,) cm.
        focal: focal length in units of half the picture's side.
        near_cm, far_cm: clipping planes.
    """

    world_from_camera: Float64
    position: Float64
    focal: float
    near_cm: float
    far_cm: float

    @property
    def clip_from_world(self) -> Float64:
        """(4, 4) OpenGL projection times view."""
        near, far = self.near_cm, self.far_cm
        projection = np.zeros((4, 4))
        projection[0, 0] = projection[1, 1] = self.focal
        projection[2, 2], projection[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
        projection[3, 2] = -1
        view = np.eye(4)
        view[:3, :3] = self.world_from_camera.T
        view[:3, 3] = -self.world_from_camera.T @ self.position
        return projection @ view

    def project(self, points: npt.NDArray[np.floating[Any]], size_px: int) -> tuple[Float64, Float64]:
        """Pixels and depths of points.

        Args:
            points: (N, 3) in world space.
            size_px: side of the picture.

        Returns:
            (N, 2) x to the right and y down, where (0, 0) is the picture's upper left corner (pixel centres at .5, as
            everywhere in aucli); and (N,) values as the depth buffer holds them, 0 near to 1 far.
        """
        clip = np.column_stack([points, np.ones(len(points))]) @ self.clip_from_world.T
        ndc = clip[:, :3] / clip[:, 3:]
        x = (ndc[:, 0] + 1) / 2 * size_px
        y = (1 - ndc[:, 1]) / 2 * size_px
        return np.column_stack([x, y]), ndc[:, 2] / 2 + 0.5

    def distance_cm(self, depth: npt.NDArray[np.floating[Any]]) -> Float64:
        """Distances along the view axis, cm, of values of the depth buffer."""
        z = 2 * np.asarray(depth, np.float64) - 1
        return 2 * self.far_cm * self.near_cm / (self.far_cm + self.near_cm - z * (self.far_cm - self.near_cm))


def look_at(target: Float64, direction: Float64, distance_cm: float, *, roll_rad: float, focal: float) -> Camera:
    """A camera that looks at a point.

    Args:
        target: (3,) point that comes to lie in the middle of the picture.
        direction: (3,) from the target towards the camera; need not be unit length.
        distance_cm: from the target.
        roll_rad: turn about the view axis; positive turns the picture's content clockwise.
        focal: in units of half the picture's side.
    """
    backward = direction / np.linalg.norm(direction)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    up = np.cross(backward, right)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    axes = np.stack([c * right - s * up, s * right + c * up, backward], axis=1)
    return Camera(axes, target + distance_cm * backward, focal, max(distance_cm - 40.0, 4.0), distance_cm + 70.0)
