"""From a trained encoder to a model folder: heads, thresholds, the test, the files and the card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from aucli.encoder import AUNetwork
from aucli.facs import AU_NAMES
from aucli.training.data.labelled_faces import Fold, LabelledFaces
from aucli.training.export import export_network
from aucli.training.linear_evaluation import fit_linear_heads, predict
from aucli.training.metrics import AUResult, best_threshold, evaluate_au
from aucli.training.recipe import Recipe
from aucli.zoo import ModelConfig, write_model


def folds(faces: LabelledFaces, recipe: Recipe) -> dict[Fold, LabelledFaces]:
    """Training, validation and test fold of a recipe, by person."""
    split = recipe.split
    names: tuple[Fold, ...] = ("train", "validation", "test")
    return {n: faces.fold(n, seed=recipe.seed, test=split.test, validation=split.validation) for n in names}


def fit_and_measure(network: AUNetwork, faces: LabelledFaces, recipe: Recipe) -> list[AUResult]:
    """Fit the heads on the training fold, choose thresholds on the validation fold, measure once on the test fold.

    Args:
        network: trained encoder; its heads are fitted in place.
        faces: all faces; the folds are cut here.
        recipe: the run's recipe.
    """
    parts = folds(faces, recipe)
    torch.manual_seed(recipe.seed)
    fit_linear_heads(network, parts["train"], recipe)
    chosen_on = predict(network, parts["validation"], recipe).double().numpy()
    measured_on = predict(network, parts["test"], recipe).double().numpy()
    results = []
    for column, au in enumerate(faces.aus):
        labels = parts["validation"].labels[:, column]
        known = labels >= 0
        threshold = float(np.clip(best_threshold(labels[known], chosen_on[known, column]), 0.01, 0.99))
        test = parts["test"]
        results.append(
            evaluate_au(au, test.labels[:, column], measured_on[:, column], test.identities, threshold=threshold)
        )
    return results


def write_bundle(
    network: AUNetwork, results: list[AUResult], recipe: Recipe, folder: Path, *, licence: str, summary: str, card: str
) -> ModelConfig:
    """Write weights, graph, config and card of a measured model.

    Args:
        network: the network with its heads.
        results: what `fit_and_measure` found; its thresholds go into the config.
        recipe: the run's recipe.
        folder: the model folder, made if it is not there.
        licence: of the weights, SPDX.
        summary: one line: what the model was trained on.
        card: the card's text; ``{results}`` in it becomes the table of results.
    """
    export_network(network, folder)
    config = ModelConfig(
        name=recipe.name,
        aus=tuple(result.au for result in results),
        thresholds=tuple(round(result.threshold, 4) for result in results),
        crop=recipe.crop_spec(),
        encoder=asdict(network.config),
        licence=licence,
        summary=summary,
    )
    return write_model(folder, config, card=card.replace("{results}", results_table(results)))


def results_table(results: list[AUResult]) -> str:
    """Results as a Markdown table, with the mean in the last row."""
    lines = [
        "| AU | | present | absent | threshold | AUC (95 % interval) | F1 (95 % interval) |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        auc = f"{r.auc.value:.3f} ({r.auc.low:.3f} to {r.auc.high:.3f})"
        f1 = f"{r.f1.value:.3f} ({r.f1.low:.3f} to {r.f1.high:.3f})"
        name = AU_NAMES[r.au].lower()
        lines.append(f"| {r.au} | {name} | {r.num_present} | {r.num_absent} | {r.threshold:.2f} | {auc} | {f1} |")
    means = [float(np.mean([getattr(r, name).value for r in results])) for name in ("auc", "f1")]
    lines.append(f"| mean | | | | | {means[0]:.3f} | {means[1]:.3f} |")
    return "\n".join(lines)
