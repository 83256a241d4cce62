"""A run's checkpoint: everything that is needed to go on, one file, written whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from aucli.errors import RecipeError
from aucli.runtime.files import whole_or_nothing

CHECKPOINT_NAME: Final = "checkpoint.pt"
FORMAT: Final = 2
"""Of the file's content; another one cannot be continued."""


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and lists as ``checkpoint.pt``."""
    with whole_or_nothing(folder / CHECKPOINT_NAME) as partial:
        torch.save({"format": FORMAT, **state}, partial)


def read_checkpoint(folder: Path, device: torch.device) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote (tensors only, never pickled code).

    Raises:
        RecipeError: if the file is damaged, or of another version of aucli.
    """
    path = folder / CHECKPOINT_NAME
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise RecipeError(f"{path} is damaged ({why}); remove it to begin anew") from error
    if state.get("format") != FORMAT:
        raise RecipeError(f"{path} was written by another version of aucli; choose another folder, or remove it")
    return state
