"""An encoder that is there already becomes the start of another training, AU by AU."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from aucli.errors import ModelError, OptionsError
from aucli.faces.alignment import CropSpec
from aucli.models.config import ModelConfig
from aucli.models.export import write_weights
from aucli.models.network import AUNetwork
from aucli.models.zoo import write_model
from aucli.training.start import start_from
from aucli.training.start_model import load_encoder
from tests.builders.tiny_training import TINY_NETWORK

THEIRS = replace(TINY_NETWORK, aus=(1, 2, 12))


@pytest.fixture
def trained(tmp_path: Path) -> AUNetwork:
    """A network with weights of its own, in ``tmp_path / "model"``."""
    torch.manual_seed(1)
    network = AUNetwork(THEIRS)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and "running" in name:
            tensor.uniform_(0.5, 2.0)  # as after training; fresh ones are alike for all action units
    write_weights(network.state_dict(), tmp_path / "model")
    about = ModelConfig("m", THEIRS.aus, (0.5,) * 3, CropSpec(48), asdict(THEIRS), "MIT", "noise")
    write_model(tmp_path / "model", about, card="# m\n")
    return network


def test_every_au_gets_the_part_of_its_own_number(trained: AUNetwork, tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = AUNetwork(replace(THEIRS, aus=(12, 4, 1)))
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert load_encoder(str(tmp_path / "model"), network) == (4,)
    source, loaded = trained.state_dict(), network.state_dict()
    n_per_au = 0
    for name, tensor in loaded.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.startswith(("encoder.head.class_linears.", "encoder.head.gnn.bnv.", "full_connect.")):
            n_per_au += 1
            ours, theirs, before = (t.reshape(3, -1) for t in (tensor, source[name], fresh[name]))
            assert torch.equal(ours[0], theirs[2])  # AU12
            assert torch.equal(ours[1], before[1])  # AU4, which the model does not know
            assert torch.equal(ours[2], theirs[0])  # AU1
        else:
            assert torch.equal(tensor, source[name])
    assert n_per_au > 8


def test_heads_of_another_width_stay_as_they_are(trained: AUNetwork, tmp_path: Path) -> None:
    network = AUNetwork(replace(THEIRS, head_dim=THEIRS.head_dim + 1))
    fresh = {name: tensor.clone() for name, tensor in network.full_connect.state_dict().items()}
    load_encoder(str(tmp_path / "model"), network)
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in network.full_connect.state_dict().items())
    assert torch.equal(network.encoder.global_linear.fc.weight, trained.encoder.global_linear.fc.weight)


@pytest.mark.parametrize("other", [replace(THEIRS, global_dim=24), replace(THEIRS, colour="rgb")])
def test_an_encoder_of_another_shape_changes_nothing(trained: AUNetwork, tmp_path: Path, other: object) -> None:
    network = AUNetwork(other)  # type: ignore[arg-type]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ModelError, match=r"does not fit: .* there and .* here; the recipe asks for test_efficientnet"):
        load_encoder(str(tmp_path / "model"), network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_model_that_is_not_there_or_damaged_is_no_start(trained: AUNetwork, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="unknown model"):
        load_encoder("nobody", trained)
    weights = tmp_path / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match="is damaged"):
        load_encoder(str(tmp_path / "model"), AUNetwork(THEIRS))


def test_a_start_from_nothing_and_from_a_model(trained: AUNetwork, tmp_path: Path) -> None:
    network = AUNetwork(THEIRS)
    name, before = "encoder.head.gnn.bnv.running_var", network.state_dict()["encoder.head.gnn.bnv.running_var"].clone()
    start_from(network, "")
    assert torch.equal(network.state_dict()[name], before)
    start_from(network, str(tmp_path / "model"))
    assert torch.equal(network.state_dict()[name], trained.state_dict()[name])
