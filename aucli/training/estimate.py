"""How long a run will take: a few of its real steps, timed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from aucli.datasets.faces import FaceSource
from aucli.training.trainer import EncoderTraining, Trainer

TIMED_STEPS: Final = 3


def seconds_per_step(training: EncoderTraining, faces: FaceSource, device: str) -> list[float]:
    """Seconds that one step takes in each stage, made and trained one after the other.

    The least of a few steps counts, for the first ones warm up. Making batches ahead of time, validation, linear
    evaluation and the test are not in it.

    Args:
        training: what would be done; a pretrained start is left out, for it changes no speed.
        faces: the training split.
        device: where.

    Raises:
        RecipeError: if training and faces do not fit each other.
    """
    if not training.stages:
        return []
    seconds, first = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(replace(training, start=""), faces, Path(scratch), device=device)
        for stage in training.stages:
            times = []
            for step in range(first, first + TIMED_STEPS):
                began = time.perf_counter()
                float(trainer.train_step(trainer.batches.batch(step)))
                times.append(time.perf_counter() - began)
            seconds.append(min(times))
            first += stage.epochs * trainer.batches.steps_per_epoch
    return seconds
