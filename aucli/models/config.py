"""The settings that travel with a model's weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aucli.errors import ModelError
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES, au_column

CONFIG_SCHEMA: Final = 1


@dataclass(frozen=True)
class ModelConfig:
    """What a model folder says of itself.

    Attributes:
        name: short name, also the folder's.
        aus: FACS numbers that the model gives, in the order of the table's columns.
        thresholds: per AU, the probability (0 to 1) at and above which it counts as present.
        crop: how a face is laid into the network's input.
        encoder: arguments of `aucli.models.network.EncoderConfig`. Its ``aus`` name the network's outputs, in their
            order; those that did not prove good enough are not among the model's.
        licence: SPDX expression or a short text.
        summary: one line: what it was trained on.
        files: file name -> SHA-256 (hexadecimal).
        has_heads: False for an encoder alone: a start for training that gives no probabilities.
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

    def __post_init__(self) -> None:
        if not self.name or any(c in self.name for c in "/\\ \t\n"):
            raise ModelError(f"model name {self.name!r} is empty or contains a slash or blank")
        if not self.aus:
            raise ModelError(f"model {self.name} names no action unit")
        if unknown := [au for au in self.aus if au not in AU_NAMES]:
            raise ModelError(f"model {self.name} names unknown action units {unknown}")
        if len(set(self.aus)) != len(self.aus):
            raise ModelError(f"model {self.name} names an action unit twice: {list(self.aus)}")
        if len(self.thresholds) != len(self.aus):
            raise ModelError(f"model {self.name} has {len(self.aus)} AUs but {len(self.thresholds)} thresholds")
        if bad := [t for t in self.thresholds if not 0.0 < t < 1.0]:
            raise ModelError(f"model {self.name} has thresholds {bad}; allowed is between 0 and 1")

    @property
    def outputs(self) -> tuple[int, ...]:
        """Which of the network's outputs belongs to each of the model's AUs."""
        known = list(self.encoder.get("aus", self.aus))
        if missing := [au for au in self.aus if au not in known]:
            raise ModelError(f"model {self.name} names action units {missing} that its network does not know")
        return tuple(known.index(au) for au in self.aus)

    @property
    def au_columns(self) -> tuple[str, ...]:
        """The table's columns: ``("AU01", "AU02", ...)``."""
        return tuple(au_column(au) for au in self.aus)

    @property
    def digest(self) -> str:
        """SHA-256 over everything above: names the model beyond doubt."""
        return hashlib.sha256(json.dumps(self._as_json(), sort_keys=True).encode()).hexdigest()

    def _as_json(self) -> dict[str, Any]:
        # Only where it says something: the digests of models that have heads stay what they were.
        heads = {} if self.has_heads else {"has_heads": False}
        return heads | {
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
            raw = json.loads(text)
            if raw["schema"] != CONFIG_SCHEMA:
                raise ModelError(
                    f"{where}: schema {raw['schema']!r} is not known to this version, which reads {CONFIG_SCHEMA}"
                )
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
            )
            digest = raw["digest"]
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{where} is not a model's config.json ({error!r}); {again}") from error
        if digest != config.digest:
            raise ModelError(f"{where} does not match its own digest; {again}")
        return config
