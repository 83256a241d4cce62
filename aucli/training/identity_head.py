"""Identity-adversarial training: a classifier of subjects whose gradient reaches the encoder reversed.

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
    """Names the subject from the embeddings of all action units; the encoder learns to make that hard."""

    def __init__(self, n_aus: int, embedding_dim: int, n_subjects: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(n_aus * embedding_dim, n_subjects)

    def forward(self, embeddings: Tensor, subjects: Tensor) -> Tensor:
        """(M, A, D) unit vectors and (M,) numbers of subjects -> mean cross-entropy."""
        reversed_ = cast(Tensor, _Reverse.apply(embeddings))
        return F.cross_entropy(self.classifier(reversed_.flatten(1).float()), subjects)
