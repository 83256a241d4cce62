"""A trained network as files of the zoo: weights in safetensors, a graph for ONNX Runtime that reads the same weights.

The graph holds no copy of the weights: its initializers are ONNX external data, pointing at the bytes of
``model.safetensors`` (offsets from that file's header), so the two can never disagree.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx.external_data_helper import set_external_data
from safetensors.torch import save_file
from torch import Tensor

from aucli.errors import ModelError
from aucli.models.config import GRAPH_NAME, WEIGHTS_NAME
from aucli.models.network import AUNetwork

OPSET = 18


def export_network(network: AUNetwork, folder: Path) -> None:
    """Write ``model.safetensors`` and ``model.onnx`` into a folder.

    The graph's input ``crops`` is float32 (N, 3, S, S), RGB 0..255, N free; its output
    ``probabilities`` is float32 (N, A).

    Raises:
        ModelError: if the exported graph holds large constants that are not among the weights.
    """
    network = network.eval()
    write_weights(network.state_dict(), folder)
    # What a network computes for its input's size, as Swin its window masks, is no weight but may be large.
    computed = {name for name, _ in network.named_buffers()} - set(network.state_dict())
    write_graph(_graph_of(network), folder, may_hold=computed)


def write_weights(state: Mapping[str, Tensor], folder: Path) -> None:
    """Write named tensors as ``model.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        name: tensor.detach().contiguous()
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")  # counts training steps, read by nobody
    }
    save_file(kept, folder / WEIGHTS_NAME)
    (folder / WEIGHTS_NAME).chmod(0o644)  # safetensors writes for the owner alone


def write_graph(graph: onnx.ModelProto, folder: Path, *, may_hold: Collection[str] = ()) -> None:
    """Write ``model.onnx``, its weights being those of the folder's ``model.safetensors``.

    Raises:
        ModelError: if the graph's weights differ from the file's, or it holds large constants that are not there.
    """
    _point_at_safetensors(graph, folder / WEIGHTS_NAME, may_hold)
    onnx.save_model(graph, str(folder / GRAPH_NAME))


_TRACED: dict[str, bytes] = {}
"""Graphs without their weights, by the config of their networks, as JSON."""


def _graph_of(network: AUNetwork) -> onnx.ModelProto:
    """Return the graph with the network's weights in it.

    Its nodes follow from the config alone, and take 5 s and more to trace: the folds of a run share them.
    """
    state = network.state_dict()
    config = json.dumps(asdict(network.config), sort_keys=True)
    if config not in _TRACED:
        traced = _traced(network)
        for tensor in traced.graph.initializer:
            if tensor.name in state:
                tensor.ClearField("raw_data")
        _TRACED[config] = traced.SerializeToString()
    graph: onnx.ModelProto = onnx.ModelProto.FromString(_TRACED[config])
    for tensor in graph.graph.initializer:
        if tensor.name in state:
            tensor.raw_data = state[tensor.name].detach().cpu().numpy().tobytes()
    return graph


def _traced(network: AUNetwork) -> onnx.ModelProto:
    size = network.config.input_size_px
    crops = torch.rand(2, 3, size, size) * 255
    program: Any = torch.onnx.export(
        network,
        (crops,),
        input_names=["crops"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        opset_version=OPSET,
        dynamo=True,
        optimize=False,  # ONNX Runtime folds batch norms when it loads; here the weights must stay what they are
        verbose=False,
    )
    model: onnx.ModelProto = program.model_proto
    _drop_zero_biases(model.graph)
    _drop_casts_of_bounds(model.graph)
    _drop_unused_nodes(model.graph)
    _drop_remarks(model)
    return model


def _drop_zero_biases(graph: onnx.GraphProto) -> None:
    """Give convolutions without a bias no bias.

    The exporter hands them zeros that are computed at run time, which keeps ONNX Runtime from folding the batch norm
    that follows (measured: the network takes three times as long).
    """
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[1].endswith(".weight"):
            has_own_bias = node.input[1].removesuffix("weight") + "bias" in weights
            if not has_own_bias and node.input[2] not in weights:
                del node.input[2]


def _drop_casts_of_bounds(graph: onnx.GraphProto) -> None:
    """Let constants be taken as they are where the exporter first casts them to the type of another tensor.

    It does so with the bounds of every activation (``CastLike``). All is float32 here, so the cast does nothing, but
    ONNX Runtime resolves it too late to fuse activations with convolutions (measured: 1.1 to 1.35 times the time).
    """
    floats = {
        name
        for node in graph.node
        if node.op_type == "Constant"
        and any(part.name == "value_float" or part.t.data_type == onnx.TensorProto.FLOAT for part in node.attribute)
        for name in node.output
    }
    same = {
        node.output[0]: node.input[0] for node in graph.node if node.op_type == "CastLike" and node.input[0] in floats
    }
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)


def _drop_unused_nodes(graph: onnx.GraphProto) -> None:
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # nodes come after those they read
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def _drop_remarks(model: onnx.ModelProto) -> None:
    """Drop the exporter's stack traces: paths of the machine that exported, and most of the file's size."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("doc_string")
        del part.metadata_props[:]


def _point_at_safetensors(model: onnx.ModelProto, weights: Path, may_hold: Collection[str]) -> None:
    """Turn every initializer that is a tensor of the safetensors file into a reference to its bytes there."""
    with weights.open("rb") as file:
        (header_length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_length))
        for tensor in model.graph.initializer:
            entry = header.get(tensor.name)
            if entry is None:
                if tensor.ByteSize() > 65536 and tensor.name not in may_hold:
                    raise ModelError(f"the graph's constant {tensor.name} is not among the weights of {weights}")
                continue
            begin, end = entry["data_offsets"]
            file.seek(8 + header_length + begin)
            stored = file.read(end - begin)
            if onnx.numpy_helper.to_array(tensor).tobytes() != stored:
                raise ModelError(f"the graph's {tensor.name} differs from the weights of {weights}")
            tensor.raw_data = stored  # set_external_data takes raw data only
            set_external_data(tensor, weights.name, offset=8 + header_length + begin, length=end - begin)
            tensor.ClearField("raw_data")
