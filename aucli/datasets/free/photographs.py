"""Reads photographs of single faces, with labels by rule and by eye."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aucli.datasets.faces import LabelledFaces
from aucli.datasets.free.face_mesh import FaceMesh, Photograph
from aucli.datasets.free.visual_codes import VisualCodes
from aucli.datasets.free.weak_labels import PHOTOGRAPH_AUS, label
from aucli.datasets.samples import SplitName
from aucli.errors import DatasetError
from aucli.faces.values import START_SCORE, Detector


def read_photographs(
    path: Path,
    detector: Detector,
    *,
    aus: Sequence[int] = PHOTOGRAPH_AUS,
    codes: VisualCodes | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> LabelledFaces:
    """Read, detect and label the photographs of a Parquet file.

    Args:
        path: the file.
        detector: finds the five landmarks; use the one that annotate will use.
        aus: action units wanted; -1 for those that neither the witnesses nor the codes know.
        codes: codes by eye, by the column ``name``; they overrule the witnesses.
        report: called with a line of text now and then.

    Raises:
        DatasetError: if the file cannot be read, lacks a column, or holds no face.
    """
    import polars as pl
    from PIL import Image

    columns = ["identity", "emotion", "jpeg", *(["name"] if codes is not None else [])]
    try:
        table = pl.read_parquet(path, columns=columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DatasetError(f"{path} is not a table with {', '.join(columns)}: {error}") from error
    mesh = FaceMesh()
    pictures, seen, rows = [], [], []
    for row, jpeg in enumerate(table["jpeg"]):
        picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))
        found = look_at(picture, detector, mesh)
        if found is not None:
            pictures.append(picture)
            seen.append(found)
            rows.append(row)
        if row % 500 == 0:
            report(f"{row} of {len(table)} photographs: {len(rows)} faces")
    if not rows:
        raise DatasetError(f"{path}: no face was found in {len(table)} photographs")
    kept = table[rows]
    subjects = np.array([subject_of(name) for name in kept["identity"]])
    weak = label(pictures, seen, kept["emotion"].to_numpy().astype(str), subjects)
    labels = np.full((len(kept), len(aus)), -1, np.int8)
    for column, au in enumerate(aus):
        if au in PHOTOGRAPH_AUS:
            labels[:, column] = weak[:, PHOTOGRAPH_AUS.index(au)]
    if codes is not None:
        by_eye = codes.labels_for(kept["name"].to_list(), tuple(aus))
        labels = np.where(by_eye >= 0, by_eye, labels)
    canvas, sizes_wh = _stack(pictures)
    landmarks = np.stack([found.landmarks_xy for found in seen])
    return LabelledFaces(tuple(aus), canvas, sizes_wh, landmarks, labels, subjects)


def look_at(picture: npt.NDArray[np.uint8], detector: Detector, mesh: FaceMesh) -> Photograph | None:
    """Detect the face that fills a grey picture, with a border around it, and fit the mesh; None without a face."""
    from PIL import Image

    height, width = picture.shape
    border = max(height, width) // 2
    padded = np.pad(picture, border, mode="edge")
    faces = detector.detect(np.repeat(padded[None, :, :, None], 3, axis=3), min_face_px=20)[0]
    centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2 - border
    offset = np.abs(centres / np.array([width, height]) - 0.5)
    central = np.flatnonzero((offset < 0.3).all(axis=1) & (faces.scores >= START_SCORE))
    if not len(central):
        return None
    landmarks = faces.landmarks_xy[central[0]]
    points, presence = mesh.fit(Image.fromarray(padded), landmarks)
    points[:, :2] -= border
    return Photograph((landmarks - border).astype(np.float32), points, presence)


def subject_of(identity: str) -> str:
    """Stock pictures are named by number, not by person: together they count as one, which can only be too careful."""
    return "facial-expressions" if identity.startswith("facial-expressions") else identity


def splits_of_coded_subjects(path: Path, codes: VisualCodes) -> dict[str, SplitName]:
    """In which split the subjects of coded photographs are, where the codes say.

    Raises:
        DatasetError: if the file cannot be read, or the codes put one subject into two splits.
    """
    import polars as pl

    try:
        table = pl.read_parquet(path, columns=["name", "identity"])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DatasetError(f"{path} is not a table with name and identity: {error}") from error
    identity_of = dict(table.iter_rows())
    found: dict[str, SplitName] = {}
    for name, split in zip(codes.names, codes.splits, strict=True):
        if split is not None and name in identity_of:
            subject = subject_of(identity_of[name])
            if found.setdefault(subject, split) != split:
                raise DatasetError(f"the codes put {subject} into {found[subject]} and {split}: one subject, one split")
    return found


def _stack(pictures: list[npt.NDArray[np.uint8]]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Pictures of different sizes in one array (N, H, W, 1), edges repeated, and their sizes (N, 2)."""
    sizes_wh = np.array([picture.shape[::-1] for picture in pictures], np.int32)
    width, height = sizes_wh.max(axis=0)
    padded = [np.pad(p, ((0, height - p.shape[0]), (0, width - p.shape[1])), mode="edge") for p in pictures]
    return np.stack(padded)[..., None], sizes_wh
