"""Trainings that are over in seconds: faces of noise, a small network, a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aucli.datasets.faces import LabelledFaces
from aucli.datasets.readers.bp4d import FOLDS
from aucli.faces.alignment import CropSpec
from aucli.models.network import EncoderConfig
from aucli.training.batches import BatchMaker, Stage
from aucli.training.objective import LossOptions
from aucli.training.optimiser import OptimOptions
from aucli.training.trainer import EncoderTraining

AUS = (1, 12)
BACKBONE = "test_efficientnet"  # timm's smallest with the parts of the large ones
BP4D_AUS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
LANDMARKS_XY = np.array([[24, 26], [40, 26], [32, 34], [26, 44], [38, 44]], np.float32)
RECIPE_NETWORK = EncoderConfig(BACKBONE, (12, 1), input_size_px=32, colour="grey", global_dim=16, embedding_dim=8)
"""That of `tiny_recipe`. Tests that need an exported network take it: all of one config share what was traced."""
TINY_NETWORK = EncoderConfig(BACKBONE, AUS, input_size_px=48, colour="grey", global_dim=16, embedding_dim=8)


def tiny_recipe(dataset: str, *, epochs: int = 3, batch_size: int = 8) -> str:
    """A recipe for AU12 and AU1 that is over in seconds, as TOML."""
    return f"""
name = "tiny"
data = "{dataset}"
[encoder]
backbone = "test_efficientnet"
colour = "grey"
aus = [12, 1]
global_dim = 16
embedding_dim = 8
[crop]
size_px = 32
[loss]
bce_weight = 1.0
[[stages]]
size_px = 32
epochs = {epochs}
[optim]
batch_size = {batch_size}
[linear]
epochs = 2
batch_size = 16
"""


def tiny_faces(count: int = 60, subjects: int = 20) -> LabelledFaces:
    """Grey noise whose brightness is AU12 and whose texture is AU1."""
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (count, 2)).astype(np.int8)
    fine = rng.normal(0, 1, (count, 64, 64))
    level = 128 + 60 * labels[:, 1, None, None].astype(float) + fine * (10 + 25 * (labels[:, 0, None, None] == 1))
    return LabelledFaces(
        aus=AUS,
        pictures=level.clip(0, 255).astype(np.uint8)[..., None],
        sizes_wh=np.full((count, 2), 64, np.int32),
        landmarks_xy=np.repeat(LANDMARKS_XY[None], count, axis=0),
        labels=labels,
        subjects=np.array([f"subject{i % subjects}" for i in range(count)]),
    )


def tiny_training(**optim: Any) -> EncoderTraining:
    """Two stages of one epoch; ``optim`` changes batch and optimiser."""
    return EncoderTraining(
        network=TINY_NETWORK,
        crop=CropSpec(size_px=48),
        loss=LossOptions(bce_weight=1.0),
        stages=(Stage(size_px=32, epochs=1), Stage(size_px=48, epochs=1)),
        optim=OptimOptions(**({"batch_size": 8} | optim)),
        seed=3407,
    )


def tiny_batches(faces: LabelledFaces, *, rank: int = 0, world_size: int = 1, **optim: Any) -> BatchMaker:
    """The batches of `tiny_training`."""
    return tiny_training(**optim).batches(faces, rank=rank, world_size=world_size)


def bp4d_faces(count: int = 90) -> LabelledFaces:
    """Noise whose brightness is AU12, of four subjects of each part of BP4D."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (count, len(BP4D_AUS))).astype(np.int8)
    labels[rng.random(labels.shape) < 0.1] = -1
    level = 128 + 60 * labels[:, 6, None, None].astype(float) + rng.normal(0, 20, (count, 64, 64))
    subjects = [name for part in FOLDS.parts for name in part.split()[:4]]
    return LabelledFaces(
        aus=BP4D_AUS,
        pictures=np.repeat(level.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3),
        sizes_wh=np.full((count, 2), 64, np.int32),
        landmarks_xy=np.repeat(LANDMARKS_XY[None], count, axis=0),
        labels=labels,
        subjects=np.array([subjects[i % len(subjects)] for i in range(count)]),
    )


def train_command(cache: Path, recipe: Path, out: Path, *more: str) -> list[str]:
    """The words of an ``aucli train`` on a cache of BP4D."""
    where = ["--dataset", "bp4d", "--cache", str(cache), "--recipe", str(recipe), "-o", str(out)]
    return ["train", *where, "--device", "cpu", *more]
