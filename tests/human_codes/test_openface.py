from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aucli.errors import TableError
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedFrames, CodeOptions
from tests.builders.coded_files import openface
from tests.builders.read_codes import frames, write

ROWS = [(k / 25, int(10 <= k < 30), 2.5 if 10 <= k < 30 else 0.4, k != 50) for k in range(100)]


def test_occurrence_intensity_and_success(tmp_path: Path) -> None:
    codes = frames(write(tmp_path, openface([ROWS]), "a.csv"))
    assert codes.by_time
    assert codes.labels[:, 0].tolist() == [-1 if k == 50 else int(10 <= k < 30) for k in range(100)]
    assert codes.grades is not None
    assert codes.grades[12, 0] == 2.5
    assert np.isnan(codes.grades[50, 0])
    assert codes.frame is not None
    assert codes.frame[0] == 0, "OpenFace counts from 1"
    assert codes.time_s is not None
    np.testing.assert_allclose(codes.time_s, np.arange(100) / 25)
    strong = frames(write(tmp_path, openface([ROWS]), "a.csv"), CodeOptions(min_intensity=3))
    assert not (strong.labels == 1).any()


def test_several_faces_say_where_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, openface([ROWS, ROWS[:60]], centres_xy=[(50, 60), (200, 80)]), "a.csv")
    one, two = read_codes(path)
    assert isinstance(one, CodedFrames)
    assert isinstance(two, CodedFrames)
    assert (one.subject, two.subject, len(one.labels), len(two.labels)) == ("0", "1", 100, 60)
    assert one.centre_xy is not None
    assert two.centre_xy is not None
    np.testing.assert_allclose(one.centre_xy[0], (50, 60), atol=0.1)
    np.testing.assert_allclose(two.centre_xy[0], (200, 80), atol=0.1)
    assert frames(path, CodeOptions(subject="1")).subject == "1"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", 0.040,", ", x,", "the timestamp 'x'"),
        (" AU12_c", " other", "AU12"),
        ("\n2, 0", "\nzwei, 0", "the frame 'zwei'"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = openface([ROWS]).replace(old, new)
    if "other" in new:
        text = text.replace(" AU12_r", " more")
        message = "no AU columns"
    with pytest.raises(TableError, match=message):
        read_codes(write(tmp_path, text, "a.csv"))
    with pytest.raises(TableError, match="no rows"):
        read_codes(write(tmp_path, text.split("\n")[0].replace("other", "AU12_c"), "a.csv"))
