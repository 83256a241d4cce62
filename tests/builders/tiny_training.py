from __future__ import annotations

import numpy as np

from aucli.datasets.faces import LabelledFaces
from aucli.training.recipe import Recipe

AUS = (1, 12)


def tiny_faces(count: int = 60, people: int = 20) -> LabelledFaces:
    """Grey noise whose brightness is AU12 and whose texture is AU1."""
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (count, 2)).astype(np.int8)
    fine = rng.normal(0, 1, (count, 64, 64))
    level = 128 + 60 * labels[:, 1, None, None].astype(float) + fine * (10 + 25 * (labels[:, 0, None, None] == 1))
    landmarks = np.array([[24, 26], [40, 26], [32, 34], [26, 44], [38, 44]], np.float32)
    return LabelledFaces(
        aus=AUS,
        pictures=level.clip(0, 255).astype(np.uint8)[..., None],
        sizes_wh=np.full((count, 2), 64, np.int32),
        landmarks_xy=np.repeat(landmarks[None], count, axis=0),
        labels=labels,
        subjects=np.array([f"person{i % people}" for i in range(count)]),
    )


def tiny_recipe(**changes: object) -> Recipe:
    options: dict[str, object] = {
        "name": "tiny",
        "data": "photographs",
        "encoder": {
            "backbone": "mobilenetv4_conv_small",
            "aus": AUS,
            "colour": "grey",
            "global_dim": 16,
            "embedding_dim": 8,
        },
        "crop": {"size_px": 48},
        "loss": {"bce_weight": 1.0},
        "stages": [{"size_px": 32, "epochs": 1}, {"size_px": 48, "epochs": 1}],
        "optim": {"batch_size": 8},
        "linear": {"epochs": 2, "batch_size": 16},
    }
    return Recipe(**(options | changes))
