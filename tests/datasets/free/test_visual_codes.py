from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.free.photograph_tables import PhotographTable
from aucli.datasets.free.photographs import splits_of_coded_subjects
from aucli.datasets.free.visual_codes import VisualCodes, read_visual_codes
from aucli.errors import DatasetError


def _file(folder: Path, text: str) -> Path:
    path = folder / "codes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_that_nobody_looked_at(tmp_path: Path) -> None:
    codes = read_visual_codes(_file(tmp_path, "name,look,AU1,AU2\na,1,1,\na,2,,\nb,1,?,0\n"))
    assert codes.labels_for(["a", "b"], (1, 2)).tolist() == [[1, -1], [-1, 0]]
    assert codes.looked_at(["a", "b", "c"], (2, 1, 9)).tolist() == [
        [False, True, False],
        [True, True, False],
        [False, False, False],
    ]


def test_no_pictures(tmp_path: Path) -> None:
    codes = read_visual_codes(_file(tmp_path, "name,look,AU1\n"))
    assert codes.consensus().shape == (0, 1)
    assert codes.labels_for(["a"], (1, 2)).tolist() == [[-1, -1]]


def test_looks_that_agree_count(tmp_path: Path) -> None:
    lines = ["name,look,AU1,AU2,AU12", "a,1,1,?,0", "a,2,1,0,1", "b,1,0,1,1", "c,1,1,?,1", "c,2,0,?,1", "c,3,0,1,0"]
    codes = read_visual_codes(_file(tmp_path, "\n".join(lines)))
    assert codes.labels_for(["c", "a", "nobody", "b"], (12, 1, 2, 9)).tolist() == [
        [1, 0, -1, -1],
        [-1, 1, -1, -1],
        [-1, -1, -1, -1],
        [1, 0, 1, -1],
    ]


@given(st.lists(st.sampled_from([1, 0, -1, -2]), min_size=3, max_size=3))
def test_consensus_is_the_one_most_frequent_answer(looks: list[int]) -> None:
    codes = VisualCodes((1,), ("a",), np.array(looks, np.int8).reshape(1, 3, 1), (None,))
    given_answers = [code for code in looks if code != -2]
    counts = sorted(((given_answers.count(code), code) for code in (1, 0, -1)), reverse=True)
    leads = counts[0][0] > counts[1][0]
    assert codes.consensus().item() == (counts[0][1] if leads else -1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,AU1\na,1\n", "needed are name, look"),
        ("name,look\na,1\n", "needed are name, look"),
        ("name,look,AU1\na,1,2\n", "line 2: codes are"),
        ("name,look,AU1\na,1,1\nb,0,1\n", "line 3: codes are"),
        ("name,look,AU1\na,1\n", "line 2: codes are"),
        ("name,part,look,AU1\na,west,1,1\n", "line 2: part is train, validation or test"),
        ("name,part,look,AU1\na,test,1,1\na,train,2,1\n", "line 3: part is train, validation or test, the same"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_visual_codes(_file(tmp_path, text))


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_visual_codes(tmp_path / "none.csv")


def test_subjects_whom_the_codes_hold_out_stay_held_out(tmp_path: Path) -> None:
    names = [f"{person}{k}" for person in "abcdef" for k in range(2)]
    subjects = np.array([name[0] for name in names])
    photographs = PhotographTable(tuple(names), (b"",) * 12, subjects, np.full(12, -1, np.int8))
    text = "name,part,look,AU1\na0,test,1,1\nb1,validation,1,0\nc0,train,1,0\nc1,train,1,0\nnobody,test,1,1\n"
    known = splits_of_coded_subjects(photographs, read_visual_codes(_file(tmp_path, text)))
    assert known == {"a": "test", "b": "validation", "c": "train"}
    both = read_visual_codes(_file(tmp_path, "name,part,look,AU1\na0,test,1,1\na1,train,1,0\n"))
    with pytest.raises(DatasetError, match="the codes put a into test and train"):
        splits_of_coded_subjects(photographs, both)
