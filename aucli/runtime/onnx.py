"""ONNX Runtime sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aucli.errors import DetectorError


def open_session(model: Path | bytes, *, device: str, threads: int) -> Any:
    """Open an ONNX Runtime session; on a GPU with its CUDA provider."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads sleep: spinning would take the cores from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise DetectorError(
                "ONNX Runtime has no CUDA provider; pip uninstall onnxruntime and pip install onnxruntime-gpu, or use "
                "--device cpu"
            )
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)}))
    try:
        return onnxruntime.InferenceSession(
            str(model) if isinstance(model, Path) else model, options, providers=providers
        )
    except Exception as error:  # ONNX Runtime's exceptions share no parent of their own
        what = model if isinstance(model, Path) else "the CenterFace weights"
        raise DetectorError(f"{what} cannot be loaded by ONNX Runtime: {str(error).splitlines()[0]}") from error
