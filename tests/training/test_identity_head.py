from __future__ import annotations

import torch

from aucli.training.identity_head import IdentityHead


def test_the_encoder_learns_to_hide_who_it_is() -> None:
    torch.manual_seed(0)
    head = IdentityHead(2, 4, 3)
    z = torch.randn(6, 2, 4, requires_grad=True)
    subjects = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = head(z, subjects)
    loss.backward()
    assert z.grad is not None
    with torch.no_grad():
        moved = head(z - 0.1 * z.grad, subjects)  # what gradient descent does to the embeddings
        for parameter in head.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.1 * parameter.grad)
        assert moved > loss > head(z, subjects)
