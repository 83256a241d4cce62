"""What strangers wrote: an import takes known files, tries them, and is whole or not there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from aucli.errors import DetectorError, ModelError, OptionsError
from aucli.faces.detectors import import_detector, installed_detectors
from aucli.models.config import GRAPH_NAME, WEIGHTS_NAME, ModelConfig
from aucli.models.exchange import import_any
from aucli.models.trial import try_model
from aucli.models.zoo import CARD_NAME, CONFIG_NAME, find_model, import_model, list_models, verify
from aucli.runtime.files import sha256_file, user_folder
from tests.builders.tiny_model import TINY, make_tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny_model(tmp_path / "made")
    return tmp_path / "made"


def _zoo() -> list[str]:
    parent = user_folder() / "models"
    return sorted(path.name for path in parent.iterdir()) if parent.exists() else []


def _sign(folder: Path, **changes: Any) -> None:
    """Change a folder's config.json and give it the digest that fits: damage is not what stops it."""
    raw = json.loads((folder / CONFIG_NAME).read_text())
    raw |= changes
    unsigned = {key: value for key, value in raw.items() if key != "digest"}
    raw["digest"] = sha256(json.dumps(unsigned, sort_keys=True).encode()).hexdigest()
    (folder / CONFIG_NAME).write_text(json.dumps(raw))


def test_known_files_are_taken_and_no_others(folder: Path) -> None:
    (folder / "install.sh").write_text("echo mine")
    (folder / "more").mkdir()
    model = import_model(folder)
    assert sorted(path.name for path in model.folder.iterdir()) == sorted(
        [CARD_NAME, CONFIG_NAME, GRAPH_NAME, WEIGHTS_NAME]
    )


@pytest.mark.parametrize("name", ["..", "../up", "/tmp/x", ".hidden", "a/b", "a\\b", "", "-rf", "a\nb", None, 7, ["a"]])
def test_a_name_never_leads_out_of_the_zoo(folder: Path, name: object) -> None:
    (user_folder() / "models" / "other").mkdir(parents=True)
    _sign(folder, name=name)
    with pytest.raises(ModelError):
        import_model(folder, overwrite=True)
    assert _zoo() == ["other"]
    with pytest.raises(OptionsError, match=r"`name` is '\.\.'"):
        import_any(folder, name="..")


@pytest.mark.parametrize("file_name", ["../../../../.bashrc", "/etc/passwd", "x", "README.md", "sub/model.onnx"])
def test_a_config_names_no_other_files(folder: Path, file_name: str) -> None:
    _sign(folder, files={WEIGHTS_NAME: sha256_file(folder / WEIGHTS_NAME), file_name: "0" * 64})
    with pytest.raises(ModelError, match="names a file"):
        import_model(folder)
    assert _zoo() == []


@pytest.mark.parametrize("file_name", [CONFIG_NAME, WEIGHTS_NAME, GRAPH_NAME, CARD_NAME])
def test_links_and_pipes_are_refused(folder: Path, tmp_path: Path, file_name: str) -> None:
    (folder / file_name).rename(tmp_path / file_name)
    (folder / file_name).symlink_to(tmp_path / file_name)
    with pytest.raises(ModelError, match="is a link"):
        import_model(folder)
    (folder / file_name).unlink()
    os.mkfifo(folder / file_name)
    with pytest.raises(ModelError, match="is no file"):
        import_model(folder)
    assert _zoo() == []


def test_a_bundled_name_is_never_shadowed(folder: Path) -> None:
    _sign(folder, name="aunce-small")
    for overwrite in (False, True):
        with pytest.raises(ModelError, match="comes with aucli; give yours another \\(`name`\\)"):
            import_model(folder, overwrite=overwrite)
    assert import_model(folder, name="mine").config.name == "mine"
    # One that an earlier version let in does not count.
    (user_folder() / "models" / "mine").rename(user_folder() / "models" / "aunce-small")
    assert find_model("aunce-small").origin == "bundled"
    assert [m.origin for m in list_models()[0] if m.config.name == "aunce-small"] == ["bundled"]


def _outputs(n: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, n), np.float32), "zeros"))
        model.graph.node[2].input[1] = "zeros"
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = n

    return change


def _instead_of_sigmoid(kind: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.graph.node[3].op_type = kind

    return change


def _external(model: Any) -> None:
    model.graph.initializer[0].external_data[0].value = "../../secret"


def _external_in_branch(model: Any) -> None:
    tensor = helper.make_tensor("x", TensorProto.FLOAT, [1], [0.0])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "b", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", branch))


def _other_input(model: Any) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "pixels"


def _batch_as_one(model: Any) -> None:
    """Gives one row whatever the number of faces."""
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.extend(
        [helper.make_attribute("axes", [0, 1, 2, 3]), helper.make_attribute("keepdims", 0)]
    )
    model.graph.node[1].input[1] = "both"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 1], np.int64), "both"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_outputs(3), r"gives \(1, 3\) for 1 faces; its config says \(1, 2\)"),
        (_batch_as_one, r"for 3 faces|cannot read a face"),
        (_instead_of_sigmoid("Exp"), "no probabilities"),
        (_instead_of_sigmoid("Neg"), "no probabilities"),
        (_instead_of_sigmoid("Nonsense"), "cannot be loaded"),
        (_external, "reads the file '../../secret'"),
        (_external_in_branch, "reads the file '/etc/passwd'"),
        (_other_input, "has the inputs"),
    ],
)
def test_a_graph_is_tried_on_a_face(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    make_tiny_model(tmp_path / "made", change=change)
    with pytest.raises(ModelError, match=message):
        try_model(str(tmp_path / "made"))


def test_what_does_not_work_is_not_imported(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "made", change=_instead_of_sigmoid("Neg"))
    with pytest.raises(ModelError, match="no probabilities"):
        import_model(tmp_path / "made")
    assert _zoo() == []


def test_a_graph_that_is_none(folder: Path) -> None:
    (folder / GRAPH_NAME).write_bytes(b"\x08" * 999)
    _sign(folder, files={name: sha256_file(folder / name) for name in (WEIGHTS_NAME, GRAPH_NAME)})
    with pytest.raises(ModelError, match="no ONNX graph, or is damaged"):
        try_model(str(folder))


def test_action_units_that_the_network_lacks(tmp_path: Path) -> None:
    config = replace(TINY, encoder={"backbone": "none", "aus": [1, 2]})
    make_tiny_model(tmp_path / "made", config)
    with pytest.raises(ModelError, match=r"names action units \[12\] that its network does not know"):
        try_model(str(tmp_path / "made"))


@pytest.mark.parametrize(
    "changes",
    [
        {"aus": "1"}, {"aus": [[1], 12]}, {"aus": [1.0, 12]}, {"aus": None}, {"thresholds": 0.5},
        {"thresholds": ["a", "b"]}, {"thresholds": [10**400, 0.5]}, {"crop": []}, {"crop": {"size_px": 10**9}},
        {"crop": {"size_px": "64"}},
        {"crop": {"size_px": 64, "colour": 1}}, {"encoder": []}, {"encoder": {"aus": 3}}, {"licence": None},
        {"summary": "\x1b[2J"}, {"files": []}, {"files": {WEIGHTS_NAME: 1}}, {"has_heads": "yes"}, {"schema": []},
    ],
)  # fmt: skip
def test_values_of_a_wrong_kind_give_one_line(folder: Path, changes: dict[str, Any]) -> None:
    _sign(folder, **changes)
    with pytest.raises(ModelError) as told:
        import_model(folder)
    assert "\n" not in str(told.value)
    assert _zoo() == []


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "null", "{}", "[" * 100_000, '{"schema": 1}', "{" * 5000, "\x00", "9" * 5000]
)
def test_a_config_that_is_none_gives_one_line(folder: Path, text: str) -> None:
    (folder / CONFIG_NAME).write_text(text)
    with pytest.raises(ModelError) as told:
        import_model(folder)
    assert "\n" not in str(told.value)


def test_a_card_cannot_command_a_terminal(folder: Path) -> None:
    (folder / CARD_NAME).write_bytes(b"# hello\n\x1b]0;title\x07\xff\n")
    assert import_model(folder).card() == "# hello\n\\x1b]0;title\\x07\ufffd\n"


_IMPORTER = """
import sys
from pathlib import Path
from aucli.models import zoo
zoo.call_apart = lambda *args, **options: None  # the trial takes the time that kills should find in the copying
print("ready", flush=True)
while True:
    for source in sys.argv[1:]:
        zoo.import_model(Path(source), overwrite=True)
"""


@pytest.mark.slow
def test_an_import_that_is_killed_leaves_the_old_model_or_the_new(tmp_path: Path) -> None:
    digests = set()
    for name, threshold in (("one", 0.3), ("two", 0.4)):
        config = make_tiny_model(tmp_path / name, replace(TINY, thresholds=(threshold, 0.6)))
        digests.add(config.digest)
    import_model(tmp_path / "one")
    seen = set()
    chance = random.Random(0)
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", _IMPORTER, str(tmp_path / "one"), str(tmp_path / "two")], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model = find_model("tiny")
        verify(model)
        seen.add(model.config.digest)
        assert [m.config.name for m in list_models()[0]] == ["aunce-small", "tiny"]
        assert list_models()[1] == []
    assert seen <= digests
    import_model(tmp_path / "one", overwrite=True)
    assert _zoo() == ["tiny"]  # nothing of the killed ones is left


def test_an_onnx_folder_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'timm', 'torchvision', 'onnxscript']));"
        "from pathlib import Path; from aucli.models.exchange import import_any;"
        "print(import_any(Path(sys.argv[1])).name)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "tiny\n"), done.stderr


def test_a_detector_is_no_more_trusted(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "made")
    graph = tmp_path / "made" / GRAPH_NAME
    for name, message in (
        ("../x", "cannot name"),
        ("centerface", "another detector"),
        ("buffalo_l", "another detector"),
    ):
        with pytest.raises(DetectorError, match=message):
            import_detector(graph, name=name, overwrite=True)
    with pytest.raises(DetectorError, match=r"reads the file 'model\.safetensors'"):
        import_detector(graph)
    assert installed_detectors() == {}
    assert list((user_folder() / "detectors").iterdir()) == []


def test_a_name_of_text() -> None:
    from aucli.models.config import MODEL_NAME, as_model_name

    for text in ("a b", "Übung (1)", "..", "", "x" * 300, "-rf", "漢字", ".hidden"):
        assert MODEL_NAME.fullmatch(as_model_name(text))
        ModelConfig(**{**TINY.__dict__, "name": as_model_name(text)})
