"""ONNX Runtime: the only file that imports it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from aucli.errors import AucliError, ModelError


def import_onnxruntime() -> Any:
    """Import ONNX Runtime, which from 1.29 on would look up a telemetry host ten seconds into a run: no byte leaves.

    Call it before importing anything that imports ONNX Runtime itself.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def has_cuda() -> bool:
    """Whether the installed ONNX Runtime can use an NVIDIA GPU."""
    return "CUDAExecutionProvider" in import_onnxruntime().get_available_providers()


def open_session(
    model: Path | bytes, *, device: str, threads: int, name: str = "", error: type[AucliError] = ModelError
) -> Any:
    """Open an ONNX Runtime session; on a GPU with its CUDA provider.

    Args:
        model: a file, or a serialised graph.
        device: ``cpu`` or ``cuda:N``.
        threads: threads inside one call (CPU).
        name: of the graph, for messages; a file needs none.
        error: what to raise.

    Raises:
        AucliError: of the class `error`, if it cannot be loaded or the GPU cannot be used.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Memory planned beforehand for each size of input: up to 23 MiB of a run, and no faster (measured).
    options.enable_mem_pattern = False
    # Waiting threads sleep: spinning would take the cores from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Sums of int8 products never overflow: values of a graph in int8 are the same with and without VNNI instructions.
    options.add_session_config_entry("session.x64quantprecision", "1")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if not has_cuda():
            raise error(
                "ONNX Runtime has no CUDA provider; pip uninstall onnxruntime and pip install onnxruntime-gpu, or use "
                "the `device` cpu"
            )
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)}))
    source = str(model) if isinstance(model, Path) else model
    try:
        return onnxruntime.InferenceSession(source, options, providers=providers)
    except Exception as problem:  # ONNX Runtime's exceptions share no parent of their own
        what = name or (model if isinstance(model, Path) else "the graph")
        raise error(f"{what} cannot be loaded by ONNX Runtime: {str(problem).splitlines()[0]}") from problem


def open_bare_session(graph: bytes) -> Any:
    """Open a session on one thread of the CPU, its graph as it stands but for what can be computed beforehand."""
    onnxruntime = import_onnxruntime()
    return onnxruntime.InferenceSession(graph, _basic_options(onnxruntime), providers=["CPUExecutionProvider"])


def simplified(graph: bytes) -> bytes:
    """Compute a graph's constants beforehand and fold batch norms into convolutions; its operators stay standard ones.

    Raises:
        Exception: of ONNX Runtime, if it cannot be loaded.
    """
    onnxruntime = import_onnxruntime()
    options = _basic_options(onnxruntime)
    with tempfile.TemporaryDirectory(prefix="aucli-") as folder:  # ONNX Runtime only writes to files
        options.optimized_model_filepath = str(Path(folder) / "graph.onnx")
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return Path(options.optimized_model_filepath).read_bytes()


def _basic_options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
