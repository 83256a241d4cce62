"""Options are refused at the door, with the value and what is allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aucli.annotation.options import AnnotateOptions, parse_thresholds, seconds_per_frame
from aucli.errors import OptionsError
from aucli.faces.alignment import CropSpec
from aucli.models.config import ModelConfig

MODEL = ModelConfig("m", (1, 12), (0.3, 0.6), CropSpec(), {}, "MIT", "none")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detect_every": 0}, "--detect-every is 0; allowed is 1 to 1000"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"max_faces": 0}, "--max-faces is 0"),
        ({"min_face_px": 2}, "--min-face is 2"),
        ({"workers": 0}, "--workers is 0"),
        ({"every_s": 0.0}, "--every is 0.0"),
        ({"start_s": -1.0}, "--start is -1.0"),
        ({"start_s": float("nan")}, "--start is nan"),
        ({"end_s": 0.0}, "--end is 0.0"),
        ({"start_s": 5.0, "end_s": 5.0}, "--end is 5.0; allowed is more than --start"),
        ({"thresholds": {12: 1.0}}, "--threshold is 1.0"),
        ({"thresholds": {3: 0.5}}, "--threshold names AU 3"),
        ({"device": "gpu"}, "--device is 'gpu'; allowed are auto, cpu, cuda"),
    ],
)
def test_senseless_values_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)):
        AnnotateOptions(**options)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], {}),
        (["0.5"], {0: 0.5}),
        (["AU12=0.4", "au06=.3", "4=0.2"], {12: 0.4, 6: 0.3, 4: 0.2}),
        (["0.5", "AU12=0.4"], {0: 0.5, 12: 0.4}),
    ],
)
def test_thresholds_are_read(texts: list[str], expected: dict[int, float]) -> None:
    assert parse_thresholds(texts) == expected


@pytest.mark.parametrize("text", ["", "half", "AU12", "AU12=", "AU12=x", "=0.5", "0.5.5", "--"])
def test_thresholds_that_cannot_be_read(text: str) -> None:
    with pytest.raises(OptionsError, match=r"cannot be read; write 0\.5 or AU12=0\.4"):
        parse_thresholds([text])


def test_thresholds_replace_the_models_own() -> None:
    assert AnnotateOptions().thresholds_for(MODEL) == (0.3, 0.6)
    assert AnnotateOptions(thresholds={0: 0.5}).thresholds_for(MODEL) == (0.5, 0.5)
    assert AnnotateOptions(thresholds={0: 0.5, 12: 0.7}).thresholds_for(MODEL) == (0.5, 0.7)
    with pytest.raises(OptionsError, match="AU 4, which m does not know; it knows 1, 12"):
        AnnotateOptions(thresholds={4: 0.5}).thresholds_for(MODEL)


def test_sampling_is_given_once() -> None:
    assert seconds_per_frame(None, None) is None
    assert seconds_per_frame(0.5, None) == 0.5
    assert seconds_per_frame(None, 5.0) == 0.2
    with pytest.raises(OptionsError, match="give one of them"):
        seconds_per_frame(0.5, 5.0)
    with pytest.raises(OptionsError, match="--fps is 0"):
        seconds_per_frame(None, 0.0)
