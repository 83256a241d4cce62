"""An ONNX graph with its convolutions in whole numbers of 8 bits: static ranges, weights with a scale per channel.

Each convolution takes and gives unsigned bytes (scale and zero point of a tensor, from pictures that were run through
the float graph) and has signed weights (a scale for each output channel, zero point 0), as in Jacob et al. 2018 (arXiv
1712.05877). The first two and the last convolutions on every way through the graph, sums, and all that is no
convolution stay in float: a picture's first features and what tells the results from each other are where rounding
does most harm, and a sum of blocks that is rounded anew at every block drifts. docs/performance.md has figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.runtime.onnx import open_bare_session, simplified

Feed = Mapping[str, npt.NDArray[Any]]
"""Inputs of one call, by name."""

FLOAT_FIRST: Final = 2
"""Convolutions that stay in float at the beginning of every way through a graph."""
LEAST_OPSET: Final = 13
"""Scales per channel are known from this operator set on."""
OPSET: Final = 18
"""To which older graphs are brought."""
VALUES_OF_A_TENSOR: Final = 40_000
"""Of all that a tensor held, so many values, drawn at random, decide its range."""
SHARES_OF_RANGE: Final = np.linspace(0.3, 1.0, 29)
"""Ranges that are tried, as shares of what a tensor held: without what is rare, the steps of the rest are finer."""
MOST_BIAS_STEPS: Final = 2.0**30
"""A bias is a whole number of 32 bits in steps of its channel: steps are never so fine that it would not fit."""


@dataclass(frozen=True)
class _Convolution:
    """A convolution that comes to be done in int8.

    Attributes:
        node: of the graph.
        source: the tensor that it takes.
        result: the tensor that it gives, behind its activation.
        activation: the node that cuts it off at 0 (and at a maximum), if there is one.
    """

    node: Any
    source: str
    result: str
    activation: Any


def in_int8(graph: bytes, feeds: Sequence[Feed]) -> bytes:
    """Return a graph with its inner convolutions in int8, the same inputs and outputs.

    Args:
        graph: serialised, its weights in it.
        feeds: inputs as the network will meet them, one call each: they decide the ranges. At least one.

    Raises:
        ValueError: if it has no convolution that could be brought to int8, or gives values that are not finite.
        Exception: of onnx or ONNX Runtime, which share no parent, if the graph cannot be read.
    """
    import onnx

    model = onnx.load_model_from_string(graph)
    if next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0) < LEAST_OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    # Twice: what ONNX Runtime writes out of functions in the first pass, it computes beforehand in the second.
    model = onnx.load_model_from_string(simplified(simplified(model.SerializeToString())))
    chosen = _inner_convolutions(model.graph)
    if not chosen:
        raise ValueError("there is no convolution in it that could be done in int8")
    tensors = sorted({one.source for one in chosen} | {one.result for one in chosen})
    seen = _observed(model, tensors, feeds)
    _rewrite(model.graph, chosen, seen)
    _drop_unused(model.graph)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _inner_convolutions(graph: Any) -> list[_Convolution]:
    """Convolutions with constant weights that have `FLOAT_FIRST` others before them and one behind them."""
    weights = {one.name: one for one in graph.initializer}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    outputs = {one.name for one in graph.output}
    before, behind = _convolutions_before(graph.node), _convolutions_behind(graph.node)
    found = []
    for node in graph.node:
        if node.op_type != "Conv" or not all(name in weights for name in node.input[1:] if name):
            continue
        if before.get(node.input[0], 0) < FLOAT_FIRST or node.output[0] not in behind or node.output[0] in outputs:
            continue
        result, activation = node.output[0], None
        (*others, last) = users[result]
        if (
            not others
            and last.op_type in ("Relu", "Clip")
            and last.input[0] == result
            and last.output[0] not in outputs
        ):
            result, activation = last.output[0], last
        found.append(_Convolution(node, node.input[0], result, activation))
    return found


def _convolutions_before(nodes: Sequence[Any]) -> dict[str, int]:
    """How many convolutions lie on the longest way to each tensor."""
    number: dict[str, int] = {}
    for node in nodes:  # listed in the order of computing
        before = max((number.get(name, 0) for name in node.input), default=0) + (node.op_type == "Conv")
        number.update(dict.fromkeys(node.output, before))
    return number


def _convolutions_behind(nodes: Sequence[Any]) -> set[str]:
    """The tensors that flow into a convolution, directly or not."""
    found: set[str] = set()
    for node in reversed(nodes):
        if node.op_type == "Conv" or any(name in found for name in node.output):
            found.update(node.input)
    return found


@dataclass(frozen=True)
class _Observed:
    """What a tensor held.

    Attributes:
        range: lowest and highest value that are told apart, 0 between them.
        channel_means: (C,) float64, of its second axis.
    """

    range: tuple[float, float]
    channel_means: npt.NDArray[np.float64]


def _observed(model: Any, tensors: Sequence[str], feeds: Sequence[Feed]) -> dict[str, _Observed]:
    """Run the float graph on each feed and look at tensors inside it."""
    import onnx

    watched = type(model)()
    watched.CopyFrom(model)
    told = {one.name for one in watched.graph.output}
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in tensors if name not in told)
    session = open_bare_session(watched.SerializeToString())
    drawn = np.random.default_rng(0)
    values: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in tensors}
    means: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in tensors}
    for feed in feeds:
        for name, value in zip(tensors, session.run(list(tensors), dict(feed)), strict=True):
            flat = np.asarray(value, np.float32).ravel()
            few = max(1, VALUES_OF_A_TENSOR // len(feeds))
            edges = [flat.min(initial=0.0), flat.max(initial=0.0)]
            values[name].append(np.append(flat if len(flat) <= few else drawn.choice(flat, few), edges))
            means[name].append(value.mean(axis=(0, *range(2, value.ndim)), dtype=np.float64))
    return {
        name: _Observed(_best_range(np.concatenate(values[name])), np.mean(means[name], axis=0)) for name in tensors
    }


def _best_range(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    if not np.isfinite(values).all():
        raise ValueError("it gives values that are not finite")
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if low == high:
        return 0.0, 1.0

    def loss(share: float) -> float:
        scale, zero = _scale_and_zero((low * share, high * share))
        steps = np.clip(np.round(values / scale) + zero, 0, 255)
        return float(np.square((steps - zero) * scale - values).mean())

    best = float(min(SHARES_OF_RANGE, key=loss))
    return low * best, high * best


def _scale_and_zero(of: tuple[float, float]) -> tuple[np.float32, np.uint8]:
    low, high = of
    scale = np.float32((high - low) / 255)
    return scale, np.uint8(np.clip(np.round(-low / scale), 0, 255))


def _rewrite(graph: Any, chosen: Sequence[_Convolution], seen: Mapping[str, _Observed]) -> None:
    """Put roundings around the chosen convolutions, which ONNX Runtime fuses with them."""
    weights = {one.name: one for one in graph.initializer}
    results = {one.result for one in chosen}
    mine = {one.node.output[0] for one in chosen}
    rounded = {name: f"{name}/rounded" for name in seen}
    added: dict[str | None, list[Any]] = {}
    for name, of in seen.items():
        added[name] = _rounding(graph, name, rounded[name], of.range)
    for one in chosen:
        added.setdefault(None, []).extend(_whole_weights(graph, one, weights, seen[one.source]))
    for node in graph.node:
        for place, name in enumerate(node.input):
            # What an int8 convolution gives is rounded for everybody; other tensors for those convolutions alone.
            of_mine = node.op_type == "Conv" and node.output[0] in mine and place == 0
            if name in rounded and (name in results or of_mine):
                node.input[place] = rounded[name]
    given = {one.name for one in graph.input}
    ordered = [*added.pop(None, []), *(node for name in sorted(given & set(seen)) for node in added[name])]
    for node in graph.node:
        ordered.append(node)
        for name in node.output:
            ordered += added.get(name, [])
    copies = [type(node).FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def _rounding(graph: Any, name: str, rounded: str, range_: tuple[float, float]) -> list[Any]:
    """Nodes that round a tensor to bytes and bring it back."""
    from onnx import helper

    scale, zero = _scale_and_zero(range_)
    constants = [_constant(graph, f"{name}/scale", scale), _constant(graph, f"{name}/zero", zero)]
    return [
        helper.make_node("QuantizeLinear", [name, *constants], [f"{name}/bytes"], name=f"{name}/to_bytes"),
        helper.make_node("DequantizeLinear", [f"{name}/bytes", *constants], [rounded], name=f"{name}/from_bytes"),
    ]


def _whole_weights(graph: Any, one: _Convolution, weights: Mapping[str, Any], source: _Observed) -> list[Any]:
    """Put a convolution's weights and bias down as whole numbers; nodes that bring them back."""
    from onnx import helper, numpy_helper

    node = one.node
    values = numpy_helper.to_array(weights[node.input[1]]).astype(np.float64)
    has_bias = len(node.input) > 2 and node.input[2]
    bias = numpy_helper.to_array(weights[node.input[2]]).astype(np.float64) if has_bias else np.zeros(len(values))
    source_scale = _scale_and_zero(source.range)[0]
    scales = np.abs(values).reshape(len(values), -1).max(axis=1) / 127
    scales = np.maximum.reduce(
        [scales, 2 * np.abs(bias) / (source_scale * MOST_BIAS_STEPS), np.full(len(values), 1e-12)]
    )
    scales = scales.astype(np.float32)
    by_channel = scales.reshape(-1, *([1] * (values.ndim - 1)))
    steps = np.clip(np.round(values / by_channel), -127, 127).astype(np.int8)
    # What rounding the weights shifts on average, the bias takes back (Nagel et al. 2019, arXiv 1906.04721, 4.2).
    bias = bias + _mean_result(values - steps * by_channel.astype(np.float64), source.channel_means)
    bias_scales = (scales * source_scale).astype(np.float32)
    made = []
    for place, whole, scale in ((1, steps, scales), (2, np.round(bias / bias_scales).astype(np.int32), bias_scales)):
        name = f"{node.output[0]}/input{place}"
        constants = [
            _constant(graph, f"{name}/whole", whole),
            _constant(graph, f"{name}/scale", scale),
            _constant(graph, f"{name}/zero", np.zeros(len(scale), whole.dtype)),
        ]
        made.append(helper.make_node("DequantizeLinear", constants, [f"{name}/float"], name=f"{name}/back", axis=0))
        if place == len(node.input):
            node.input.append("")
        node.input[place] = f"{name}/float"
    return made


def _mean_result(weights: npt.NDArray[np.float64], channel_means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a convolution gives on average (its bias aside): (O,) of weights (O, I / groups, ...) and means (I,)."""
    groups = len(channel_means) // weights.shape[1]
    of_group = channel_means.reshape(groups, -1)[np.arange(len(weights)) // (len(weights) // groups)]
    return np.asarray((weights.reshape(*weights.shape[:2], -1).sum(axis=2) * of_group).sum(axis=1))


def _drop_unused(graph: Any) -> None:
    """Remove constants that no node takes; none of a graph with graphs in it, which may take them."""
    if any(part.HasField("g") or part.graphs for node in graph.node for part in node.attribute):
        return
    used = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _constant(graph: Any, name: str, value: Any) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return name
