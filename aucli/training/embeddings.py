"""What a network says about all faces of a split: embeddings, and probabilities of plain crops."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from aucli.datasets.faces import FaceSource
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.augment import AugmentConfig, plain_crops, random_views


@torch.no_grad()
def embed(
    network: AUNetwork, faces: FaceSource, crop: CropSpec, *, augment: AugmentConfig | None = None, batch: int = 64
) -> Tensor:
    """Embeddings of all faces, the network in evaluation mode.

    Args:
        network: on any device.
        faces: read from disk batch by batch.
        crop: how faces are laid into the network's input.
        augment: of random views, drawn from torch's global generator; None for the plain crops of annotate.
        batch: faces at once.

    Returns:
        (N, A, D) unit vectors on the CPU.
    """
    network.eval()
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(faces), batch):
        some = faces[np.arange(start, min(start + batch, len(faces)))]
        pictures = torch.from_numpy(some.pictures).permute(0, 3, 1, 2).float()
        landmarks = torch.from_numpy(some.landmarks_xy)
        if augment is not None:
            crops = random_views(pictures, torch.from_numpy(some.sizes_wh), landmarks, crop, augment)
        else:
            crops = plain_crops(pictures, landmarks, crop).expand(-1, 3, -1, -1)
        parts.append(network.encoder(crops.to(device, memory_format=torch.channels_last)).cpu())
    return torch.cat(parts) if parts else torch.empty(0, len(faces.aus), network.config.embedding_dim)


@torch.no_grad()
def log_odds(network: AUNetwork, embeddings: Tensor) -> Tensor:
    """What the heads say of embeddings (N, A, D): (N, A) log-odds of presence, on the CPU."""
    return network.head_logits(embeddings.to(next(network.parameters()).device)).cpu()


@torch.no_grad()
def predict(network: AUNetwork, faces: FaceSource, crop: CropSpec) -> Tensor:
    """Probabilities of plain crops: (N, A) on the CPU, 0 to 1."""
    return log_odds(network, embed(network, faces, crop)).sigmoid()
