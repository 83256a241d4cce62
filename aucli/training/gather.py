"""Batches joined across processes, with gradients, so that W processes of N pictures behave like one of W x N."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_works_alone: ContextVar[bool] = ContextVar("works_alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """What follows is done by this process while the others wait: nothing is gathered from them."""
    token = _works_alone.set(True)
    try:
        yield
    finally:
        _works_alone.reset(token)


def is_distributed() -> bool:
    """Whether more than one process takes part."""
    return not _works_alone.get() and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


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
