"""The card of a trained model."""

from __future__ import annotations

import json

import numpy as np

from aucli import __version__
from aucli.evaluation.values import Evaluation
from aucli.training.model_folder import results_table
from aucli.training.options import TrainOptions
from aucli.training.plan import TrainingFold, TrainingPlan, sides
from aucli.training.trainer import data_digest


def describe_training(
    name: str, fold: TrainingFold, todo: TrainingPlan, options: TrainOptions, results: Evaluation, hours: float
) -> str:
    """Return the card's text: data, people, recipe and results of one fold."""
    recipe = todo.recipe
    people = {side: len(np.unique(faces.subjects)) for side, faces in sides(fold)}
    divided = ", ".join(f"{len(faces)} faces of {people[side]} people ({side})" for side, faces in sides(fold))
    thresholds = "the validation people" if len(fold.validation) else "the training people, for want of others"
    left_out = ", ".join(f"AU{au}" for au in recipe.leave_out if au in recipe.encoder.aus)
    notes = [
        f"network: {recipe.encoder.backbone}, {recipe.crop.size_px} px crops ({recipe.encoder.colour}), start: "
        f"{recipe.encoder.pretrained or 'random'}",
        f"loss: {recipe.loss.name}, beside it cross-entropy with weight {recipe.loss.bce_weight:g}; seed "
        f"{recipe.seed}; {hours:.2f} hours on {todo.device} since it was last started",
        f"thresholds: chosen on {thresholds}; the test people were scored once, at the end",
        f"{len(fold.lost_labels)} test frames without a face count as absent",
        *([f"in the table below, but not columns of this model (`leave_out`): {left_out}"] if left_out else []),
        f"SHA-256 of the training labels and people: `{data_digest(fold.train)}`",
        *(f"SHA-256 of {source}: `{digest}`" for source, digest in todo.sources.items()),
    ]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"""# {name}

Trained by aucli {__version__} on {options.dataset}, fold {fold.number}, by the recipe {recipe.name}: {divided}.
Nobody is on two sides.

{listed}

{results_table(results)}

Intervals are bootstrapped over people. The weights derive from data under their own terms: read the data set's licence
before you share them. Not for decisions about a person, and not validated on other footage than this.

Every value of the recipe:

```json
{json.dumps(recipe.model_dump(mode="json"), indent=1)}
```
"""
