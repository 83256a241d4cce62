from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from aucli.faces.alignment import CropSpec, crop_faces
from aucli.training.augment import AugmentConfig, plain_crops, random_views
from tests.builders.tiny_training import tiny_faces

MOVES_OFF = dict.fromkeys(("landmark_jitter", "shift", "log_scale", "rotation_degrees", "flip"), 0.0)


def test_plain_crops_are_those_of_annotate() -> None:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (12, 12)).astype(np.float32)
    picture = torch.nn.functional.interpolate(torch.from_numpy(small)[None, None], size=(96, 96), mode="bicubic")
    frame = picture.clamp(0, 255).round()[0, 0].numpy().astype(np.uint8)
    landmarks = np.array([[[36, 40], [61, 37], [50, 52], [41, 66], [62, 64]]], np.float32)
    spec = CropSpec(size_px=96, scale=0.6)
    expected = crop_faces(np.repeat(frame[..., None], 3, axis=2), landmarks, spec)[0, :, :, 0].astype(np.float32)
    found = plain_crops(torch.from_numpy(frame)[None, None].float(), torch.from_numpy(landmarks), spec)[0, 0].numpy()
    assert np.abs(found - expected)[8:-8, 8:-8].mean() < 1.0


@pytest.mark.parametrize("outside", ["any", "black"])
def test_views_without_strength_are_plain_crops(outside: Literal["any", "black"]) -> None:
    faces = tiny_faces(4)
    nothing = AugmentConfig(**MOVES_OFF, outside=outside).moved_alone()
    pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float()
    landmarks, sizes = torch.from_numpy(faces.landmarks_xy), torch.from_numpy(faces.sizes_wh)
    spec = CropSpec(size_px=32, scale=1.2)  # so tight that nothing lies outside
    views = random_views(pictures, sizes, landmarks, spec, nothing)
    torch.testing.assert_close(views[:, :1], plain_crops(pictures, landmarks, spec), rtol=0, atol=0.1)
    wide = CropSpec(size_px=32, scale=0.4)
    views = random_views(pictures, sizes, landmarks, wide, nothing)
    assert torch.allclose(views[:, :1], plain_crops(pictures, landmarks, wide), atol=0.1) == (outside == "black")


@pytest.mark.parametrize("channels", [1, 3])
def test_views_differ_and_stay_in_range(channels: int) -> None:
    pictures = torch.rand(6, channels, 64, 64) * 255
    landmarks = torch.from_numpy(tiny_faces(6).landmarks_xy)
    sizes = torch.full((6, 2), 64)
    torch.manual_seed(0)
    first, second = (random_views(pictures, sizes, landmarks, CropSpec(48), AugmentConfig()) for _ in range(2))
    assert first.shape == (6, 3, 48, 48)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 255
    assert not torch.equal(first, second)


def test_colour_turns_and_grey_stays_grey() -> None:
    config = AugmentConfig(
        flip=0, brightness=0, contrast=0, log_gamma=0, blur=0, low_resolution=0, noise=0, erase=0, grey=0,
        landmark_jitter=0, shift=0, log_scale=0, rotation_degrees=0, saturation=0.4, hue=0.1,
    )  # fmt: skip
    faces = tiny_faces(4)
    pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1)
    sizes, landmarks = torch.from_numpy(faces.sizes_wh), torch.from_numpy(faces.landmarks_xy)
    spec = CropSpec(size_px=32, scale=1.4)  # well inside the pictures: what lies outside is filled at random
    rng = torch.Generator().manual_seed(0)
    grey = random_views(pictures, sizes, landmarks, spec, config, rng)
    torch.testing.assert_close(grey, random_views(pictures, sizes, landmarks, spec, config), atol=0.02, rtol=0)
    red = pictures * torch.tensor([1.0, 0.5, 0.5]).view(1, 3, 1, 1)
    turned = random_views(red, sizes, landmarks, spec, config, rng)
    plain = random_views(red, sizes, landmarks, spec, config.model_copy(update={"saturation": 0, "hue": 0}), rng)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    inside = (turned > 0).all(dim=1, keepdim=True) & (turned < 255).all(dim=1, keepdim=True)
    difference = ((turned - plain) * luma).sum(dim=1, keepdim=True)[inside]
    assert float(difference.abs().max()) < 0.1  # the same light
    assert float((turned - plain).abs().mean()) > 2  # another colour
    none = config.model_copy(update={"colour_probability": 0.0})
    torch.testing.assert_close(random_views(red, sizes, landmarks, spec, none, rng), plain)


def test_grey_pictures_get_the_colour_of_skin_and_keep_their_light() -> None:
    nothing = AugmentConfig(**MOVES_OFF).moved_alone()
    faces = tiny_faces(4)
    grey = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1) / 2  # nothing is clipped
    red = grey * torch.tensor([1.0, 0.5, 0.5]).view(1, 3, 1, 1)
    pictures = torch.cat([grey, red])
    sizes = torch.from_numpy(faces.sizes_wh).repeat(2, 1)
    landmarks = torch.from_numpy(faces.landmarks_xy).repeat(2, 1, 1)
    spec = CropSpec(size_px=32, scale=1.4)
    plain = random_views(pictures, sizes, landmarks, spec, nothing)
    tinted = random_views(pictures, sizes, landmarks, spec, nothing.model_copy(update={"tint": 1.0}))
    both = random_views(pictures, sizes, landmarks, spec, nothing.model_copy(update={"tint": 1.0, "grey": 1.0}))
    torch.testing.assert_close(tinted[4:], plain[4:])
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close((both * luma).sum(1), (plain * luma).sum(1), atol=0.5, rtol=0)
    for views in (tinted[:4], both):
        assert ((views[:, 0] - views[:, 2]).abs().amax(dim=(1, 2)) > 0.5).all()
