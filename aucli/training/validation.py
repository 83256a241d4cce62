"""How good is the encoder now? A quick score on the validation subjects, for early stopping."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

from aucli.datasets.faces import FaceSource
from aucli.evaluation.scoring import evaluate
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork
from aucli.training.embeddings import embed, predict

NEIGHBOURS: Final = 20
"""How many of the most similar training pictures vote."""
VOTERS: Final = 4096
"""Training pictures that can be asked."""


def validate(
    network: AUNetwork, train: FaceSource, validation: FaceSource, crop: CropSpec, *, by_heads: bool
) -> tuple[float, float]:
    """Score a network on validation subjects.

    Args:
        network: with trained heads or without.
        train: the faces that the network learns from.
        validation: faces of other subjects.
        crop: how faces are laid into the network's input.
        by_heads: whether the network's heads say what is present, or the vote of the most similar training pictures.

    Returns:
        Mean ROC-AUC and mean F1 at 0.5 over AUs; NaN where it is not defined.
    """
    if by_heads:
        probabilities = predict(network, validation, crop)
    else:
        known = _some(train)
        of_train, of_validation = embed(network, known, crop), embed(network, validation, crop)
        probabilities = vote(of_train, torch.from_numpy(known.labels), of_validation)
    found = evaluate(validation.labels, probabilities.double().numpy(), aus=validation.aus, replicates=0)
    auc, f1 = (found.mean[name].value for name in ("roc_auc", "f1"))
    return math.nan if auc is None else auc, math.nan if f1 is None else f1


def vote(known: Tensor, labels: Tensor, asked: Tensor, neighbours: int = NEIGHBOURS) -> Tensor:
    """Share of the nearest labelled pictures, per AU, that show it.

    Args:
        known: (N, A, D) unit vectors.
        labels: (N, A) 1, 0 or -1.
        asked: (M, A, D) unit vectors.
        neighbours: how many vote.

    Returns:
        (M, A) in 0..1; 0.5 for an AU without any label.
    """
    votes = torch.full(asked.shape[:2], 0.5)
    for a in range(labels.shape[1]):
        rows = labels[:, a] >= 0
        count = min(neighbours, int(rows.sum()))
        if count:
            nearest = (asked[:, a] @ known[rows, a].T).topk(count, dim=1).indices
            votes[:, a] = labels[rows, a].float()[nearest].mean(dim=1)
    return votes


def _some(faces: FaceSource) -> FaceSource:
    """Evenly spread pictures, always the same: enough to vote, and soon embedded."""
    if len(faces) <= VOTERS:
        return faces
    return faces.subset(np.linspace(0, len(faces) - 1, VOTERS).astype(np.int64))
