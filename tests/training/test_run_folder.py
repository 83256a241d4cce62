from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aucli.errors import RecipeError
from aucli.training.checkpoint import CHECKPOINT_NAME
from aucli.training.plan import TrainingFold
from aucli.training.recipe import DecisionsSection, Recipe, load_recipe
from aucli.training.run_folder import FOLD_NAME, RECIPE_NAME, RunFolder, data_digest
from tests.builders.tiny_training import tiny_faces


def _fold(number: int = 1, *, subjects: int = 20) -> TrainingFold:
    faces, nobody = tiny_faces(subjects=subjects), np.zeros(0, np.str_)
    return TrainingFold(
        number=number,
        train=faces[np.arange(40)],
        validation=faces[np.arange(40, 50)],
        test=faces[np.arange(50, 60)],
        sequences=np.full(10, "s"),
        frames=np.arange(10),
        lost_labels=np.zeros((0, 2), np.int8),
        lost_subjects=nobody,
        lost_sequences=nobody,
        lost_frames=np.zeros(0, np.int32),
    )


@pytest.fixture
def values(recipe: Path) -> Recipe:
    return load_recipe(recipe)


def test_a_new_folder_is_anybodys_and_checking_writes_nothing(values: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path / "run", _fold(), values, "bp4d")
    folder.check()
    assert not folder.path.exists()
    folder.path.mkdir()
    folder.begin()
    assert sorted(path.name for path in folder.path.iterdir()) == [FOLD_NAME, RECIPE_NAME]
    assert Recipe.model_validate_json((folder.path / RECIPE_NAME).read_text(encoding="utf-8")) == values
    folder.begin()  # going on
    assert not folder.is_finished


def test_a_folder_keeps_to_its_run(values: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, _fold(), values, "bp4d")
    folder.begin()
    other_recipe = values.model_copy(update={"seed": 1})
    for recipe, fold, dataset, message in (
        (other_recipe, _fold(), "bp4d", r"another recipe \(seed was 3407, now 1\)"),
        (values, _fold(2), "bp4d", "holds a run on bp4d fold 1;"),
        (values, _fold(), "gft", "holds a run on bp4d fold 1;"),
        (values, _fold(subjects=19), "bp4d", "other train faces, subjects or labels"),
        (values, replace(_fold(), test=tiny_faces(0)), "bp4d", "other test faces, subjects or labels"),
    ):
        with pytest.raises(RecipeError, match=message):
            RunFolder.of(tmp_path, fold, recipe, dataset).check()


def test_what_comes_after_the_encoder_may_be_done_anew_if_that_is_asked_for(values: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, _fold(), values, "bp4d")
    folder.begin()
    folder.predictions.touch()
    after = values.model_copy(update={"leave_out": (1,), "decisions": DecisionsSection(calibrate=True)})
    other_test = replace(_fold(), test=tiny_faces(30))
    changed = RunFolder.of(tmp_path, other_test, after, "bp4d")
    with pytest.raises(RecipeError, match=r"calibrate was False, now True\); add `finish_again` to keep its encoder"):
        changed.check()
    other_encoder = after.model_copy(update={"seed": 1})
    for finish_again in (False, True):
        with pytest.raises(RecipeError, match=r"now .*\); choose another folder"):
            RunFolder.of(tmp_path, _fold(), other_encoder, "bp4d").check(finish_again=finish_again)
    with pytest.raises(RecipeError, match="other train faces"):
        RunFolder.of(tmp_path, _fold(subjects=19), after, "bp4d").check(finish_again=True)
    changed.begin(finish_again=True)
    assert not changed.is_finished
    changed.check()
    with pytest.raises(RecipeError, match="add `finish_again`"):
        RunFolder.of(tmp_path, other_test, values, "bp4d").check()


def test_folders_that_cannot_be_understood_are_refused(values: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, _fold(), values, "bp4d")
    for name in (CHECKPOINT_NAME, folder.predictions.name):
        (tmp_path / name).touch()
        with pytest.raises(RecipeError, match=r"a run without fold\.json: what it was trained on is not known"):
            folder.check()
        (tmp_path / name).unlink()
    folder.begin()
    whole = (tmp_path / FOLD_NAME).read_text(encoding="utf-8")
    for damaged in ("", "[]", "{}", whole[:-9]):
        (tmp_path / FOLD_NAME).write_text(damaged, encoding="utf-8")
        with pytest.raises(RecipeError, match="holds a run that cannot be read"):
            folder.check()
    (tmp_path / FOLD_NAME).write_text(whole, encoding="utf-8")
    older = json.loads((tmp_path / RECIPE_NAME).read_text(encoding="utf-8"))
    older["loss"]["published"] = True
    (tmp_path / RECIPE_NAME).write_text(json.dumps(older), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"cannot be read \(loss\.published is not a word of recipes\)"):
        folder.check()


def test_what_another_run_has_finished_meanwhile_is_not_done_again(values: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, _fold(), values, "bp4d")
    folder.begin()
    folder.predictions.touch()
    folder.check()
    with pytest.raises(RecipeError, match="another run has just finished"):
        folder.begin()


def test_the_digest_is_of_labels_subjects_and_action_units_in_order() -> None:
    faces = tiny_faces()
    same = data_digest(faces)
    assert same == data_digest(tiny_faces())
    assert data_digest(tiny_faces(0)) != same
    changed = tiny_faces()
    changed.labels[0, 0] = 1 - abs(changed.labels[0, 0])
    others = [changed, tiny_faces(subjects=19), replace(faces, aus=(1, 2)), faces[np.arange(60)[::-1]]]
    assert len({same, *map(data_digest, others)}) == 5
