"""BP4D+ (Zhang et al. 2016; also EB+, MMSE): 140 people, ten tasks, four of them AU coded.

On disk::

    BP4D+_v0.2/
      2D+3D/F001.zip                 members F001/T1/000.jpg ..., or unpacked 2D+3D/F001/T1/000.jpg
      AUCoding/AU_OCC/F001_T1.csv    packed columns that the header names: the column number is not the AU number
      AUCoding/AU_INT/AU06/F001_T1_AU06.csv

or one video per sequence, ``F001_T1.mp4``, whose first decoded frame is frame 1 (FMAE-IAT).
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

SUBJECTS: Final = tuple([f"F{i:03d}" for i in range(1, 83)] + [f"M{i:03d}" for i in range(1, 59)])
"""F001-F082 and M001-M058. Source: rPPG-Toolbox; the fold lists of FMAE-IAT."""

CODED_TASKS: Final = (1, 6, 7, 8)
"""Tasks with AU codes, about 20 s each. Source: rPPG-Toolbox, BP4DPlusLoader."""

_VIDEO_NAME = re.compile(r"([FM]\d{3})[_ ]T(\d{1,2})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Bp4dPlusOptions(BinghamtonOptions):
    """How to read BP4D+."""


def video_key(stem: str) -> tuple[str, int] | None:
    """Subject and task of a video, ``F001_T1``; None for other names."""
    match = _VIDEO_NAME.fullmatch(stem)
    return (match.group(1).upper(), int(match.group(2))) if match else None


LAYOUT: Final = Layout(
    name="bp4dplus",
    subjects=SUBJECTS,
    tasks=CODED_TASKS,
    image_folders=("2D+3D", "2D", "Sequences_2D+3D", "Sequences(2D+3D)"),
    label_folders=("AUCoding/AU_OCC", "AU_OCC"),
    intensity_folders=("AUCoding/AU_INT", "AU_INT"),
    video_key=video_key,
    video_example="F001_T1.mp4",
    published=published.BP4DPLUS,
)


def load_bp4dplus(root: Path, options: Bp4dPlusOptions, findings: Findings) -> Samples:
    """Read BP4D+ as its owners distribute it.

    Raises:
        DatasetError: if the labels or pixels cannot be found, or a label file makes no sense.
    """
    return load(root, LAYOUT, options, findings)
