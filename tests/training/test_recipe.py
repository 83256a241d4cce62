from __future__ import annotations

from pathlib import Path

import pytest

from aucli.errors import RecipeError
from aucli.runtime.files import bundled_folder
from aucli.training.recipe import load_recipe


def test_bundled_recipes_are_valid() -> None:
    found = sorted(bundled_folder("train").glob("photographs.toml"))
    assert found
    for path in found:
        assert load_recipe(path).encoder_config().aus


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not a readable recipe"),
        ('name = "x"', "data is missing"),
        ('name = "x"\ndata = "photographs"\nsead = 1', "sead is not a word of recipes"),
    ],
)
def test_bad_recipes_name_the_value(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "r.toml")
