"""What the page calls blurred: a face that was blurred as the page says, and not one that is sharp."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from aucli.faces.alignment import crop_faces, similarity_from_landmarks
from aucli.faces.crop_quality import crop_quality
from aucli.faces.detectors import open_detector
from aucli.models.zoo import find_model
from aucli.results.report.distrust import LIMITS


def test_a_face_blurred_as_the_page_says_is_called_blurred(face_frame: npt.NDArray[np.uint8]) -> None:
    limit = next(limit for limit in LIMITS if limit.column == "sharpness")
    told = re.match(r"sharpness below ([\d.]+), as of a face blurred by a Gaussian of ([\d.]+) pixels", limit.words)
    assert told is not None
    assert float(told[1]) == limit.value
    assert limit.is_least
    spec = find_model("aunce-small").config.crop
    assert f"crop of {spec.size_px};" in limit.words
    landmarks_xy = open_detector("centerface").detect(face_frame[None])[0].landmarks_xy[:1]
    (to_crop,) = similarity_from_landmarks(landmarks_xy, spec.template_xy())

    def sharpness(sigma_px: float) -> float:
        in_frame_px = sigma_px / np.hypot(*to_crop[:, 0])
        frame_rgb = gaussian_filter(face_frame, (in_frame_px, in_frame_px, 0))
        return float(crop_quality(crop_faces(frame_rgb, landmarks_xy, spec), spec)[0][0])

    as_told = sharpness(float(told[2]))
    assert 0.5 * limit.value < as_told < limit.value < sharpness(0.0)
    assert sharpness(2 * float(told[2])) < as_told
