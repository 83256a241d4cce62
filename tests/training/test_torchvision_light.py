"""Batched light, colour and blur beside torchvision's own, one picture after the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from aucli.training import torchvision_light
from aucli.training.torchvision_light import Change, colour_jitter, gaussian_blur

ODD = (9, 14)


def pictures() -> Tensor:
    """(6, 3, 9, 14) in 0..1: noise, and what has no colour, no light, or all of it."""
    found = torch.rand(6, 3, *ODD, generator=torch.Generator().manual_seed(0))
    found[1] = found[1, :1]
    found[2, :, :4], found[2, :, 4:], found[3, 1:] = 0, 1, 0
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (torchvision_light.brighten, functional.adjust_brightness, 0.0, 2.0),
        (torchvision_light.change_contrast, functional.adjust_contrast, 0.0, 2.0),
        (torchvision_light.saturate, functional.adjust_saturation, 0.0, 2.0),
        (torchvision_light.turn_hue, functional.adjust_hue, -0.5, 0.5),
    ],
)
def test_each_change_is_torchvisions(ours: Change, theirs: Callable[..., Tensor], low: float, high: float) -> None:
    factors = torch.linspace(low, high, 6)
    expected = torch.stack([theirs(one, float(factor)) for one, factor in zip(pictures(), factors, strict=True)])
    torch.testing.assert_close(ours(pictures(), factors.view(-1, 1, 1, 1)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernel", [3, 7])
def test_the_blur_is_torchvisions(kernel: int) -> None:
    sigmas = torch.tensor([0.1, 0.3, 0.7, 1.0, 1.5, 2.0])
    expected = torch.stack(
        [
            functional.gaussian_blur(one, [kernel] * 2, [float(sigma)] * 2)
            for one, sigma in zip(pictures(), sigmas, strict=True)
        ]
    )
    torch.testing.assert_close(gaussian_blur(pictures(), sigmas, kernel), expected, atol=1e-5, rtol=0)
    assert gaussian_blur(pictures()[:, :1], sigmas, kernel).shape == (6, 1, *ODD)


def test_the_four_changes_come_in_every_order_and_grey_stays_grey() -> None:
    """Each order gives another picture; of one channel only light and contrast remain."""
    one = (pictures()[:1] * 255).expand(400, -1, -1, -1)
    rng = torch.Generator().manual_seed(0)
    nothing = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    torch.testing.assert_close(colour_jitter(one, **nothing, rng=rng), one, atol=1e-3, rtol=0)
    changed = colour_jitter(one, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, rng=rng)
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 255
    assert len(torch.unique(changed.flatten(1).mean(dim=1))) == 400
    grey = colour_jitter(one[:, :1], **(nothing | {"saturation": 0.9, "hue": 0.5}), rng=rng)
    torch.testing.assert_close(grey, one[:, :1], atol=0.1, rtol=0)
