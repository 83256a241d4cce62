"""ONNX Runtime: the only file that imports it."""

from __future__ import annotations

import os
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
    # Waiting threads sleep: spinning would take the cores from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
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
