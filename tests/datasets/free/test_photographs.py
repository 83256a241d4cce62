from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from aucli.datasets.faces import LabelledFaces
from aucli.datasets.free.face_mesh import measures, turn_to_front
from aucli.datasets.free.photograph_tables import join_tables, read_photograph_table
from aucli.datasets.free.photographs import find_landmarks, labelled_photographs, load_landmarks, save_landmarks
from aucli.errors import DatasetError
from aucli.faces.detectors import open_detector
from tests.builders.photographs import jpeg, write_photographs


def test_an_empty_table(tmp_path: Path) -> None:
    table = read_photograph_table(write_photographs(tmp_path / "none.parquet", []))
    assert len(table) == 0
    assert find_landmarks(table.jpegs, open_detector(None)).shape == (0, 5, 2)
    nobody = labelled_photographs(
        table, np.zeros(0, np.intp), np.zeros((0, 5, 2), np.float32), np.zeros((0, 1), np.int8), (1,), colour="rgb"
    )
    assert isinstance(nobody, LabelledFaces)
    assert len(nobody) == 0
    assert len(join_tables([])) == 0


def test_columns_that_a_table_may_lack(tmp_path: Path) -> None:
    one = write_photographs(tmp_path / "one.parquet", ["a", "b"], identity=["Ann", None], emotion=["happiness", "fear"])
    other = write_photographs(tmp_path / "other.parquet", ["c", "d"], smile=[1, None])
    table = join_tables([read_photograph_table(one), read_photograph_table(other)])
    assert table.names == ("a", "b", "c", "d")
    assert table.subjects.tolist() == ["Ann", "b", "c", "d"]  # without an identity, each photograph is a subject
    assert table.smiles.tolist() == [-1, -1, 1, -1]


def test_a_name_that_occurs_twice(tmp_path: Path) -> None:
    tables = [read_photograph_table(write_photographs(tmp_path / f"{k}.parquet", ["a"])) for k in "xy"]
    with pytest.raises(DatasetError, match="the photograph a occurs twice"):
        join_tables(tables)


def test_tables_that_make_no_sense(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no")
    with pytest.raises(DatasetError, match="no Parquet file; name a table of photographs"):
        read_photograph_table(tmp_path / "x.parquet")
    pl.DataFrame({"name": ["a"]}).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(DatasetError, match="not a table of photographs with name and jpeg"):
        read_photograph_table(tmp_path / "y.parquet")
    with pytest.raises(DatasetError, match="smile is 1, 0 or empty"):
        read_photograph_table(write_photographs(tmp_path / "z.parquet", ["a"], smile=[2]))
    broken = pl.DataFrame({"name": ["a"], "jpeg": [b"no picture"]})
    broken.write_parquet(tmp_path / "broken.parquet")
    with pytest.raises(DatasetError, match="cannot be decoded"):
        find_landmarks(read_photograph_table(tmp_path / "broken.parquet").jpegs, open_detector(None))


def test_pictures_of_all_sizes_and_colours_become_one_array(tmp_path: Path) -> None:
    grey = Image.new("L", (10, 12), 100)
    colour = Image.new("RGB", (16, 8), (200, 20, 20))
    path = write_photographs(tmp_path / "t.parquet", ["a", "b", "c"], pictures=[grey, colour, grey])
    table = read_photograph_table(path)
    landmarks = np.arange(30, dtype=np.float32).reshape(3, 5, 2)
    labels = np.array([[1], [0], [-1]], np.int8)
    faces = labelled_photographs(table, np.array([1, 0]), landmarks, labels, (12,), colour="rgb")
    assert faces.pictures.shape == (2, 12, 16, 3)
    assert faces.sizes_wh.tolist() == [[16, 8], [10, 12]]
    assert faces.subjects.tolist() == ["b", "a"]
    assert faces.labels.tolist() == [[0], [1]]
    np.testing.assert_array_equal(faces.landmarks_xy, landmarks[[1, 0]])
    for k, file in enumerate((table.jpegs[1], table.jpegs[0])):
        w, h = faces.sizes_wh[k]
        decoded = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
        np.testing.assert_array_equal(faces.pictures[k, :h, :w], decoded)
    assert (faces.pictures[1, :12, :10] == faces.pictures[1, :12, :10, :1]).all()  # grey: three equal channels
    plain = labelled_photographs(table, np.array([1]), landmarks, labels, (12,), colour="grey")
    assert plain.pictures.shape == (1, 8, 16, 1)


def test_landmarks_are_kept(tmp_path: Path) -> None:
    landmarks = np.full((3, 5, 2), np.nan, np.float32)
    landmarks[1] = 4
    save_landmarks(landmarks, tmp_path / "x.npy")
    np.testing.assert_array_equal(load_landmarks(tmp_path / "x.npy"), landmarks)
    (tmp_path / "x.npy").write_bytes(b"cut")
    with pytest.raises(DatasetError, match="is damaged"):
        load_landmarks(tmp_path / "x.npy")


def test_faces_are_found_in_the_middle_only(shared: Path) -> None:
    rows = pl.read_parquet(shared / "faces" / "genki_odd.parquet").head(6)["jpeg"].to_list()
    empty = jpeg(Image.new("RGB", (64, 64), (128, 128, 128)))
    found = find_landmarks([*rows, empty], open_detector(None))
    assert np.isfinite(found[:6]).mean() > 0.6
    assert np.isnan(found[6]).all()
    face = Image.open(io.BytesIO(rows[int(np.isfinite(found[:6, 0, 0]).argmax())])).convert("RGB")
    aside = Image.new("RGB", (face.width * 4, face.height), (128, 128, 128))
    aside.paste(face, (0, 0))  # now the face is at the left edge
    assert np.isnan(find_landmarks([jpeg(aside)], open_detector(None))).all()


def _meshes(count: int) -> np.ndarray:
    """One face shape, each copy turned, moved and scaled."""
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(468, 3)) * [0.4, 0.6, 0.2]
    shape[33], shape[263] = [-0.5, -0.3, 0.0], [0.5, -0.3, 0.0]
    meshes = np.empty((count, 468, 3))
    for i in range(count):
        yaw = 0.0 if i == 0 else rng.uniform(-0.3, 0.3)
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        meshes[i] = (shape @ turn.T) * rng.uniform(50, 150) + rng.uniform(0, 100, 3)
    return meshes


def test_measures_do_not_depend_on_pose_place_or_size() -> None:
    front, yaw, _ = turn_to_front(_meshes(6))
    assert np.ptp(yaw) > 5
    for name, values in measures(front).items():
        np.testing.assert_allclose(values, values[0], atol=1e-6, err_msg=name)
