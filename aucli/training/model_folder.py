"""From a measured network to a model folder: weights, graph, config and card."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from aucli.evaluation.values import Estimate, Evaluation
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES
from aucli.models.config import ModelConfig
from aucli.models.export import export_network
from aucli.models.network import AUNetwork
from aucli.models.zoo import write_model


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
) -> ModelConfig:
    """Write weights, graph, config and card of a measured model.

    Args:
        network: the network with its heads.
        results: of the test; their thresholds go into the config.
        folder: the model folder, made if it is not there.
        crop: how faces are laid into the network's input.
        name: the model's name.
        licence: of the weights, SPDX.
        summary: one line: what the model was trained on.
        leave_out: AUs that did not prove good enough: measured on the card, absent from the table.
        experimental: AUs that are in the table, and are called experimental.
        card: the card's text.
    """
    export_network(network, folder)
    shipped = [scores for scores in results.per_au if scores.au not in leave_out]
    config = ModelConfig(
        name=name,
        aus=tuple(scores.au for scores in shipped),
        thresholds=tuple(scores.threshold for scores in shipped),
        crop=crop,
        encoder=asdict(network.config),
        licence=licence,
        summary=summary,
        experimental=tuple(scores.au for scores in shipped if scores.au in experimental),
    )
    return write_model(folder, config, card=card)


def results_table(results: Evaluation) -> str:
    """Results as a Markdown table, with the mean in the last row."""
    lines = [
        "| AU | | present | absent | threshold | AUC (95 % interval) | F1 (95 % interval) |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results.per_au:
        name, absent = AU_NAMES[r.au].lower(), r.labelled - r.positive
        auc, f1 = _with_interval(r.scores["roc_auc"]), _with_interval(r.scores["f1"])
        lines.append(f"| {r.au} | {name} | {r.positive} | {absent} | {r.threshold:.2f} | {auc} | {f1} |")
    means = (_with_interval(results.mean[name]) for name in ("roc_auc", "f1"))
    lines.append(f"| mean | | | | | {' | '.join(means)} |")
    return "\n".join(lines)


def _with_interval(score: Estimate) -> str:
    if score.value is None:
        return "not defined"
    interval = "" if score.low is None or score.high is None else f" ({score.low:.3f} to {score.high:.3f})"
    return f"{score.value:.3f}{interval}"
