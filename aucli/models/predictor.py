"""A trained model ready to run: crops in, probabilities out.

On a CPU the model's ONNX graph runs in ONNX Runtime (torch is not even imported: that alone would cost three seconds
of every start). On a GPU, or where a model has no graph, the network runs in torch, in half precision on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from aucli.errors import ModelError
from aucli.faces.alignment import CropSpec, crop_faces, crop_faces_on_device
from aucli.models.config import ModelConfig
from aucli.models.zoo import Model, verify
from aucli.runtime.onnx import import_onnxruntime, open_session
from aucli.runtime.packages import require

if TYPE_CHECKING:
    from aucli.models.network import AUNetwork

FACES_PER_CALL = 16
"""Most faces given to a network at once on a CPU: more only costs memory (measured)."""


class Predictor(Protocol):
    """Says which action units faces show. Safe to call from several threads at once."""

    backend: str

    def predict(
        self, frames_rgb: Sequence[Any], frame_of_face: npt.NDArray[np.intp], landmarks_xy: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Cut out faces and give the probability of each AU.

        Args:
            frames_rgb: B frames, each (H, W, 3) uint8: numpy arrays, or torch tensors on a GPU.
            frame_of_face: (F,) index of each face's frame.
            landmarks_xy: (F, 5, 2) in pixels of the frame.

        Returns:
            (F, A) float32 probabilities, 0 to 1, in the order of the model's AUs.
        """


def open_predictor(model: Model, *, device: str = "cpu", threads: int = 1) -> Predictor:
    """Check a model's files against their digests and load it.

    Args:
        model: from `aucli.models.zoo.find_model`.
        device: ``cpu`` or ``cuda:N``.
        threads: threads inside one call (CPU).

    Raises:
        ModelError: if a file is missing or damaged, or the network cannot be built.
    """
    if not model.config.has_heads:
        raise ModelError(
            f"model {model.config.name} is an encoder without heads and gives no probabilities; train it first: "
            f"aucli train --set encoder.pretrained={model.config.name}"
        )
    verify(model)
    if device == "cpu" and model.graph is not None:
        return OnnxPredictor(model, threads=threads)
    return TorchPredictor(model, device=device)


class OnnxPredictor:
    """A model's graph in ONNX Runtime on the CPU."""

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        if model.graph is None:
            raise ModelError(f"model {model.config.name} has no graph")
        self._session = open_session(model.graph, device="cpu", threads=threads)
        self._spec: CropSpec = model.config.crop
        self._outputs = list(model.config.outputs)
        self.backend = f"onnxruntime {import_onnxruntime().__version__}"

    def predict(
        self, frames_rgb: Sequence[Any], frame_of_face: npt.NDArray[np.intp], landmarks_xy: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """See `Predictor.predict`."""
        probabilities = np.zeros((len(frame_of_face), len(self._outputs)), np.float32)
        for start in range(0, len(frame_of_face), FACES_PER_CALL):
            chunk = slice(start, start + FACES_PER_CALL)
            crops = np.concatenate(
                [
                    crop_faces(frames_rgb[frame], points[None], self._spec)
                    for frame, points in zip(frame_of_face[chunk], landmarks_xy[chunk], strict=True)
                ]
            )
            inputs = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
            probabilities[chunk] = self._session.run(["probabilities"], {"crops": inputs})[0][:, self._outputs]
        return probabilities


class TorchPredictor:
    """The network in torch, on any device; crops are made there too, and only probabilities come back."""

    def __init__(self, model: Model, *, device: str) -> None:
        network = load_network(model)  # first: it says in one line if torch is missing
        import torch

        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        self._network = network.to(self._device, self._dtype).eval()
        self._spec = model.config.crop
        self._outputs = list(model.config.outputs)
        self.backend = f"torch {torch.__version__} ({device})"

    def predict(
        self, frames_rgb: Sequence[Any], frame_of_face: npt.NDArray[np.intp], landmarks_xy: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """See `Predictor.predict`."""
        import torch

        frames = [torch.as_tensor(frame, device=self._device) for frame in frames_rgb]
        with torch.inference_mode():
            crops = crop_faces_on_device(frames, frame_of_face, landmarks_xy, self._spec)
            probabilities = self._network(crops.to(self._dtype))[:, self._outputs]
            return np.asarray(probabilities.float().cpu().numpy())


def load_network(model: Model) -> AUNetwork:
    """Build a model's network in torch and load its weights (tensors only, never pickled code).

    Raises:
        ModelError: if config and weights do not fit together.
    """
    from aucli.models.network import load_weights

    network = build_network(model.config, where=model.folder)
    load_weights(network, model.weights)
    return network


def build_network(config: ModelConfig, *, where: Path) -> AUNetwork:
    """Build the network that a config describes, its weights random.

    Raises:
        ModelError: if the config makes no sense; the message names ``where`` it came from.
    """
    require("torch", "timm", for_=f"model {config.name}, to run on a GPU or without an ONNX graph,")
    from aucli.models.network import AUNetwork, EncoderConfig

    try:
        return AUNetwork(EncoderConfig(**{"aus": config.aus, **config.encoder}))
    except ModelError:
        raise
    except Exception as error:  # torch and timm raise a dozen kinds for sizes and types that make no network
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{where} does not fit its own config: {reason}") from error
