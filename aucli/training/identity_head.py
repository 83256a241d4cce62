"""Identity-adversarial training: a classifier of people whose gradient reaches the encoder with the sign turned round.

Source: Ning et al. 2024 (FMAE-IAT); gradient reversal of Ganin and Lempitsky 2015.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class IdentityHead(nn.Module):
    """Names the person from the embeddings of all action units; the encoder learns to make that hard."""

    def __init__(self, n_aus: int, embedding_dim: int, n_people: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(n_aus * embedding_dim, n_people)

    def forward(self, embeddings: Tensor, people: Tensor) -> Tensor:
        """(M, A, D) unit vectors and (M,) numbers of people -> mean cross-entropy."""
        reversed_ = cast(Tensor, _Reverse.apply(embeddings))
        return F.cross_entropy(self.classifier(reversed_.flatten(1).float()), people)
