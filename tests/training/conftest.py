"""A cache that looks like BP4D's, and a recipe that is over in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from aucli.cli import app
from tests.builders.face_cache import write_faces
from tests.builders.made_once import made_once
from tests.builders.tiny_training import bp4d_faces, tiny_recipe, train_command


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bp4d") / "cache"
    write_faces(bp4d_faces(), folder, dataset="bp4d")
    return folder


@pytest.fixture(scope="session")
def cross_validated(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All folds of the recipe, trained straight to their end, in the folder "my run"; to be read, or copied."""

    def train(folder: Path) -> None:
        recipe = folder / "tiny.toml"
        recipe.write_text(tiny_recipe("bp4d"), encoding="utf-8")
        result = CliRunner().invoke(app, train_command(cache, recipe, folder / "my run", "--folds", "all", "-q"))
        assert result.exit_code == 0, result.output

    return made_once(tmp_path_factory, "cross-validated", train) / "my run"


@pytest.fixture(scope="session")
def finished(cross_validated: Path) -> Path:
    """The first fold, which is the one that is trained where no other is asked for."""
    return cross_validated / "fold1"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_recipe("bp4d"), encoding="utf-8")
    return path
