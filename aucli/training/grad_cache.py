"""The gradient of a loss over a whole batch, computed in parts that fit into memory.

A contrastive loss compares every picture with every other, so the losses of parts cannot simply be added up. As in
GradCache (Gao et al. 2021, arXiv 2101.06983): embeddings of all parts without a graph, the loss and its gradient for
the embeddings of all, then each part again, with a graph. Batch norm sees one part at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn


def backward(
    network: nn.Module,
    views: Tensor,
    *,
    embed: Callable[[Tensor], Tensor],
    loss_of: Callable[[Tensor], Tensor],
    parts: int = 1,
) -> Tensor:
    """Add the gradient of the whole batch's loss to the parameters.

    Args:
        network: whose batch norms are kept from counting a part twice.
        views: (V, N, 3, S, S) on the network's device, N a multiple of the parts.
        embed: views (V, M, 3, S, S) -> embeddings (V, M, A, D), with a graph where torch records one.
        loss_of: all embeddings (V, N, A, D) -> the loss.
        parts: in how many parts the pictures go through the network.

    Returns:
        The loss of the whole batch, a scalar.
    """
    if parts == 1:
        loss = loss_of(embed(views))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss
    chunks = views.chunk(parts, dim=1)
    embedded, states = [], []
    with torch.no_grad(), _frozen_statistics(network):
        for chunk in chunks:
            states.append(_random_state(views.device))
            embedded.append(embed(chunk))
    z = torch.cat(embedded, dim=1).requires_grad_()
    loss = loss_of(z)
    loss.backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    for chunk, gradient, state in zip(chunks, z.grad.chunk(parts, dim=1), states, strict=True):
        _set_random_state(views.device, state)  # the same stochastic depth as the first time
        embed(chunk).backward(gradient)  # type: ignore[no-untyped-call]
    return loss


@contextlib.contextmanager
def _frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm normalises by the batch but does not remember it: that happens in the second pass."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
