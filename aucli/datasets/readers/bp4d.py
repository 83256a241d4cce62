"""BP4D-Spontaneous (Zhang et al. 2014): 41 people, eight tasks each, 12 evaluated AUs.

On disk::

    BP4D/
      Sequences_2D+3D/F001/T1/2440.jpg     one folder per subject and task; zero padding differs between copies
      AUCoding/AU_OCC/F001_T1.csv          occurrence, one row per coded frame
      AUCoding/AU_INT/AU06/F001_T1_AU06.csv

Other forms in circulation: 2D videos ``2F01_01.avi`` whose first decoded frame is frame 1 of the CSV (FMAE-IAT), and
the FERA 2015 form with images under ``BP4D-training/`` and label files directly in ``AUCoding/`` (OpenFace).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aucli.datasets.readers import published_counts as published
from aucli.datasets.readers.binghamton import BinghamtonOptions, Layout, load
from aucli.datasets.report import Findings
from aucli.datasets.samples import Samples

SUBJECTS: Final = tuple([f"F{i:03d}" for i in range(1, 24)] + [f"M{i:03d}" for i in range(1, 19)])
"""F001-F023 and M001-M018. Source: the subject lists of ME-GraphAU and JAA-Net."""

TASKS: Final = (1, 2, 3, 4, 5, 6, 7, 8)
"""T1-T8, all AU coded. Source: the lists of AUNCE."""

SESSION_TASKS: Final = {1: 1, 3: 2, 7: 3, 8: 4, 9: 5, 10: 6, 11: 7, 13: 8}
"""Session code in a video's name to task. Source: FMAE-IAT, BP4D_preprocess.py."""

_SESSION_NAME = re.compile(r"2([FM])(\d{2})_(\d{2})", re.IGNORECASE)
_SEQUENCE_NAME = re.compile(r"([FM]\d{3})_T(\d{1,2})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Bp4dOptions(BinghamtonOptions):
    """How to read BP4D."""


def video_key(stem: str) -> tuple[str, int] | None:
    """Subject and task of a video: ``2F01_03`` is F001, T2; ``F001_T2`` says so itself; None for other names."""
    session = _SESSION_NAME.fullmatch(stem)
    if session and int(session.group(3)) in SESSION_TASKS:
        return f"{session.group(1).upper()}0{session.group(2)}", SESSION_TASKS[int(session.group(3))]
    plain = _SEQUENCE_NAME.fullmatch(stem)
    return (plain.group(1).upper(), int(plain.group(2))) if plain else None


LAYOUT: Final = Layout(
    name="bp4d",
    subjects=SUBJECTS,
    tasks=TASKS,
    # The first is what py-feat's reader meets, the last OpenFace's (FERA 2015); the others are seen in copies.
    image_folders=(
        "Sequences_2D+3D",
        "Sequences(2D+3D)",
        "Sequences (2D+3D)",
        "2D+3D",
        "2D",
        "Sequences",
        "BP4D-training",
    ),
    # The last is the FERA 2015 form (OpenFace, extract_BP4D_labels).
    label_folders=("AUCoding/AU_OCC", "AU_OCC", "AUCoding"),
    intensity_folders=("AUCoding/AU_INT", "AU_INT", "AU Intensity Codes3.0"),
    video_key=video_key,
    video_example="2F01_01.avi",
    published=published.BP4D,
)


def load_bp4d(root: Path, options: Bp4dOptions, findings: Findings) -> Samples:
    """Read BP4D as its owners distribute it.

    Raises:
        DatasetError: if the labels or pixels cannot be found, or a label file makes no sense.
    """
    return load(root, LAYOUT, options, findings)
