"""Linear evaluation: per-AU linear heads on the frozen encoder, by weighted cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from aucli.datasets.faces import FaceSource
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.augment import AugmentConfig
from aucli.training.batches import BatchMaker, BatchOptions, Prefetcher, Stage
from aucli.training.embeddings import embed
from aucli.training.losses import Outputs, WeightedBCE, au_weights
from aucli.training.settings import Settings

Embedded = tuple[Tensor, Tensor]
"""(N, A, D) embeddings on the CPU, and their labels (N, A)."""
OPTIMISERS: Final[Mapping[str, type[torch.optim.Adam]]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


class LinearOptions(Settings):
    """How the heads are fitted.

    Attributes:
        epochs: over the embeddings; 0 keeps the heads that learnt together with the encoder.
        views: embeddings of each picture: one of the plain crop, the others of random views.
        fresh_views: instead, every epoch draws a random view of each picture anew. Nothing is kept in memory, and an
            epoch costs a pass through the encoder.
        views_like: random views as in the encoder's training, or only moved and flipped.
        optimiser: AdamW, or Adam with the decay as part of the gradient.
        schedule: what the rate does: a cosine falls to 0, or it is constant.
        lr: the highest rate.
        weight_decay: of all weights.
        batch_size: embeddings a step.
    """

    epochs: int = Field(default=30, ge=0)
    views: int = Field(default=2, ge=1)
    fresh_views: bool = False
    views_like: Literal["training", "moved"] = "training"
    optimiser: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["cosine", "constant"] = "cosine"
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
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Train the heads of a network in place; the encoder stays as it is, in evaluation mode.

    Args:
        network: a trained encoder; its heads are started afresh.
        faces: the training split.
        options: how long and how fast, and on which views.
        crop: how faces are laid into the network's input.
        augment: of the random views.
        seed: everything drawn follows from it.
        report: called with a line of text after every epoch that goes through the encoder.
    """
    torch.manual_seed(seed)
    network.eval()
    drawn = augment if options.views_like == "training" else augment.moved_alone()
    loss_of = WeightedBCE(au_weights(torch.from_numpy(faces.labels)))
    if options.fresh_views:
        steps, batches = _fresh(network, faces, options, crop, drawn, seed, report)
    else:
        steps, batches = _kept(network, faces, options, crop, drawn)
    fresh = AUNetwork(network.config).full_connect
    network.full_connect.load_state_dict(fresh.state_dict())
    device = next(network.parameters()).device
    heads = network.full_connect.cpu().requires_grad_(True).train()  # small: the embeddings stay on the CPU
    optimizer = OPTIMISERS[options.optimiser](heads.parameters(), lr=options.lr, weight_decay=options.weight_decay)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if options.schedule == "cosine" else None
    for z, labels in batches:
        loss = loss_of(Outputs(z.unsqueeze(0), network.head_logits(z).unsqueeze(0)), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if cosine is not None:
            cosine.step()
    heads.requires_grad_(False).eval().to(device)


def _kept(
    network: AUNetwork, faces: FaceSource, options: LinearOptions, crop: CropSpec, augment: AugmentConfig
) -> tuple[int, Iterator[Embedded]]:
    """Embeddings of all views are computed once; each step draws some of these."""
    views = [embed(network, faces, crop, augment=augment if view else None) for view in range(options.views)]
    embeddings = torch.cat(views)
    labels = torch.from_numpy(faces.labels).repeat(options.views, 1)
    steps = options.epochs * max(len(labels) // options.batch_size, 1)

    def draw() -> Iterator[Embedded]:
        for _ in range(steps):
            rows = torch.randint(len(labels), (options.batch_size,))
            yield embeddings[rows], labels[rows]

    return steps, draw()


def _fresh(
    network: AUNetwork,
    faces: FaceSource,
    options: LinearOptions,
    crop: CropSpec,
    augment: AugmentConfig,
    seed: int,
    report: Callable[[str], None],
) -> tuple[int, Iterator[Embedded]]:
    """Each step embeds new random views of the next pictures, in shuffled order."""
    size = BatchOptions(batch_size=min(options.batch_size, len(faces)))
    stage = Stage(size_px=crop.size_px, epochs=options.epochs)
    maker = BatchMaker(faces, size, stages=[stage], crop=crop, augment=augment, seed=seed, views=1)
    device = next(network.parameters()).device

    def draw() -> Iterator[Embedded]:
        with Prefetcher(maker, 0, maker.total_steps) as batches:
            for step, batch in enumerate(batches, start=1):
                with torch.no_grad():
                    crops = batch.views[0].to(device, memory_format=torch.channels_last)
                    z = network.encoder(crops).float().cpu()
                yield z, batch.labels
                if step % maker.steps_per_epoch == 0:
                    report(f"linear evaluation: epoch {step // maker.steps_per_epoch} of {options.epochs}")

    return maker.total_steps, draw()
