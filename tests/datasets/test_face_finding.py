"""Cutting faces out of pictures, with a border around what training will crop."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.datasets.face_finding import cut_with_border
from aucli.faces.alignment import CropSpec
from aucli.faces.detectors import open_detector


def test_small_pictures_are_kept_whole_and_small_faces_never_enlarged(face_frame: npt.NDArray[np.uint8]) -> None:
    (faces,) = open_detector(None).detect(face_frame[None])
    points = faces.landmarks_xy[0]
    small = np.ascontiguousarray(face_frame[:100, :100])
    picture, landmarks = cut_with_border(small, points, CropSpec(256))
    assert picture is small
    assert landmarks is points
    large, landmarks_large = cut_with_border(face_frame, points, CropSpec(256, 0.5))
    huge, landmarks_huge = cut_with_border(face_frame, points, CropSpec(300, 0.2))
    assert large.shape == (256, 256, 3)
    assert huge.shape[0] <= 300

    def eyes(p: npt.NDArray[np.floating[Any]]) -> float:
        return float(np.hypot(*(p[1] - p[0])))

    assert eyes(landmarks_large) <= eyes(points) * 1.01
    assert eyes(landmarks_huge) <= eyes(points) * 1.01
    template = CropSpec(256, 0.5).template_xy()
    assert np.abs(landmarks_large - template).max() < 15
