"""Several processes, one per GPU, as torchrun starts them: who am I, averages, and batches joined with gradients.

W processes of N pictures behave like one of W x N.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE: Final = timedelta(days=7)
"""How long processes wait for each other: the first one may prepare a whole data set meanwhile."""

_rank_zero_only: ContextVar[bool] = ContextVar("rank_zero_only", default=False)


@contextmanager
def rank_zero_only() -> Iterator[None]:
    """What follows is done by the process of rank 0 while the others wait: nothing is gathered from them."""
    token = _rank_zero_only.set(True)
    try:
        yield
    finally:
        _rank_zero_only.reset(token)


def is_distributed() -> bool:
    """Whether more than one process takes part."""
    return not _rank_zero_only.get() and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class _Gather(torch.autograd.Function):
    """Forward: everybody's parts, (W, ...). Backward: the sum of everybody's gradients for this process's part."""

    @staticmethod
    def forward(_ctx: Any, local: Tensor) -> Tensor:
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local)
        return torch.stack(parts)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[dist.get_rank()]


def gather_batch(local: Tensor, *, dim: int = 0) -> Tensor:
    """Join every process's tensor along ``dim``, in the order of the ranks.

    Each process then computes the same loss of the whole batch. Going back, the gradients that all W processes have
    for a picture are summed, W times the true one; DistributedDataParallel's mean over processes takes that out again,
    so parameters receive the gradient that one process with the joined batch would give them.

    Args:
        local: this process's part; the same shape on every process.
        dim: the batch axis.
    """
    if not is_distributed():
        return local
    parts: Tensor = _Gather.apply(local.contiguous())
    return torch.cat(list(parts), dim=dim)


def same_everywhere(value: Tensor) -> Tensor:
    """Give every process the first one's value: for random draws that all must share."""
    if is_distributed():
        value = value.contiguous()
        dist.broadcast(value, src=0)
    return value


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
