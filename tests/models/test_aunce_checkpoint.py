"""Published checkpoints against an independent, slow network; import, export, and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from aucli.cli import app
from aucli.datasets.readers.binghamton import EVALUATED_AUS as BP4D_AUS
from aucli.datasets.readers.disfa import EVALUATED_AUS as DISFA_AUS
from aucli.errors import AucliError, ModelError, OptionsError
from aucli.faces.alignment import CropSpec, crop_faces
from aucli.models import aunce_checkpoint
from aucli.models.aunce_checkpoint import (
    SWINS,
    parse_aus,
    published_crop,
    published_model,
    read_published,
    read_tensors,
)
from aucli.models.exchange import export_model, import_any
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.models.predictor import TorchPredictor, open_predictor
from aucli.models.zoo import Model, find_model
from aucli.runtime.files import user_folder
from aucli.training.start_model import load_encoder
from tests.builders.published_network import WINDOW, Shape, State, published_probabilities, published_state
from tests.builders.small_swin import NAME, SMALL

KEYS = Path(__file__).parents[1] / "fixtures" / "aunce_checkpoint_keys.tsv"
RUNNER = CliRunner()


def pictures(count: int, *, seed: int = 0) -> Tensor:
    """Smooth random pictures of very different brightness and contrast: (B, 3, 224, 224), 0..255."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 9, generator=rng)
    smooth = torch.nn.functional.interpolate(coarse, (224, 224), mode="bicubic").clamp(0, 1)
    return smooth * torch.linspace(60, 255, count).view(-1, 1, 1, 1)


@pytest.fixture(scope="module", autouse=True)
def the_small_swin_is_known() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aunce_checkpoint, "SWINS", {**SWINS, (SMALL.width, SMALL.depths[2]): NAME})
        yield


@pytest.fixture(scope="module")
def state() -> State:
    return published_state(SMALL, seed=1)


@pytest.fixture(scope="module")
def checkpoint(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "disfa fold 1.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def truth(state: State) -> npt.NDArray[np.float32]:
    return published_probabilities(state, pictures(3), SMALL).numpy()


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="module")
def imported_once(checkpoint: Path, zoo: Path) -> Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUCLI_HOME", str(zoo))
        model = import_any(checkpoint, aus="1,2,4,6,9,12,25,26").model
    assert model is not None
    return model


@pytest.fixture
def imported(imported_once: Model, zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("AUCLI_HOME", str(zoo))
    return imported_once


@pytest.mark.slow
def test_swin_base_has_the_published_names_and_gives_the_published_probabilities() -> None:
    made = published_state(Shape(), seed=3)
    listed = [line.split("\t") for line in KEYS.read_text(encoding="utf-8").splitlines()[1:]]
    found = {name: ("x".join(map(str, t.shape)), str(t.dtype).removeprefix("torch.")) for name, t in made.items()}
    assert found == {name: (shape, dtype) for name, shape, dtype in listed}
    published = published_model(made, BP4D_AUS, Path("bp4d.pth"))
    assert published.network.config.backbone == "swin_base_patch4_window7_224"
    with torch.no_grad():
        given = published.network(pictures(1))
        expected = published_probabilities(made, pictures(1), Shape())
    assert (given - expected).abs().max() < 1e-5


@pytest.mark.slow
def test_the_known_swins_are_timms() -> None:
    for (width, depth), name in SWINS.items():
        with torch.device("meta"):  # shapes without numbers
            swin: Any = timm.create_model(name)
        assert (swin.embed_dim, len(swin.layers[2].blocks)) == (width, depth), name
        assert {block.window_size for layer in swin.layers for block in layer.blocks} == {(WINDOW, WINDOW)}


@pytest.mark.slow
def test_torch_and_graph_give_the_published_probabilities(imported: Model, truth: npt.NDArray[np.float32]) -> None:
    assert truth.std(axis=0).max() > 0.01  # the pictures are told apart
    session = onnxruntime.InferenceSession(str(imported.graph), providers=["CPUExecutionProvider"])
    (by_graph,) = session.run(["probabilities"], {"crops": pictures(3).numpy()})
    np.testing.assert_allclose(by_graph, truth, atol=1e-5)
    by_torch = TorchPredictor(imported, device="cpu")._network(pictures(3)).detach().numpy()
    np.testing.assert_allclose(by_torch, truth, atol=1e-5)


@pytest.mark.slow
def test_annotate_gives_the_published_probabilities(imported: Model, state: State) -> None:
    frame = pictures(3)[2].permute(1, 2, 0).to(torch.uint8).numpy()
    landmarks = (imported.config.crop.template_xy() * 0.8 + 20).astype(np.float32)[None]
    given = open_predictor(imported).predict([frame], np.zeros(1, np.intp), landmarks)
    # The published input: a crop of 256 px, and its centre.
    usual = CropSpec()
    prepared = crop_faces(frame, landmarks, CropSpec(256, usual.scale, usual.shift_y))[:, 16:-16, 16:-16]
    expected = published_probabilities(state, torch.from_numpy(prepared).permute(0, 3, 1, 2).float(), SMALL)
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.slow
def test_the_folder_says_what_it_is(imported: Model) -> None:
    assert imported.config.name == "disfa-fold-1"
    assert imported.config.aus == DISFA_AUS
    assert imported.config.thresholds == (0.5,) * 8
    assert imported.config.crop == published_crop()
    assert imported.config.encoder["mean"] == [0.4914, 0.4822, 0.4465]
    assert "centre of a 256 px crop" in imported.card()
    assert find_model("disfa-fold-1").config.digest == imported.config.digest


@pytest.mark.slow
def test_the_same_name_is_not_replaced_unasked(imported: Model, checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="imported before"):
        import_any(checkpoint, aus="1,2,4,6,9,12,25,26")


@pytest.mark.parametrize("wrap", ["module.", "state_dict", "half", "safetensors"])
def test_other_wrappings_hold_the_same(wrap: str, state: State, tmp_path: Path) -> None:
    path = tmp_path / ("x.safetensors" if wrap == "safetensors" else "x.pth")
    if wrap == "safetensors":
        save_file(state, path)
    elif wrap == "half":
        torch.save({name: t.half() if t.is_floating_point() else t for name, t in state.items()}, path)
    else:
        prefix = "module." if wrap == "module." else ""
        torch.save({"epoch": 3, "state_dict": {f"{prefix}{name}": t for name, t in state.items()}}, path)
    network = read_published(path, DISFA_AUS).network
    weight = network.full_connect.first.weight[2]
    expected = state["full_connect.fc.2.0.weight"]
    assert torch.equal(weight, expected.half().float() if wrap == "half" else expected)


class _Code:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path, ("touched",)


def test_pickled_code_is_refused(tmp_path: Path, state: State) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "args": _Code()}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="needs pickled code, which is never run") as caught:
        read_published(tmp_path / "x.pth", DISFA_AUS)
    assert "\n" not in str(caught.value)


def _without(name: str) -> Callable[[State], None]:
    return lambda state: state.__delitem__(name)


def _with(name: str, tensor: Tensor) -> Callable[[State], None]:
    return lambda state: state.__setitem__(name, tensor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("head.gnn.U.bias"), r"lacks head\.gnn\.U\.bias$"),
        (_without("full_connect.fc.7.1.bias"), r"lacks full_connect\.fc\.7\.1\.bias$"),
        (_without("backbone.patch_embed.proj.weight"), r"not a checkpoint of AUNCE: no backbone\.patch_embed"),
        (_with("head.extra", torch.zeros(2)), r"has unknown head\.extra$"),
        (_with("backbone.norm.bias", torch.zeros(5)), r"backbone\.norm\.bias is 5 instead of 96$"),
        (_with("head.class_linears.3.bn.weight", torch.zeros(5)), r"class_linears\.3\.bn\.weight is 5 instead of 48$"),
        (_with("backbone.patch_embed.proj.weight", torch.zeros(64, 3, 4, 4)), "width 64 and depth 1; known are"),
        (
            _with("head.gnn.V.bias", torch.full((48,), torch.nan)),
            r"head\.gnn\.V\.bias holds values that are not finite",
        ),
        (
            _with("backbone.layers.1.blocks.0.attn.relative_position_index", torch.zeros(49, 49, dtype=torch.int64)),
            "not that of a Swin with windows of 7",
        ),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(
    change: Callable[[State], None], message: str, state: State, tmp_path: Path
) -> None:
    changed = dict(state)
    change(changed)
    torch.save(changed, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=message) as caught:
        read_published(tmp_path / "x.pth", DISFA_AUS)
    assert "\n" not in str(caught.value)


def test_the_number_of_action_units_must_fit(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="holds 8 action units, but `aus` names 12"):
        read_published(checkpoint, BP4D_AUS)


@pytest.mark.parametrize("text", ["ck", "1,2,two", "1,1", "3"])
def test_senseless_aus_are_refused(text: str) -> None:
    with pytest.raises(OptionsError, match="`aus`"):
        parse_aus(text)


def test_aus_by_name_or_number() -> None:
    assert parse_aus("AU4, 1") == (4, 1)


def test_other_files_hold_no_tensors(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("hello")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    torch.save({"a": 3}, tmp_path / "number.pth")
    for name in ("empty.pth", "text.pth", "list.pth", "number.pth", "nosuch.pth"):
        with pytest.raises(ModelError) as caught:
            read_tensors(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_an_encoder_alone_is_a_start_for_training(tmp_path: Path, state: State) -> None:
    torch.save({name: t for name, t in state.items() if not name.startswith("full_connect.")}, tmp_path / "encoder.pth")
    told = RUNNER.invoke(app, ["models", "import", str(tmp_path / "encoder.pth"), "--aus", "disfa"])
    assert told.stdout.startswith("encoder encoder imported (digest ")
    model = find_model("encoder")
    with pytest.raises(ModelError, match="an encoder without heads and gives no probabilities; train it first"):
        open_predictor(model)
    with pytest.raises(ModelError, match="no graph"):
        export_model(model, tmp_path / "x.onnx", kind="onnx")
    aus = (12, 4, 7)
    config = EncoderConfig(**{**model.config.encoder, "aus": aus})
    network = AUNetwork(config)
    fresh = network.encoder.head.class_linears.fc.weight[2].clone()
    heads = network.full_connect.first.weight.clone()
    assert load_encoder("encoder", network) == (7,)
    classes = network.encoder.head.class_linears
    assert torch.equal(classes.fc.weight[0], state["head.class_linears.5.fc.weight"])
    loaded = network.state_dict()
    variances = loaded["encoder.head.class_linears.bn.running_var"]
    assert torch.equal(variances[48:96], state["head.class_linears.2.bn.running_var"])
    assert torch.equal(loaded["encoder.head.gnn.bnv.running_mean"][1], state["head.gnn.bnv.running_mean"][2])
    assert torch.equal(classes.fc.weight[2], fresh)
    assert torch.equal(network.full_connect.first.weight, heads)
    other = AUNetwork(EncoderConfig("mobilenetv4_conv_small", aus, 64, "grey", global_dim=24, embedding_dim=16))
    with pytest.raises(ModelError, match="does not fit"):
        load_encoder("encoder", other)


@pytest.mark.slow
def test_an_exported_graph_comes_back(imported: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    _export(imported, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = TorchPredictor(imported, device="cpu")._network(pictures(2)).detach()
    np.testing.assert_allclose(session.run(None, {"crops": pictures(2).numpy()})[0], expected, atol=1e-5)
    _comes_back(imported, path, tmp_path / "other", monkeypatch)


@pytest.mark.slow
def test_without_the_exporter_a_checkpoint_is_imported_and_its_user_told(
    checkpoint: Path, truth: npt.NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights come back as well."""
    # The processes that try a model know the small Swin too.
    (tmp_path / "sitecustomize.py").write_text("import tests.builders.small_swin\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as if it was not installed
    done = RUNNER.invoke(app, ["models", "import", str(checkpoint), "--aus", "disfa", "--name", "no-graph"])
    assert done.exit_code == 0, done.output
    assert done.stderr == (
        "note: no-graph has no ONNX graph: annotate runs it in torch, slower on a CPU; pip install onnxscript, and "
        "import it again with --overwrite\n"
    )
    model = find_model("no-graph")
    assert model.graph is None
    by_torch = open_predictor(model)._network(pictures(3)).detach().numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(by_torch, truth, atol=1e-5)
    _export(model, tmp_path / "model.safetensors")
    _comes_back(model, tmp_path / "model.safetensors", tmp_path / "other", monkeypatch)


def _export(model: Model, path: Path) -> None:
    done = RUNNER.invoke(app, ["models", "export", model.config.name, f"--{path.suffix[1:]}", "-o", str(path)])
    assert done.exit_code == 0, done.output


def _comes_back(before: Model, path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing else is, the exported file gives the same model: by its graph, if it had one, and in torch."""
    monkeypatch.setenv("AUCLI_HOME", str(home))
    model = import_any(path).model
    assert model is not None
    assert model.config.aus == before.config.aus
    assert model.config.crop == before.config.crop
    assert model.card() == before.card()
    assert (model.graph is None) == (before.graph is None)
    one, other = (TorchPredictor(which, device="cpu") for which in (before, model))
    assert torch.equal(one._network(pictures(2)), other._network(pictures(2)))
    frame = pictures(1)[0].permute(1, 2, 0).to(torch.uint8).numpy()
    args = ([frame], np.zeros(1, np.intp), before.config.crop.template_xy().astype(np.float32)[None])
    np.testing.assert_allclose(open_predictor(model).predict(*args), open_predictor(before).predict(*args), atol=1e-5)
    with pytest.raises(ModelError, match="imported before"):
        import_any(path)


@pytest.mark.slow
def test_the_bundled_model_can_be_exported_and_comes_back(tmp_path: Path) -> None:
    bundled = find_model("aunce-small")
    export_model(bundled, tmp_path / "small.onnx", kind="onnx")
    with pytest.raises(ModelError, match="comes with aucli"):
        import_any(tmp_path / "small.onnx")
    back = import_any(tmp_path / "small.onnx", name="mine").model
    assert back is not None
    assert back.origin == "imported"
    frame = pictures(1)[0].permute(1, 2, 0).to(torch.uint8).numpy()
    args = ([frame], np.zeros(1, np.intp), bundled.config.crop.template_xy().astype(np.float32)[None])
    np.testing.assert_allclose(open_predictor(back).predict(*args), open_predictor(bundled).predict(*args), atol=1e-6)


def test_the_output_says_its_kind(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"must end in \.onnx"):
        export_model(find_model("aunce-small"), tmp_path / "x.bin", kind="onnx")


@pytest.mark.parametrize("name", ["text.mp4", "nosuch", "folder", "x.pth"])
def test_what_is_no_model_is_told_what_is(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "x.pth").write_text("hello")
    (tmp_path / "folder").mkdir()
    result = RUNNER.invoke(app, ["models", "import", str(tmp_path / name)])
    assert result.exit_code != 0
    assert result.stderr.count("\n") == 1
    assert "--aus" in result.stderr
    with pytest.raises(AucliError):
        import_any(tmp_path / name)


def test_options_of_checkpoints_are_for_checkpoints() -> None:
    with pytest.raises(OptionsError, match="`aus` is for published checkpoints"):
        import_any(find_model("aunce-small").folder, aus="1,2")


def test_an_exported_file_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    export_model(find_model("aunce-small"), tmp_path / "small.safetensors", kind="safetensors")
    with safe_open(tmp_path / "small.safetensors", framework="pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors.popitem()
    save_file(tensors, tmp_path / "less.safetensors", metadata=about)
    with pytest.raises(ModelError, match="does not fit the network: lacks"):
        import_any(tmp_path / "less.safetensors", name="mine")
    about["aucli_config"] = about["aucli_config"].replace("0.4", "0.5", 1)
    save_file(tensors, tmp_path / "other.safetensors", metadata=about)
    with pytest.raises(ModelError, match="does not match its own digest"):
        import_any(tmp_path / "other.safetensors")
    assert not (user_folder() / "models").exists() or not list((user_folder() / "models").iterdir())


def test_models_with_heads_keep_their_digest() -> None:
    assert "has_heads" not in json.loads(find_model("aunce-small").config.to_json())
