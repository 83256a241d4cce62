"""A trained model ready to run: crops in, probabilities out.

On a CPU the model's ONNX graph runs in ONNX Runtime (torch is not even imported: that alone would cost three seconds
of every start). On a GPU, or where a model has no graph, the network runs in torch, in half precision on a GPU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import ModelError
from aucli.faces.alignment import CropSpec, crop_faces, crop_faces_on_device
from aucli.faces.calibration import PICTURES, calibration_faces, in_shades
from aucli.faces.crop_quality import crop_quality
from aucli.faces.detectors import open_detector
from aucli.models.config import ModelConfig
from aucli.models.zoo import Model, verify
from aucli.runtime.int8 import FloatNetwork, Precision, open_int8_session
from aucli.runtime.int8_graph import Feed
from aucli.runtime.onnx import open_session
from aucli.runtime.onnx_file import whole_graph
from aucli.runtime.packages import require

if TYPE_CHECKING:
    from aucli.models.network import AUNetwork

FACES_PER_CALL = 16
"""Most faces given to a network at once on a CPU: more only costs memory (measured)."""
MOST_CHANGE: Final = 0.015
"""A model whose probabilities change by more than this on average is not brought to int8 unless it is asked for."""
NO_INT8: Final = "(that takes an ONNX graph and a CPU)"


@dataclass(frozen=True)
class CropReadings:
    """What was read of F faces.

    Attributes:
        probabilities: (F, A) float32, 0 to 1, in the order of the model's AUs.
        sharpness: (F,) float32 of the crop, see `crop_quality`.
        brightness: (F,) float32 of the crop, likewise.
    """

    probabilities: npt.NDArray[np.float32]
    sharpness: npt.NDArray[np.float32]
    brightness: npt.NDArray[np.float32]


class Predictor(ABC):
    """Says which action units faces show. Safe to call from several threads at once."""

    @abstractmethod
    def cut(self, frame_rgb: Any, landmarks_xy: npt.NDArray[np.float32]) -> Any:
        """Cut F faces out of a frame, which is no longer needed then.

        Args:
            frame_rgb: (H, W, 3) uint8: as of `FrameRGB`, or a torch tensor on a GPU.
            landmarks_xy: (F, 5, 2) in pixels of the frame.

        Returns:
            F crops, for `read`.
        """

    @abstractmethod
    def read(self, crops: Sequence[Any]) -> CropReadings:
        """Give the probability of each AU, and say how good the crops are.

        Args:
            crops: what `cut` has given, in any number; F faces in all.
        """

    def predict(
        self, frames_rgb: Sequence[Any], frame_of_face: npt.NDArray[np.intp], landmarks_xy: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Cut out faces and give the probabilities alone: (F, A) float32.

        Args:
            frames_rgb: B frames, as of `cut`.
            frame_of_face: (F,) index of each face's frame.
            landmarks_xy: (F, 5, 2) in pixels of the frame.
        """
        parts = [self.read([]).probabilities]
        for start in range(0, len(frame_of_face), FACES_PER_CALL):
            faces = slice(start, start + FACES_PER_CALL)
            some = zip(frame_of_face[faces], landmarks_xy[faces], strict=True)
            parts.append(self.read([self.cut(frames_rgb[frame], points[None]) for frame, points in some]).probabilities)
        return np.concatenate(parts)


def open_predictor(
    model: Model, *, device: str = "cpu", threads: int = 1, precision: Precision | None = None
) -> Predictor:
    """Check a model's files against their digests and load it.

    Args:
        model: from `aucli.models.zoo.find_model`.
        device: ``cpu`` or ``cuda:N``.
        threads: threads inside one call (CPU).
        precision: None: half precision on a GPU, else float32. int8 is for graphs on a CPU.

    Raises:
        ModelError: if a file is missing or damaged, or the network cannot be built, or not in this precision.
    """
    if not model.config.has_heads:
        raise ModelError(
            f"model {model.config.name} is an encoder without heads and gives no probabilities; train it first: "
            f"aucli train --set encoder.pretrained={model.config.name}"
        )
    verify(model)
    if device == "cpu" and model.graph is not None:
        return OnnxPredictor(model, threads=threads, precision=precision or "float32")
    if precision == "int8":
        raise ModelError(f"model {model.config.name} cannot run in int8 {NO_INT8}; use `precision` float32")
    return TorchPredictor(model, device=device, is_half=None if precision is None else False)


def model_network(model: Model) -> FloatNetwork:
    """What a model's graph in int8 is made of: crops of the faces of `aucli.faces.calibration`.

    Raises:
        ModelError: if it has no graph.
    """
    graph = _graph_file(model)

    def feeds() -> list[Feed]:
        crops = [
            shade
            for frame, faces in calibration_faces(open_detector(None))
            for crop in crop_faces(frame, faces.landmarks_xy, model.config.crop)
            for shade in in_shades(crop)
        ]
        return [{"crops": np.ascontiguousarray(crop.transpose(2, 0, 1)[None], dtype=np.float32)} for crop in crops]

    return FloatNetwork(
        name=f"model {model.config.name}",
        digest=model.config.digest,
        pictures=PICTURES,
        graph=lambda: whole_graph(graph, error=ModelError),
        feeds=feeds,
        output="probabilities",
        most_change=MOST_CHANGE,
        error=ModelError,
    )


def _graph_file(model: Model) -> Path:
    if model.graph is None:
        raise ModelError(f"model {model.config.name} has no graph")
    return model.graph


class OnnxPredictor(Predictor):
    """A model's graph in ONNX Runtime on the CPU."""

    def __init__(self, model: Model, *, threads: int = 1, precision: Precision = "float32") -> None:
        if precision == "int8":
            self._session = open_int8_session(model_network(model), threads=threads)
        else:
            self._session = open_session(_graph_file(model), device="cpu", threads=threads)
        self._spec: CropSpec = model.config.crop
        self._outputs = list(model.config.outputs)

    def cut(self, frame_rgb: Any, landmarks_xy: npt.NDArray[np.float32]) -> Any:
        """See `Predictor.cut`: (F, S, S, 3) uint8."""
        return crop_faces(frame_rgb, landmarks_xy, self._spec)

    def read(self, crops: Sequence[Any]) -> CropReadings:
        """See `Predictor.read`."""
        size = self._spec.size_px
        crops_rgb = np.concatenate([np.zeros((0, size, size, 3), np.uint8), *crops])
        probabilities = np.zeros((len(crops_rgb), len(self._outputs)), np.float32)
        for start in range(0, len(crops_rgb), FACES_PER_CALL):
            chunk = slice(start, start + FACES_PER_CALL)
            inputs = np.ascontiguousarray(crops_rgb[chunk].transpose(0, 3, 1, 2), dtype=np.float32)
            probabilities[chunk] = self._session.run(["probabilities"], {"crops": inputs})[0][:, self._outputs]
        return CropReadings(probabilities, *crop_quality(crops_rgb, self._spec))


class TorchPredictor(Predictor):
    """The network in torch, on any device; crops are made there too, and only probabilities come back."""

    def __init__(self, model: Model, *, device: str, is_half: bool | None = None) -> None:
        network = load_network(model)  # first: it says in one line if torch is missing
        import torch

        self._device = torch.device(device)
        self._dtype = torch.float16 if (self._device.type == "cuda" if is_half is None else is_half) else torch.float32
        self._network = network.to(self._device, self._dtype).eval()
        self._spec = model.config.crop
        self._outputs = list(model.config.outputs)

    def cut(self, frame_rgb: Any, landmarks_xy: npt.NDArray[np.float32]) -> Any:
        """See `Predictor.cut`: (F, 3, S, S) float32 on the device."""
        import torch

        if not isinstance(frame_rgb, torch.Tensor):
            frame_rgb = torch.as_tensor(np.asarray(frame_rgb), device=self._device)
        with torch.inference_mode():
            return crop_faces_on_device([frame_rgb], np.zeros(len(landmarks_xy), np.intp), landmarks_xy, self._spec)

    def read(self, crops: Sequence[Any]) -> CropReadings:
        """See `Predictor.read`."""
        import torch

        with torch.inference_mode():
            none = torch.zeros((0, 3, self._spec.size_px, self._spec.size_px), device=self._device)
            together = torch.cat([none, *(some.to(self._device) for some in crops)])
            # timm's Swin cannot take a batch of nothing.
            probabilities = (
                self._network(together.to(self._dtype))[:, self._outputs]
                if len(together)
                else together.new_zeros((0, len(self._outputs)))
            )
            crops_rgb = together.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
            return CropReadings(np.asarray(probabilities.float().cpu().numpy()), *crop_quality(crops_rgb, self._spec))


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
