"""A new benchmark is one reader and one line of the registry: this one goes through every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner

from aucli.cli import app
from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.folds import FoldOptions, make_folds
from aucli.datasets.load import load_dataset
from aucli.datasets.readers.registry import READERS
from tests.builders.made_up_benchmark import AUS, NAME
from tests.builders.tiny_training import tiny_recipe

RECIPE = tiny_recipe(NAME, epochs=1, batch_size=2)


@pytest.fixture
def root(tmp_path: Path, face_frame: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data set on disk, and the one line."""
    monkeypatch.setitem(READERS, NAME, "tests.builders.made_up_benchmark")
    folder = tmp_path / "owners"
    rows = [(subject, frame, frame % 2, subject % 2) for subject in (1, 2, 3, 4) for frame in (1, 2, 3)]
    half = Image.fromarray(np.ascontiguousarray(face_frame[:, : face_frame.shape[1] // 2]))
    for subject, frame, _, _ in rows:
        path = folder / "pictures" / f"P{subject}" / f"{frame}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        half.save(path)
    lines = ["subject,frame,AU1,AU12", *(",".join(map(str, row)) for row in rows)]
    (folder / "codes.csv").write_text("\n".join(lines))
    return folder


def run(*arguments: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result


def test_one_reader_and_one_line_are_a_benchmark(root: Path, tmp_path: Path) -> None:
    samples, report = load_dataset(NAME, root)
    assert (len(samples), samples.aus, report.warnings) == (12, AUS, ())
    (first, second), warnings = make_folds(samples, FoldOptions(validation_share=0))
    assert (first.test, second.test, warnings) == (("madeup/P3", "madeup/P4"), ("madeup/P1", "madeup/P2"), ())

    where = ("--dataset", NAME, "--root", root)
    cache = tmp_path / "cache"
    assert "allowed is KEY=VALUE" in run("prepare", *where, "-o", cache, "--option", "camera=left", code=2).stderr
    prepared = json.loads(run("prepare", *where, "-o", cache, "--device", "cpu", "--json").stdout)
    assert (prepared["faces"], prepared["failures"]) == (12, {})
    assert CachedFaces.open(cache).labels.tolist() == samples.labels.tolist()
    run("prepare", *where, "-o", tmp_path / "first", "--option", "first_only=true", "--device", "cpu", "--quiet")
    assert len(CachedFaces.open(tmp_path / "first")) == 4

    (tmp_path / "tiny.toml").write_text(RECIPE)
    training = ("train", "--dataset", NAME, "--cache", cache, "--recipe", tmp_path / "tiny.toml", "--device", "cpu")
    planned = json.loads(run(*training, "--folds", "all", "--dry-run", "--json").stdout)
    assert {number: fold["test"]["faces"] for number, fold in planned["folds"].items()} == {"1": 6, "2": 6}

    model = ("--model", "aunce-small", "--dataset", NAME, "--cache", cache)
    scored = json.loads(run("evaluate", *model, "--fold", 1, "--format", "json", "--replicates", 0).stdout)
    assert (scored["name"], scored["frames"]) == ("madeup fold 1", 6)


def test_a_users_own_folds(root: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "Split1_Test_Subjects.csv").write_text("subject\nP1\n")
    (lists / "Split2_Test_Subjects.csv").write_text("subject\nP2,P3\nP4\n")
    samples, _ = load_dataset(NAME, root)
    folds, _ = make_folds(samples, FoldOptions(folds_dir=lists))
    assert [fold.test for fold in folds] == [("madeup/P1",), ("madeup/P2", "madeup/P3", "madeup/P4")]
