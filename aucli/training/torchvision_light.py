"""Light, colour and blur as torchvision draws them, batched: each picture gets what a call of the transform gives one.

The published recipes name torchvision's ``ColorJitter`` and ``GaussianBlur``; these are the same functions of the same
draws, in floating point: torchvision rounds pictures of Pillow to whole numbers after each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA: Final = (0.2989, 0.587, 0.114)
"""torchvision's own, of tensors; they sum to 0.9999."""

Change = Callable[[Tensor, Tensor], Tensor]
"""Pictures (B, 3, H, W) in 0..1 and one number for each, (B, 1, 1, 1) -> pictures."""


def brighten(pictures: Tensor, factor: Tensor) -> Tensor:
    """Towards black where the factor is below 1."""
    return (pictures * factor).clamp(0, 1)


def change_contrast(pictures: Tensor, factor: Tensor) -> Tensor:
    """Towards the mean of the luma."""
    mean = _luma(pictures).mean(dim=(1, 2, 3), keepdim=True)
    return (pictures * factor + mean * (1 - factor)).clamp(0, 1)


def saturate(pictures: Tensor, factor: Tensor) -> Tensor:
    """Towards each pixel's luma."""
    return (pictures * factor + _luma(pictures) * (1 - factor)).clamp(0, 1)


def turn_hue(pictures: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of HSV; 1 is a full turn."""
    most, which = pictures.max(dim=1)
    chroma = most - pictures.amin(dim=1)
    r, g, b = pictures.unbind(1)
    divisor = torch.where(chroma > 0, chroma, 1)
    sixth = torch.stack([(g - b) / divisor, (b - r) / divisor + 2, (r - g) / divisor + 4], dim=1)
    hue = sixth.gather(1, which.unsqueeze(1))[:, 0] / 6
    hue = (torch.where(chroma > 0, hue, 0) + turn[:, 0]) * 6
    # Each channel follows the hue as a trapezium, a third of a turn apart.
    offset = pictures.new_tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1)
    k = (offset + hue.unsqueeze(1)) % 6
    return most.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(k, 4 - k).clamp(0, 1)


def colour_jitter(
    crops: Tensor,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    rng: torch.Generator | None = None,
) -> Tensor:
    """``ColorJitter``: four changes in an order drawn for each picture; grey pictures have no colour to change.

    Args:
        crops: (B, C, S, S) float, 0..255, C = 1 or 3.
        brightness, contrast, saturation: factors are drawn from 1 - strength to 1 + strength.
        hue: turns are drawn from -hue to hue, in full turns.
        rng: where the chance comes from; None for torch's global generator.
    """
    count = len(crops)
    strengths = crops.new_tensor([brightness, contrast, saturation, hue])
    draws = (torch.rand(count, 4, generator=rng) * 2 - 1) * strengths + crops.new_tensor([1, 1, 1, 0])
    order = torch.rand(count, 4, generator=rng).argsort(dim=1)
    changes: tuple[Change, ...] = (brighten, change_contrast, saturate, turn_hue)
    pictures = crops.expand(-1, 3, -1, -1) / 255
    for place in range(4):
        for number, change in enumerate(changes):
            rows = (order[:, place] == number).nonzero()[:, 0]
            if len(rows):
                changed = change(pictures[rows], draws[rows, number].view(-1, 1, 1, 1))
                pictures = pictures.index_copy(0, rows, changed)
    return 255 * pictures[:, : crops.shape[1]]


def gaussian_blur(crops: Tensor, sigma_px: Tensor, kernel_px: int) -> Tensor:
    """``GaussianBlur``: (B, C, S, S) blurred by one sigma each, (B,); edges are mirrored."""
    half = kernel_px // 2
    x = torch.arange(-half, half + 1, dtype=crops.dtype)
    weights = torch.exp(-0.5 * (x / sigma_px.view(-1, 1)) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).repeat_interleave(crops.shape[1], dim=0)
    count = len(weights)
    flat = F.pad(crops, (half,) * 4, mode="reflect").flatten(0, 1).unsqueeze(0)
    flat = F.conv2d(flat, weights.view(count, 1, 1, -1), groups=count)
    return F.conv2d(flat, weights.view(count, 1, -1, 1), groups=count).view(crops.shape)


def _luma(pictures: Tensor) -> Tensor:
    return (pictures * pictures.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
