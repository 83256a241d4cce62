"""A training recipe: everything that defines a run, one TOML file, checked before anything starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aucli.alignment import CropSpec
from aucli.encoder import EncoderConfig
from aucli.errors import RecipeError
from aucli.training.augment import AugmentConfig
from aucli.training.losses import LossName


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderSection(_Section):
    """The network; see `aucli.encoder.EncoderConfig`."""

    backbone: str
    aus: tuple[int, ...]
    colour: Literal["rgb", "grey"] = "rgb"
    global_dim: int = Field(default=1024, ge=1)
    embedding_dim: int = Field(default=1024, ge=1)
    neighbours: int = Field(default=4, ge=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)


class CropSection(_Section):
    """The crop's geometry; see `aucli.alignment.CropSpec`."""

    size_px: int = Field(default=160, ge=32)
    scale: float = Field(default=0.72, ge=0.2, le=1.5)
    shift_y: float = Field(default=-0.02, ge=-0.3, le=0.3)


class SplitSection(_Section):
    """Shares of the people held out."""

    test: float = Field(default=0.2, ge=0, lt=1)
    validation: float = Field(default=0.1, gt=0, lt=1)


class LossSection(_Section):
    """The loss of stage 1. ``bce_weight`` adds weighted cross-entropy through the heads to a contrastive one."""

    name: LossName = "aunce"
    temperature: float = Field(default=0.5, gt=0.01)
    bce_weight: float = Field(default=0.0, ge=0)


class StageSection(_Section):
    """A stretch of training at one crop size."""

    size_px: int = Field(ge=32)
    epochs: int = Field(ge=1)


class OptimSection(_Section):
    """AdamW with warm-up and cosine over all stretches together."""

    batch_size: int = Field(default=64, ge=2)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, gt=0)


class LinearSection(_Section):
    """Linear evaluation: the heads on the frozen encoder."""

    epochs: int = Field(default=30, ge=1)
    views: int = Field(default=2, ge=1)
    lr: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    batch_size: int = Field(default=256, ge=2)


class Recipe(_Section):
    """The whole recipe."""

    name: str
    data: Literal["photographs"]
    seed: int = 3407
    encoder: EncoderSection
    crop: CropSection = CropSection()
    split: SplitSection = SplitSection()
    augment: AugmentConfig = AugmentConfig()
    loss: LossSection = LossSection()
    stages: tuple[StageSection, ...] = Field(min_length=1)
    optim: OptimSection = OptimSection()
    linear: LinearSection = LinearSection()

    def encoder_config(self) -> EncoderConfig:
        """The network that the recipe asks for, at the crop's final size."""
        return EncoderConfig(input_size_px=self.crop.size_px, **self.encoder.model_dump())

    def crop_spec(self, size_px: int | None = None) -> CropSpec:
        """The crop, at another size if asked: the face fills the same share of it."""
        crop = self.crop.model_dump()
        return CropSpec(**(crop if size_px is None else crop | {"size_px": size_px}))


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: if the file cannot be read, is no TOML, or holds a value that is not allowed; the message names it.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not a readable recipe: {error}") from error
    try:
        return Recipe(**raw)
    except ValidationError as error:
        # A word that is not known comes first: it is often the misspelling of one that then seems to be missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        where = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise RecipeError(f"{path}: {where} is missing") from error
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{path}: {where} is not a word of recipes") from error
        raise RecipeError(f"{path}: {where} is {first['input']!r}: {first['msg']}") from error
