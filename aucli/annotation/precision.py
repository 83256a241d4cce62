"""In what numbers a run computes: float32, int8 where a CPU gains by it, half precision on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aucli.errors import OptionsError
from aucli.faces.centerface import centerface_network, centerface_path
from aucli.faces.detectors import DEFAULT_DETECTOR
from aucli.models.predictor import model_network
from aucli.models.zoo import Model
from aucli.runtime.int8 import has_int8_instructions, is_worth_it


@dataclass(frozen=True)
class ChosenPrecision:
    """What a run computes in.

    Attributes:
        name: for the table's metadata. ``int8``: the model and, if it is CenterFace, the detector.
        note: a line for the user, if it is another than could be expected.
    """

    name: Literal["float32", "int8", "float16"]
    note: str | None = None


def choose_precision(wanted: str, *, model: Model, detector: str, device: str) -> ChosenPrecision:
    """Choose for a run; the same on every run of a machine.

    Args:
        wanted: ``float32``, ``int8``, or ``auto``: on a GPU half precision; on a CPU int8 if the processor has
            instructions for it and every network that can run in it takes less time here and changes little.
        model: the run's.
        detector: the run's, by name.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        OptionsError: if the run cannot be done in int8.
        ModelError: if the model is damaged.
    """
    if wanted == "float32":
        return ChosenPrecision("float32")
    if wanted == "int8":
        if device != "cpu":
            raise OptionsError(f"`precision` is int8, which is for CPUs, and `device` {device}; use auto or float32")
        if model.graph is None:
            raise OptionsError(f"`precision` is int8, and model {model.config.name} has no ONNX graph; use float32")
        return ChosenPrecision("int8")
    if device != "cpu":
        return ChosenPrecision("float16")
    if model.graph is None or not model.config.has_heads or not has_int8_instructions():
        return ChosenPrecision("float32")
    networks = [model_network(model)]
    if detector == DEFAULT_DETECTOR:
        networks.append(centerface_network(centerface_path()))
    for network in networks:
        pays, why_not = is_worth_it(network)
        if not pays:
            return ChosenPrecision("float32", f"computed in float32, not int8: {why_not}")
    return ChosenPrecision("int8")
