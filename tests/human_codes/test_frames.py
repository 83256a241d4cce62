from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aucli.errors import OptionsError, TableError
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodeOptions
from tests.builders.read_codes import frames, write


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (("0", "1", "2", "5"), [0, 1, 1, 1]),
        (("0", "A", "b", "E"), [0, 1, 1, 1]),
        (("0,0", "1,0", "", "NaN"), [0, 1, -1, -1]),
        (("false", "true", "9", "-1"), [0, 1, -1, -1]),
        (("non", "oui", "999", "na"), [0, 1, -1, -1]),
    ],
)
def test_what_a_cell_may_hold(tmp_path: Path, cells: tuple[str, ...], labels: list[int]) -> None:
    text = "Bild;Zeit (s);AU12\n" + "".join(
        f"{k};{k / 25:.2f};{cell}\n".replace(".", ",") for k, cell in enumerate(cells)
    )
    codes = frames(write(tmp_path, text, "codes.csv"))
    assert codes.labels[:, 0].tolist() == labels
    assert codes.time_s is not None
    np.testing.assert_allclose(codes.time_s, np.arange(4) / 25)


@pytest.mark.parametrize("min_intensity", [1, 2, 3.5, 5])
def test_occurrence_from_intensities(tmp_path: Path, min_intensity: float) -> None:
    """In one column, or beside the occurrence that the coder saw."""
    rows = [(0, 0.0), (1, 1.0), (1, 2.0), (1, 4.0), (1, 5.0)]
    options = CodeOptions(min_intensity=min_intensity)
    one = write(
        tmp_path, "frame,AU12\n" + "".join(f"{k},{grade:.0f}\n" for k, (_, grade) in enumerate(rows)), "one.csv"
    )
    two = "frame,AU12,AU12_intensity\n" + "".join(f"{k},{occurs},{grade}\n" for k, (occurs, grade) in enumerate(rows))
    only = "frame,AU12_r\n" + "".join(f"{k},{grade}\n" for k, (_, grade) in enumerate(rows))
    for path in (one, write(tmp_path, two, "two.csv"), write(tmp_path, only, "only.csv")):
        codes = frames(path, options)
        assert codes.labels[:, 0].tolist() == [int(grade >= min_intensity) for _, grade in rows]
        assert codes.grades is not None
        assert codes.grades[:, 0].tolist() == [grade for _, grade in rows]


def test_occurrences_have_no_intensity_to_ask_for(tmp_path: Path) -> None:
    codes = frames(write(tmp_path, "frame,AU12,AU6\n0,1,0\n1,0,1\n"), CodeOptions(min_intensity=3))
    assert codes.labels.tolist() == [[0, 1], [1, 0]]
    assert codes.grades is None
    assert "no intensity; they count as present whatever `min_intensity` is" in codes.notes[0]


def test_columns_of_one_side_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "frame,AU12,AU12L,AU12R,AU14L\n0,1,0,0,1\n1,0,1,0,1\n2,0,0,0,0\n3,,1,0,0\n")
    codes = frames(path)
    assert codes.coded_aus == (12,)
    assert codes.labels[:, 0].tolist() == [1, -1, 0, -1]
    assert codes.notes == (
        "codes.txt: codes of one side of the face are left out; count them with `one_sided`: AU12L, AU12R, AU14L",
    )
    codes = frames(path, CodeOptions(one_sided="count"))
    assert codes.coded_aus == (12, 14)
    assert codes.labels.tolist() == [[1, 1], [1, 1], [0, 0], [-1, 0]]
    only = write(tmp_path, "frame,AU14L\n0,1\n")
    with pytest.raises(TableError, match="one side only; count them with `one_sided`"):
        read_codes(only)
    assert frames(only, CodeOptions(one_sided="count")).labels.tolist() == [[1]]


def test_people_in_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, "frame,person,AU12\n0,Anna,1\n0,Ben,0\n1,Anna,1\n1,Ben,0\n")
    anna, ben = read_codes(path)
    assert (anna.subject, ben.subject) == ("Anna", "Ben")
    assert frames(path, CodeOptions(subject="Ben")).labels[:, 0].tolist() == [0, 0]
    with pytest.raises(OptionsError, match="no subject 'Cleo'"):
        read_codes(path, CodeOptions(subject="Cleo"))


def test_times_as_timecode(tmp_path: Path) -> None:
    path = write(tmp_path, "Time,AU12\n00:00:00:00,0\n00:00:00:12,1\n")
    codes = frames(path, CodeOptions(frame_rate=24))
    assert codes.time_s is not None
    assert codes.time_s.tolist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,2.5", "'2.5' for AU12"),
        ("0,6", "'6' for AU12"),
        ("0,F", "'F' for AU12"),
        ("0,٣", "for AU12"),
        ("1e300,1", "expected a whole number"),
        ("-1,1", "below `frame_base`"),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_codes(write(tmp_path, f"frame,AU12\n{row}\n"))
