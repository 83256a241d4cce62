"""Faces made of two: eyes and brows of one picture above nose and mouth of another.

In pictures that people take, smiles come with raised cheeks and calm brows, and a network learns that as one thing.
Here any brow meets any mouth, so that a column has to be read where its muscle moves. The idea of joining two pictures
and their labels is CutMix (Yun et al. 2019, arXiv 1905.04899); here the labels go by the part of the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from aucli.faces.alignment import CropSpec

UPPER_AUS: Final = frozenset({1, 2, 4, 5, 7, 43, 45})
"""Seen in brows, lids and eyes alone."""
SPANNING_AUS: Final = frozenset({6, 9, 11})
"""Seen on both sides of the seam: known only where both pictures say the same. All others are seen below it."""
BLEND: Final = 0.08
"""Height over which one picture becomes the other, as a share of the crop's side."""
MOST_GAIN: Final = 2.0
"""Most by which the lower picture is lightened or darkened to meet the upper one at the seam."""


def mix_halves(
    views: Tensor, labels: Tensor, aus: Sequence[int], crop: CropSpec, share: float, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Give some faces of a batch the lower half of another face of it.

    Args:
        views: (V, N, 3, S, S) float, 0..255.
        labels: (N, A) int8: 1, 0, -1.
        aus: the A action units.
        crop: how faces lie in the views.
        share: of the faces, 0 to 1.
        rng: where the chance comes from.

    Returns:
        Views and labels, as long as before; faces that were not chosen are the same to the bit.
    """
    count, size = views.shape[1], views.shape[-1]
    other = torch.randperm(count, generator=rng)
    chosen = (torch.rand(count, generator=rng) < share) & (other != torch.arange(count))
    if not bool(chosen.any()):
        return views, labels
    # The seam lies at the tip of the nose: below the lids and cheeks' upper edge, above the lips.
    seam = float(crop.template_xy()[2, 1]) / crop.size_px
    rows = (torch.arange(size) + 0.5) / size
    lower_share = ((rows - seam) / BLEND + 0.5).clamp(0, 1).view(1, 1, 1, size, 1)
    upper, lower = views[:, chosen], views[:, other[chosen]]
    near_seam = (rows - seam).abs() < BLEND
    gain = upper[..., near_seam, :].mean(dim=(-2, -1), keepdim=True) / lower[..., near_seam, :].mean(
        dim=(-2, -1), keepdim=True
    ).clamp(min=1)
    lower = (lower * gain.clamp(1 / MOST_GAIN, MOST_GAIN)).clamp(0, 255)
    views, mixed = views.clone(), labels.clone()
    views[:, chosen] = upper * (1 - lower_share) + lower * lower_share
    theirs = labels[other]
    for column, au in enumerate(aus):
        if au in SPANNING_AUS:
            mixed[:, column] = torch.where(labels[:, column] == theirs[:, column], labels[:, column], -1)
        elif au not in UPPER_AUS:
            mixed[:, column] = theirs[:, column]
    return views, torch.where(chosen.view(-1, 1), mixed, labels)
