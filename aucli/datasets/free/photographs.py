"""Photographs of single faces as training data: pictures, landmarks, and labels by eye and by a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.faces import LabelledFaces
from aucli.datasets.free.photograph_tables import PhotographTable
from aucli.datasets.free.teacher import read_rgb
from aucli.datasets.free.visual_codes import VisualCodes
from aucli.datasets.label_values import SplitName
from aucli.errors import DatasetError
from aucli.faces.values import START_SCORE, Detector
from aucli.faces.windows import aligned_as_in_film
from aucli.runtime.files import whole_or_nothing

BORDER: Final = 0.5
"""Added around a picture before detection, in its longer sides: faces fill photographs, detectors need room."""


def find_landmarks(
    jpegs: Sequence[bytes], detector: Detector, *, report: Callable[[str], None] = lambda _: None
) -> npt.NDArray[np.float32]:
    """The five landmarks of the face in the middle of each photograph.

    Args:
        jpegs: N files.
        detector: use the one that annotate will use.
        report: called with a line of text now and then.

    Returns:
        (N, 5, 2) in pixels of the photograph; NaN where no face is in the middle.
    """
    landmarks = np.full((len(jpegs), 5, 2), np.nan, np.float32)
    for row, jpeg in enumerate(jpegs):
        found = find_central_face(read_rgb(jpeg), detector)
        if found is not None:
            landmarks[row] = found
        if (row + 1) % 1000 == 0 or row + 1 == len(jpegs):
            faces = int(np.isfinite(landmarks[: row + 1, 0, 0]).sum())
            report(f"{row + 1} of {len(jpegs)} photographs: {faces} faces")
    return landmarks


def find_central_face(picture_rgb: npt.NDArray[np.uint8], detector: Detector) -> npt.NDArray[Any] | None:
    """The landmarks (5, 2) of the face in the middle of a picture; None without one."""
    height, width = picture_rgb.shape[:2]
    border = round(BORDER * max(height, width))
    padded = np.pad(picture_rgb, ((border, border), (border, border), (0, 0)), mode="edge")
    faces = detector.detect(padded[None], min_face_px=20)[0]
    centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2 - border
    offset = np.abs(centres / np.array([width, height]) - 0.5)
    central = np.flatnonzero((offset < 0.3).all(axis=1) & (faces.scores >= START_SCORE))
    if not len(central):
        return None
    face: npt.NDArray[np.float32] = aligned_as_in_film(padded, faces[central[:1]], detector).landmarks_xy[0]
    return face - np.float32(border)


def save_landmarks(landmarks_xy: npt.NDArray[np.float32], path: Path) -> None:
    """Keep what `find_landmarks` found, whole or not at all."""
    with whole_or_nothing(path) as temporary, temporary.open("wb") as file:
        np.save(file, landmarks_xy)


def load_landmarks(path: Path) -> npt.NDArray[np.float32]:
    """Read what `save_landmarks` wrote.

    Raises:
        DatasetError: if the file is damaged.
    """
    try:
        landmarks: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}); remove it, and it is made again") from error
    return landmarks


def labelled_photographs(
    table: PhotographTable,
    rows: npt.NDArray[np.intp],
    landmarks_xy: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int8],
    aus: tuple[int, ...],
    *,
    colour: str,
) -> LabelledFaces:
    """Some photographs with their labels, decoded once.

    Args:
        table: all photographs.
        rows: which of them.
        landmarks_xy: (N, 5, 2) of all.
        labels: (N, A) of all.
        aus: action units, the columns of the labels.
        colour: ``rgb``, three equal channels where a photograph is grey; or ``grey``, one channel.
    """
    from PIL import Image

    sizes_wh = np.zeros((len(rows), 2), np.int32)
    pictures = np.zeros((len(rows), 1, 1, 3 if colour == "rgb" else 1), np.uint8)
    for i, row in enumerate(rows):
        rgb = read_rgb(table.jpegs[row])
        picture = rgb if colour == "rgb" else np.asarray(Image.fromarray(rgb).convert("L"))[..., None]
        height, width = picture.shape[:2]
        if height > pictures.shape[1] or width > pictures.shape[2]:  # seldom: the first pictures tell the size of most
            larger = max(height, pictures.shape[1]), max(width, pictures.shape[2])
            grown = np.zeros((len(rows), *larger, pictures.shape[3]), np.uint8)
            grown[:i, : pictures.shape[1], : pictures.shape[2]] = pictures[:i]
            pictures = grown
        pictures[i, :height, :width] = picture
        sizes_wh[i] = width, height
    return LabelledFaces(aus, pictures, sizes_wh, landmarks_xy[rows], labels[rows], table.subjects[rows])


def splits_of_coded_subjects(table: PhotographTable, codes: VisualCodes) -> dict[str, SplitName]:
    """In which split the subjects of coded photographs are, where the codes say.

    Raises:
        DatasetError: if the codes put one subject into two splits.
    """
    subject_of_name = dict(zip(table.names, table.subjects.tolist(), strict=True))
    found: dict[str, SplitName] = {}
    for name, split in zip(codes.names, codes.splits, strict=True):
        if split is not None and name in subject_of_name:
            subject = subject_of_name[name]
            if found.setdefault(subject, split) != split:
                raise DatasetError(f"the codes put {subject} into {found[subject]} and {split}: one subject, one split")
    return found
