"""How the weights are moved: AdamW, which parameters decay and how fast each learns, and the rate's schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from aucli.models.network import AUNetwork
from aucli.training.batches import BatchOptions

Momentum = Annotated[float, Field(ge=0, lt=1)]


class OptimOptions(BatchOptions):
    """The batch, and AdamW with its rate over all stages together.

    Attributes:
        identity_weight: above 0 adds a head that names the subject, against which the encoder learns (see
            `aucli.training.identity_head`).
        lr: the highest rate, of everything behind the backbone.
        backbone_lr_factor: multiplies the rate of the backbone: below 1 tunes a pretrained one gently, 0 leaves it
            as it is, the statistics of its batch norms included.
        keep_statistics: batch norms normalise by the statistics that the start brought, not by those of each batch:
            what a model knows is not moved by what a few people look like.
        betas: how slowly AdamW forgets the gradient and its square.
        weight_decay: of matrices and kernels; biases and norms have none.
        decay_all: gives biases and norms the same decay.
        precision: of the network's forward and backward pass; the loss is always at least float32.
        patience: ends training after so many epochs without a better mean ROC-AUC on the validation subjects (0: never)
            and keeps the best; where the loss trains no heads, similar training pictures vote.
        schedule: what the rate does after the warm-up: a cosine falls to 0, or it is constant.
        warmup_share: share of all steps in which the rate rises.
        lr_drop_epoch: from this epoch on, counted from 1 over all stages, the rate is multiplied by ``lr_drop``, once
            more after each further so many epochs; 0: never.
        ema_decay: of the running average of the weights, which is what becomes the model.
        clip_norm: longest gradient; 0 for any.
        views_apart: each view of a batch goes through the network by itself, so that batch norm normalises it by its
            own statistics.
    """

    identity_weight: float = Field(default=0.0, ge=0)
    lr: float = Field(default=1e-3, gt=0)
    backbone_lr_factor: float = Field(default=1.0, ge=0, le=100)
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    keep_statistics: bool = False
    weight_decay: float = Field(default=0.02, ge=0)
    decay_all: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    patience: int = Field(default=0, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    lr_drop_epoch: int = Field(default=0, ge=0)
    lr_drop: float = Field(default=0.1, gt=0, le=1)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, ge=0)
    views_apart: bool = False

    @model_validator(mode="after")
    def _parts_take_views_together(self) -> OptimOptions:
        if self.views_apart and self.accumulate > 1:
            raise ValueError(
                f"accumulate is {self.accumulate}: batch norm then sees a part of the batch, and views_apart means "
                "that it sees a whole view; allowed is 1"
            )
        return self

    def rate(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Share of ``lr`` at a step, above 0 up to 1."""
        drops = (step // steps_per_epoch + 1) // self.lr_drop_epoch if self.lr_drop_epoch else 0
        falls = self.schedule == "cosine"
        return schedule(step, total_steps, warmup_share=self.warmup_share, falls=falls) * self.lr_drop**drops


def make_optimizer(network: AUNetwork, others: Iterable[nn.Parameter], options: OptimOptions) -> torch.optim.AdamW:
    """AdamW over a network and other parameters, decay and the backbone's rate as the options say.

    Each group's ``factor`` says how much of the scheduled rate it takes.
    """
    backbone = {id(p) for p in network.encoder.backbone.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in [*(p for p in network.parameters() if p.requires_grad), *others]:
        decays = parameter.ndim > 1 or options.decay_all
        groups.setdefault((id(parameter) in backbone, decays), []).append(parameter)
    described: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": options.weight_decay if decays else 0.0,
            "factor": options.backbone_lr_factor if in_backbone else 1.0,
        }
        for (in_backbone, decays), parameters in groups.items()
    ]
    return torch.optim.AdamW(described, lr=options.lr, betas=options.betas)


def schedule(step: int, total_steps: int, *, warmup_share: float, falls: bool = True) -> float:
    """Share of the highest rate at a step, 0 to 1: a linear warm-up, then half a cosine down to 0, or 1 throughout."""
    warmup = warmup_share * total_steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if not falls:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total_steps - warmup, 1)))
