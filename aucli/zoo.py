"""The model zoo: finding, checking, importing and writing models.

A model is a folder:

    config.json         what the network is, its AUs and their thresholds, its crop, the SHA-256 of each file
    model.safetensors   the weights
    model.onnx          the graph for ONNX Runtime (optional; without it the model runs in torch)
    README.md           its card

`config.json` also carries a digest of itself and, through the file digests in it, of weights and graph: one flipped
byte in any of these is noticed before a frame is read. The card is for people and is not covered. Detectors are single
``.onnx`` files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from aucli.errors import ModelError
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES, au_column
from aucli.runtime.files import bundled_folder, sha256_file, user_folder

CONFIG_NAME: Final = "config.json"
WEIGHTS_NAME: Final = "model.safetensors"
GRAPH_NAME: Final = "model.onnx"
CARD_NAME: Final = "README.md"
CONFIG_SCHEMA: Final = 1
DEFAULT_MODEL: Final = "aunce-small"


@dataclass(frozen=True)
class ModelConfig:
    """What a model folder says of itself.

    Attributes:
        name: short name, also the folder's.
        aus: FACS numbers that the model gives, in the order of the table's columns.
        thresholds: per AU, the probability (0 to 1) at and above which it counts as present.
        crop: how a face is laid into the network's input.
        encoder: arguments of `aucli.encoder.EncoderConfig`. Its ``aus`` name the network's outputs, in their order;
            those that did not prove good enough are not among the model's.
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


@dataclass(frozen=True)
class Model:
    """A model folder whose config was read and checked. Its files are checked by `verify`."""

    folder: Path
    config: ModelConfig
    origin: Literal["bundled", "imported", "path"]

    @property
    def graph(self) -> Path | None:
        """The ONNX graph, or None if the model runs in torch only."""
        return self.folder / GRAPH_NAME if GRAPH_NAME in self.config.files else None

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / WEIGHTS_NAME

    def card(self) -> str:
        """Return the text of the card, or an empty text if it has none."""
        path = self.folder / CARD_NAME
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def list_models() -> tuple[list[Model], list[str]]:
    """Return all bundled and imported models by name, an imported one hiding a bundled one, and what is damaged."""
    found: dict[str, Model] = {}
    problems: list[str] = []
    origins: tuple[tuple[Literal["bundled", "imported"], Path], ...] = (
        ("bundled", bundled_folder("models")),
        ("imported", user_folder() / "models"),
    )
    for origin, parent in origins:
        for config_path in sorted(parent.glob(f"*/{CONFIG_NAME}")):
            try:
                model = _read(config_path.parent, origin)
            except ModelError as error:
                problems.append(str(error))
            else:
                found[model.config.name] = model
    return [found[name] for name in sorted(found)], problems


def find_model(name_or_path: str) -> Model:
    """Find a model by name, or by the path of its folder.

    Raises:
        ModelError: if there is none, or its config is damaged.
    """
    path = Path(name_or_path).expanduser()
    if (path / CONFIG_NAME).is_file():
        return _read(path, "path")
    if path.is_dir():
        raise ModelError(f"{path} is a folder without {CONFIG_NAME}: not a model")
    for origin, parent in (("imported", user_folder() / "models"), ("bundled", bundled_folder("models"))):
        if (folder := parent / name_or_path).is_dir() and (folder / CONFIG_NAME).is_file():
            return _read(folder, "imported" if origin == "imported" else "bundled")
    known = ", ".join(
        sorted(
            {p.parent.name for p in bundled_folder("models").glob(f"*/{CONFIG_NAME}")}
            | {p.parent.name for p in (user_folder() / "models").glob(f"*/{CONFIG_NAME}")}
        )
    )
    raise ModelError(
        f"unknown model {name_or_path!r}; known are: {known or 'none'}, or give the path of a model folder"
    )


def verify(model: Model) -> None:
    """Compare every file of a model with its digest.

    Raises:
        ModelError: if a file is missing or differs.
    """
    if WEIGHTS_NAME not in model.config.files:
        raise ModelError(f"{model.folder / CONFIG_NAME} names no {WEIGHTS_NAME}")
    for name, expected in model.config.files.items():
        path = model.folder / name
        if not path.is_file():
            raise ModelError(f"model {model.config.name} lacks its file {path}; import it again")
        if (actual := sha256_file(path)) != expected:
            raise ModelError(
                f"{path} is damaged (SHA-256 {actual[:12]}… instead of {expected[:12]}…); import the model again"
            )


def write_model(folder: Path, config: ModelConfig, *, card: str) -> ModelConfig:
    """Complete a model folder that already holds its weights (and graph): digests, config and card.

    Returns:
        The config as written, with the digests of the files found.
    """
    files = {name: sha256_file(folder / name) for name in (WEIGHTS_NAME, GRAPH_NAME) if (folder / name).is_file()}
    if WEIGHTS_NAME not in files:
        raise ModelError(f"{folder} holds no {WEIGHTS_NAME}")
    written = ModelConfig(**{**config.__dict__, "files": files})
    (folder / CARD_NAME).write_text(card, encoding="utf-8")
    (folder / CONFIG_NAME).write_text(written.to_json(), encoding="utf-8")
    return written


def import_model(source: Path, *, overwrite: bool = False) -> Model:
    """Copy a checked model folder into the user's zoo; it appears there whole or not at all.

    Raises:
        ModelError: if the folder is no model, is damaged, or a model of that name is there already.
    """
    model = find_model(str(source))
    verify(model)
    target = free_place(model.config.name, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{model.config.name}-"))
    try:
        for name in (*model.config.files, CONFIG_NAME, CARD_NAME):
            if (model.folder / name).is_file():
                shutil.copyfile(model.folder / name, staging / name)
        staging.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return _read(target, "imported")


def free_place(name: str, *, overwrite: bool = False) -> Path:
    """Return the folder where an imported model of this name will lie.

    Raises:
        ModelError: if one is there already.
    """
    target = user_folder() / "models" / name
    if target.exists() and not overwrite:
        raise ModelError(f"a model named {name} was imported before ({target}); use --overwrite to replace it")
    return target


def _read(folder: Path, origin: Literal["bundled", "imported", "path"]) -> Model:
    path = folder / CONFIG_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read {path}: {error}") from error
    return Model(folder, ModelConfig.from_json(text, where=path), origin)
