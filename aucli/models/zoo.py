"""The model zoo: finding, checking, importing and writing models.

A model is a folder:

    config.json         what the network is, its AUs and their thresholds, its crop, the SHA-256 of each file
    model.safetensors   the weights
    model.onnx          the graph for ONNX Runtime (optional; without it the model runs in torch)
    README.md           its card

`config.json` also carries a digest of itself and, through the file digests in it, of weights and graph: one flipped
byte in any of these is noticed before a frame is read. The card is for readers and is not covered. Detectors are single
``.onnx`` files.

What is imported was written by strangers: only these four files are taken, no links, each is checked as the copy that
will be used, and the model reads a face in a process of its own before it gets its name.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from aucli.errors import ModelError, OptionsError, printable
from aucli.models.config import GRAPH_NAME, MODEL_NAME, WEIGHTS_NAME, ModelConfig
from aucli.runtime.child import call_apart
from aucli.runtime.files import bundled_folder, is_temporary, sha256_file, user_folder, whole_folder_or_nothing

CONFIG_NAME: Final = "config.json"
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
        """Return the text of the card, or an empty text if it has none; nothing in it commands a terminal."""
        path = self.folder / CARD_NAME
        if not path.is_file():
            return ""
        lines = path.read_text(encoding="utf-8", errors="replace").expandtabs().split("\n")
        return "\n".join(printable(line) for line in lines)


def list_models() -> tuple[list[Model], list[str]]:
    """Return all bundled and imported models by name, and what is damaged. A bundled one hides an imported one."""
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
                found.setdefault(model.config.name, model)
    return [found[name] for name in sorted(found)], problems


def find_model(name_or_path: str) -> Model:
    """Find a model by name, or by the path of its folder: a folder here never stands in for a model of its name.

    Raises:
        OptionsError: if there is none of this name.
        ModelError: if its config is damaged, or the folder holds none.
    """
    if MODEL_NAME.fullmatch(name_or_path):
        if (bundled_folder("models") / name_or_path / CONFIG_NAME).is_file():
            return _read(bundled_folder("models") / name_or_path, "bundled")
        if (user_folder() / "models" / name_or_path / CONFIG_NAME).is_file():
            return _read(user_folder() / "models" / name_or_path, "imported")
    try:
        path = Path(name_or_path).expanduser()
        if (path / CONFIG_NAME).is_file():
            return _read(path, "path")
        is_folder = path.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, no such home
        raise OptionsError(f"there can be no model called {name_or_path[:100]!r} ({error})") from error
    if is_folder:
        raise ModelError(f"{path} is a folder without {CONFIG_NAME}: not a model")
    raise OptionsError(
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


def import_model(source: Path, *, name: str | None = None, overwrite: bool = False) -> Model:
    """Copy a model folder into the user's zoo and check it; it appears there whole or not at all.

    Args:
        source: the folder.
        name: to import it under; None: the model's own.
        overwrite: replace a model that was imported under this name.

    Raises:
        ModelError: if the folder is no model, holds links, is damaged or does not work, or its name is taken.
    """
    folder = source.expanduser()
    for file_name in (CONFIG_NAME, WEIGHTS_NAME, GRAPH_NAME, CARD_NAME):
        _require_plain_file(folder / file_name)
    config = _read(folder, "path").config
    target = free_place(name or config.name, overwrite=overwrite)
    config = replace(config, name=target.name)
    try:
        with whole_folder_or_nothing(target) as temporary:
            for file_name in config.files:
                _copy(folder / file_name, temporary / file_name)
            if (folder / CARD_NAME).exists():
                _copy(folder / CARD_NAME, temporary / CARD_NAME)
            (temporary / CONFIG_NAME).write_text(config.to_json(), encoding="utf-8")
            try:
                verify(Model(temporary, config, "path"))
                what = f"the model in {source}"
                call_apart("aucli.models.trial:try_model", str(temporary), what=what, error=ModelError)
            except ModelError as error:  # the copy is gone when this is read
                raise ModelError(str(error).replace(str(temporary), str(folder))) from error
    except OSError as error:
        raise ModelError(f"{source} cannot be imported: {error.strerror or error} ({error.filename})") from error
    return _read(target, "imported")


def free_place(name: str, *, overwrite: bool = False) -> Path:
    """Return the folder where an imported model of this name will lie.

    Raises:
        ModelError: if one is there already, the name is a bundled model's, or it is none for a model.
    """
    if not MODEL_NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name for a model; allowed are letters, digits, '-', '_' and '.'")
    if (bundled_folder("models") / name).exists():
        raise ModelError(f"{name} is the name of a model that comes with aucli; give yours another (`name`)")
    target = user_folder() / "models" / name
    if target.exists() and not overwrite:
        raise ModelError(f"a model named {name} was imported before ({target}); use `overwrite` to replace it")
    if target.is_symlink():
        raise ModelError(f"{target} is a link; remove it first")
    return target


def _require_plain_file(path: Path) -> None:
    """Refuse links, pipes and the like; a file that is not there is another's business."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a link" if stat.S_ISLNK(status.st_mode) else "no file"
        raise ModelError(f"{path} is {what}; a model that is imported holds plain files only: copy it there")


def _copy(source: Path, target: Path) -> None:
    """Copy a file, and never what a link that took its place leads to."""
    handle = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as reading, target.open("xb") as writing:
        shutil.copyfileobj(reading, writing, 2**20)


def _read(folder: Path, origin: Literal["bundled", "imported", "path"]) -> Model:
    path = folder / CONFIG_NAME
    try:
        if not path.is_file():  # never wait for a pipe
            raise ModelError(f"{path} is not there, or is no file: not a model")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    return Model(folder, ModelConfig.from_json(text, where=path), origin)
