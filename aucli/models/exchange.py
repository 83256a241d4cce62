"""Models that come and go as files: whatever `aucli models import` takes, and what `aucli models export` gives.

An exported file stands alone: besides weights (and graph) it carries the model's config and card, so that importing it
gives the same model with the same probabilities.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from aucli.errors import AucliError, ModelError, OptionsError, printable
from aucli.models.config import GRAPH_NAME, MODEL_NAME, ModelConfig, as_model_name
from aucli.models.zoo import CONFIG_NAME, Model, free_place, import_model, verify, write_model
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.onnx_file import external_files
from aucli.runtime.packages import is_installed, require
from aucli.runtime.place import require_place_for_file

if TYPE_CHECKING:
    from aucli.models.aunce_checkpoint import PublishedModel

CHECKPOINT_SUFFIXES: Final = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
"""Of the checkpoints that are tried as the AUNCE authors'."""

CONFIG_KEY: Final = "aucli_config"
CARD_KEY: Final = "aucli_card"
IMPORTABLE: Final = (
    "a model folder, a file of aucli models export, an SCRFD detector (.onnx), or a published AUNCE checkpoint "
    "(.pth, .safetensors; with `aus`)"
)
PUBLISHED_CARD: Final = """# {name}

An AUNCE network (Shang et al., arXiv 2402.06165) imported from `{file}`, a checkpoint in the authors' layout.

- Backbone {backbone}, action units {aus}.
- {heads}
- Input: RGB, {size} px, the centre of a {prepared} px crop; mean {mean}, std {std} as published.
  The checkpoint does not say how its faces were aligned: the crop has annotate's geometry, so results on the
  benchmarks may differ from the published ones until `aucli evaluate` has been run on them.
- aucli has not measured this model, and its terms of use are those of whoever gave the checkpoint out.
"""


@dataclass(frozen=True)
class Imported:
    """What was imported: a detector has a name only.

    Attributes:
        kind: what it is.
        name: by which it can be used.
        model: the model folder.
        note: one line that its user should know; empty if there is none.
    """

    kind: Literal["model", "encoder", "detector"]
    name: str
    model: Model | None = None
    note: str = ""


def import_any(path: Path, *, aus: str | None = None, name: str | None = None, overwrite: bool = False) -> Imported:
    """Check a model, a detector or a published checkpoint and put it into the user's zoo, whole or not at all.

    Args:
        path: see `IMPORTABLE`.
        aus: for a published checkpoint: the order of its action units, see `aucli.models.aunce_checkpoint.parse_aus`.
        name: to import it under; None: the model's own, or the file's.
        overwrite: replace what has the same name.

    Raises:
        AucliError: if it is none of these, is damaged or does not work, or the name is taken.
    """
    try:
        is_file, exists = path.is_file(), path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise ModelError(f"{path} cannot be read ({error.strerror or error})") from error
    if name is not None and not MODEL_NAME.fullmatch(name):
        raise OptionsError(f"`name` is {name!r}; allowed are up to 100 letters, digits, '-', '_' and '.'")
    suffix = path.suffix.casefold()
    held = _held_config(path) if is_file and suffix in (".onnx", ".safetensors") else None
    is_checkpoint = is_file and suffix in CHECKPOINT_SUFFIXES and held is None
    if exists and not is_checkpoint and aus is not None:
        raise OptionsError(f"`aus` is for published checkpoints; {path} is none")
    if held is not None:
        return _imported(_import_exported(path, *held, name=name, overwrite=overwrite))
    if suffix == ".onnx" and not path.is_dir():
        from aucli.faces.detectors import import_detector

        return Imported("detector", import_detector(path, name=name, overwrite=overwrite))
    if is_checkpoint:
        if aus is None:
            raise OptionsError(
                f"{path} does not say which action units it gives; name them in the order of its heads: `aus` bp4d, "
                "disfa, or numbers"
            )
        remedy = "pip install onnxscript, and import it again with `overwrite`"
        return _imported(import_published(path, aus=aus, name=name, overwrite=overwrite), to_get_a_graph=remedy)
    if not exists:
        raise ModelError(f"{path} does not exist; what can be imported is {IMPORTABLE}")
    if not (path / CONFIG_NAME).is_file():
        raise ModelError(f"{path} is no model; what can be imported is {IMPORTABLE}")
    return _imported(import_model(path, name=name, overwrite=overwrite))


def import_published(path: Path, *, aus: str, name: str | None = None, overwrite: bool = False) -> Model:
    """Import a checkpoint of the AUNCE authors.

    Where the exporter (``onnxscript``) is installed, the model gets an ONNX graph, on which annotate is faster; without
    it, it is imported all the same, and `import_any` notes it.

    Raises:
        ModelError: if the file is no such checkpoint, or the name is taken.
        OptionsError: if ``aus`` makes no sense.
    """
    require("torch", "timm", for_="importing a checkpoint")
    from aucli.models.aunce_checkpoint import parse_aus, published_crop, read_published
    from aucli.models.export import export_network, write_weights

    order = parse_aus(aus)
    name = name or as_model_name(path.stem)
    free_place(name, overwrite=overwrite)
    published = read_published(path, order)
    what = "" if published.has_heads else "encoder only, "
    config = ModelConfig(
        name=name,
        aus=order,
        thresholds=(0.5,) * len(order),
        crop=published_crop(),
        encoder=asdict(published.network.config),
        licence="not stated in the checkpoint",
        summary=f"AUNCE checkpoint {printable(path.name)}, {what}not measured by aucli",
        has_heads=published.has_heads,
    )
    with tempfile.TemporaryDirectory(prefix="aucli-import-") as temporary:
        folder = Path(temporary) / name
        if published.has_heads and is_installed("onnxscript"):
            export_network(published.network, folder)
        else:
            state = published.network.state_dict()
            held = "" if published.has_heads else "encoder."
            write_weights({key: tensor for key, tensor in state.items() if key.startswith(held)}, folder)
        write_model(folder, config, card=_published_card(name, path, published))
        return import_model(folder, overwrite=overwrite)


def export_model(model: Model, output: Path, *, kind: Literal["onnx", "safetensors"]) -> None:
    """Write a model as one file that stands alone.

    Args:
        model: from `aucli.models.zoo.find_model`.
        output: the file; replaced whole.
        kind: ``onnx``: the graph with its weights inside, input ``crops`` float32 (N, 3, S, S), RGB 0..255, output
            ``probabilities`` (N, outputs of the network); ``safetensors``: the weights.

    Raises:
        ModelError: if the model is damaged, or has no heads and therefore no graph.
        OptionsError: if the file's name does not end in its kind, or no file can be there.
        StorageError: if this machine does not let it be written.
    """
    if output.suffix != f".{kind}":
        raise OptionsError(f"`output` is {output}; its name must end in .{kind}")
    require_place_for_file(output, inputs=[model.folder / name for name in model.config.files])
    verify(model)
    about = {CONFIG_KEY: model.config.to_json(), CARD_KEY: model.card()}
    try:
        with whole_or_nothing(output) as temporary:
            if kind == "safetensors":
                from safetensors.numpy import load_file, save_file

                save_file(load_file(model.weights), temporary, metadata=about)
                temporary.chmod(0o644)
            else:
                import onnx

                graph = _whole_graph(model)
                onnx.helper.set_model_props(graph, about)
                onnx.save_model(graph, str(temporary))
    except OSError as error:
        raise ModelError(f"{output} cannot be written: {error.strerror or error}") from error


def _whole_graph(model: Model) -> Any:  # onnx ships no types
    """The graph with the weights in it."""
    import onnx

    from aucli.models.predictor import load_network

    if not model.config.has_heads:
        raise ModelError(f"model {model.config.name} has no heads and so no graph; export it as safetensors")
    if model.graph is not None:
        return onnx.load(str(model.graph))
    require("torch", "timm", "onnxscript", for_=f"the ONNX graph of {model.config.name}")
    from aucli.models.export import export_network

    with tempfile.TemporaryDirectory(prefix="aucli-export-") as folder:
        export_network(load_network(model), Path(folder))
        return onnx.load(str(Path(folder) / GRAPH_NAME))


def _held_config(path: Path) -> tuple[ModelConfig, str] | None:
    """Config and card that an exported file carries; None if it is none of ours."""
    try:
        if path.suffix.casefold() == ".onnx":
            import onnx

            about = {prop.key: prop.value for prop in onnx.load(str(path), load_external_data=False).metadata_props}
        else:
            from safetensors import safe_open

            with safe_open(path, framework="np") as file:
                about = file.metadata() or {}
    except Exception:  # whatever it is, it is not ours: the next reader says what is wrong with it
        return None
    if CONFIG_KEY not in about:
        return None
    return ModelConfig.from_json(about[CONFIG_KEY], where=path), about.get(CARD_KEY, "")


def _import_exported(path: Path, config: ModelConfig, card: str, *, name: str | None, overwrite: bool) -> Model:
    require("torch", "timm", for_="importing an exported model")
    free_place(name or config.name, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix="aucli-import-") as temporary:
        folder = Path(temporary)
        try:
            _unpack_exported(path, config, card, folder)
        except AucliError:
            raise
        except Exception as error:  # onnx, safetensors and torch raise a dozen kinds for damaged files
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(f"{path} is no exported model, or is damaged ({reason})") from error
        return import_model(folder, name=name, overwrite=overwrite)


def _unpack_exported(path: Path, config: ModelConfig, card: str, folder: Path) -> None:
    """Turn an exported file into a model folder again."""
    from aucli.models.export import write_graph, write_weights
    from aucli.models.predictor import build_network, load_network

    if path.suffix.casefold() == ".onnx":
        import onnx
        import torch

        if outside := external_files(path, error=ModelError):
            raise ModelError(f"{path} reads the file {min(outside)!r}; an exported model stands alone")
        graph = onnx.load(str(path))
        del graph.metadata_props[:]
        names = set(build_network(config, where=path).state_dict())
        inside = {t.name: onnx.numpy_helper.to_array(t) for t in graph.graph.initializer if t.name in names}
        write_weights({name: torch.tensor(values) for name, values in inside.items()}, folder)
        write_graph(graph, folder, may_hold={t.name for t in graph.graph.initializer} - names)
    else:
        from safetensors.torch import load_file

        write_weights(load_file(path), folder)
    written = write_model(folder, replace(config, files={}), card=card)
    if config.has_heads:
        load_network(Model(folder, written, "path"))  # config and weights fit together, or nothing is imported


def _imported(model: Model, *, to_get_a_graph: str = "") -> Imported:
    """What `import_any` returns; a model that runs in torch alone says so, and how to get its graph."""
    name = model.config.name
    if not model.config.has_heads:
        return Imported("encoder", name, model)
    note = f"{name} has no ONNX graph: annotate runs it in torch, slower on a CPU" if model.graph is None else ""
    return Imported("model", name, model, f"{note}; {to_get_a_graph}" if note and to_get_a_graph else note)


def _published_card(name: str, path: Path, published: PublishedModel) -> str:
    from aucli.models.aunce_checkpoint import PREPARED_SIZE_PX

    config = published.network.config
    return PUBLISHED_CARD.format(
        name=name,
        file=printable(path.name),
        backbone=config.backbone,
        aus=", ".join(map(str, config.aus)),
        heads="Thresholds are 0.5, as published."
        if published.has_heads
        else "**Encoder only**: it gives no probabilities until linear heads are trained on it.",
        size=config.input_size_px,
        prepared=PREPARED_SIZE_PX,
        mean=config.mean,
        std=config.std,
    )
