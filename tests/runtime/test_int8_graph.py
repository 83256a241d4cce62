"""Graphs in int8: close to the float ones, first and last convolutions untouched, batches change nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto

from aucli.runtime.int8_graph import in_int8
from aucli.runtime.onnx import open_session
from tests.builders.small_graphs import graph_of_convolutions


def _pictures(n: int, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, 3, 12, 12)).astype(np.float32)


def _feeds(n: int = 6) -> list[dict[str, npt.NDArray[np.float32]]]:
    return [{"x": one[None]} for one in _pictures(n)]


def _run(graph: bytes, pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(open_session(graph, device="cpu", threads=1).run(["y"], {"x": pictures})[0])


@pytest.mark.parametrize("n_convolutions", [0, 1, 3])
def test_without_an_inner_convolution_there_is_nothing_to_do(n_convolutions: int) -> None:
    with pytest.raises(ValueError, match="no convolution"):
        in_int8(graph_of_convolutions(n_convolutions), _feeds())


@pytest.mark.parametrize("opset", [9, 18])
@pytest.mark.parametrize("dead_channel", [False, True])
def test_results_stay_close_on_other_pictures(opset: int, dead_channel: bool) -> None:
    graph = graph_of_convolutions(7, opset=opset, dead_channel=dead_channel)
    pictures = _pictures(5, seed=2)
    own, other = _run(graph, pictures), _run(in_int8(graph, _feeds()), pictures)
    assert 0 < np.abs(own - other).mean() < 0.03 * np.abs(own).mean()


def test_inner_convolutions_alone_have_weights_of_bytes() -> None:
    model = onnx.load_model_from_string(in_int8(graph_of_convolutions(7), _feeds()))
    made = {node.output[0]: node for node in model.graph.node}
    types = {constant.name: constant.data_type for constant in model.graph.initializer}
    weights = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    kinds = [types[made[name].input[0] if name in made else name] for name in weights]
    assert kinds == [TensorProto.FLOAT] * 2 + [TensorProto.INT8] * 4 + [TensorProto.FLOAT]
    assert "w3" not in types  # what is not needed any more is not kept


def test_the_same_bytes_every_time_and_a_picture_alone_is_read_as_among_others() -> None:
    graph = in_int8(graph_of_convolutions(7), _feeds())
    assert graph == in_int8(graph_of_convolutions(7), _feeds())
    pictures = _pictures(9, seed=3)
    singly = np.concatenate([_run(graph, one[None]) for one in pictures])
    np.testing.assert_allclose(_run(graph, pictures), singly, atol=1e-6)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        in_int8(graph_of_convolutions(7), [{"x": np.full((1, 3, 12, 12), np.nan, np.float32)}])
