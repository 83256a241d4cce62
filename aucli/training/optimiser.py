"""How the weights are moved: AdamW, which parameters decay and how fast each learns, and the rate's schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from aucli.models.network import AUNetwork
from aucli.training.batches import BatchOptions


class OptimOptions(BatchOptions):
    """The batch, and AdamW with warm-up and a cosine over all stages together.

    Attributes:
        identity_weight: above 0 adds a head that names the subject, against which the encoder learns (see
            `aucli.training.identity_head`).
        lr: the highest rate, of everything behind the backbone.
        backbone_lr_factor: multiplies the rate of the backbone: below 1 tunes a pretrained one gently.
        weight_decay: of matrices and kernels; biases and norms have none.
        precision: of the network's forward and backward pass; the loss is always at least float32.
        patience: ends training after so many epochs without a better mean ROC-AUC on the validation subjects (0: never)
            and keeps the best; where the loss trains no heads, similar training pictures vote.
        warmup_share: share of all steps in which the rate rises.
        ema_decay: of the running average of the weights, which is what becomes the model.
        clip_norm: longest gradient.
    """

    identity_weight: float = Field(default=0.0, ge=0)
    lr: float = Field(default=1e-3, gt=0)
    backbone_lr_factor: float = Field(default=1.0, ge=0, le=100)
    weight_decay: float = Field(default=0.02, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    patience: int = Field(default=0, ge=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, gt=0)


def make_optimizer(
    network: AUNetwork, others: Iterable[nn.Parameter], *, lr: float, weight_decay: float, backbone_lr_factor: float
) -> torch.optim.AdamW:
    """AdamW over a network and other parameters: no decay for biases and norms, the backbone at its own rate.

    Each group's ``factor`` says how much of the scheduled rate it takes.
    """
    backbone = {id(p) for p in network.encoder.backbone.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in [*network.parameters(), *others]:
        groups.setdefault((id(parameter) in backbone, parameter.ndim > 1), []).append(parameter)
    described: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": weight_decay if decays else 0.0,
            "factor": backbone_lr_factor if in_backbone else 1.0,
        }
        for (in_backbone, decays), parameters in groups.items()
    ]
    return torch.optim.AdamW(described, lr=lr)


def schedule(step: int, total_steps: int, *, warmup_share: float) -> float:
    """Share of the highest rate at a step, 0 to 1: a linear warm-up, then half a cosine down to 0."""
    warmup = warmup_share * total_steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total_steps - warmup, 1)))
