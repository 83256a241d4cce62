"""A training recipe: everything that defines a run, one TOML file, checked before anything starts.

Each section is the very value that its part of training takes; its defaults and bounds stand there. For the network
and the crop these are the dataclasses that annotate uses.
"""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, Field, ValidationError, model_validator

from aucli.datasets.readers.registry import FREE_DATA, READERS
from aucli.errors import ModelError, OptionsError, RecipeError
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES
from aucli.models.network import EncoderConfig
from aucli.runtime.files import bundled_folder
from aucli.training.augment import AugmentConfig
from aucli.training.batches import Stage
from aucli.training.linear_heads import LinearOptions
from aucli.training.objective import LossOptions
from aucli.training.optimiser import OptimOptions
from aucli.training.settings import Settings
from aucli.training.trainer import EncoderTraining


def _known_data(name: str) -> str:
    if name not in (*READERS, *FREE_DATA):
        raise ValueError(f"allowed are {', '.join((*READERS, *FREE_DATA))}")
    return name


DataName = Annotated[str, AfterValidator(_known_data)]
"""Of a benchmark, or of data that needs no form."""


def _known(aus: tuple[int, ...]) -> tuple[int, ...]:
    if strange := [au for au in aus if au not in AU_NAMES]:
        raise ValueError(f"AU {strange[0]} is not known; allowed are {', '.join(map(str, AU_NAMES))}")
    return aus


class EncoderSection(Settings):
    """The network, see `aucli.models.network.EncoderConfig`, to which defaults and bounds belong; and its start."""

    backbone: str
    aus: tuple[int, ...] = ()
    """None: those that the data set codes (`Recipe.with_aus`)."""
    colour: Literal["rgb", "grey"] = EncoderConfig.colour
    global_dim: int = EncoderConfig.global_dim
    embedding_dim: int = EncoderConfig.embedding_dim
    neighbours: int = EncoderConfig.neighbours
    drop_path: float = EncoderConfig.drop_path
    mean: tuple[float, float, float] = EncoderConfig.mean
    std: tuple[float, float, float] = EncoderConfig.std
    pretrained: str = ""
    """Where the encoder starts: "" at random, "package" from ImageNet (see `training.start_imagenet`), "timm" from the
    weights that timm downloads, a file of the backbone's weights, else the name or folder of a model."""

    @model_validator(mode="after")
    def _is_a_network(self) -> EncoderSection:
        try:
            self.tried(EncoderConfig.input_size_px)
        except ModelError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self, input_size_px: int) -> EncoderConfig:
        """The network for crops of a size."""
        return EncoderConfig(input_size_px=input_size_px, **self.model_dump(exclude={"pretrained"}))

    def tried(self, input_size_px: int) -> EncoderConfig:
        """As `config`, to see whether all else makes sense while the action units are not known."""
        shape = self if self.aus else self.model_copy(update={"aus": tuple(AU_NAMES)})
        return shape.config(input_size_px)


class SplitSection(Settings):
    """Shares of the subjects held out."""

    test: float = Field(default=0.2, ge=0, lt=1)
    validation: float = Field(default=0.1, ge=0, le=0.5)


class FreeDataSection(Settings):
    """The data of ``synth``: how many renders, and how often an epoch shows a photograph for every render."""

    renders: int = Field(default=8000, ge=16)
    render_seed: int = Field(default=2026, ge=0)
    photograph_repeats: int = Field(default=1, ge=1)
    """Of photographs that the teacher labelled."""
    coded_repeats: int = Field(default=4, ge=1)
    """Of photographs coded by eye: fewer, and nearer the truth."""
    rare_repeats: int = Field(default=4, ge=1)
    """Of those that show an action unit, by eye, that few of them show."""
    grimace_repeats: int = Field(default=1, ge=1)
    """At least so often those that show, by eye, what is taken for a smile and no smile."""
    held_out: Literal["all", "coded"] = "all"
    """Whom thresholds and card are measured on: renders and photographs, or the photographs coded by eye alone."""


class DecisionsSection(Settings):
    """From the network's log-odds to columns, chosen on validation subjects; see `aucli.training.decisions`."""

    calibrate: bool = False
    """Whether log-odds are rescaled so that probabilities mean what they say; part of the heads then."""
    threshold: float = Field(default=0.0, ge=0, lt=1)
    """Of every AU, whatever the validation subjects show; 0 has them chosen."""
    max_false_alarms: float = Field(default=1.0, ge=0, le=1)
    """Most of the faces that do not show an AU that its threshold may call present; 1 sets no limit."""
    min_positives: int = Field(default=1, ge=1)
    """Faces that show an AU below which its threshold is not chosen by their F1 alone."""
    keep_start: bool = False
    """Whether such an AU has the threshold of the model that training started from, where that gives it; else 0.5."""
    expected_f1: bool = False
    """Whether thresholds are those of the highest F1 that calibrated probabilities expect, or that was counted."""

    @model_validator(mode="after")
    def _makes_sense(self) -> DecisionsSection:
        if self.expected_f1 and not self.calibrate:
            raise ValueError("expected_f1 needs calibrate = true: other probabilities expect nothing")
        if self.threshold > 0 and (self.expected_f1 or self.max_false_alarms < 1 or self.min_positives > 1):
            raise ValueError(
                f"threshold is {self.threshold:g}, so nothing is chosen: expected_f1, max_false_alarms and "
                "min_positives have nothing to say"
            )
        return self


AFTER_ENCODER: Final = ("leave_out", "experimental", "linear", "decisions")
"""Values of a recipe that say what is done once the encoder is trained."""


class Recipe(Settings):
    """The whole recipe."""

    name: str
    data: DataName
    seed: int = Field(default=3407, ge=0, lt=2**64)
    leave_out: Annotated[tuple[int, ...], AfterValidator(_known)] = ()
    """AUs that are trained and measured, but are not columns of the model."""
    experimental: Annotated[tuple[int, ...], AfterValidator(_known)] = ()
    """AUs that are columns of the model, and are called experimental wherever it is listed."""
    encoder: EncoderSection
    crop: CropSpec = CropSpec()
    may_enlarge: bool = True
    """Whether a cache is used whose faces are smaller than in the crops; what is small in the data set always is."""
    split: SplitSection = SplitSection()
    free_data: FreeDataSection = FreeDataSection()
    augment: AugmentConfig = AugmentConfig()
    loss: LossOptions = LossOptions()
    stages: tuple[Stage, ...]
    """None at all: linear evaluation alone, on the encoder that ``encoder.pretrained`` names."""
    optim: OptimOptions = OptimOptions()
    linear: LinearOptions = LinearOptions()
    decisions: DecisionsSection = DecisionsSection()

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
        if self.augment.halves > 0 and self.optim.identity_weight > 0:
            raise ValueError(
                "optim.identity_weight names the subject of each face, and augment.halves makes faces of two subjects: "
                "one of them must be 0"
            )
        if self.encoder.aus and set(self.leave_out) >= set(self.encoder.aus):
            raise ValueError("leave_out leaves no AU")
        if self.encoder.aus and (
            nowhere := [au for au in self.experimental if au not in self.encoder.aus or au in self.leave_out]
        ):
            raise ValueError(f"experimental names AU {nowhere[0]}, which is no column of the model")
        try:
            self.encoder.tried(self.crop.size_px)
        except ModelError as error:
            raise ValueError(f"crop.size_px is the network's input: {error}") from None
        return self

    def largest_crop(self) -> CropSpec:
        """Of all stages."""
        return replace(self.crop, size_px=max([self.crop.size_px, *(stage.size_px for stage in self.stages)]))

    def with_aus(
        self, coded: Sequence[int], *, known: Sequence[int] = (), experimental: Collection[int] = ()
    ) -> Recipe:
        """The recipe for a data set, where `encoder.aus` leaves its action units open; else as it is.

        Args:
            coded: by the data set.
            known: by the network of the model that training starts from, in its order. They stay parts of the network,
                whose graph layer listens to all of them, and are left out of the model where nobody coded them.
            experimental: of the coded ones, those whose figures will fall short.
        """
        if self.encoder.aus:
            return self
        aus = (*known, *(au for au in coded if au not in known))
        left_out = tuple(au for au in aus if au not in coded or au in self.leave_out)
        doubtful = {*experimental, *self.experimental} - set(left_out)
        changed = {
            "encoder": {**self.encoder.model_dump(), "aus": aus},
            "leave_out": left_out,
            "experimental": tuple(au for au in coded if au in doubtful),
        }
        return Recipe.model_validate({**self.model_dump(), **changed})

    def encoder_training(self) -> EncoderTraining:
        """How the encoder is trained, as `aucli.training.trainer` takes it."""
        return EncoderTraining(
            network=self.encoder.config(self.crop.size_px),
            start=self.encoder.pretrained,
            crop=self.crop,
            augment=self.augment,
            loss=self.loss,
            stages=self.stages,
            optim=self.optim,
            seed=self.seed,
        )

    def first_difference(self, other: Recipe, *, but: Collection[str] = ()) -> str | None:
        """The first value in which another recipe differs from this one, as "seed was 1, now 2"; None if none does.

        Args:
            other: the recipe now.
            but: values and sections that may differ.
        """
        left_out = set(but)
        one, two = _flat(self.model_dump(exclude=left_out)), _flat(other.model_dump(exclude=left_out))
        for key in sorted({*one, *two}):
            if one.get(key) != two.get(key):
                return f"{key} was {one.get(key)!r}, now {two.get(key)!r}"
        return None


def load_recipe(path: Path, overrides: Sequence[str] = (), *, shape: Mapping[str, Any] | None = None) -> Recipe:
    """Read and check a recipe.

    Args:
        path: TOML file.
        shape: sections ``encoder`` and ``crop`` instead of the recipe's, those of the model that training starts from.
        overrides: values to change, as ``optim.lr=3e-5``; the value is read as TOML, a plain word as text.

    Raises:
        RecipeError: if the file cannot be read, is no TOML, or holds a value that is not allowed; the message names it.
        OptionsError: if the file is right, and what an override makes of it is not.
    """
    raw = _read(path)
    if shape is not None:
        raw = _reshaped(raw, shape)
    changed = copy.deepcopy(raw)
    for override in overrides:
        _set(changed, override)
    try:
        return Recipe(**changed)
    except ValidationError as error:
        if overrides and _is_recipe(raw):
            raise OptionsError(f"`overrides`: {first_problem(error)}") from error
        raise RecipeError(f"{path}: {first_problem(error)}") from error


def _read(path: Path, *, read_before: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe's words, laid over those of the one that it extends."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not a readable recipe: {error}") from error
    if (named := raw.pop("extends", None)) is None:
        return raw
    places = [folder / f"{str(named).removesuffix('.toml')}.toml" for folder in (path.parent, bundled_folder("train"))]
    known = {place.resolve() for place in (path, *read_before)}
    base = next((place for place in places if place.is_file()), None)
    if base is None or base.resolve() in known:
        why = "there is no such recipe beside it or in aucli" if base is None else "a recipe cannot extend itself"
        raise RecipeError(f"{path}: extends is {named!r}: {why}")
    return _laid_over(_read(base, read_before=(path, *read_before)), raw)


def _laid_over(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Sections are joined word by word; any other value is replaced."""
    joined = dict(under)
    for name, value in over.items():
        held = joined.get(name)
        joined[name] = _laid_over(held, value) if isinstance(held, dict) and isinstance(value, Mapping) else value
    return joined


def _reshaped(raw: dict[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe for the shape of a model: every stage at the size of its crops."""
    stages = [
        {**stage, "size_px": shape["crop"]["size_px"]} if isinstance(stage, dict) else stage
        for stage in raw.get("stages", [])
    ]
    return {**raw, **shape, **({"stages": stages} if stages else {})}


def _is_recipe(raw: dict[str, Any]) -> bool:
    try:
        Recipe(**raw)
    except ValidationError:
        return False
    return True


UNKNOWN_NAME = ("extra_forbidden", "unexpected_keyword_argument")
"""pydantic's words for a name that is none of a section's: of a model, of a dataclass."""


def first_problem(error: ValidationError) -> str:
    """One line on what is wrong with a recipe, with the value's place in it."""
    # A name that is not known comes first: it is often the misspelling of one that then seems to be missing.
    first = min(error.errors(), key=lambda one: one["type"] not in UNKNOWN_NAME)
    where, why = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] in UNKNOWN_NAME:
        return f"{where} is not a word of recipes{_meant(where)}"
    if not where:
        return why
    if first["type"] == "value_error" and isinstance(first["input"], Mapping):
        return f"{where}.{why}"  # about a whole section; the message begins with the name of one of its values
    return f"{where} is {first['input']!r}: {why}"


def _meant(where: str) -> str:
    """The word that an unknown one may stand for."""
    words = [*Recipe.model_fields, *_flat(_words(Recipe))]
    typed = re.sub(r"\.\d+", "", where)  # stages.0.epoch
    near = difflib.get_close_matches(typed, words, n=1, cutoff=0.75)
    elsewhere = [word for word in words if word.rsplit(".", 1)[-1] == typed.rsplit(".", 1)[-1]]
    meant = next(iter((*near, *elsewhere)), None)
    return f"; did you mean {meant}?" if meant else ""


def _words(section: Any) -> Any:
    """The words of a section and of the sections in it, each with nothing for a value."""
    listed = get_args(section)
    if listed and listed[1:] == (...,):
        return _words(listed[0])
    if is_dataclass(section):
        return {field.name: None for field in fields(section)}
    if isinstance(section, type) and issubclass(section, Settings):
        return {name: _words(field.annotation) for name, field in section.model_fields.items()}
    return None


def _set(raw: dict[str, Any], override: str) -> None:
    """Put one ``section.key=value`` into a recipe that was read."""
    key, equals, text = override.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last:
        raise OptionsError(
            f"`overrides`: {override!r} is no setting; write it as section.key=value, e.g. optim.lr=3e-5"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for section in sections:
        raw = raw.setdefault(section, {})
        if not isinstance(raw, dict):
            raise OptionsError(f"`overrides`: {override!r}: {section} is no section of the recipe")
    raw[last] = value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
