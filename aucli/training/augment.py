"""Random views of faces, batched: jittered landmarks, then the crop geometry of annotate, then light and damage.

Every picture gets its own draw. Jitter acts on the five landmarks, as a detector's errors do, and the crop follows by
the very template and similarity transform of `aucli.faces.alignment`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from aucli.faces.alignment import CropSpec, invert_similarity, similarity_from_landmarks
from aucli.training.settings import Settings
from aucli.training.torchvision_light import colour_jitter, gaussian_blur

Sigma = Annotated[float, Field(gt=0, le=10)]
Rng = torch.Generator | None
SKIN_CHROMA: Final = (0.30, -0.08, -0.37)
"""By which share of its light tanned skin is redder, less green, less blue than grey; the luma of it is 0."""


class AugmentConfig(Settings):
    """Strength of the random changes. Distances are shares of the interocular distance."""

    landmark_jitter: float = Field(default=0.035, ge=0, le=0.5)
    shift: float = Field(default=0.08, ge=0, le=1)
    log_scale: float = Field(default=0.08, ge=0, le=0.7)
    rotation_degrees: float = Field(default=8.0, ge=0, le=45)
    crop_shift_px: int = Field(default=0, ge=0, le=64)
    """The crop is moved by whole pixels of its own, up to so many to each side: a random crop out of one that is
    so much wider."""
    flip: float = Field(default=0.5, ge=0, le=1)
    light: Literal["aucli", "torchvision"] = "aucli"
    """Whose brightness, contrast, saturation, hue and blur: `_light` and `_blur` below, or torchvision's
    ``ColorJitter`` and ``GaussianBlur``, see `aucli.training.torchvision_light`."""
    brightness: float = Field(default=0.35, ge=0, lt=1)
    contrast: float = Field(default=0.4, ge=0, lt=1)
    saturation: float = Field(default=0.0, ge=0, lt=1)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    colour_probability: float = Field(default=1.0, ge=0, le=1)
    """Share of the pictures whose light and colour change."""
    log_gamma: float = Field(default=0.35, ge=0, le=2)
    blur: float = Field(default=0.3, ge=0, le=1)
    blur_kernel_px: int = Field(default=7, ge=3, le=31)
    blur_sigma_px: tuple[Sigma, Sigma] = (0.4, 1.6)
    """From, to."""
    low_resolution: float = Field(default=0.2, ge=0, le=1)
    noise: float = Field(default=0.3, ge=0, le=1)
    erase: float = Field(default=0.25, ge=0, le=1)
    grey: float = Field(default=0.2, ge=0, le=1)
    """Share of the colour pictures that turn grey."""
    tint: float = Field(default=0.0, ge=0, le=1)
    """Share of the grey pictures, those turned grey too, that get one colour near that of skin. Where photographs
    of some expressions are grey and those of others in colour, colour must not tell which."""
    halves: float = Field(default=0.0, ge=0, le=1)
    """Share of the faces that get nose and mouth of another one; see `aucli.training.halves`."""
    outside: Literal["any", "black"] = "any"
    """What lies beyond the picture's edge: anything, see `_fill_outside`, or black as in the crops of annotate."""

    @model_validator(mode="after")
    def _is_a_kernel(self) -> AugmentConfig:
        if self.blur_kernel_px % 2 == 0:
            raise ValueError(f"blur_kernel_px is {self.blur_kernel_px}; a kernel has a middle: allowed are odd numbers")
        if self.blur_sigma_px[0] > self.blur_sigma_px[1]:
            raise ValueError(f"blur_sigma_px is {self.blur_sigma_px}; the first is the smaller one")
        return self

    def moved_alone(self) -> AugmentConfig:
        """The same without light, colour and damage: what moves the crop, and the flip."""
        light = ("colour_probability", "log_gamma", "grey", "tint")
        damage = ("blur", "low_resolution", "noise", "erase", "halves")
        return self.model_copy(update=dict.fromkeys((*light, *damage), 0.0))


def plain_crops(pictures: Tensor, landmarks_xy: Tensor, spec: CropSpec) -> Tensor:
    """Crops without any chance in them, what lies outside a picture black, as annotate makes them.

    Args:
        pictures: (B, C, H, W) float, 0..255.
        landmarks_xy: (B, 5, 2), in pixels of the picture.
        spec: the crop.

    Returns:
        (B, C, S, S) float, 0..255.
    """
    grid = _sampling_grid(landmarks_xy, spec, pictures.shape)
    crops: Tensor = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return crops


def random_views(
    pictures: Tensor,
    sizes_wh: Tensor,
    landmarks_xy: Tensor,
    spec: CropSpec,
    config: AugmentConfig,
    rng: Rng = None,
) -> Tensor:
    """One random view of each picture.

    Args:
        pictures: (B, C, H, W) float, 0..255, C = 1 or 3.
        sizes_wh: (B, 2) part of each picture that is filled.
        landmarks_xy: (B, 5, 2) in pixels of the picture.
        spec: the crop.
        config: strengths.
        rng: where the chance comes from; None for torch's global generator.

    Returns:
        (B, 3, S, S) float, RGB, 0..255.
    """
    jittered = _jitter(landmarks_xy, config, rng)
    grid = _sampling_grid(jittered, spec, pictures.shape, moved_px=_whole_pixels(len(pictures), config, rng))
    if config.outside == "black":
        crops = F.grid_sample(pictures, grid, padding_mode="zeros", align_corners=False)
    else:
        crops = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
        crops = _fill_outside(crops, grid, pictures, sizes_wh, rng)
    crops = torch.where(_chosen(crops, config.flip, rng), crops.flip(-1), crops)
    if config.colour_probability < 1:
        crops = torch.where(_chosen(crops, config.colour_probability, rng), _light(crops, config, rng), crops)
    else:
        crops = _light(crops, config, rng)
    crops = _damage(crops, config, rng)
    if crops.shape[1] == 3:
        luma = (crops * crops.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        turned_grey = _chosen(crops, config.grey, rng)
        crops = torch.where(turned_grey, luma.expand_as(crops), crops)
        if config.tint > 0:
            is_grey = turned_grey | (pictures == pictures[:, :1]).all(dim=(1, 2, 3), keepdim=True)
            crops = torch.where(is_grey & _chosen(crops, config.tint, rng), _tinted(crops, rng), crops)
    return crops.clamp(0, 255).expand(-1, 3, -1, -1)


def _jitter(landmarks_xy: Tensor, config: AugmentConfig, rng: Rng) -> Tensor:
    """Move, turn and scale the five landmarks together, and each a little by itself."""
    count = len(landmarks_xy)
    eyes = (landmarks_xy[:, 1] - landmarks_xy[:, 0]).norm(dim=-1).view(-1, 1, 1)
    centre = landmarks_xy.mean(dim=1, keepdim=True)
    angle = torch.deg2rad((torch.rand(count, generator=rng) * 2 - 1) * config.rotation_degrees)
    scale = torch.exp((torch.rand(count, generator=rng) * 2 - 1) * config.log_scale)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], dim=1)
    turned = (landmarks_xy - centre) @ turn.transpose(1, 2)
    shift = (torch.rand(count, 1, 2, generator=rng) * 2 - 1) * config.shift * eyes
    jittered: Tensor = (
        centre + turned + shift + torch.randn(landmarks_xy.shape, generator=rng) * config.landmark_jitter * eyes
    )
    return jittered


def _whole_pixels(count: int, config: AugmentConfig, rng: Rng) -> Tensor | None:
    """(B, 2) by how many pixels each crop is moved, right and down; None for not at all."""
    most = config.crop_shift_px
    return torch.randint(-most, most + 1, (count, 2), generator=rng) if most else None


def _sampling_grid(
    landmarks_xy: Tensor, spec: CropSpec, shape: torch.Size, *, moved_px: Tensor | None = None
) -> Tensor:
    """(B, S, S, 2) where each pixel of the crop lies in the picture, -1..1 over the picture's edges."""
    to_picture = invert_similarity(similarity_from_landmarks(landmarks_xy.numpy(), spec.template_xy()))
    if moved_px is not None:
        to_picture[:, :, 2] += np.einsum("nij,nj->ni", to_picture[:, :, :2], moved_px.numpy())
    size, (height, width) = spec.size_px, shape[2:]
    # Pixel centres lie at .5: crop coordinate u = (g + 1) / 2 * size, picture coordinate g = 2 x / width - 1.
    linear = to_picture[:, :, :2] * size / np.array([width, height]).reshape(1, 2, 1)
    offset = (to_picture[:, :, :2].sum(axis=2) * size + 2 * to_picture[:, :, 2]) / np.array([width, height]) - 1
    theta = torch.from_numpy(np.concatenate([linear, offset[:, :, None]], axis=2)).float()
    grid: Tensor = F.affine_grid(theta, [len(theta), 1, size, size], align_corners=False)
    return grid


def _fill_outside(crops: Tensor, grid: Tensor, pictures: Tensor, sizes_wh: Tensor, rng: Rng) -> Tensor:
    """Put black, grey, the stretched border or a neighbour's picture where the crop reaches beyond the picture.

    Tight photographs end at the hairline; footage does not. What lies there must not become a sign of anything.
    """
    frame_wh = torch.tensor([pictures.shape[3], pictures.shape[2]])
    edge = 2.0 * sizes_wh / frame_wh - 1.0
    inside = ((grid > -1) & (grid < edge.view(-1, 1, 1, 2))).all(dim=-1).unsqueeze(1)
    kind = torch.rand(len(crops), generator=rng).view(-1, 1, 1, 1)
    level = torch.rand(len(crops), generator=rng).view(-1, 1, 1, 1) * 255
    fill = torch.where(kind < 0.3, torch.zeros_like(crops), level.expand_as(crops))
    fill = torch.where(kind > 0.4, crops, fill)
    fill = torch.where(kind > 0.7, crops.roll(1, dims=0).roll(crops.shape[-1] // 2, dims=-1), fill)
    return torch.where(inside, crops, fill)


def _chosen(crops: Tensor, probability: float, rng: Rng) -> Tensor:
    return torch.rand(len(crops), generator=rng).view(-1, 1, 1, 1) < probability


def _per_picture(crops: Tensor, strength: float, rng: Rng) -> Tensor:
    return ((torch.rand(len(crops), generator=rng) * 2 - 1) * strength).view(-1, 1, 1, 1)


def _light(crops: Tensor, config: AugmentConfig, rng: Rng) -> Tensor:
    """Contrast about each picture's mean, brightness, gamma."""
    if config.light == "torchvision":
        crops = colour_jitter(
            crops,
            brightness=config.brightness,
            contrast=config.contrast,
            saturation=config.saturation,
            hue=config.hue,
            rng=rng,
        )
        return _gamma(crops, config, rng)
    mean = crops.mean(dim=(1, 2, 3), keepdim=True)
    crops = (crops - mean) * (1 + _per_picture(crops, config.contrast, rng)) + mean * (
        1 + _per_picture(crops, config.brightness, rng)
    )
    if crops.shape[1] == 3 and (config.saturation > 0 or config.hue > 0):
        crops = _colour(crops, config, rng)
    return _gamma(crops, config, rng)


def _gamma(crops: Tensor, config: AugmentConfig, rng: Rng) -> Tensor:
    return 255 * (crops / 255).clamp(1e-4, 1) ** torch.exp(_per_picture(crops, config.log_gamma, rng))


def _colour(crops: Tensor, config: AugmentConfig, rng: Rng) -> Tensor:
    """Saturation and hue: chroma of the NTSC's YIQ space, stretched and turned (1 is a full turn)."""
    to_yiq = crops.new_tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    y, i, q = torch.split(torch.einsum("ij,bjhw->bihw", to_yiq, crops), 1, dim=1)
    angle = 2 * torch.pi * _per_picture(crops, config.hue, rng)
    stretch = 1 + _per_picture(crops, config.saturation, rng)
    cos, sin = stretch * angle.cos(), stretch * angle.sin()
    turned = torch.cat([y, i * cos - q * sin, i * sin + q * cos], dim=1)
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(to_yiq), turned)


def _tinted(crops: Tensor, rng: Rng) -> Tensor:
    """One colour over each picture, from a little bluish to that of tanned skin; the light stays."""
    warmth = 1.2 * torch.rand((len(crops), 1, 1, 1), generator=rng) - 0.2
    return crops * (1 + warmth * crops.new_tensor(SKIN_CHROMA).view(1, 3, 1, 1))


def _damage(crops: Tensor, config: AugmentConfig, rng: Rng) -> Tensor:
    """Blur, low resolution, noise and a covered patch, each on some pictures."""
    chosen = torch.rand(len(crops), generator=rng) < config.blur
    if bool(chosen.any()):
        crops = crops.index_copy(0, chosen.nonzero()[:, 0], _blur(crops[chosen], config, rng))
    chosen = torch.rand(len(crops), generator=rng) < config.low_resolution
    if bool(chosen.any()):
        factor = 0.3 + 0.5 * float(torch.rand((), generator=rng))
        small = F.interpolate(crops[chosen], scale_factor=factor, mode="bilinear", antialias=True)
        coarse = F.interpolate(small, size=crops.shape[2:], mode="bilinear")
        crops = crops.index_copy(0, chosen.nonzero()[:, 0], coarse)
    amount = torch.where(
        _chosen(crops, config.noise, rng), torch.rand(len(crops), generator=rng).view(-1, 1, 1, 1) * 10, 0.0
    )
    crops = crops + torch.randn(crops.shape, generator=rng) * amount
    return _erase(crops, config.erase, rng)


def _blur(crops: Tensor, config: AugmentConfig, rng: Rng) -> Tensor:
    """By one sigma for all of them; torchvision's by one each."""
    low, high = config.blur_sigma_px
    if config.light == "torchvision":
        sigmas = low + (high - low) * torch.rand(len(crops), generator=rng)
        return gaussian_blur(crops, sigmas, config.blur_kernel_px)
    sigma, half = low + (high - low) * float(torch.rand((), generator=rng)), config.blur_kernel_px // 2
    x = torch.arange(-half, half + 1, dtype=crops.dtype)
    weights = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = torch.outer(weights, weights)
    kernel = (kernel / kernel.sum()).expand(crops.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(crops, (half,) * 4, mode="replicate"), kernel, groups=crops.shape[1])


def _erase(crops: Tensor, probability: float, rng: Rng) -> Tensor:
    """Cover a rectangle of up to a third of each side with one grey level."""
    size = crops.shape[-1]
    half = (0.05 + 0.12 * torch.rand(len(crops), 2, generator=rng)) * size
    centre = torch.rand(len(crops), 2, generator=rng) * size
    ticks = torch.arange(size, dtype=crops.dtype)
    rows = ((ticks - centre[:, :1]).abs() < half[:, :1]).view(-1, 1, size, 1)
    columns = ((ticks - centre[:, 1:]).abs() < half[:, 1:]).view(-1, 1, 1, size)
    level = torch.rand(len(crops), generator=rng).view(-1, 1, 1, 1) * 255
    return torch.where(rows & columns & _chosen(crops, probability, rng), level, crops)
