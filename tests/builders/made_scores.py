"""An evaluation to print: one action unit of four subjects, drawn by chance."""

from __future__ import annotations

import numpy as np

from aucli.evaluation.scoring import evaluate_predictions
from aucli.evaluation.values import Evaluation, Predictions


def made_scores() -> Evaluation:
    rng = np.random.default_rng(0)
    return evaluate_predictions(
        Predictions(
            name="made",
            aus=(12,),
            labels=rng.integers(0, 2, (40, 1)).astype(np.int8),
            probabilities=rng.random((40, 1)).astype(np.float32),
            subjects=np.array([f"p{i % 4}" for i in range(40)]),
            thresholds=np.array([0.5]),
        ),
        replicates=0,
    )
