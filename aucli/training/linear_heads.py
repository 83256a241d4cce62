"""Linear evaluation: per-AU linear heads on the frozen encoder, by weighted cross-entropy."""

from __future__ import annotations

import torch
from pydantic import Field

from aucli.datasets.faces import FaceSource
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.augment import AugmentConfig
from aucli.training.embeddings import embed
from aucli.training.losses import Outputs, WeightedBCE, au_weights
from aucli.training.settings import Settings


class LinearOptions(Settings):
    """How the heads are fitted.

    Attributes:
        epochs: over the embeddings; 0 keeps the heads that learnt together with the encoder.
        views: embeddings of each picture: one of the plain crop, the others of random views.
        lr: the highest rate, which falls by a cosine.
        weight_decay: of AdamW.
        batch_size: embeddings a step.
    """

    epochs: int = Field(default=30, ge=0)
    views: int = Field(default=2, ge=1)
    lr: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    batch_size: int = Field(default=256, ge=2)


def fit_linear_heads(
    network: AUNetwork,
    faces: FaceSource,
    options: LinearOptions,
    *,
    crop: CropSpec,
    augment: AugmentConfig,
    seed: int,
) -> None:
    """Train the heads of a network in place; the encoder stays as it is, in evaluation mode.

    Embeddings of all views are computed once; the heads then learn from these.

    Args:
        network: a trained encoder; its heads are started afresh.
        faces: the training split.
        options: how long and how fast.
        crop: how faces are laid into the network's input.
        augment: of the random views.
        seed: everything drawn follows from it.
    """
    torch.manual_seed(seed)
    views = [embed(network, faces, crop, augment=augment if view else None) for view in range(options.views)]
    embeddings = torch.cat(views)
    labels = torch.from_numpy(faces.labels).repeat(options.views, 1)
    loss_of = WeightedBCE(au_weights(labels))
    fresh = AUNetwork(network.config).full_connect
    network.full_connect.load_state_dict(fresh.state_dict())
    device = next(network.parameters()).device
    heads = network.full_connect.cpu().requires_grad_(True).train()  # small: the embeddings stay on the CPU
    optimizer = torch.optim.AdamW(heads.parameters(), lr=options.lr, weight_decay=options.weight_decay)
    steps = options.epochs * max(len(labels) // options.batch_size, 1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (options.batch_size,))
        z = embeddings[rows]
        loss = loss_of(Outputs(z.unsqueeze(0), network.head_logits(z).unsqueeze(0)), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    heads.requires_grad_(False).eval().to(device)
