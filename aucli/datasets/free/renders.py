"""Rendered faces (`aucli synth`) as training data: their labels are exact, their landmarks are the detector's.

The detector runs on renders as on footage, so the network meets the same small errors of alignment in training and in
use. Each face is laid upright into a square with a border around it, wide enough for the views of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.faces import LabelledFaces
from aucli.errors import DatasetError
from aucli.faces.alignment import CropSpec, crop_faces, similarity_from_landmarks
from aucli.faces.values import START_SCORE, Detector
from aucli.facs import au_column
from aucli.runtime.parquet import read_parquet

RENDER_CROP: Final = CropSpec(size_px=192, scale=0.5)
"""Half again as wide as the crop that annotate makes: room to shift, turn and zoom."""

MAX_DISTANCE: Final = 0.35
"""Farthest that a detected face may lie from the rendered one: mean over the landmarks, in interocular distances."""


def read_renders(
    folder: Path,
    detector: Detector,
    aus: Sequence[int],
    *,
    colour: str = "grey",
    report: Callable[[str], None] = lambda _: None,
) -> LabelledFaces:
    """Read the pictures of an `aucli synth` folder, detect and align their faces.

    Args:
        folder: with ``labels.parquet``.
        detector: use the one that annotate will use.
        aus: action units wanted; one that the renders do not have is unknown (-1) on all of them.
        colour: ``grey`` or ``rgb``.
        report: called with a line of text now and then.

    Returns:
        The faces that the detector finds where they were rendered; the last line reported says how many it missed.

    Raises:
        DatasetError: if there is no finished run of pictures in the folder, or no face is found.
    """
    from PIL import Image

    table = _read_table(folder)
    truth_xy = np.array(table["landmarks"].to_list(), np.float64).reshape(-1, 5, 2)
    crops, landmarks, kept = [], [], []
    for row, name in enumerate(table["path"]):
        try:
            picture = np.asarray(Image.open(folder / name).convert("RGB"))
        except OSError as error:
            raise DatasetError(f"{folder / name} cannot be read ({error}); render it again with aucli synth") from error
        found = detect_rendered(picture, truth_xy[row], detector)
        if found is not None:
            crop = crop_faces(picture, found[None], RENDER_CROP)[0]
            crops.append(np.asarray(Image.fromarray(crop).convert("L"))[..., None] if colour == "grey" else crop)
            matrix = similarity_from_landmarks(found[None], RENDER_CROP.template_xy())[0]
            landmarks.append(found @ matrix[:, :2].T + matrix[:, 2])
            kept.append(row)
        if row % 500 == 499 or row == len(table) - 1:
            report(f"{row + 1} of {len(table)} renders: {len(kept)} faces")
    if not kept:
        raise DatasetError(f"{folder}: the detector found none of {len(table)} rendered faces")
    subjects = np.array([f"render {person}" for person in table["person"]])
    return LabelledFaces(
        aus=tuple(aus),
        pictures=np.stack(crops),
        sizes_wh=np.full((len(kept), 2), RENDER_CROP.size_px, np.int32),
        landmarks_xy=np.stack(landmarks).astype(np.float32),
        labels=_labels(table, aus)[kept],
        subjects=subjects[kept],
    )


def rendered_intensities(folder: Path, faces: LabelledFaces) -> npt.NDArray[np.float32]:
    """How strong each action unit is in the expressions that `read_renders` made faces of.

    Args:
        folder: with ``labels.parquet``.
        faces: what `read_renders` returned for it.

    Returns:
        (N, A) 0 to 5, in the order of the faces and their action units. NaN for an action unit that renders do not
        have, and for people of whom the detector missed a picture: which of theirs a face is, is not known.

    Raises:
        DatasetError: if there is no finished run of pictures in the folder.
    """
    table = _read_table(folder)
    rendered = np.full((len(table), len(faces.aus)), np.nan, np.float32)
    for column, au in enumerate(faces.aus):
        if (name := f"{au_column(au)}_intensity") in table.columns:
            rendered[:, column] = table[name].to_numpy()
    rows_of: dict[str, list[int]] = {}
    for row, person in enumerate(table["person"].to_list()):
        rows_of.setdefault(f"render {person}", []).append(row)
    intensities = np.full((len(faces), len(faces.aus)), np.nan, np.float32)
    for subject in np.unique(faces.subjects).tolist():
        at, rows = np.flatnonzero(faces.subjects == subject), rows_of.get(subject, [])
        if len(at) == len(rows):
            intensities[at] = rendered[rows]
    return intensities


def detect_rendered(
    picture_rgb: npt.NDArray[np.uint8], truth_xy: npt.NDArray[np.float64], detector: Detector
) -> npt.NDArray[np.float64] | None:
    """The detector's five landmarks of the rendered face, (5, 2), or None if it does not find it.

    A border is added first: some rendered faces fill their picture.
    """
    border = max(picture_rgb.shape[:2]) // 3
    padded = np.pad(picture_rgb, ((border, border), (border, border), (0, 0)), mode="edge")
    faces = detector.detect(padded[None], min_face_px=20)[0]
    faces = faces[np.flatnonzero(faces.scores >= START_SCORE)]
    if not len(faces):
        return None
    found = faces.landmarks_xy.astype(np.float64) - border
    unit = np.linalg.norm(truth_xy[1] - truth_xy[0]) + np.linalg.norm(truth_xy[:2].mean(0) - truth_xy[3:].mean(0))
    distance = np.linalg.norm(found - truth_xy, axis=2).mean(axis=1) / (unit / 2)  # of profiles the eyes nearly meet
    best = int(distance.argmin())
    return found[best] if distance[best] < MAX_DISTANCE else None


def _read_table(folder: Path) -> Any:
    import polars as pl

    path = folder / "labels.parquet"
    table = pl.DataFrame(read_parquet(path, error=DatasetError, wanted="a folder that aucli synth made"))
    if not {"path", "person", "landmarks"} <= set(table.columns) or not len(table):
        raise DatasetError(f"{path} holds no rendered faces; make some with aucli synth")
    if table["path"].n_unique() != len(table):
        raise DatasetError(f"{folder} holds videos; training reads pictures (aucli synth --kind pictures)")
    return table


def _labels(table: Any, aus: Sequence[int]) -> npt.NDArray[np.int8]:
    """(N, A). In a picture AU43 stands for every closed eye: a blink cannot be told from it."""
    labels = np.full((len(table), len(aus)), -1, np.int8)
    for column, au in enumerate(aus):
        if au_column(au) in table.columns:
            labels[:, column] = table[au_column(au)].to_numpy()
    return labels
