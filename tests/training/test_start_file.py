"""Weights of a backbone from a file, in Microsoft's naming and in timm's."""

from __future__ import annotations

import time
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from aucli.errors import AucliError, ModelError, OptionsError, RecipeError
from aucli.models.aunce_checkpoint import published_model
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.training.start import seen_by_start, start_from
from aucli.training.start_imagenet import require_download
from tests.builders.published_network import published_state
from tests.builders.small_swin import NAME, SMALL
from tests.builders.tiny_training import TINY_NETWORK

SMALL_SWIN = EncoderConfig(NAME, (1, 2), 224, global_dim=8, embedding_dim=8)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code of a file was run')",)


@pytest.fixture(scope="module")
def of_the_backbone() -> dict[str, Tensor]:
    """As Microsoft's files hold it: without a prefix, with index buffers and a classifier."""
    state = published_state(SMALL, seed=3)
    backbone = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    return backbone | {"head.weight": torch.zeros(1000, 96), "head.bias": torch.zeros(1000)}


def test_the_backbones_authors_own_file_gives_their_network(
    of_the_backbone: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aucli.models.aunce_checkpoint.SWINS", {(12, 1): NAME})
    theirs = published_model(published_state(SMALL, seed=3), (1, 2, 4, 6, 9, 12, 25, 26), tmp_path).network
    expected = theirs.encoder.backbone.network.state_dict()
    torch.save({"model": of_the_backbone}, tmp_path / "swin.pth")
    save_file({k: v.contiguous() for k, v in expected.items()}, tmp_path / "timm.safetensors")
    for name in ("swin.pth", "timm.safetensors"):
        network = AUNetwork(SMALL_SWIN)
        head = network.encoder.global_linear.fc.weight.clone()
        start_from(network, str(tmp_path / name))
        found = network.encoder.backbone.network.state_dict()
        assert all(torch.equal(value, found[key]) for key, value in expected.items())
        assert torch.equal(head, network.encoder.global_linear.fc.weight)
    assert seen_by_start(str(tmp_path / "swin.pth")) == {}


def test_a_wrong_file_is_told_in_one_line(of_the_backbone: dict[str, Tensor], tmp_path: Path) -> None:
    def saved(what: object) -> str:
        torch.save(what, tmp_path / "file.pth")
        return str(tmp_path / "file.pth")

    shorter = {k: v for k, v in of_the_backbone.items() if k != "norm.bias"}
    wrong: dict[str, tuple[object, str]] = {
        "code": (Evil(), "needs pickled code, which is never run"),
        "nothing": ({}, "not a state_dict"),
        "lacking": (shorter, "do not fit the backbone swin_of_the_tests: norm.bias lacks"),
        "other shape": (of_the_backbone | {"norm.bias": torch.zeros(3)}, r"norm.bias is \(3,\) there and \(96,\) here"),
        "not a number": (of_the_backbone | {"norm.bias": torch.full((96,), torch.nan)}, "not finite: norm.bias"),
        "a checkpoint of AUNCE": (published_state(SMALL, seed=3), "aucli models import"),
    }
    network = AUNetwork(SMALL_SWIN)
    for content, message in wrong.values():
        with pytest.raises(AucliError, match=message) as caught:
            start_from(network, saved(content))
        assert "\n" not in str(caught.value)
    (tmp_path / "file.pth").write_bytes(b"")
    with pytest.raises(ModelError, match="not a file of plain tensors"):
        start_from(network, str(tmp_path / "file.pth"))
    with pytest.raises(OptionsError, match=r"encoder\.pretrained is .*none\.pth, but there is no such file"):
        start_from(network, str(tmp_path / "none.pth"))
    with pytest.raises(RecipeError, match="do not fit the backbone test_efficientnet"):
        start_from(AUNetwork(TINY_NETWORK), saved(of_the_backbone))


def test_without_a_network_the_message_comes_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    began = time.monotonic()
    with pytest.raises(RecipeError, match=r"are not on this machine, .* cannot be reached .* a file of its weights"):
        require_download("swin_base_patch4_window7_224.ms_in1k")
    assert time.monotonic() - began < 1
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RecipeError, match="HF_HUB_OFFLINE is set"):
        require_download("resnet18")
    with pytest.raises(RecipeError, match="timm has no weights of"):
        require_download(NAME)
