"""Looking into an ``.onnx`` file without running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aucli.errors import AucliError


def external_files(path: Path, *, error: type[AucliError]) -> frozenset[str]:
    """Return the names of other files that a graph wants to read: the ``location`` of its external data.

    Raises:
        AucliError: of the class `error`, if the file is no ONNX graph.
    """
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as problem:  # protobuf's exceptions and those of onnx share no parent
        raise error(f"{path} is no ONNX graph, or is damaged") from problem
    return frozenset(
        entry.value for tensor in _tensors_of(model) for entry in tensor.external_data if entry.key == "location"
    )


def whole_graph(path: Path, *, error: type[AucliError]) -> bytes:
    """Read a graph with the weights that it names in other files of its folder, as one serialised graph.

    Raises:
        AucliError: of the class `error`, if it cannot be read.
    """
    import onnx

    try:
        return bytes(onnx.load(str(path)).SerializeToString())
    except Exception as problem:  # protobuf's exceptions and those of onnx share no parent
        raise error(f"{path} is no ONNX graph, or is damaged") from problem


def _tensors_of(model: Any) -> Iterator[Any]:  # onnx ships no types
    graphs = [model.graph]
    for info in model.training_info:
        graphs += [info.initialization, info.algorithm]
    for graph in graphs:
        yield from _tensors_of_graph(graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in (attribute.g, *attribute.graphs):
                if graph.ByteSize():
                    yield from _tensors_of_graph(graph)
