"""How sharp and how bright a face's crop is: cheap figures of how much there was to see, in whole numbers inside."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from aucli.faces.alignment import CropSpec


def crop_quality(
    crops_rgb: npt.NDArray[np.uint8], spec: CropSpec
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Measure the face in each crop: from half an eye distance outside the eyes to as much below the mouth.

    Args:
        crops_rgb: (F, S, S, 3) uint8, of `crop_faces`.
        spec: the crops'.

    Returns:
        Sharpness (F,), root mean square of the Laplacian (four neighbours) over the standard deviation of the levels:
        0 without any detail, without unit, hardly dependent on light; noise counts as detail, and a crop of more pixels
        has less. Brightness (F,), mean level, 0 black to 255 white. Levels are those of the green channel: it carries
        most of what the eye calls brightness, at a fraction of the cost of a weighted sum.
    """
    part = inner_face(spec)
    sharpness, brightness = np.zeros(len(crops_rgb), np.float32), np.zeros(len(crops_rgb), np.float32)
    for face, crop in enumerate(crops_rgb):
        green = crop[part][..., 1].astype(np.int16)
        laplacian = 4 * green[1:-1, 1:-1] - green[:-2, 1:-1] - green[2:, 1:-1] - green[1:-1, :-2] - green[1:-1, 2:]
        n, total, squares = green.size, int(green.sum()), _sum_of_squares(green)
        spread = n * squares - total * total
        brightness[face] = total / n
        if spread:
            sharpness[face] = (_sum_of_squares(laplacian) / laplacian.size * n * n / spread) ** 0.5
    return sharpness, brightness


def _sum_of_squares(values: npt.NDArray[np.int16]) -> int:
    """In float64, which BLAS sums fast and, as all sums stay below 2^53, without any rounding."""
    line = values.ravel().astype(np.float64)
    return int(line @ line)


@lru_cache(maxsize=8)
def inner_face(spec: CropSpec) -> tuple[slice, slice]:
    """Rows and columns of a crop in which the face lies."""
    points = spec.template_xy()
    margin = (points[1, 0] - points[0, 0]) / 2
    (left, top), (right, bottom) = points.min(axis=0) - margin, points.max(axis=0) + margin
    edges = np.clip(np.rint([top, bottom, left, right]), 0, spec.size_px).astype(int).tolist()
    return slice(edges[0], edges[1]), slice(edges[2], edges[3])
