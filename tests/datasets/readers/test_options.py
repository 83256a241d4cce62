"""Options of the readers: the same from a command's words and from Python, and as strict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aucli.datasets.readers.disfa import DisfaOptions
from aucli.datasets.readers.gft import GftOptions
from aucli.datasets.readers.registry import READERS, find_benchmark
from aucli.errors import OptionsError


@pytest.mark.parametrize(
    ("dataset", "pair", "value"),
    [
        ("disfa", "camera=right", "right"),
        ("disfa", "positive_intensity=3", 3),
        ("disfa", "first_image=0", 0),
        ("disfa", "first_image=auto", "auto"),
        ("bp4d", "aus=1,12", (1, 12)),
        ("bp4d", "aus=12", (12,)),
        ("bp4d", "aus=", ()),
        ("bp4d", "check_intensity=false", False),
        ("bp4d", "check_intensity=On", True),
        ("gft", "missing_codes=-1,9", frozenset({-1, 9})),
        ("gft", "participant_pattern=a=(b)", "a=(b)"),
        ("gft", "labels_dir=/x/7", "/x/7"),
        ("gft", "labels_dir=2013", "2013"),
    ],
)
def test_words_become_values(dataset: str, pair: str, value: object) -> None:
    options = find_benchmark(dataset).options.from_pairs([pair])
    name = pair.partition("=")[0]
    assert getattr(options, name) == value
    assert type(getattr(options, name)) is type(value)
    assert options.model_fields_set == {name}
    given: Any = list(value) if isinstance(value, tuple | frozenset) else value
    assert find_benchmark(dataset).options(**{name: given}) == options


@pytest.mark.parametrize(
    ("dataset", "pair", "message"),
    [
        ("bp4d", "camera=left", "`option` is 'camera=left'; allowed is KEY=VALUE with one of aus, labels_dir"),
        ("bp4d", "aus", "allowed is KEY=VALUE"),
        ("bp4d", "aus=1,x", "`option` is 'aus=1,x': expected whole numbers"),
        ("bp4d", "aus=1,1", r"aus is \(1, 1\): allowed are distinct"),
        ("bp4d", "check_intensity=perhaps", "'check_intensity=perhaps': expected true or false"),
        ("disfa", "camera=up", "'camera=up': Input should be 'left', 'right' or 'both'"),
        ("disfa", "positive_intensity=6", "less than or equal to 5"),
        ("gft", "participant_pattern=(", "not a pattern"),
        ("gft", "missing_codes=0,9", "0 and 1 mean absent and present"),
    ],
)
def test_wrong_words_are_one_line(dataset: str, pair: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message) as caught:
        find_benchmark(dataset).options.from_pairs([pair])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"positive_intensity": "3"}, "positive_intensity is '3': expected a whole number"),
        ({"positive_intensity": True}, "expected a whole number"),
        ({"check_video_lengths": 1}, "expected true or false"),
        ({"first_image": "0"}, "first_image is '0'"),
        ({"aus": [1, "x"]}, r"aus is \[1, 'x'\]: expected a whole number"),
        ({"aus": [1, True]}, "expected a whole number"),
        ({"cam": "left"}, "unknown data set option 'cam'; allowed are aus, labels_dir"),
        ({"labels_dir": 7}, "valid string"),
    ],
)
def test_values_are_taken_as_they_are(values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message) as caught:
        DisfaOptions(**values)
    assert "\n" not in str(caught.value)


def test_equal_options_look_alike_on_disk() -> None:
    """A cache is known by these values: another name, order or type would orphan those that exist."""
    assert GftOptions(missing_codes=frozenset({9, -1}), labels_dir=Path("x")).as_json() == {  # type: ignore[arg-type]
        "aus": [],
        "labels_dir": "x",
        "images_dir": None,
        "videos_dir": None,
        "participant_pattern": r"(\d{3}[A-Za-z])",
        "frame_base": 1,
        "missing_codes": [-1, 9],
        "delimiter": "auto",
        "pixels": "auto",
        "partition_file": "gft_partition.csv",
        "check_video_lengths": True,
    }
    assert GftOptions(pairing="time").as_json().keys() - GftOptions().as_json().keys() == {"pairing"}
    for name in READERS:
        json.dumps(find_benchmark(name).options().as_json())
