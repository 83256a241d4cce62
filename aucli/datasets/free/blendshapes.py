"""Which of MediaPipe's blendshapes is nearest to which action unit, for figures beside a model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.free.teacher import TeacherAnswers

BLENDSHAPES_OF: Final[dict[int, tuple[str, ...]]] = {
    1: ("browInnerUp",),
    2: ("browOuterUpLeft", "browOuterUpRight"),
    4: ("browDownLeft", "browDownRight"),
    5: ("eyeWideLeft", "eyeWideRight"),
    6: ("cheekSquintLeft", "cheekSquintRight"),
    7: ("eyeSquintLeft", "eyeSquintRight"),
    9: ("noseSneerLeft", "noseSneerRight"),
    10: ("mouthUpperUpLeft", "mouthUpperUpRight"),
    12: ("mouthSmileLeft", "mouthSmileRight"),
    14: ("mouthDimpleLeft", "mouthDimpleRight"),
    15: ("mouthFrownLeft", "mouthFrownRight"),
    17: ("mouthShrugLower",),
    18: ("mouthPucker",),
    20: ("mouthStretchLeft", "mouthStretchRight"),
    24: ("mouthPressLeft", "mouthPressRight"),
    25: ("jawOpen",),
    26: ("jawOpen",),
    28: ("mouthRollLower", "mouthRollUpper"),
    43: ("eyeBlinkLeft", "eyeBlinkRight"),
}
"""By what the names say. None is named after the tightening of the lips (AU23); lips that part (AU25) have none of
their own, the jaw's is the nearest."""


def blendshape_name(au: int) -> str:
    """The name for tables, without the sides; empty where there is none."""
    names = [name.removesuffix("Left").removesuffix("Right") for name in BLENDSHAPES_OF.get(au, ())]
    return ", ".join(dict.fromkeys(names))


def blendshape_scores(answers: TeacherAnswers, aus: Sequence[int]) -> npt.NDArray[np.float32]:
    """The mean of each action unit's blendshapes: (N, A), 0 to 1; NaN without a face, or without a blendshape."""
    scores = np.full((len(answers), len(aus)), np.nan, np.float32)
    for column, au in enumerate(aus):
        found = [answers.blendshape_names.index(n) for n in BLENDSHAPES_OF.get(au, ()) if n in answers.blendshape_names]
        if found:
            scores[:, column] = answers.blendshapes[:, found].mean(axis=1)
    return scores
