"""BP4D+ (Zhang et al. 2016; also EB+, MMSE): 140 subjects, ten tasks, four of them AU coded.

On disk::

    BP4D+_v0.2/
      2D+3D/F001.zip                 members F001/T1/000.jpg ..., or unpacked 2D+3D/F001/T1/000.jpg
      AUCoding/AU_OCC/F001_T1.csv    packed columns that the header names: the column number is not the AU number
      AUCoding/AU_INT/AU06/F001_T1_AU06.csv

or one video per sequence, ``F001_T1.mp4``, whose first decoded frame is frame 1 (FMAE-IAT).
"""

from __future__ import annotations

import re
from typing import Final

from aucli.datasets.readers.benchmark import PublishedParts
from aucli.datasets.readers.binghamton import Layout, benchmark
from aucli.datasets.readers.published_counts import PublishedCounts

SUBJECTS: Final = tuple([f"F{i:03d}" for i in range(1, 83)] + [f"M{i:03d}" for i in range(1, 59)])
"""F001-F082 and M001-M058. Source: rPPG-Toolbox; the fold lists of FMAE-IAT."""

CODED_TASKS: Final = (1, 6, 7, 8)
"""Tasks with AU codes, about 20 s each. Source: rPPG-Toolbox, BP4DPlusLoader."""

FOLDS: Final = PublishedParts(
    parts=(
        "M040 F072 M015 M029 M003 F076 F053 F026 F044 F066 F057 F061 F071 M050 M033 F079 F020 M025 F014 F004 F013 M017 "
        "F033 M042 M004 F038 F019 M036 M026 M048 F039 F046 M051 F047 M020",
        "F074 F012 F034 M001 F056 F075 M009 M038 F024 M047 F016 M045 M034 M022 F060 M011 M044 M046 M005 M028 F077 F028 "
        "M055 M019 F032 F030 M037 M043 F031 F022 M023 M018 M016 F065 M052",
        "F029 F054 F064 F045 F009 F040 F008 M041 F063 M056 M024 F001 F080 M010 F062 F035 M054 F052 F027 F043 F042 F050 "
        "M057 F078 F058 F017 M035 M030 M027 F021 M031 F069 F002 M008 F068",
        "M058 F037 F010 F023 M007 M002 F025 F073 F048 F041 F051 F011 M032 F005 M021 F018 M013 M049 M014 F070 F006 F067 "
        "M039 M006 F059 F003 F007 F049 M053 F081 F055 M012 F082 F015 F036",
    ),
    paper_order=(1, 2, 3, 4),
)
"""Four parts of BP4D+: FMAE-IAT's random lists, the only public ones; there is no official partition."""

COUNTS: Final = PublishedCounts(
    subjects=140,
    sequences=560,
    frames=197_875,
    source="forever208/FMAE-IAT (197,756) and papers (197,875); 140 subjects by four coded tasks",
)

_VIDEO_NAME = re.compile(r"([FM]\d{3})[_ ]T(\d{1,2})", re.IGNORECASE)


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
)


BENCHMARK: Final = benchmark(LAYOUT, title="BP4D+", counts=COUNTS, folds=FOLDS)
