"""Starting a backbone from a file of weights: what timm would download, or the file of a backbone's own authors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from torch import Tensor

from aucli.errors import ModelError, OptionsError
from aucli.models.aunce_checkpoint import read_tensors
from aucli.models.network import AUNetwork
from aucli.training.start_imagenet import take_weights

SUFFIXES: Final = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
DOWNSAMPLE: Final = re.compile(r"^layers\.(\d+)\.downsample\.")


def is_weights_file(start: str) -> bool:
    """Whether a start names a file of weights: by its ending, or because there is such a file."""
    return Path(start).suffix.casefold() in SUFFIXES or Path(start).is_file()


def load_file_weights(network: AUNetwork, path: Path) -> None:
    """Give a network's backbone the weights of a file; the rest of it stays as it is.

    Args:
        network: changed in place.
        path: of named tensors, as torch or safetensors save them: in timm's naming, or in that of Microsoft's Swin,
            from which timm's differs in the place of the patch merging; classifiers are not read. Pickled code is
            never run.

    Raises:
        OptionsError: if there is no such file.
        ModelError: if it cannot be read, or holds something else.
        RecipeError: if it holds another backbone.
    """
    if not path.is_file():
        raise OptionsError(f"encoder.pretrained is {path}, but there is no such file")
    tensors = read_tensors(path)
    if any(name.startswith("global_linear.") for name in tensors):
        raise ModelError(
            f"{path} is a checkpoint of AUNCE, whose action units are not written in it: make a model of it with aucli "
            "models import, and give encoder.pretrained that model"
        )
    take_weights(network, in_timms_naming(tensors), f"the weights in {path}")


def in_timms_naming(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A Swin's patch merging closes a stage in Microsoft's files, and opens the next one in timm."""
    if not any(name.startswith("layers.0.downsample.") for name in tensors):
        return dict(tensors)
    return {
        DOWNSAMPLE.sub(lambda match: f"layers.{int(match.group(1)) + 1}.downsample.", name): value
        for name, value in tensors.items()
    }
