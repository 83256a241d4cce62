from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from aucli.training.grad_cache import backward
from aucli.training.identity_head import IdentityHead
from aucli.training.objective import LossOptions, Objective

LABELS = torch.tensor([[1, 0], [0, -1], [1, 1], [0, 0]] * 4)
SUBJECTS = torch.arange(16) % 3


def _heads(embeddings: Tensor) -> Tensor:
    return embeddings.sum(dim=-1)


def test_parts_give_the_gradients_of_the_whole_batch() -> None:
    views = torch.rand(2, 16, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gradients, losses = [], []
    for parts in (1, 2, 4):
        torch.manual_seed(3407)
        # In double precision only the order of sums differs; batch norm in evaluation, so that no part sees another.
        convolution, norm = nn.Conv2d(3, 10, 3), nn.BatchNorm2d(10)
        network = nn.Sequential(convolution, norm, nn.ReLU()).double().eval()

        def embed(some: Tensor, network: nn.Module = network) -> Tensor:
            z = network(some.flatten(0, 1)).mean(dim=(2, 3)).view(*some.shape[:2], 2, 5)
            return nn.functional.normalize(z, dim=-1)

        objective = Objective(LossOptions(bce_weight=1.0), LABELS, identity=IdentityHead(2, 5, 3), identity_weight=0.1)
        torch.manual_seed(1)
        loss_of = partial(objective, labels=LABELS, subjects=SUBJECTS, heads=_heads)
        losses.append(float(backward(network, views, embed=embed, loss_of=loss_of, parts=parts).detach()))
        gradients.append(
            [p.grad.clone() for p in [*network.parameters(), *objective.parameters()] if p.grad is not None]
        )
    assert losses == pytest.approx([losses[0]] * 3)
    whole, *in_parts = gradients
    assert len(whole) == 6
    assert min(float(g.abs().sum()) for g in whole) > 0
    for added in in_parts:
        for one, other in zip(added, whole, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


def test_running_statistics_do_not_count_parts_twice() -> None:
    norm = torch.nn.BatchNorm2d(3)
    seen: list[Tensor] = []
    norm.register_forward_hook(lambda module, _, __: seen.append(module.running_mean.clone()))

    def embed(views: Tensor) -> Tensor:
        crops: Tensor = norm(views.flatten(0, 1))
        return crops.mean(dim=(2, 3)).view(*views.shape[:2], 1, 3)

    views = torch.rand(2, 16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    backward(norm, views, embed=embed, loss_of=lambda z: (z**2).sum(), parts=2)
    assert torch.equal(seen[0], seen[1])  # the first pass remembers nothing
    assert not torch.equal(seen[2], seen[3])
    assert norm.momentum == 0.1


def test_both_passes_draw_the_same() -> None:
    drop = torch.nn.Dropout(0.5)
    weight = torch.ones(4, requires_grad=True)
    outputs: list[Tensor] = []

    def embed(views: Tensor) -> Tensor:
        outputs.append(drop(views.mean(dim=(2, 3, 4)).unsqueeze(-1) * weight))
        return outputs[-1].unsqueeze(2)

    torch.manual_seed(0)
    backward(drop, torch.rand(1, 8, 3, 2, 2), embed=embed, loss_of=lambda z: z.sum(), parts=2)
    assert len(outputs) == 4
    for first, second in zip(outputs[:2], outputs[2:], strict=True):
        assert torch.equal(first, second.detach())
