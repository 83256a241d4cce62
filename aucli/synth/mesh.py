"""Normals and hollows of a triangle mesh that is deformed again and again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


class Topology:
    """The fixed triangles of a mesh, sorted so that sums around vertices are one `reduceat`.

    Args:
        triangles: (T, 3) int32 into the vertices.
        vertices: V, how many there are. Vertices without a triangle get the normal 0.
    """

    def __init__(self, triangles: Int32, vertices: int) -> None:
        self.triangles = np.ascontiguousarray(triangles, np.int32)
        self.vertices = vertices
        self._corners = np.ascontiguousarray(self.triangles.T)
        corners = self.triangles.ravel()
        order = np.argsort(corners, kind="stable")
        self._corner_triangle = (order // 3).astype(np.int32)
        self._used, self._starts = np.unique(corners[order], return_index=True)
        edges = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]], self.triangles[:, [2, 0]]])
        edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
        self._edge_from, self._edge_to = edges[:, 0], edges[:, 1]
        self._edge_used, self._edge_starts = np.unique(self._edge_from, return_index=True)
        self._edge_count = np.diff(np.append(self._edge_starts, len(self._edge_from))).astype(np.float32)

    def normals(self, positions: Float32) -> Float32:
        """Area-weighted unit normals: (V, 3)."""
        x, y, z = np.ascontiguousarray(positions.T)
        i, j, k = self._corners
        ux, uy, uz = x[j] - x[i], y[j] - y[i], z[j] - z[i]
        vx, vy, vz = x[k] - x[i], y[k] - y[i], z[k] - z[i]
        total = np.zeros((self.vertices, 3), np.float32)
        for axis, face in enumerate((uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)):
            total[self._used, axis] = np.add.reduceat(face[self._corner_triangle], self._starts)
        length = np.sqrt(np.einsum("vi,vi->v", total, total))[:, None]
        return np.asarray(total / np.maximum(length, 1e-12), np.float32)

    def hollows(self, positions: Float32, normals: Float32) -> Float32:
        """Mean curvature, 1/cm, positive in hollows and negative on ridges: (V,).

        The neighbours of a vertex in a hollow lie above its tangent plane.
        """
        rise = np.zeros(len(self._edge_from), np.float32)
        length2 = np.zeros(len(self._edge_from), np.float32)
        for axis in range(3):
            along, tilt = np.ascontiguousarray(positions[:, axis]), np.ascontiguousarray(normals[:, axis])
            step = along[self._edge_to] - along[self._edge_from]
            rise += step * tilt[self._edge_from]
            length2 += step * step
        curvature = np.zeros(self.vertices, np.float32)
        curvature[self._edge_used] = (
            np.add.reduceat(rise / np.maximum(length2, 1e-4), self._edge_starts) / self._edge_count
        )
        return self.spread(curvature)

    def spread(self, values: npt.NDArray[np.floating[Any]]) -> Float32:
        """Average each vertex's value with the mean of its neighbours': (V,)."""
        result = np.asarray(values, np.float32).copy()
        around = np.add.reduceat(values[self._edge_to], self._edge_starts) / self._edge_count
        result[self._edge_used] = 0.5 * result[self._edge_used] + 0.5 * around
        return result
