from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aucli.datasets.free import sources
from aucli.datasets.free.sources import FreeDataWanted, FreeSource, read_free_data
from aucli.datasets.free.teacher import TeacherAnswers, ask_teacher, read_rgb
from aucli.errors import DatasetError, MissingPackageError, OptionsError
from aucli.runtime import packages
from tests.builders.photographs import write_photographs

HAS_TEACHER = importlib.util.find_spec("mediapipe") is not None

WANTED = FreeDataWanted(
    aus=(4, 12),
    colour="rgb",
    with_renders=False,
    renders=16,
    render_seed=1,
    photograph_repeats=1,
    coded_repeats=3,
    rare_repeats=3,
    grimace_repeats=1,
    held_out="coded",
    seed=1,
    validation=0.2,
    test=0.2,
)


@pytest.fixture(scope="module")
def tables(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A grey table and one in colour."""
    folder = tmp_path_factory.mktemp("tables")
    grey = pl.read_parquet(shared / "faces" / "expressions.parquet", n_rows=6)
    grey.with_columns(name=pl.Series([f"g{k}" for k in range(6)])).write_parquet(folder / "grey.parquet")
    colour = pl.read_parquet(shared / "faces" / "genki_odd.parquet", n_rows=6)
    colour.with_columns(name=pl.Series([f"c{k}" for k in range(6)])).write_parquet(folder / "colour.parquet")
    return [folder / "grey.parquet", folder / "colour.parquet"]


def _codes(folder: Path, *lines: str) -> Path:
    path = folder / "codes.csv"
    path.write_text("\n".join(["name,part,look,AU04,AU12", *lines]) + "\n", encoding="utf-8")
    return path


def test_files_are_named_by_pairs(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet", "codes.csv", "x.task"):
        (tmp_path / name).touch()
    a, b, codes, task = (str(tmp_path / name) for name in ("a.parquet", "b.parquet", "codes.csv", "x.task"))
    source = FreeSource.from_pairs("synth", pairs=[f"photographs={a},{b}", f"codes={codes}", f"teacher={task}"])
    assert source.photographs == (Path(a), Path(b))
    assert (source.codes, source.teacher) == (Path(codes), Path(task))
    assert set(source.digests) == {Path(a), Path(b), Path(codes), Path(task)}
    for pairs, message in (
        ([f"photographs={a}"], "needs `codes` too"),
        ([f"codes={codes}"], "`codes` belongs to photographs"),
        ([f"teacher={task}"], "`teacher` belongs to photographs"),
        ([f"photographs={a},{a}", f"codes={codes}"], "names a file twice"),
        ([f"photographs={a},{tmp_path / 'c.parquet'}", f"codes={codes}"], "c.parquet, which does not exist"),
    ):
        with pytest.raises(OptionsError, match=message):
            FreeSource.from_pairs("synth", pairs=pairs)
    with pytest.raises(OptionsError, match="nothing to train on: give `photographs`"):
        FreeSource.from_pairs("photographs", pairs=[])


def test_a_teacher_without_its_package_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FreeSource(
        photographs=(write_photographs(tmp_path / "a.parquet", ["a"]),),
        codes=_codes(tmp_path, "a,train,1,1,0"),
        teacher=_codes(tmp_path / ".."),
    )
    monkeypatch.setattr(packages, "is_installed", lambda module: module != "mediapipe")
    with pytest.raises(MissingPackageError, match=r"the option teacher needs mediapipe.*aucli\[teacher\]"):
        read_free_data(source, WANTED, tmp_path / "cache", report=lambda _: None)
    assert not (tmp_path / "cache").exists()


def test_photographs_of_several_tables_coded_by_eye(tables: list[Path], tmp_path: Path) -> None:
    lines = ["g0,train,1,1,0", "g1,train,1,0,?", "c0,train,1,,1", "c1,test,1,0,1", "c2,validation,1,1,1", "c3,,1,?,?"]
    source = FreeSource(photographs=tuple(tables), codes=_codes(tmp_path, *lines))
    data = read_free_data(source, WANTED, tmp_path / "cache", report=lambda _: None)
    train = data.splits["train"]
    assert all(faces.aus == (4, 12) for faces in data.splits.values())
    assert train.parts[0].pictures.shape[3] == 3
    by_subject = {subject: train.labels[train.subjects == subject].tolist() for subject in train.subjects.tolist()}
    assert by_subject["c0"] == [[-1, 1]] * 3  # each coded photograph three times an epoch
    assert not {"c1", "c2", "c3"} & set(by_subject)
    # Those coded by nobody have no label but the smile, if people said that they smile.
    smiles = dict(pl.read_parquet(tables[1]).select("name", "smile").iter_rows())
    for name in ("c4", "c5"):
        assert by_subject.get(name) == ([[-1, 1]] if smiles[name] == 1 else None)
    assert data.splits["test"].labels.tolist() == [[0, 1]]
    assert data.splits["validation"].subjects.tolist() == ["c2"]
    again = read_free_data(source, WANTED, tmp_path / "cache", report=lambda _: None)
    np.testing.assert_array_equal(again.splits["train"].labels, train.labels)
    # The order of the tables changes the order of the faces, and nothing else.
    turned = read_free_data(
        replace(source, photographs=(tables[1], tables[0])), WANTED, tmp_path / "cache", report=lambda _: None
    )
    other = turned.splits["train"]
    assert sorted(zip(train.subjects.tolist(), train.labels.tolist(), strict=True)) == sorted(
        zip(other.subjects.tolist(), other.labels.tolist(), strict=True)
    )
    assert turned.labelling == data.labelling
    grey = read_free_data(source, replace(WANTED, colour="grey"), tmp_path / "cache", report=lambda _: None)
    assert grey.splits["train"].parts[0].pictures.shape[3] == 1


def test_what_was_found_is_kept_for_these_very_files(
    tables: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def find(jpegs: list[bytes], *_: object, **__: object) -> np.ndarray:
        asked.append(len(jpegs))
        return np.zeros((len(jpegs), 5, 2), np.float32)

    monkeypatch.setattr(sources, "find_landmarks", find)
    source = FreeSource(photographs=(tables[0],), codes=_codes(tmp_path, "g0,train,1,1,0"))
    for _ in range(2):
        read_free_data(source, WANTED, tmp_path, report=lambda _: None)
    assert asked == [6]
    others = FreeSource(photographs=(tables[0],), codes=_codes(tmp_path, "g1,train,1,1,0"))
    read_free_data(others, WANTED, tmp_path, report=lambda _: None)
    assert asked == [6]  # other codes need no other faces
    fewer = pl.read_parquet(tables[0]).head(2)
    fewer.write_parquet(tmp_path / "grey.parquet")
    read_free_data(replace(others, photographs=(tmp_path / "grey.parquet",)), WANTED, tmp_path, report=lambda _: None)
    assert asked == [6, 2]


def test_photographs_that_show_what_few_show_come_more_often(
    tables: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = np.array([[60, 70], [100, 70], [80, 95], [65, 115], [95, 115]], np.float32)
    monkeypatch.setattr(sources, "find_landmarks", lambda jpegs, *_, **__: np.stack([face] * len(jpegs)))
    monkeypatch.setattr(sources, "RARE_BELOW", 2)
    # AU4 is shown by two, AU12 by one.
    codes = _codes(tmp_path, "c0,train,1,1,0", "c1,train,1,1,1", "c2,train,1,0,0", "c3,test,1,0,1")
    source = FreeSource(photographs=(tables[1],), codes=codes)
    data = read_free_data(source, replace(WANTED, rare_repeats=7), tmp_path, report=lambda _: None)
    labels = data.splits["train"].labels.tolist()
    assert [labels.count(of) for of in ([1, 0], [1, 1], [0, 0])] == [3, 7, 3]
    assert len(data.splits["test"].subjects) == 1


def test_grimaces_without_a_smile_come_more_often(
    tables: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = np.array([[60, 70], [100, 70], [80, 95], [65, 115], [95, 115]], np.float32)
    monkeypatch.setattr(sources, "find_landmarks", lambda jpegs, *_, **__: np.stack([face] * len(jpegs)))
    # AU4 with AU12 absent, with AU12 present, with AU12 not told; neither; and nobody of the test is repeated.
    lines = ["c0,train,1,1,0", "c1,train,1,1,1", "c2,train,1,1,?", "c3,train,1,0,0", "c4,test,1,1,0"]
    source = FreeSource(photographs=(tables[1],), codes=_codes(tmp_path, *lines))

    def times(grimace_repeats: int, rare_repeats: int = 3, aus: tuple[int, ...] = WANTED.aus) -> list[int]:
        wanted = replace(WANTED, grimace_repeats=grimace_repeats, rare_repeats=rare_repeats, aus=aus)
        data = read_free_data(source, wanted, tmp_path, report=lambda _: None)
        assert len(data.splits["test"].subjects) == 1
        subjects = data.splits["train"].subjects.tolist()
        return [subjects.count(name) for name in ("c0", "c1", "c2", "c3")]

    monkeypatch.setattr(sources, "RARE_BELOW", 0)
    assert times(grimace_repeats=8) == [8, 3, 3, 3]
    assert times(grimace_repeats=2) == [3, 3, 3, 3]  # at least so often
    monkeypatch.setattr(sources, "RARE_BELOW", 4)
    assert times(grimace_repeats=8, rare_repeats=10) == [10, 10, 10, 3]
    assert times(aus=(4,), grimace_repeats=8, rare_repeats=3) == [3, 3, 3, 3]


@pytest.mark.skipif(not HAS_TEACHER, reason="mediapipe is not installed")
def test_the_teacher_sees_the_same_whatever_it_saw_before(shared: Path, tables: list[Path], tmp_path: Path) -> None:
    model = shared / "models" / "face_landmarker.task"
    jpegs = [jpeg for path in tables for jpeg in pl.read_parquet(path)["jpeg"].to_list()]
    plain = write_photographs(tmp_path / "plain.parquet", ["nobody"])
    jpegs.append(pl.read_parquet(plain)["jpeg"][0])
    answers = ask_teacher(model, jpegs, workers=1)
    turned = ask_teacher(model, jpegs[::-1], workers=3)
    np.testing.assert_array_equal(turned.blendshapes[::-1], answers.blendshapes)
    np.testing.assert_array_equal(turned.points[::-1], answers.points)
    assert len(answers.blendshape_names) == 52
    assert answers.found[:12].mean() > 0.8
    assert not answers.found[12]
    for jpeg, points in zip(jpegs, answers.points, strict=True):
        if np.isfinite(points[0, 0]):
            height, width = read_rgb(jpeg).shape[:2]
            assert (np.abs(points[:, :2].mean(axis=0) / [width, height] - 0.5) < 0.3).all()
    answers.save(tmp_path / "answers.npz")
    again = TeacherAnswers.load(tmp_path / "answers.npz")
    assert again.blendshape_names == answers.blendshape_names
    np.testing.assert_array_equal(again.turns, answers.turns)
    assert len(ask_teacher(model, [])) == 0


@pytest.mark.skipif(not HAS_TEACHER, reason="mediapipe is not installed")
def test_a_teacher_that_is_none(tmp_path: Path, tables: list[Path]) -> None:
    (tmp_path / "x.task").write_bytes(b"no model")
    with pytest.raises(DatasetError, match=r"x\.task is not MediaPipe's face landmarker"):
        ask_teacher(tmp_path / "x.task", pl.read_parquet(tables[0])["jpeg"].to_list())
    (tmp_path / "answers.npz").write_bytes(b"cut")
    with pytest.raises(DatasetError, match="is damaged"):
        TeacherAnswers.load(tmp_path / "answers.npz")
