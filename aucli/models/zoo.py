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

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aucli.errors import ModelError
from aucli.models.config import ModelConfig
from aucli.runtime.files import bundled_folder, is_temporary, sha256_file, user_folder, whole_folder_or_nothing

CONFIG_NAME: Final = "config.json"
WEIGHTS_NAME: Final = "model.safetensors"
GRAPH_NAME: Final = "model.onnx"
CARD_NAME: Final = "README.md"
DEFAULT_MODEL: Final = "aunce-small"


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
        for folder in _model_folders(parent):
            try:
                model = _read(folder, origin)
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
    raise ModelError(
        f"unknown model {name_or_path!r}; known are: {', '.join(model_names()) or 'none'}, or give the path of a model "
        "folder"
    )


def model_names() -> list[str]:
    """Return the names of all models at hand, without reading them."""
    return sorted(
        {
            folder.name
            for parent in (bundled_folder("models"), user_folder() / "models")
            for folder in _model_folders(parent)
        }
    )


def _model_folders(parent: Path) -> list[Path]:
    folders = (config.parent for config in sorted(parent.glob(f"*/{CONFIG_NAME}")))
    return [folder for folder in folders if not is_temporary(folder)]


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
    with whole_folder_or_nothing(target) as temporary:
        for name in (*model.config.files, CONFIG_NAME, CARD_NAME):
            if (model.folder / name).is_file():
                shutil.copyfile(model.folder / name, temporary / name)
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
