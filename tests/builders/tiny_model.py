"""A model folder small enough to make anew in every test: one weight, one graph, no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data
from safetensors.numpy import save_file

from aucli.faces.alignment import CropSpec
from aucli.models.config import GRAPH_NAME, WEIGHTS_NAME, ModelConfig
from aucli.models.zoo import write_model

TINY = ModelConfig("tiny", (1, 12), (0.3, 0.6), CropSpec(64), {"backbone": "none"}, "MIT", "nothing")


def make_tiny_model(
    folder: Path, config: ModelConfig = TINY, *, change: Callable[[Any], None] | None = None
) -> ModelConfig:
    """Write a model whose probabilities are sigmoids of the crop's mean grey value times a weight per action unit.

    Args:
        folder: is made.
        config: its files are filled in.
        change: what to do to the graph (an ``onnx.ModelProto``) before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.linspace(0.001, 0.002, len(config.network_aus), dtype=np.float32)[None]
    save_file({"weight": weight}, folder / WEIGHTS_NAME)
    raw = (folder / WEIGHTS_NAME).read_bytes()
    tensor = onnx.numpy_helper.from_array(weight, "weight")
    set_external_data(tensor, WEIGHTS_NAME, offset=len(raw) - weight.nbytes, length=weight.nbytes)
    tensor.ClearField("raw_data")
    nodes = [
        helper.make_node("ReduceMean", ["crops"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Mul", ["column", "weight"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 3, config.crop.size_px, config.crop.size_px])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", weight.shape[1]])],
        [tensor, onnx.numpy_helper.from_array(np.array([1], np.int64), "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if change is not None:
        change(model)
    (folder / GRAPH_NAME).write_bytes(model.SerializeToString())
    return write_model(folder, config, card="# tiny\n")
