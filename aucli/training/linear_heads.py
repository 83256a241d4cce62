"""Stage 2: per-AU linear heads on the frozen encoder, by weighted cross-entropy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from aucli.datasets.faces import FaceSource
from aucli.models.network import AUNetwork
from aucli.training.augment import plain_crops, random_views
from aucli.training.losses import Outputs, WeightedBCE
from aucli.training.recipe import Recipe


def au_weights(labels: Tensor) -> Tensor:
    """Weight of each AU: proportional to 1 / its occurrence rate among known labels, summing to the number of AUs.

    Source: arXiv 2402.06165, after Shao et al. 2018 (JAA-Net). An AU that never occurs counts as occurring once.

    Args:
        labels: (N, A), 1, 0 or -1.
    """
    known = (labels >= 0).sum(dim=0).clamp_min(1).float()
    rate = (labels == 1).sum(dim=0).clamp_min(1).float() / known
    return (1 / rate) * labels.shape[1] / (1 / rate).sum()


def fit_linear_heads(network: AUNetwork, faces: FaceSource, recipe: Recipe) -> None:
    """Train the heads of a network in place; the encoder stays as it is, in evaluation mode.

    Embeddings of one plain and ``views - 1`` random crops of each picture are computed once; the heads then learn from
    these.

    Args:
        network: a trained encoder; its heads are started afresh.
        faces: the training fold.
        recipe: ``linear`` says how long and how fast.
    """
    linear = recipe.linear
    torch.manual_seed(recipe.seed)
    views = [embed(network, faces, recipe, augmented=view > 0) for view in range(linear.views)]
    embeddings = torch.cat(views)
    labels = torch.from_numpy(faces.labels).repeat(linear.views, 1)
    loss_of = WeightedBCE(au_weights(labels))
    fresh = AUNetwork(network.config).full_connect
    network.full_connect.load_state_dict(fresh.state_dict())
    device = next(network.parameters()).device
    heads = network.full_connect.cpu().requires_grad_(True).train()  # small: the embeddings stay on the CPU
    optimizer = torch.optim.AdamW(heads.parameters(), lr=linear.lr, weight_decay=linear.weight_decay)
    steps = linear.epochs * max(len(labels) // linear.batch_size, 1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (linear.batch_size,))
        z = embeddings[rows]
        loss = loss_of(Outputs(z.unsqueeze(0), network.head_logits(z).unsqueeze(0)), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    heads.requires_grad_(False).eval().to(device)


@torch.no_grad()
def embed(network: AUNetwork, faces: FaceSource, recipe: Recipe, *, augmented: bool, batch: int = 64) -> Tensor:
    """Embeddings of all faces: (N, A, D), of plain or of random crops at the recipe's final size."""
    network.eval()
    device = next(network.parameters()).device
    spec = recipe.crop_spec()
    parts = []
    for start in range(0, len(faces), batch):
        some = faces[np.arange(start, min(start + batch, len(faces)))]
        pictures = torch.from_numpy(some.pictures).permute(0, 3, 1, 2).float()
        landmarks = torch.from_numpy(some.landmarks_xy)
        if augmented:
            sizes = torch.from_numpy(some.sizes_wh)
            crops = random_views(pictures, sizes, landmarks, spec, recipe.augment)
        else:
            crops = plain_crops(pictures, landmarks, spec).expand(-1, 3, -1, -1)
        parts.append(network.encoder(crops.to(device, memory_format=torch.channels_last)).cpu())
    return torch.cat(parts) if parts else torch.empty(0, len(faces.aus), network.config.embedding_dim)


@torch.no_grad()
def predict(network: AUNetwork, faces: FaceSource, recipe: Recipe) -> Tensor:
    """Probabilities (N, A) of plain crops."""
    embeddings = embed(network, faces, recipe, augmented=False)
    return network.head_logits(embeddings.to(next(network.parameters()).device)).sigmoid().cpu()
