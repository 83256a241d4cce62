"""Photographs of faces with one emotion word each, read as weak evidence of action units.

The source is a Parquet file with the columns ``identity`` (person), ``emotion`` (one word) and ``jpeg``, and ``name``
where there are codes by eye, which overrule all else. Faces fill the pictures, so a border is added before detection.
Two witnesses label a picture:

- geometry: distances on MediaPipe's face mesh (468 points; Kartynnik et al. 2019, arXiv 1907.06724), turned to the
  front, in units of the distance between the outer eye corners; and wrinkle energy on the forehead and between the
  brows. Brows and skin differ between people more than an action unit moves them, so each measure is freed of head
  pose and of (a shrunken estimate of) the person's own mean.
- the emotion word, which makes some AUs near certain and others unlikely.

Only the clear ends are labelled; the rest stays unknown. All thresholds were set by looking at the pictures on each
side of them. The mesh serves this file only: no model needs it to run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.free.face_mesh import (
    OUTER_EYE,
    BoolArray,
    FloatArray,
    Photograph,
    angle_between,
    measures,
    turn_to_front,
)

PHOTOGRAPH_AUS: Final = (1, 2, 4, 6, 12, 25, 26)
"""The AUs that are labelled. AU5 and AU43 were tried and dropped: their measures ranked anatomy. No other was tried."""
MIN_PRESENCE: Final = 5.0
"""The mesh's own log-odds that a face is there."""
MAX_YAW_DEGREES: Final = 25.0
"""Distances on the mesh are trusted up to this turn of the head."""


def label(
    pictures: list[npt.NDArray[np.uint8]], seen: list[Photograph], emotions: npt.NDArray[np.str_], people: Any
) -> npt.NDArray[np.int8]:
    """Labels (N, A) of all photographs: 1 present, 0 absent, -1 not known."""
    front, yaw, pitch = turn_to_front(np.stack([found.mesh_xyz for found in seen]))
    wrinkles = np.array([wrinkle_energy(p, s.mesh_xyz[:, :2]) for p, s in zip(pictures, seen, strict=True)])
    measured = measures(front) | {"forehead": np.log(wrinkles[:, 0] + 1e-4), "glabella": np.log(wrinkles[:, 1] + 1e-4)}
    usable = np.array([found.presence > MIN_PRESENCE for found in seen]) & (np.abs(yaw) < MAX_YAW_DEGREES)
    usable &= np.isfinite(wrinkles).all(axis=1)
    for name in ("brow_in", "brow_out", "jaw", "eye_open", "cheek"):
        measured[name] = without_pose(measured[name], pitch, yaw, fit_on=usable & (emotions == "neutral"))
    relative = {name: relative_to_person(values, people, usable) for name, values in measured.items()}
    labels = np.full((len(seen), len(PHOTOGRAPH_AUS)), -1, np.int8)
    for column, (present, absent) in enumerate(rules(measured, relative, emotions)):
        labels[present & ~absent & usable, column] = 1
        labels[absent & ~present & usable, column] = 0
    return labels


def rules(
    measured: Mapping[str, FloatArray], relative: Mapping[str, FloatArray], emotions: npt.NDArray[np.str_]
) -> list[tuple[BoolArray, BoolArray]]:
    """Present and absent, per AU of `PHOTOGRAPH_AUS`, where a picture is clear.

    Args:
        measured: name -> (N,) distances in outer eye distances.
        relative: name -> (N,) the same freed of the person's mean, in standard deviations.
        emotions: (N,) words.
    """

    def word(*words: str) -> BoolArray:
        return np.isin(emotions, words)

    gap, mouth_width, corners = measured["lip_gap"], measured["mouth_width"], measured["corners_up"]
    inner_brows = relative["brow_in"] + 0.5 * relative["forehead"] + 0.5 * relative["brow_out"]
    outer_brows = relative["brow_out"] + 0.5 * relative["forehead"] + 0.5 * relative["brow_in"]
    frown = relative["glabella"] - 0.7 * relative["brow_in"] - 0.3 * relative["brow_gap"]
    happy, raising = word("happiness"), word("surprise", "fear")
    raised_cheeks = (relative["cheek"] < -0.2) & (relative["eye_open"] < 0.3)
    unsmiling = ~happy & (corners < 0.045)
    return [
        (  # AU1
            (inner_brows > 2.8) | (raising & (inner_brows > 1.2)) | (word("sadness") & (inner_brows > 1.6)),
            (inner_brows < -0.4) & ~raising & ~word("sadness"),
        ),
        ((outer_brows > 2.8) | (raising & (outer_brows > 1.2)), (outer_brows < -0.4) & ~raising),  # AU2
        (  # AU4
            (word("anger", "sadness", "disgust", "fear") & (frown > 0.7))
            | (~word("happiness", "surprise") & (frown > 2.6)),
            word("neutral", "happiness", "surprise") & (frown < -0.3),
        ),
        (happy & (mouth_width > 0.64) & raised_cheeks, unsmiling & (mouth_width < 0.58)),  # AU6
        (  # AU12
            happy & ((mouth_width > 0.62) | ((mouth_width > 0.59) & (corners > 0.055))),
            unsmiling & (mouth_width < 0.585),
        ),
        (gap > 0.075, gap < 0.018),  # AU25
        (  # AU26: an open mouth that is not a wide smile over closed teeth
            ((gap > 0.11) & (gap / mouth_width > 0.2) & (relative["jaw"] > -0.3))
            | ((gap > 0.13) & (gap / mouth_width > 0.27)),
            (gap < 0.03) | ((gap < 0.09) & happy & (relative["jaw"] < 0)),
        ),
    ]


def wrinkle_energy(picture: npt.NDArray[np.uint8], mesh_xy: FloatArray) -> tuple[float, float]:
    """Horizontal lines on the forehead and vertical lines between the brows, relative to the skin's brightness.

    Mean absolute second difference over 3 px, along the lines smoothed, of the face turned upright with the outer eye
    corners 96 px apart. NaN where the forehead does not fit into the picture.
    """
    from PIL import Image

    left, right = mesh_xy[OUTER_EYE[0]], mesh_xy[OUTER_EYE[1]]
    angle, scale = angle_between(left, right), float(np.linalg.norm(right - left)) / 96
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    eyes_at = np.array([80.0, 90.0])
    offset = (left + right) / 2 - turn @ eyes_at
    image = Image.fromarray(picture).transform(
        (160, 160), Image.Transform.AFFINE, (*turn[0], offset[0], *turn[1], offset[1]), Image.Resampling.BICUBIC
    )
    face = np.asarray(image, np.float64)
    points = (mesh_xy - (left + right) / 2) @ np.linalg.inv(turn).T + eyes_at
    brows_y = int(min(points[[105, 334, 107, 336], 1]) - 8)
    forehead = slice(max(brows_y - 28, 4), max(brows_y, 0)), slice(int(points[105, 0]), int(points[334, 0]))
    between_y = int(points[[55, 285], 1].mean())
    glabella = (
        slice(max(between_y - 14, 0), max(between_y + 6, 0)),
        slice(int(points[55, 0]) + 2, int(points[285, 0]) - 2),
    )
    if face[forehead].shape[0] <= 8:
        return float("nan"), float("nan")
    return _line_energy(face, forehead, axis=0, smooth=13), _line_energy(face, glabella, axis=1, smooth=9)


def without_pose(values: FloatArray, pitch: FloatArray, yaw: FloatArray, *, fit_on: BoolArray) -> FloatArray:
    """What is left of a measure after least squares on pitch, its square and yaw's square."""
    pose = np.stack([np.ones_like(pitch), pitch, pitch**2, yaw**2], axis=1)
    weights = np.linalg.lstsq(pose[fit_on], values[fit_on], rcond=None)[0]
    rest: FloatArray = values - pose @ weights
    return rest


def relative_to_person(values: FloatArray, people: npt.NDArray[np.str_], usable: BoolArray) -> FloatArray:
    """A measure freed of the person's mean, in standard deviations.

    How far a person's mean is believed grows with the number of pictures: it is shrunk towards the mean of all by
    n s_between / (n s_between + s_within) (empirical Bayes of a random-effects model, Robinson 1991). Where nobody has
    two pictures, anatomy and movement cannot be told apart, and no mean is believed.
    """
    _, person = np.unique(people, return_inverse=True)
    count = np.bincount(person, usable)
    mean = np.bincount(person, np.where(usable, values, 0.0)) / np.maximum(count, 1)
    everyone = values[usable].mean()
    within = ((values - mean[person])[usable] ** 2).sum() / max(np.maximum(count - 1, 0).sum(), 1)
    between = max(values[usable].var() - within, 1e-9)
    believed = count * between / (count * between + within + 1e-12) if count.max() > 1 else np.zeros_like(mean)
    freed = values - (believed * (mean - everyone))[person]
    standard: FloatArray = (freed - freed[usable].mean()) / (freed[usable].std() + 1e-12)
    return standard


def _line_energy(face: FloatArray, patch: tuple[slice, slice], *, axis: int, smooth: int) -> float:
    smoothed = _box(_box(face, smooth, axis=1 - axis), 3, axis=axis)
    second = np.abs(np.roll(smoothed, 3, axis) - 2 * smoothed + np.roll(smoothed, -3, axis))[patch]
    return float(second.mean() / (face[patch].mean() + 10)) if second.size else float("nan")


def _box(face: FloatArray, width: int, *, axis: int) -> FloatArray:
    """Mean over ``width`` (odd) pixels along an axis, edges repeated."""
    pad = [(width // 2, width // 2) if a == axis else (0, 0) for a in range(2)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(face, pad, mode="edge"), width, axis=axis)
    mean: FloatArray = windows.mean(axis=-1)
    return mean
