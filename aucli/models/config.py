"""The settings that travel with a model's weights."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aucli.errors import ModelError, printable
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES, au_column

CONFIG_SCHEMA: Final = 1
WEIGHTS_NAME: Final = "model.safetensors"
GRAPH_NAME: Final = "model.onnx"

MODEL_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
"""A model's name is a folder's as well: it never leads out of the zoo, hides, or looks like an option."""
UNRECORDED: Final = "unrecorded"
"""In the place of a data set: others took part in training, and nobody wrote down who."""
MOST_TEXT: Final = 2**20
"""Characters of a config at most; a real one has about 1500."""


def as_model_name(text: str) -> str:
    """Make a model's name of any text, with room for ``-fold10`` behind: what may not stand in it becomes ``-``."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:90]
    return name or "model"


@dataclass(frozen=True)
class ModelConfig:
    """What a model folder says of itself.

    Attributes:
        name: short name, also the folder's: up to 100 letters, digits, ``-``, ``_`` and ``.``.
        aus: FACS numbers that the model gives, in the order of the table's columns.
        thresholds: per AU, the probability (0 to 1) at and above which it counts as present.
        crop: how a face is laid into the network's input.
        encoder: arguments of `aucli.models.network.EncoderConfig`. Its ``aus`` name the network's outputs, in their
            order; those that did not prove good enough are not among the model's.
        licence: SPDX expression or a short text.
        summary: one line: what it was trained on.
        files: ``model.safetensors`` and ``model.onnx``, or the first alone -> SHA-256 (hexadecimal).
        has_heads: False for an encoder alone: a start for training that gives no probabilities.
        experimental: those of ``aus`` whose figures fall short of what the others are held to; users are told.
        seen_subjects: by data set, keys (`aucli.datasets.seen`) of everyone whose faces took part in training or in a
            choice that it made, in a model that it started from as well. Free data have no keys.
    """

    name: str
    aus: tuple[int, ...]
    thresholds: tuple[float, ...]
    crop: CropSpec
    encoder: Mapping[str, Any]
    licence: str
    summary: str
    files: Mapping[str, str] = field(default_factory=dict)
    has_heads: bool = True
    experimental: tuple[int, ...] = ()
    seen_subjects: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {UNRECORDED: ()})

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not MODEL_NAME.fullmatch(self.name):
            raise ModelError(
                f"the model's name is {self.name!r}; allowed are up to 100 letters, digits, '-', '_' and '.', "
                "the first a letter, digit or '_'"
            )
        if not self.aus:
            raise ModelError(f"model {self.name} names no action unit")
        for au in self.aus:
            if type(au) is not int or au not in AU_NAMES:
                unknown = [au for au in self.aus if type(au) is not int or au not in AU_NAMES]
                raise ModelError(f"model {self.name} names unknown action units {unknown}")
        if len(set(self.aus)) != len(self.aus):
            raise ModelError(f"model {self.name} names an action unit twice: {list(self.aus)}")
        if len(self.thresholds) != len(self.aus):
            raise ModelError(f"model {self.name} has {len(self.aus)} AUs but {len(self.thresholds)} thresholds")
        if bad := [t for t in self.thresholds if not _is_number(t) or not 0.0 < t < 1.0]:
            raise ModelError(f"model {self.name} has thresholds {bad}; allowed is between 0 and 1")
        if foreign := [au for au in self.experimental if au not in self.aus]:
            raise ModelError(f"model {self.name} calls AU {foreign[0]} experimental, which is none of its action units")
        if len(set(self.experimental)) != len(self.experimental):
            raise ModelError(f"model {self.name} calls an action unit experimental twice: {list(self.experimental)}")
        if strange := set(self.files) - {WEIGHTS_NAME, GRAPH_NAME}:
            raise ModelError(
                f"model {self.name} names a file {min(strange, key=str)!r}; allowed are {WEIGHTS_NAME} and {GRAPH_NAME}"
            )

    @property
    def network_aus(self) -> tuple[int, ...]:
        """Action units of the network's outputs, in their order."""
        return tuple(self.encoder.get("aus", self.aus))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Which of the network's outputs belongs to each of the model's AUs."""
        known = list(self.network_aus)
        if missing := [au for au in self.aus if au not in known]:
            raise ModelError(f"model {self.name} names action units {missing} that its network does not know")
        return tuple(known.index(au) for au in self.aus)

    @property
    def au_columns(self) -> tuple[str, ...]:
        """The table's columns: ``("AU01", "AU02", ...)``."""
        return tuple(au_column(au) for au in self.aus)

    @property
    def experimental_columns(self) -> tuple[str, ...]:
        """Columns of the experimental action units, in the table's order."""
        return tuple(au_column(au) for au in self.aus if au in self.experimental)

    @property
    def digest(self) -> str:
        """SHA-256 over everything above: names the model beyond doubt."""
        return hashlib.sha256(json.dumps(self._as_json(), sort_keys=True).encode()).hexdigest()

    def _as_json(self) -> dict[str, Any]:
        # Only where they say something: the digests of models that were written before stay what they were.
        later: dict[str, Any] = {} if self.has_heads else {"has_heads": False}
        if self.experimental:
            later["experimental"] = list(self.experimental)
        if self.seen_subjects != {UNRECORDED: ()}:
            later["seen_subjects"] = {dataset: list(keys) for dataset, keys in self.seen_subjects.items()}
        return later | {
            "schema": CONFIG_SCHEMA,
            "name": self.name,
            "aus": list(self.aus),
            "thresholds": list(self.thresholds),
            "crop": {"size_px": self.crop.size_px, "scale": self.crop.scale, "shift_y": self.crop.shift_y},
            "encoder": dict(self.encoder),
            "licence": self.licence,
            "summary": self.summary,
            "files": dict(self.files),
        }

    def to_json(self) -> str:
        """Return the text of ``config.json``."""
        return json.dumps(self._as_json() | {"digest": self.digest}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: Path) -> ModelConfig:
        """Read the text of ``config.json``.

        Raises:
            ModelError: if it is not JSON, lacks a field, makes no sense, or its digest does not match.
        """
        again = "the file was changed or damaged; import the model again"
        try:
            if len(text) > MOST_TEXT:
                raise ValueError("it is too long")
            raw = json.loads(text)
            if raw["schema"] != CONFIG_SCHEMA:
                raise ModelError(
                    f"{where}: schema {raw['schema']!r} is not known to this version, which reads {CONFIG_SCHEMA}"
                )
            _require_kinds(raw)
            config = cls(
                name=raw["name"],
                aus=tuple(raw["aus"]),
                thresholds=tuple(raw["thresholds"]),
                crop=CropSpec(**raw["crop"]),
                encoder=raw["encoder"],
                licence=raw["licence"],
                summary=raw["summary"],
                files=raw["files"],
                has_heads=raw.get("has_heads", True),
                experimental=tuple(raw.get("experimental", ())),
                seen_subjects={
                    dataset: tuple(keys) for dataset, keys in raw.get("seen_subjects", {UNRECORDED: ()}).items()
                },
            )
            digest = raw["digest"]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or "it is nested too deep"
            raise ModelError(f"{where} is not a model's config.json ({reason[:120]}); {again}") from error
        if digest != config.digest:
            raise ModelError(f"{where} does not match its own digest; {again}")
        return config


def _require_kinds(raw: Mapping[str, Any]) -> None:
    """Every value is of its kind, so that nothing that is built from it can stumble.

    Raises:
        ValueError: naming the first that is not.
    """
    crop, encoder = raw["crop"], raw["encoder"]
    aus = encoder.get("aus", raw["aus"]) if isinstance(encoder, dict) else None
    checks = {
        "aus": isinstance(raw["aus"], list),
        "thresholds": isinstance(raw["thresholds"], list),
        "crop": isinstance(crop, dict)
        and type(crop.get("size_px")) is int
        and crop["size_px"] <= 2048
        and all(_is_number(value) for value in crop.values()),
        "encoder": isinstance(aus, list) and all(type(au) is int for au in aus) and len(set(aus)) == len(aus),
        "licence": isinstance(raw["licence"], str) and printable(raw["licence"]) == raw["licence"],
        "summary": isinstance(raw["summary"], str) and printable(raw["summary"]) == raw["summary"],
        "files": isinstance(raw["files"], dict)
        and all(isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) for digest in raw["files"].values()),
        "has_heads": isinstance(raw.get("has_heads", True), bool),
        "experimental": isinstance(raw.get("experimental", []), list)
        and all(type(au) is int for au in raw.get("experimental", [])),
        "seen_subjects": isinstance(seen := raw.get("seen_subjects", {}), dict)
        and all(isinstance(keys, list) and all(isinstance(key, str) for key in keys) for keys in seen.values()),
    }
    for name, is_right in checks.items():
        if not is_right:
            raise ValueError(f"its {name} cannot be {str(raw.get(name))[:60]!r}")


def _is_number(value: object) -> bool:
    """A finite number that fits into a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
