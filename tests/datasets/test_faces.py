from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.datasets.faces import LabelledFaces, join, split_of_subject
from aucli.errors import DatasetError
from tests.builders.tiny_training import AUS, tiny_faces


@settings(max_examples=50)
@given(st.lists(st.text(max_size=8), max_size=60), st.integers(0, 99))
def test_no_person_is_in_two_folds(names: list[str], seed: int) -> None:
    count = len(names)
    faces = LabelledFaces(
        AUS,
        np.zeros((count, 2, 2, 1), np.uint8),
        np.zeros((count, 2), np.int32),
        np.zeros((count, 5, 2), np.float32),
        np.zeros((count, 2), np.int8),
        np.array(names, dtype=str) if names else np.zeros(0, "U1"),
    )
    parts = [faces.split(f, seed=seed, test=0.3, validation=0.3) for f in ("train", "validation", "test")]
    people = [set(part.subjects.tolist()) for part in parts]
    assert sum(map(len, parts)) == count
    assert not (people[0] & people[1]) | (people[0] & people[2]) | (people[1] & people[2])


def test_shares_of_the_folds() -> None:
    drawn = [split_of_subject(str(i), seed=1, test=0.2, validation=0.1) for i in range(4000)]
    assert abs(drawn.count("test") / 4000 - 0.2) < 0.02
    assert abs(drawn.count("validation") / 4000 - 0.08) < 0.02


def test_faces_come_back_from_disk(tmp_path: Path) -> None:
    faces = tiny_faces(5)
    faces.save(tmp_path / "faces.npz")
    again = LabelledFaces.load(tmp_path / "faces.npz")
    assert again.aus == faces.aus
    np.testing.assert_array_equal(again.pictures, faces.pictures)
    np.testing.assert_array_equal(again.subjects, faces.subjects)
    assert [p.name for p in tmp_path.iterdir()] == ["faces.npz"]
    (tmp_path / "broken.npz").write_bytes(b"no")
    with pytest.raises(DatasetError, match="not a cache of labelled faces"):
        LabelledFaces.load(tmp_path / "broken.npz")


def test_labels_that_make_no_sense_are_refused() -> None:
    faces = tiny_faces(3)
    with pytest.raises(DatasetError, match="allowed are 1, 0 and -1"):
        LabelledFaces(**{**faces.__dict__, "labels": faces.labels + 2})
    with pytest.raises(DatasetError, match="have shapes"):
        LabelledFaces(**{**faces.__dict__, "labels": faces.labels[:2]})


def test_joined_faces_keep_their_own() -> None:
    one, other = tiny_faces(4), tiny_faces(3)
    small = LabelledFaces(**{**other.__dict__, "pictures": other.pictures[:, :40, :50]})
    both = join([one, small])
    assert both.pictures.shape == (7, 64, 64, 1)
    np.testing.assert_array_equal(both.pictures[4:, :40, :50], small.pictures)
    np.testing.assert_array_equal(both.labels[:4], one.labels)
    with pytest.raises(DatasetError, match="no faces to join"):
        join([])
