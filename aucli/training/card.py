"""The card of a trained model."""

from __future__ import annotations

import json

import numpy as np

from aucli import __version__
from aucli.evaluation.values import Evaluation
from aucli.training.model_folder import results_table
from aucli.training.options import TrainOptions
from aucli.training.plan import TrainingFold, TrainingPlan
from aucli.training.run_folder import data_digest


def describe_training(
    name: str, fold: TrainingFold, planned: TrainingPlan, options: TrainOptions, results: Evaluation, hours: float
) -> str:
    """Return the card's text: data, subjects, recipe and results of one fold."""
    recipe = planned.recipe
    divided = ", ".join(
        f"{len(faces)} faces of {len(np.unique(faces.subjects))} subjects ({split})" for split, faces in fold.splits()
    )
    thresholds = "the validation subjects" if len(fold.validation) else "the training subjects, for want of others"
    left_out = ", ".join(f"AU{au}" for au in recipe.leave_out if au in recipe.encoder.aus)
    experimental = ", ".join(f"AU{au}" for au in recipe.encoder.aus if au in recipe.experimental)
    notes = [
        f"network: {recipe.encoder.backbone}, {recipe.crop.size_px} px crops ({recipe.encoder.colour}), start: "
        f"{recipe.encoder.pretrained or 'random'}",
        f"loss: {recipe.loss.name}, beside it cross-entropy with weight {recipe.loss.bce_weight:g}; seed "
        f"{recipe.seed}; {hours:.2f} hours on {planned.device} since it was last started",
        f"thresholds: chosen on {thresholds}; the test subjects were scored once, at the end",
        f"{len(fold.lost_labels)} test frames without a face count as absent",
        *([f"in the table below, but not columns of this model (`leave_out`): {left_out}"] if left_out else []),
        *([f"experimental (columns whose figures fall short of the others'): {experimental}"] if experimental else []),
        f"SHA-256 of the training labels and subjects: `{data_digest(fold.train)}`",
        *(f"SHA-256 of {source}: `{digest}`" for source, digest in planned.sources.items()),
    ]
    labelling = f"\n\n{planned.labelling}" if planned.labelling else ""
    listed = "\n".join(f"- {note}" for note in notes)
    return f"""# {name}

Trained by aucli {__version__} on {options.dataset}, fold {fold.number}, by the recipe {recipe.name}: {divided}.
Nobody is in two splits.

{listed}{labelling}

{results_table(results)}

Intervals are bootstrapped over subjects. The weights derive from data under their own terms: read the data set's
licence before you share them. Not for decisions about a person, and not validated on other footage than this.

Every value of the recipe:

```json
{json.dumps(recipe.model_dump(mode="json"), indent=1)}
```
"""
