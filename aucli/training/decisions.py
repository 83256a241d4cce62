"""From a trained network to columns: what probabilities mean, and from which on an action unit counts as present."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from aucli.datasets.label_values import Float64Array
from aucli.evaluation.calibration import Calibration, fit_calibration
from aucli.evaluation.thresholds import LabelledProbabilities, choose_thresholds
from aucli.models.network import AUNetwork
from aucli.training.embeddings import embed, log_odds, predict
from aucli.training.plan import TrainingFold
from aucli.training.recipe import Recipe
from aucli.training.start import thresholds_of_start


@dataclass(frozen=True, eq=False)
class Decisions:
    """What was chosen on validation subjects.

    Attributes:
        thresholds: (A,) present from this probability on.
        calibration: what was done to the network's log-odds; None where nothing was.
    """

    thresholds: Float64Array
    calibration: Calibration | None

    def of(self, columns: Sequence[int]) -> Decisions:
        """Those of some action units, by their place."""
        at = list(columns)
        fitted = self.calibration
        return Decisions(
            self.thresholds[at], None if fitted is None else Calibration(fitted.scale[at], fitted.offset[at])
        )


def make_decisions(network: AUNetwork, fold: TrainingFold, recipe: Recipe) -> Decisions:
    """Calibrate a network in place, if the recipe asks for it, and choose its thresholds.

    Both on validation subjects: a network is surer of faces that it has learnt from than of any others. Without them
    nothing is calibrated, and thresholds are chosen on the training subjects.

    Args:
        network: with its heads, in evaluation mode.
        fold: its faces.
        recipe: says how, in ``decisions``.
    """
    options = recipe.decisions
    if options.threshold > 0 and not options.calibrate:  # nothing to choose, so nobody is asked
        return Decisions(np.full(len(fold.train.aus), options.threshold), None)
    chosen_on = fold.validation if len(fold.validation) else fold.train
    embeddings = embed(network, chosen_on, recipe.crop)
    calibration = None
    if options.calibrate and len(fold.validation):
        calibration = fit_calibration(chosen_on.labels, log_odds(network, embeddings).double().numpy())
        network.rescale_log_odds(torch.from_numpy(calibration.scale), torch.from_numpy(calibration.offset))
    if options.threshold > 0:
        return Decisions(np.full(len(fold.train.aus), options.threshold), calibration)
    probabilities = log_odds(network, embeddings).double().sigmoid().numpy()
    more = None
    if fold.renders_apart and options.min_positives > 1:
        renders = fold.renders["validation"].faces
        more = LabelledProbabilities(renders.labels, predict(network, renders, recipe.crop).double().numpy())
    thresholds = choose_thresholds(
        chosen_on.labels,
        probabilities,
        max_false_alarms=options.max_false_alarms,
        min_positives=options.min_positives,
        more=more,
        expected=options.expected_f1 and calibration is not None,
        otherwise=thresholds_of_start(recipe.encoder.pretrained, network.config.aus) if options.keep_start else None,
    )
    return Decisions(thresholds, calibration)
