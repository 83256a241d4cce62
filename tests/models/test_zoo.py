"""The zoo: models that check themselves, import that is whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aucli.errors import ModelError, OptionsError
from aucli.faces.alignment import CropSpec
from aucli.models.config import WEIGHTS_NAME, ModelConfig
from aucli.models.zoo import CONFIG_NAME, find_model, import_model, list_models, verify
from aucli.runtime.files import user_folder
from tests.builders.tiny_model import TINY, make_tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made" / "tiny"
    make_tiny_model(made)
    return made


def test_what_is_written_is_read(folder: Path) -> None:
    model = find_model(str(folder))
    verify(model)
    assert model.config.aus == (1, 12)
    assert model.config.au_columns == ("AU01", "AU12")
    assert model.config.crop == CropSpec(64)
    assert model.card() == "# tiny\n"
    assert model.graph == folder / "model.onnx"


def test_experimental_action_units_are_part_of_the_config(tmp_path: Path) -> None:
    plain = make_tiny_model(tmp_path / "plain")
    assert "experimental" not in json.loads(plain.to_json()), "configs that name none keep their digests"
    marked = make_tiny_model(tmp_path / "marked", replace(TINY, experimental=(12,)))
    assert marked.digest != plain.digest
    read = find_model(str(tmp_path / "marked")).config
    assert (read.experimental, read.experimental_columns) == ((12,), ("AU12",))
    for wrong, message in (((4,), "calls AU 4 experimental, which is none of"), ((1, 1), "experimental twice")):
        with pytest.raises(ModelError, match=message):
            replace(TINY, experimental=wrong)


@pytest.mark.parametrize("wrong", ["12", [12.0], [True], ["12"], {"12": 1}, None])
def test_an_experimental_that_is_no_list_of_numbers_is_refused(folder: Path, wrong: object) -> None:
    config = json.loads((folder / CONFIG_NAME).read_text())
    (folder / CONFIG_NAME).write_text(json.dumps({**config, "experimental": wrong}))
    with pytest.raises(ModelError, match="experimental"):
        find_model(str(folder))


def test_the_bundled_models_are_intact() -> None:
    models, problems = list_models()
    assert problems == []
    assert "aunce-small" in [model.config.name for model in models]
    for model in models:
        verify(model)
        assert model.card().startswith("#")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([CONFIG_NAME, WEIGHTS_NAME]), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_noticed(folder: Path, name: str, where: float, bit: int) -> None:
    path = folder / name
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(where * len(whole))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        if name == CONFIG_NAME and _same_json(bytes(damaged), whole):
            return  # a blank became another blank
        with pytest.raises(ModelError):
            verify(find_model(str(folder)))
    finally:
        path.write_bytes(whole)


def _same_json(a: bytes, b: bytes) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


def test_a_folder_here_never_stands_in_for_a_bundled_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    empty = Path("aunce-small")
    empty.mkdir()
    assert find_model("aunce-small").origin == "bundled"
    shutil.copytree(folder, empty, dirs_exist_ok=True)
    assert find_model("aunce-small").origin == "bundled"
    assert find_model("./aunce-small").origin == "path"


def test_import_checks_copies_and_does_not_replace_unasked(folder: Path) -> None:
    model = import_model(folder)
    assert model.folder == user_folder() / "models" / "tiny"
    assert find_model("tiny").config.digest == find_model(str(folder)).config.digest
    with pytest.raises(ModelError, match="imported before"):
        import_model(folder)
    import_model(folder, overwrite=True)
    assert [path.name for path in model.folder.parent.iterdir()] == ["tiny"]


def test_a_damaged_model_is_not_imported(folder: Path) -> None:
    (folder / WEIGHTS_NAME).write_bytes(b"x")
    with pytest.raises(ModelError, match="is damaged"):
        import_model(folder)
    assert not (user_folder() / "models" / "tiny").exists()


def test_missing_things_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="unknown model 'nosuch'; known are: aunce-small"):
        find_model("nosuch")
    with pytest.raises(ModelError, match="not a model"):
        find_model(str(tmp_path))
    (folder / WEIGHTS_NAME).unlink()
    with pytest.raises(ModelError, match="lacks its file"):
        verify(find_model(str(folder)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aus": (), "thresholds": ()}, "names no action unit"),
        ({"aus": (1, 99)}, r"unknown action units \[99\]"),
        ({"aus": (1, 1)}, "twice"),
        ({"thresholds": (0.5,)}, "2 AUs but 1 thresholds"),
        ({"thresholds": (0.5, 1.5)}, r"thresholds \[1.5\]"),
        ({"name": "a/b"}, "the model's name is 'a/b'"),
        ({"name": ".."}, "the model's name is"),
        ({"name": ".bashrc"}, "the model's name is"),
        ({"name": "-x"}, "the model's name is"),
        ({"name": "über"}, "the model's name is"),
        ({"name": "x" * 101}, "the model's name is"),
        ({"files": {"../../../../.bashrc": "0" * 64}}, "names a file '../../../../.bashrc'"),
        ({"thresholds": (0.5, float("nan"))}, "thresholds"),
        ({"aus": (1, True)}, "unknown action units"),
    ],
)
def test_a_senseless_config_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ModelConfig(**{**TINY.__dict__, **change})


def test_a_folder_that_moved_keeps_its_digest(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert find_model(str(moved)).config.digest == find_model(str(folder)).config.digest


def test_one_damaged_model_does_not_hide_the_others(folder: Path) -> None:
    imported = import_model(folder).folder
    (imported / CONFIG_NAME).write_text("{}", encoding="utf-8")
    models, problems = list_models()
    assert [model.config.name for model in models] == ["aunce-small"]
    assert len(problems) == 1
