"""Several processes, one per GPU, as torchrun starts them: who am I, and averages over all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from aucli.training.gather import is_distributed

PATIENCE: Final = timedelta(days=7)
"""How long processes wait for each other: the first one may prepare a whole data set meanwhile."""


@contextmanager
def process_group(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, if it did; gives this process's device.

    Args:
        device: ``cpu`` (gloo) or ``cuda:N`` (NCCL, one GPU per process).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or is_distributed():
        yield device
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if is_distributed() else 1


@torch.no_grad()
def average_over_processes(tensors: Sequence[Tensor]) -> None:
    """Replace tensors (float, one device) by their mean over the processes, in place, as one message."""
    if not is_distributed() or not tensors:
        return
    flat = torch.cat([tensor.flatten().float() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def barrier() -> None:
    """Wait for the others."""
    if is_distributed():
        dist.barrier()


@contextmanager
def first_process_first() -> Iterator[None]:
    """The first process does what follows alone, and leaves its results on disk; then the others do."""
    if rank() > 0:
        barrier()
    yield
    if rank() == 0:
        barrier()
