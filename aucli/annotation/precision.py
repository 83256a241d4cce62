"""In what numbers a run's AU network computes: float32, int8 where a CPU gains by it, half precision on a GPU.

Detectors compute in float32: in int8 CenterFace moved landmarks too far (docs/performance.md).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Literal

from aucli.annotation.options import PRECISIONS
from aucli.errors import OptionsError
from aucli.models.predictor import model_network
from aucli.models.zoo import Model
from aucli.runtime.int8 import has_int8_instructions, is_worth_it

PRECISION_VARIABLE: Final = "AUCLI_PRECISION"
"""What ``auto`` means where it is set: for machines of several kinds that shall write the same values."""


@dataclass(frozen=True)
class ChosenPrecision:
    """What a run's AU network computes in.

    Attributes:
        name: for the table's metadata.
        note: a line for the user, if it is another than could be expected.
    """

    name: Literal["float32", "int8", "float16"]
    note: str | None = None


def choose_precision(wanted: str, *, model: Model, device: str) -> ChosenPrecision:
    """Choose for a run; the same on every run of a machine.

    Args:
        wanted: ``float32``, ``int8``, or ``auto``: on a GPU half precision; on a CPU int8 if the processor has
            instructions for it and the network takes less time in it here and changes little. ``AUCLI_PRECISION``
            in the environment stands for ``auto``.
        model: the run's.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        OptionsError: if the run cannot be done in int8, or the variable is none of these.
        ModelError: if the model is damaged.
    """
    if wanted == "auto":
        wanted = os.environ.get(PRECISION_VARIABLE) or "auto"
        if wanted not in PRECISIONS:
            raise OptionsError(f"{PRECISION_VARIABLE} is {wanted!r}; allowed are {', '.join(PRECISIONS)}")
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
    pays, why_not = is_worth_it(model_network(model))
    return ChosenPrecision("int8") if pays else ChosenPrecision("float32", f"computed in float32, not int8: {why_not}")
