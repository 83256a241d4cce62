from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from aucli.errors import ModelError
from aucli.models.export import export_network
from aucli.models.network import AUNetwork, load_weights
from tests.builders.tiny_training import RECIPE_NETWORK


def _crops(count: int) -> torch.Tensor:
    size = RECIPE_NETWORK.input_size_px
    return torch.rand(count, 3, size, size) * 255


def _network() -> AUNetwork:
    torch.manual_seed(0)
    network = AUNetwork(RECIPE_NETWORK)
    network.train()(_crops(8))  # batch norms that differ from their start
    return network.eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[AUNetwork, Path]:
    folder = tmp_path_factory.mktemp("model")
    network = _network()
    export_network(network, folder)
    return network, folder


@pytest.mark.slow
def test_graph_agrees_with_torch_for_any_batch(exported: tuple[AUNetwork, Path]) -> None:
    network, folder = exported
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    for count in (0, 1, 2, 5):
        crops = _crops(count)
        (probabilities,) = session.run(["probabilities"], {"crops": crops.numpy()})
        np.testing.assert_allclose(probabilities, network(crops).detach().numpy(), atol=1e-5)


@pytest.mark.slow
def test_bounds_of_activations_are_constants(exported: tuple[AUNetwork, Path]) -> None:
    graph = onnx.load(exported[1] / "model.onnx").graph
    constants = {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    bounds = [name for node in graph.node if node.op_type == "Clip" for name in node.input[1:] if name]
    assert bounds
    assert set(bounds) <= constants


@pytest.mark.slow
def test_weights_are_stored_once(exported: tuple[AUNetwork, Path]) -> None:
    network, folder = exported
    size = sum(tensor.nbytes for tensor in network.state_dict().values())
    assert (folder / "model.onnx").stat().st_size < 0.25 * size
    assert (folder / "model.safetensors").stat().st_size < 1.1 * size


@pytest.mark.slow
def test_weights_come_back(exported: tuple[AUNetwork, Path]) -> None:
    network, folder = exported
    again = AUNetwork(network.config).eval()
    load_weights(again, folder / "model.safetensors")
    crops = _crops(2)
    assert torch.equal(again(crops), network(crops))


@pytest.mark.slow
def test_weights_of_another_network_are_refused(exported: tuple[AUNetwork, Path]) -> None:
    config = replace(RECIPE_NETWORK, backbone="resnet10t")
    with pytest.raises(ModelError, match="does not fit the network"):
        load_weights(AUNetwork(config), exported[1] / "model.safetensors")


@pytest.mark.slow
def test_graph_carries_no_remarks_and_lets_batch_norms_be_folded(
    exported: tuple[AUNetwork, Path], tmp_path: Path
) -> None:
    folder = exported[1]
    graph = onnx.load(folder / "model.onnx", load_external_data=False)
    assert not any(node.doc_string or node.metadata_props for node in graph.graph.node)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "folded.onnx")
    onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(tmp_path / "folded.onnx", load_external_data=False).graph
    convolutions = {name for node in folded.node if "Conv" in node.op_type for name in node.output}
    after = [n.name for n in folded.node if n.op_type == "BatchNormalization" and convolutions.intersection(n.input)]
    assert after == []


@pytest.mark.slow
def test_rescaled_log_odds_are_in_torch_and_in_the_graph(tmp_path: Path) -> None:
    network = _network()
    network.full_connect.second.weight.data *= 20  # log-odds of some size
    crops = _crops(5)
    scale, offset = torch.tensor([0.6, 1.7]), torch.tensor([1.5, -2.0])
    with torch.no_grad():
        expected = (network.logits(crops).double() * scale + offset).sigmoid().numpy()
        assert expected.std(axis=0).min() > 1e-4, "faces differ"
        network.rescale_log_odds(scale, offset)
        np.testing.assert_allclose(network(crops).numpy(), expected, atol=1e-6)
    export_network(network, tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"crops": crops.numpy()})[0], expected, atol=1e-6)


@pytest.mark.slow
def test_networks_of_one_config_share_nodes_and_not_weights(exported: tuple[AUNetwork, Path], tmp_path: Path) -> None:
    first, folder = exported
    torch.manual_seed(1)
    second = AUNetwork(RECIPE_NETWORK).eval()
    export_network(second, tmp_path)
    one, other = (onnx.load(f / "model.onnx", load_external_data=False).graph for f in (folder, tmp_path))
    assert list(one.node) == list(other.node)
    crops = _crops(3)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"crops": crops.numpy()})
    np.testing.assert_allclose(probabilities, second(crops).detach().numpy(), atol=1e-6)
    assert np.abs(probabilities - first(crops).detach().numpy()).max() > 1e-3
