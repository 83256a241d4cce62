"""A training recipe: everything that defines a run, one TOML file, checked before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from aucli.datasets.readers.registry import FREE_DATA, READERS
from aucli.errors import RecipeError
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES
from aucli.models.network import EncoderConfig
from aucli.training.augment import AugmentConfig
from aucli.training.losses import LossName


def _known_data(name: str) -> str:
    if name not in (*READERS, *FREE_DATA):
        raise ValueError(f"allowed are {', '.join((*READERS, *FREE_DATA))}")
    return name


DataName = Annotated[str, AfterValidator(_known_data)]
"""Of a benchmark, or of data that needs no form."""


def _known_and_different(aus: tuple[int, ...]) -> tuple[int, ...]:
    if strange := [au for au in aus if au not in AU_NAMES]:
        raise ValueError(f"AU {strange[0]} is not known; allowed are {', '.join(map(str, AU_NAMES))}")
    if len(set(aus)) < len(aus):
        raise ValueError("an action unit is named twice")
    return aus


ActionUnits = Annotated[tuple[int, ...], AfterValidator(_known_and_different)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class EncoderSection(_Section):
    """The network; see `aucli.models.network.EncoderConfig`."""

    backbone: str
    aus: Annotated[ActionUnits, Field(min_length=1)]
    colour: Literal["rgb", "grey"] = "rgb"
    global_dim: int = Field(default=1024, ge=1)
    embedding_dim: int = Field(default=1024, ge=1)
    neighbours: int = Field(default=4, ge=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    mean: tuple[float, float, float] = (0.4914, 0.4822, 0.4465)
    std: tuple[float, float, float] = (0.2023, 0.1994, 0.2010)
    pretrained: str = ""
    """Where the encoder starts: "" at random, "package" from ImageNet (see `training.start_imagenet`), "timm" from the
    weights that timm downloads, else the name or folder of a model."""


class CropSection(_Section):
    """The crop's geometry; see `aucli.faces.alignment.CropSpec`."""

    size_px: int = Field(default=160, ge=32)
    scale: float = Field(default=0.72, ge=0.2, le=1.5)
    shift_y: float = Field(default=-0.02, ge=-0.3, le=0.3)


class SplitSection(_Section):
    """Shares of the people held out."""

    test: float = Field(default=0.2, ge=0, lt=1)
    validation: float = Field(default=0.1, ge=0, le=0.5)


class FreeDataSection(_Section):
    """The data of ``synth``: how many renders, and how often an epoch shows each photograph for every render."""

    renders: int = Field(default=8000, ge=16)
    render_seed: int = Field(default=2026, ge=0)
    photograph_repeats: int = Field(default=2, ge=1)


class LossSection(_Section):
    """The loss of stage 1.

    ``bce_weight`` adds cross-entropy through the heads to a contrastive loss; ``bce_balanced`` weighs its AUs by
    1 / occurrence rate. ``published`` follows the authors' code of AUNCE to the letter.
    """

    name: LossName = "aunce"
    temperature: float = Field(default=0.5, gt=0.01)
    published: bool = False
    bce_weight: float = Field(default=0.0, ge=0)
    bce_balanced: bool = True

    @property
    def trains_heads(self) -> bool:
        """Whether the heads learn in stage 1 already."""
        return self.name == "wbce" or self.bce_weight > 0


class StageSection(_Section):
    """A stretch of training at one crop size."""

    size_px: int = Field(ge=32)
    epochs: int = Field(ge=1)


class OptimSection(_Section):
    """AdamW with warm-up and cosine over all stretches together.

    ``batch_size`` counts the pictures of all processes and parts together. ``accumulate`` is the number of parts in
    which a process goes through its share, to save memory: the loss still compares all pictures of the batch.
    ``steps_per_epoch`` cuts epochs of video, whose neighbouring frames hardly differ; 0 is one pass over the pictures.
    ``pictures_per_person`` above 0 makes identity-balanced batches: so many pictures of each person, who are
    drawn anew for every batch. ``identity_weight`` adds a head that names the person, against whom the encoder learns
    (see `aucli.training.identity_head`). ``backbone_lr_factor`` multiplies the rate of the backbone: below 1 tunes a
    pretrained one gently. ``patience`` ends training after so many epochs without a better mean AUC on the validation
    people (0: never) and keeps the best; where stage 1 trains no heads, similar training pictures vote.
    """

    batch_size: int = Field(default=64, ge=2)
    accumulate: int = Field(default=1, ge=1)
    steps_per_epoch: int = Field(default=0, ge=0)
    pictures_per_person: int = Field(default=0, ge=0)
    identity_weight: float = Field(default=0.0, ge=0)
    lr: float = Field(default=1e-3, gt=0)
    backbone_lr_factor: float = Field(default=1.0, ge=0, le=100)
    weight_decay: float = Field(default=0.02, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    patience: int = Field(default=0, ge=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, gt=0)


class LinearSection(_Section):
    """Linear evaluation: the heads on the frozen encoder. ``epochs = 0`` keeps the heads of stage 1."""

    epochs: int = Field(default=30, ge=0)
    views: int = Field(default=2, ge=1)
    lr: float = Field(default=3e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    batch_size: int = Field(default=256, ge=2)


class Recipe(_Section):
    """The whole recipe."""

    name: str
    data: DataName
    seed: int = Field(default=3407, ge=0)
    leave_out: ActionUnits = ()
    """AUs that are trained and measured, but are not columns of the model."""
    encoder: EncoderSection
    crop: CropSection = CropSection()
    split: SplitSection = SplitSection()
    free_data: FreeDataSection = FreeDataSection()
    augment: AugmentConfig = AugmentConfig()
    loss: LossSection = LossSection()
    stages: tuple[StageSection, ...]
    """None at all: linear evaluation alone, on the encoder that ``encoder.pretrained`` names."""
    optim: OptimSection = OptimSection()
    linear: LinearSection = LinearSection()

    @model_validator(mode="after")
    def _makes_sense(self) -> Recipe:
        """Values that are allowed each, but not together."""
        if self.linear.epochs == 0 and not self.loss.trains_heads:
            raise ValueError(
                f"linear.epochs is 0, but loss {self.loss.name} with bce_weight 0 trains no heads: give linear.epochs "
                "at least 1, loss.bce_weight above 0, or loss.name wbce"
            )
        if not self.stages and not (self.encoder.pretrained and self.linear.epochs):
            raise ValueError(
                "stages is empty: linear evaluation alone needs encoder.pretrained and linear.epochs of at least 1"
            )
        if self.stages and self.stages[-1].size_px != self.crop.size_px:
            raise ValueError(
                f"the last of stages has size_px {self.stages[-1].size_px}, but crop.size_px, at which the model is "
                f"used, is {self.crop.size_px}: they must be equal"
            )
        optim = self.optim
        if optim.pictures_per_person == optim.batch_size:
            raise ValueError(
                f"optim.pictures_per_person is {optim.pictures_per_person}, the whole batch: no two people would be "
                "compared; allowed is up to half of optim.batch_size"
            )
        if optim.batch_size % optim.accumulate or optim.batch_size // optim.accumulate < 2:
            raise ValueError(
                f"optim.batch_size {optim.batch_size} cannot be shared by optim.accumulate = {optim.accumulate} parts: "
                "they must be equal, of 2 pictures or more"
            )
        if optim.pictures_per_person and optim.batch_size % optim.pictures_per_person:
            raise ValueError(
                f"optim.batch_size {optim.batch_size} is no multiple of optim.pictures_per_person = "
                f"{optim.pictures_per_person}"
            )
        if set(self.leave_out) >= set(self.encoder.aus):
            raise ValueError("leave_out leaves no AU")
        if self.loss.published and self.loss.name != "aunce":
            raise ValueError(f"loss.published is a variant of aunce; the loss is {self.loss.name}")
        return self

    def encoder_config(self) -> EncoderConfig:
        """The network that the recipe asks for, at the crop's final size."""
        return EncoderConfig(input_size_px=self.crop.size_px, **self.encoder.model_dump(exclude={"pretrained"}))

    def crop_spec(self, size_px: int | None = None) -> CropSpec:
        """The crop, at another size if asked: the face fills the same share of it."""
        crop = self.crop.model_dump()
        return CropSpec(**(crop if size_px is None else crop | {"size_px": size_px}))


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        path: TOML file.
        overrides: values to change, as ``optim.lr=3e-5``; the value is read as TOML, a plain word as text.

    Raises:
        RecipeError: if the file cannot be read, is no TOML, or holds a value that is not allowed; the message names it.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not a readable recipe: {error}") from error
    for override in overrides:
        _set(raw, override)
    try:
        return Recipe(**raw)
    except ValidationError as error:
        # A word that is not known comes first: it is often the misspelling of one that then seems to be missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        where, why = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            raise RecipeError(f"{path}: {where} is missing") from error
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{path}: {where} is not a word of recipes") from error
        if not where:
            raise RecipeError(f"{path}: {why}") from error
        raise RecipeError(f"{path}: {where} is {first['input']!r}: {why}") from error


def _set(raw: dict[str, Any], override: str) -> None:
    """Put one ``section.key=value`` into a recipe that was read."""
    key, equals, text = override.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last:
        raise RecipeError(f"{override!r} is no setting; write it as section.key=value, e.g. optim.lr=3e-5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for section in sections:
        raw = raw.setdefault(section, {})
        if not isinstance(raw, dict):
            raise RecipeError(f"{override!r}: {section} is no section of the recipe")
    raw[last] = value
