from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.faces import LabelledFaces, MixedFaces, split_of_subject
from aucli.errors import DatasetError
from tests.builders.tiny_training import tiny_faces


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


def test_mixed_faces_keep_their_own() -> None:
    one, other = tiny_faces(4), tiny_faces(3)
    small = LabelledFaces(**{**other.__dict__, "pictures": other.pictures[:, :40, :50]})
    mixed = MixedFaces.of((small, np.array([2, 0, 2])), (one, np.array([3])), (small, np.zeros(0, np.intp)))
    assert len(mixed) == 4
    assert mixed.subjects.tolist() == [*small.subjects[[2, 0, 2]], one.subjects[3]]
    np.testing.assert_array_equal(mixed.labels, np.concatenate([small.labels[[2, 0, 2]], one.labels[3:]]))
    chosen = mixed[np.array([3, 1, 3, 0])]
    assert chosen.pictures.shape == (4, 64, 64, 1)
    for k, (part, row) in enumerate([(one, 3), (small, 0), (one, 3), (small, 2)]):
        height, width = part.pictures.shape[1:3]
        np.testing.assert_array_equal(chosen.pictures[k, :height, :width], part.pictures[row])
        assert not chosen.pictures[k, height:].any()
        np.testing.assert_array_equal(chosen.landmarks_xy[k], part.landmarks_xy[row])
        np.testing.assert_array_equal(chosen.sizes_wh[k], part.sizes_wh[row])
    same = mixed.subset(mixed.labels[:, 0] >= 0)
    np.testing.assert_array_equal(same.labels, mixed.labels[mixed.labels[:, 0] >= 0])
    assert len(mixed[np.zeros(0, np.intp)]) == len(MixedFaces.of((one, np.zeros(0, np.intp)))) == 0


def test_faces_that_cannot_be_mixed() -> None:
    one = tiny_faces(4)
    with pytest.raises(DatasetError, match="can be mixed if"):
        MixedFaces.of()
    colour = LabelledFaces(**{**one.__dict__, "pictures": np.repeat(one.pictures, 3, axis=3)})
    with pytest.raises(DatasetError, match="can be mixed if"):
        MixedFaces.of((one, np.arange(4)), (colour, np.arange(4)))
