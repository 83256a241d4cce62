"""Options are refused at the door, with the value and what is allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aucli.annotation.options import AnnotateOptions
from aucli.errors import OptionsError
from aucli.faces.alignment import CropSpec
from aucli.models.config import ModelConfig

MODEL = ModelConfig("m", (1, 12), (0.3, 0.6), CropSpec(), {}, "MIT", "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detect_every": 0}, "`detect_every` is 0; allowed is 1 to 1000"),
        ({"batch_size": 0}, "`batch_size` is 0"),
        ({"max_faces": 0}, "`max_faces` is 0"),
        ({"min_face_px": 2}, "`min_face_px` is 2"),
        ({"workers": 0}, "`workers` is 0"),
        ({"every_s": 0.0}, "`every_s` is 0.0"),
        ({"start_s": -1.0}, "`start_s` is -1.0"),
        ({"start_s": float("nan")}, "`start_s` is nan"),
        ({"end_s": 0.0}, "`end_s` is 0.0"),
        ({"start_s": 5.0, "end_s": 5.0}, "`end_s` is 5.0; allowed is more than `start_s`"),
        ({"thresholds": {12: 1.0}}, "`thresholds` holds 1.0"),
        ({"thresholds": {3: 0.5}}, "`thresholds` names AU 3"),
        ({"hysteresis_logit": -0.1}, "`hysteresis_logit` is -0.1; allowed is 0 to 10"),
        ({"steady_crops_s": float("nan")}, "`steady_crops_s` is nan; allowed is 0 to 10"),
        ({"device": "gpu"}, "`device` is 'gpu'; allowed are auto, cpu, cuda"),
    ],
)
def test_senseless_values_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)):
        AnnotateOptions(**options)


def test_thresholds_replace_the_models_own() -> None:
    assert AnnotateOptions().thresholds_for(MODEL) == (0.3, 0.6)
    assert AnnotateOptions(thresholds={0: 0.5}).thresholds_for(MODEL) == (0.5, 0.5)
    assert AnnotateOptions(thresholds={0: 0.5, 12: 0.7}).thresholds_for(MODEL) == (0.5, 0.7)
    with pytest.raises(OptionsError, match="AU 4; m does not know it, it knows 1, 12"):
        AnnotateOptions(thresholds={4: 0.5}).thresholds_for(MODEL)
