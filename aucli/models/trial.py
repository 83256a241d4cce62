"""Whether a model works: it reads a face, in a process of its own, before it is accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import ModelError
from aucli.faces.alignment import crop_faces
from aucli.faces.drawing import draw_face
from aucli.models.config import GRAPH_NAME, WEIGHTS_NAME, ModelConfig
from aucli.models.zoo import Model, find_model
from aucli.runtime.onnx import open_session
from aucli.runtime.onnx_file import external_files
from aucli.runtime.packages import require

AGREEMENT: Final = 1e-3
"""By how much a face's probabilities may depend on the others in the batch: rounding."""


def try_model(folder: str) -> None:
    """Run a model folder once, on drawn faces, or look at its weights where it has no heads to run.

    Raises:
        ModelError: if it reads files that are not its own, cannot be loaded, or gives anything but one probability
            (0 to 1) for each face and action unit of its network.
    """
    model = find_model(folder)
    config = model.config
    config.outputs  # noqa: B018  raises if the model's action units are not the network's
    if not config.has_heads:
        _require_encoder(model)
        return
    if model.graph is None:
        require("torch", "timm", for_=f"model {config.name}, which has no ONNX graph,")
        _try_in_torch(model)
        return
    if strange := external_files(model.graph, error=ModelError) - {WEIGHTS_NAME}:
        raise ModelError(f"{GRAPH_NAME} reads the file {min(strange)!r}; allowed is {WEIGHTS_NAME} alone")
    session = open_session(model.graph, device="cpu", threads=1)
    inputs = [(one.name, one.type) for one in session.get_inputs()]
    if inputs != [("crops", "tensor(float)")] or "probabilities" not in [one.name for one in session.get_outputs()]:
        raise ModelError(f"{GRAPH_NAME} has the inputs {inputs}; wanted is crops (float) -> probabilities")
    crops = _crops(config)
    try:
        single = session.run(["probabilities"], {"crops": crops[:1]})[0]
        several = session.run(["probabilities"], {"crops": crops})[0]
    except Exception as error:  # ONNX Runtime's exceptions share no parent of their own
        raise ModelError(f"{GRAPH_NAME} cannot read a face: {(str(error).splitlines() or ['?'])[0][:200]}") from error
    require_probabilities(single, 1, config)
    require_probabilities(several, len(crops), config)
    if np.abs(several[0] - single[0]).max() > AGREEMENT:
        raise ModelError(f"{GRAPH_NAME} reads a face otherwise when others are read with it")


def require_probabilities(values: Any, n_faces: int, config: ModelConfig) -> None:
    """Check what a network gave.

    Raises:
        ModelError: if it is not (n_faces, A) finite numbers from 0 to 1, A being the network's action units.
    """
    wanted = (n_faces, len(config.network_aus))
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.shape != wanted:
        shape = getattr(values, "shape", type(values).__name__)
        raise ModelError(f"model {config.name} gives {shape} for {n_faces} faces; its config says {wanted}")
    if not np.isfinite(values).all() or values.min() < 0.0 or values.max() > 1.0:
        raise ModelError(f"model {config.name} gives values that are no probabilities (0 to 1)")


def _crops(config: ModelConfig) -> npt.NDArray[np.float32]:
    """Three drawn faces, lighter and darker: (3, 3, S, S) float32, RGB 0..255."""
    crops = []
    for light in (1.0, 0.7, 0.4):
        frame_rgb, landmarks_xy = draw_face(light=light)
        crops.append(crop_faces(frame_rgb, landmarks_xy[None], config.crop)[0])
    return np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2), np.float32)


def _try_in_torch(model: Model) -> None:
    import torch

    from aucli.models.predictor import load_network

    try:
        with torch.inference_mode():
            crops = _crops(model.config)
            values = load_network(model).eval()(torch.from_numpy(crops)).numpy()
    except ModelError:
        raise
    except Exception as error:  # whatever a network of wrong sizes stumbles over
        raise ModelError(f"{WEIGHTS_NAME} cannot read a face: {(str(error).splitlines() or ['?'])[0][:200]}") from error
    require_probabilities(values, len(crops), model.config)


def _require_encoder(model: Model) -> None:
    """An encoder alone gives nothing to check but its weights."""
    from safetensors import safe_open

    try:
        with safe_open(model.weights, framework="np") as file:
            names = list(file.keys())
            is_finite = all(np.isfinite(file.get_tensor(name)).all() for name in names)
    except Exception as error:  # safetensors' own, and numpy's for types it lacks
        raise ModelError(f"{Path(model.weights).name} cannot be read: {str(error)[:200]}") from error
    if not names or not all(name.startswith("encoder.") for name in names):
        raise ModelError(
            f"{Path(model.weights).name} holds no encoder; its tensors are {', '.join(names[:3]) or 'none'}"
        )
    if not is_finite:
        raise ModelError(f"{Path(model.weights).name} holds values that are not finite")
