"""Whether a detector works: it looks at a picture, in a process of its own, before it is accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aucli.errors import DetectorError
from aucli.faces.drawing import draw_face
from aucli.faces.scrfd import Scrfd
from aucli.runtime.onnx_file import external_files


def try_detector(path: str, called: str) -> None:
    """Run an SCRFD file once on a drawn face.

    Args:
        path: the file.
        called: how a message calls it.

    Raises:
        DetectorError: if it reads other files, is no SCRFD detector, or gives anything but boxes, landmarks and scores.
    """
    try:
        outside = external_files(Path(path), error=DetectorError)
        detector = None if outside else Scrfd(Path(path), name=Path(called).stem)
    except DetectorError as error:
        raise DetectorError(str(error).replace(path, called)) from error
    if detector is None:
        raise DetectorError(f"{called} reads the file {min(outside)!r}; a detector is one file that stands alone")
    frame_rgb, _ = draw_face()
    try:
        faces = detector.detect(frame_rgb[None])[0]
    except Exception as error:  # a graph with other outputs makes insightface stumble anywhere
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DetectorError(f"{called} is no SCRFD detector with landmarks: {reason}") from error
    values = (faces.boxes_xyxy, faces.landmarks_xy, faces.scores)
    if not all(np.isfinite(value).all() for value in values) or (faces.scores > 1.0).any():
        raise DetectorError(f"{called} gives values that are no boxes, landmarks or scores")
