"""Which device a run uses: the CPU, or an NVIDIA GPU that every stage can use."""

from __future__ import annotations

import ctypes
import os
import re

from aucli.errors import OptionsError
from aucli.runtime.onnx import has_cuda
from aucli.runtime.packages import is_installed


def check_device_name(name: str) -> None:
    """Refuse a device name that makes no sense.

    Raises:
        OptionsError: unless it is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise OptionsError(f"`device` is {name!r}; allowed are auto, cpu, cuda, cuda:N")


def resolve_device(name: str) -> str:
    """Return ``cpu`` or ``cuda:N``. ``auto`` takes the first GPU if every stage can use it, else the CPU.

    Raises:
        OptionsError: if the name makes no sense, or a GPU was asked for and cannot be used.
    """
    check_device_name(name)
    if name == "cpu" or (name == "auto" and gpu_problem() is not None):
        return "cpu"
    if name != "auto" and (problem := gpu_problem()) is not None:
        raise OptionsError(f"`device` is {name}: {problem}; use cpu")
    number = int(name.partition(":")[2] or 0)
    import torch

    if number >= torch.cuda.device_count():
        raise OptionsError(f"`device` is {name}: there are {torch.cuda.device_count()} GPUs here, counted from 0")
    return f"cuda:{number}"


def gpu_problem() -> str | None:
    """Say why no GPU can be used here, None if one can. Costs nothing where there is no NVIDIA driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver on this machine"
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the NVIDIA driver finds no GPU"
    if not is_installed("torch"):
        return "torch, which a GPU needs, is not installed; pip install torch timm"
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} cannot use the GPU; install a CUDA build of torch"
    if not has_cuda():
        return "ONNX Runtime has no CUDA provider; pip uninstall onnxruntime and pip install onnxruntime-gpu"
    return None


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
