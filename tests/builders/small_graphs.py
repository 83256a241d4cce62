"""Made-up ONNX graphs: convolutions in a row."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 8


def graph_of_convolutions(n_convolutions: int, *, seed: int = 0, opset: int = 18, dead_channel: bool = False) -> bytes:
    """Convolutions in a row, each with a ReLU, the fourth added to the third's result."""
    random = np.random.default_rng(seed)
    nodes, constants, name = [], [], "x"
    for place in range(n_convolutions):
        before = 3 if place == 0 else CHANNELS
        weights = random.normal(0, (2 / (9 * before)) ** 0.5, (CHANNELS, before, 3, 3)).astype(np.float32)
        bias = random.normal(0, 0.1, CHANNELS).astype(np.float32)
        if dead_channel:
            weights[0], bias[0] = 0.0, 3.0
        constants += [numpy_helper.from_array(weights, f"w{place}"), numpy_helper.from_array(bias, f"b{place}")]
        nodes.append(helper.make_node("Conv", [name, f"w{place}", f"b{place}"], [f"c{place}"], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{place}"], [f"r{place}"]))
        name = f"r{place}"
        if place == 3:
            nodes.append(helper.make_node("Add", ["r2", "r3"], ["sum"]))
            name = "sum"
    nodes.append(helper.make_node("Identity", [name], ["y"]))
    ends = [
        helper.make_tensor_value_info(one, TensorProto.FLOAT, ["N", channels, "H", "W"])
        for one, channels in (("x", 3), ("y", CHANNELS))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(model.SerializeToString())
