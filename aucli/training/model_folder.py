"""From a measured network to a model folder: weights, graph, config and card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from aucli.evaluation.values import Evaluation
from aucli.faces.alignment import CropSpec
from aucli.models.config import ModelConfig
from aucli.models.export import export_network
from aucli.models.network import AUNetwork
from aucli.models.zoo import write_model
from aucli.runtime.files import whole_folder_or_nothing


def write_model_folder(
    network: AUNetwork,
    results: Evaluation,
    folder: Path,
    *,
    crop: CropSpec,
    name: str,
    licence: str,
    summary: str,
    card: str,
    leave_out: Collection[int] = (),
    experimental: Collection[int] = (),
    seen_subjects: Mapping[str, tuple[str, ...]],
) -> ModelConfig:
    """Write weights, graph, config and card of a measured model.

    Args:
        network: the network with its heads.
        results: of the test; their thresholds go into the config.
        folder: the model folder; one that is there already is exchanged for the new one.
        crop: how faces are laid into the network's input.
        name: the model's name.
        licence: of the weights, SPDX.
        summary: one line: what the model was trained on.
        leave_out: AUs that did not prove good enough: measured on the card, absent from the table.
        experimental: AUs that are in the table, and are called experimental.
        seen_subjects: see `ModelConfig`.
        card: the card's text.
    """
    shipped = [scores for scores in results.per_au if scores.au not in leave_out]
    config = ModelConfig(
        name=name,
        aus=tuple(scores.au for scores in shipped),
        thresholds=tuple(cast("float", scores.threshold) for scores in shipped),  # training chose one for each
        crop=crop,
        encoder=asdict(network.config),
        licence=licence,
        summary=summary,
        experimental=tuple(scores.au for scores in shipped if scores.au in experimental),
        seen_subjects=seen_subjects,
    )
    with whole_folder_or_nothing(folder) as partial:
        export_network(network, partial)
        return write_model(partial, config, card=card)
