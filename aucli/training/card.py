"""The card of a trained model."""

from __future__ import annotations

import json

import numpy as np

from aucli import __version__
from aucli.datasets.seen import told
from aucli.evaluation.calibration import ECE_BINS, Calibration
from aucli.evaluation.comparison import Comparison
from aucli.evaluation.values import Evaluation
from aucli.training.card_figures import CardFigures
from aucli.training.card_tables import (
    comparison_table,
    peer_table,
    rankings_table,
    reliability_table,
    results_table,
    within_table,
)
from aucli.training.options import TrainOptions
from aucli.training.plan import TrainingFold, TrainingPlan
from aucli.training.recipe import Recipe
from aucli.training.run_folder import data_digest


def describe_training(
    name: str,
    fold: TrainingFold,
    planned: TrainingPlan,
    options: TrainOptions,
    results: Evaluation,
    figures: CardFigures,
    calibration: Calibration | None,
    hours: float | None,
    beside: Comparison | None = None,
) -> str:
    """Return the card's text: data, subjects, rules, recipe and results of one fold.

    Args:
        name: of the model.
        fold: its faces.
        planned: recipe, device and sources.
        options: what was asked for.
        results: of the test.
        figures: likewise.
        calibration: what was done to the network's log-odds; None for nothing.
        hours: since the encoder's training was last started; None if it was through before.
        beside: the model that training started from, on the same test faces.
    """
    recipe = planned.recipe
    divided = ", ".join(
        f"{len(faces)} faces of {len(np.unique(faces.subjects))} subjects ({split})" for split, faces in fold.splits()
    )
    measured = tuple(scores.au for scores in results.per_au)
    left_out = ", ".join(f"AU{au}" for au in recipe.leave_out if au in measured)
    unmeasured = ", ".join(f"AU{au}" for au in recipe.encoder.aus if au not in measured)
    experimental = ", ".join(f"AU{au}" for au in recipe.encoder.aus if au in recipe.experimental)
    took = "" if hours is None else f"; {hours:.2f} hours on {planned.device} since it was last started"
    notes = [
        f"network: {recipe.encoder.backbone}, {recipe.crop.size_px} px crops ({recipe.encoder.colour}), start: "
        f"{recipe.encoder.pretrained or 'random'}",
        f"loss: {recipe.loss.name}, beside it cross-entropy with weight {recipe.loss.bce_weight:g}; seed "
        f"{recipe.seed}{took}",
        _thresholds(recipe, fold),
        _probabilities(recipe, measured, calibration),
        f"{len(fold.lost_labels)} test frames without a face count as absent",
        *([_seen(fold)] if fold.seen_by_start else []),
        *([f"in the table below, but not columns of this model (`leave_out`): {left_out}"] if left_out else []),
        *([f"parts of the network that nobody coded here, and no columns: {unmeasured}"] if unmeasured else []),
        *([f"experimental (columns whose figures fall short of the others'): {experimental}"] if experimental else []),
        f"SHA-256 of the training labels and subjects: `{data_digest(fold.train)}`",
        *(f"SHA-256 of {source}: `{digest}`" for source, digest in planned.sources.items()),
    ]
    labelling = f"\n\n{planned.labelling}" if planned.labelling else ""
    listed = "\n".join(f"- {note}" for note in notes)
    marks = dict.fromkeys(recipe.experimental, "experimental") | dict.fromkeys(recipe.leave_out, "left out")
    return f"""# {name}

Trained by aucli {__version__} on {options.dataset}, fold {fold.number}, by the recipe {recipe.name}: {divided}.
Nobody is in two splits.

{listed}{labelling}

## Figures on test subjects

{results_table(results, figures.alarms, marks=marks)}

Intervals are bootstrapped over subjects. False alarms: share of the faces without the action unit that its threshold
calls present; found: share of those with it.

{_beside(beside)}{_sections(measured, figures)}## What it is not for

Not for decisions about a person, and not validated on other footage than this. A probability is that of the action
unit being visible, not its intensity: intensity is not claimed.{_of_experimental(experimental)} The weights derive from
data under their own terms: read the data set's licence before you share them.

Every value of the recipe:

```json
{json.dumps(recipe.model_dump(mode="json"), indent=1)}
```
"""


def _seen(fold: TrainingFold) -> str:
    """A warning for who reads the figures."""
    subjects = {*fold.test.subjects.tolist(), *fold.lost_subjects.tolist()}
    return (
        f"**the model that training started from had seen {told(fold.seen_by_start, len(subjects))} of the test: the "
        "figures below say nothing about new people**"
    )


def _thresholds(recipe: Recipe, fold: TrainingFold) -> str:
    if recipe.decisions.threshold > 0:
        return (
            f"thresholds: {recipe.decisions.threshold:g} for every action unit, by the recipe; the test subjects were "
            "scored once, at the end"
        )
    people = "the validation subjects" if len(fold.validation) else "the training subjects, for want of others"
    rules = ["highest F1 that the calibrated probabilities expect" if recipe.decisions.expected_f1 else "highest F1"]
    if recipe.decisions.max_false_alarms < 1:
        rules.append(f"at most {100 * recipe.decisions.max_false_alarms:g} % false alarms")
    if recipe.decisions.min_positives > 1:
        beside = ", with renders of such subjects" if fold.renders_apart else ""
        rules.append(f"where fewer than {recipe.decisions.min_positives} of them show an action unit{beside}, else 0.5")
    return f"thresholds: chosen on {people} ({'; '.join(rules)}); the test subjects were scored once, at the end"


def _probabilities(recipe: Recipe, aus: tuple[int, ...], calibration: Calibration | None) -> str:
    if calibration is None:
        why = ", for want of validation subjects" if recipe.decisions.calibrate else ""
        return f"probabilities: as the network gives them, not calibrated{why}"
    fitted = ", ".join(
        f"AU{au} {scale:.2f} {offset:+.2f}"
        for au, scale, offset in zip(aus, calibration.scale, calibration.offset, strict=True)
    )
    return (
        "probabilities: calibrated on the validation subjects by scale and offset of the log-odds (Platt 1999, with a "
        f"prior at no change), which are part of the weights: {fitted}"
    )


def _beside(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    said = "\n".join(f"- {line}" for line in comparison.verdict())
    return f"""## Beside {comparison.before}, from which training started

On the same test faces, each model by its own thresholds; differences are drawn with the same subjects.

{said}

{comparison_table(comparison)}

"""


def _sections(aus: tuple[int, ...], figures: CardFigures) -> str:
    """What there is besides the scores, each under its heading."""
    parts = []
    if figures.within:
        parts.append(f"""## Told apart

Of action units that often come together, each among the test faces that show the other: a column that only repeats the
other one's has an AUC near 0.5 here.

{within_table(figures.within)}
""")
    if figures.peer:
        parts.append(f"""## Beside MediaPipe's blendshapes

ROC-AUC on the same test faces, those in which both see a face. The blendshape is the one named after the movement (mean
of left and right), as it comes: the teacher of training photographs was told by codes what to make of all of them.

{peer_table(figures.peer)}
""")
    if any(one.count for one in figures.reliability):
        before = "; before: without calibration" if figures.uncalibrated is not None else ""
        parts.append(f"""## What the probabilities mean

On test subjects, in five bins of the probability: mean probability, then the share of faces that show the action unit,
and how many faces there are. ECE: mean distance of the two over {ECE_BINS} bins{before}. Shares hold for faces chosen
as these were; where an action unit is rarer, so is it among faces with the same probability.

{reliability_table(aus, figures.reliability, figures.uncalibrated)}
""")
    if figures.rankings:
        parts.append(f"""## Probability and intensity

Spearman's rank correlation of the probability with the intensity in renders of test subjects: over all, and over those
whose expression holds the action unit. Whether it can be seen there is not asked.

{rankings_table(figures.rankings)}
""")
    return "".join(f"{part}\n" for part in parts)


def _of_experimental(experimental: str) -> str:
    return (
        f" Columns of experimental action units ({experimental}) are for looking, not for results."
        if experimental
        else ""
    )
