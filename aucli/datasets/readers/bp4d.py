"""BP4D-Spontaneous (Zhang et al. 2014): 41 subjects, eight tasks each, 12 evaluated AUs.

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
from typing import Final

from aucli.datasets.readers.benchmark import PublishedParts
from aucli.datasets.readers.binghamton import EVALUATED_AUS, Layout, benchmark
from aucli.datasets.readers.published_counts import PublishedCounts, rates

SUBJECTS: Final = tuple([f"F{i:03d}" for i in range(1, 24)] + [f"M{i:03d}" for i in range(1, 19)])
"""F001-F023 and M001-M018. Source: the subject lists of ME-GraphAU and JAA-Net."""

TASKS: Final = (1, 2, 3, 4, 5, 6, 7, 8)
"""T1-T8, all AU coded. Source: the lists of AUNCE."""

SESSION_TASKS: Final = {1: 1, 3: 2, 7: 3, 8: 4, 9: 5, 10: 6, 11: 7, 13: 8}
"""Session code in a video's name to task. Source: FMAE-IAT, BP4D_preprocess.py."""

FOLDS: Final = PublishedParts(
    parts=(
        "F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
        "F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
        "F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
    ),
    paper_order=(3, 2, 1),
)
"""The three parts of BP4D, the same sets in JAA-Net, ME-GraphAU, AUNCE, AU-Net, FG-Net, FMAE-IAT and AUNets.
ME-GraphAU and AUNCE test part 3 in fold 1; JAA-Net, FG-Net and FMAE-IAT test part k in fold k."""

COUNTS: Final = PublishedCounts(
    subjects=41,
    sequences=328,
    frames=146_847,
    base_rates=rates(EVALUATED_AUS, (21.1, 17.0, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5, 15.2)),
    source="frames counted in the lists of CVI-SZU/ME-GraphAU; base rates in the label files of ihp-lab/FG-Net",
)

_SESSION_NAME = re.compile(r"2([FM])(\d{2})_(\d{2})", re.IGNORECASE)
_SEQUENCE_NAME = re.compile(r"([FM]\d{3})_T(\d{1,2})", re.IGNORECASE)


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
)


BENCHMARK: Final = benchmark(LAYOUT, title="BP4D-Spontaneous", counts=COUNTS, folds=FOLDS)
