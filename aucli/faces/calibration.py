"""Faces by which networks are brought to int8: they decide the ranges of what networks compute (`runtime.int8_graph`).

``calibration.jpg`` holds eight frames of ``examples/clip.mp4``, two rendered faces in each (``make_calibration.py``
beside it). Photographs of many people gave no better ranges (docs/performance.md), and must not be shipped.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.values import START_SCORE, Detector, Faces
from aucli.faces.windows import aligned_as_in_film

PICTURES: Final = Path(__file__).with_name("calibration.jpg")
FRAME_HEIGHT_PX: Final = 320
SHADES: Final = (1.0, 0.45, 1.5)
"""Each face is shown as it is, dark, and too bright."""


@lru_cache(maxsize=1)
def calibration_frames() -> npt.NDArray[np.uint8]:
    """The frames: (8, 320, 640, 3) RGB."""
    from PIL import Image

    with Image.open(PICTURES) as picture:
        rows = np.asarray(picture.convert("RGB"))
    return rows.reshape(-1, FRAME_HEIGHT_PX, *rows.shape[1:])


def calibration_faces(detector: Detector) -> list[tuple[npt.NDArray[np.uint8], Faces]]:
    """Each frame with the faces that a detector finds in it, measured as in a film."""
    frames = calibration_frames()
    found = detector.detect(frames)
    sure = [faces[faces.scores >= START_SCORE] for faces in found]
    return [(frame, aligned_as_in_film(frame, faces, detector)) for frame, faces in zip(frames, sure, strict=True)]


def in_shades(picture_rgb: npt.NDArray[Any]) -> list[npt.NDArray[np.uint8]]:
    """A picture (..., 3) in the shades of `SHADES`, every other time as in a mirror and the dark one grey."""
    shades = [np.clip(picture_rgb * shade, 0, 255) for shade in SHADES]
    shades[1] = np.repeat(shades[1].mean(axis=-1, keepdims=True), 3, axis=-1)[..., ::-1, :]
    return [shade.round().astype(np.uint8) for shade in shades]
