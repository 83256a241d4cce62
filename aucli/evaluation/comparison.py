"""Two models on the same faces: how much better one is, and whether that is more than chance over people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aucli.datasets.label_values import Float64Array
from aucli.errors import DatasetError
from aucli.evaluation.bootstrap import bootstrap_weights, count_by_subject, replicate_decisions
from aucli.evaluation.choices import LostFaces
from aucli.evaluation.scoring import estimate, exact_scores, mean_of_defined, pooled
from aucli.evaluation.values import DEFAULT_REPLICATES, Estimate, Predictions
from aucli.facs import listed_aus

COMPARED: Final = ("f1", "roc_auc")
"""What decisions are worth, and what probabilities are worth whatever the thresholds."""
FEW_SUBJECTS: Final = 10
"""With fewer people an interval by drawing them again is narrower than it should be."""


@dataclass(frozen=True)
class Compared:
    """One figure of both models, and the second minus the first, drawn with the same people."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclass(frozen=True)
class AuComparison:
    """Both models on one action unit.

    Attributes:
        au: its number.
        labelled, positive: frames with a label, and those of them that show it.
        figures: by metric, `COMPARED`.
    """

    au: int
    labelled: int
    positive: int
    figures: Mapping[str, Compared]


@dataclass(frozen=True)
class Comparison:
    """Two models on people whom neither is tested on by mistake: all test subjects of all folds together.

    Attributes:
        before, after: names of the models.
        subjects, frames: that were tested.
        per_au: action units that both know, in their order.
        mean: by metric, over those for which both have it.
        averaged: over how many, by metric.
        replicates: of the bootstrap over subjects; 0 where there is one subject.
    """

    before: str
    after: str
    subjects: int
    frames: int
    per_au: tuple[AuComparison, ...]
    mean: Mapping[str, Compared]
    averaged: Mapping[str, int]
    replicates: int

    def better(self, metric: str = "f1") -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Action units whose difference is above 0 with all of its interval, and those with all of it below."""
        found = [(one.au, one.figures[metric].difference) for one in self.per_au]
        return (
            tuple(au for au, d in found if d.low is not None and d.low > 0),
            tuple(au for au, d in found if d.high is not None and d.high < 0),
        )

    def verdict(self) -> tuple[str, ...]:
        """The same in plain sentences: whether the second model is better, where, and how sure that is."""
        f1 = self.mean["f1"]
        if f1.difference.value is None or f1.before.value is None or f1.after.value is None:
            return (f"{self.after} cannot be compared with {self.before}: no action unit has F1 for both",)
        change = f"mean F1 over {self.averaged['f1']} action units goes from {_percent(f1.before.value)} to "
        change += f"{_percent(f1.after.value)} % on {_people(self.subjects)} held out"
        low, high = f1.difference.low, f1.difference.high
        if low is None or high is None:
            said = f"nobody can tell whether {self.after} is better than {self.before}: {change}, without an interval"
        elif low > 0:
            said = f"{self.after} is better than {self.before}: {change}"
        elif high < 0:
            said = f"{self.after} is WORSE than {self.before}: {change}"
        else:
            said = f"{self.after} is not shown to be better than {self.before}: {change}"
        if low is not None and high is not None:
            said += f"; difference {_signed(f1.difference.value)} [{_signed(low)}, {_signed(high)}]"
        lines = [said]
        more, less = self.better()
        if more or less:
            each = [f"better at AU {listed_aus(more)}"] if more else []
            each += [f"worse at AU {listed_aus(less)}"] if less else []
            lines.append(f"one by one, by F1: {'; '.join(each)}; not shown to differ at the others")
        if 1 < self.subjects < FEW_SUBJECTS:
            lines.append(f"intervals over {self.subjects} people are rough, and too narrow rather than too wide")
        return tuple(lines)


def compare_predictions(
    before: Sequence[Predictions],
    after: Sequence[Predictions],
    *,
    names: tuple[str, str],
    lost_faces: LostFaces = "negative",
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 3407,
) -> Comparison:
    """Compare two models on the same frames of one or more test folds.

    Folds are pooled, so that people are drawn among all who were tested; each frame is decided by the model that was
    not trained on it.

    Args:
        before: what the first model says, fold by fold.
        after: what the second says about the same frames.
        names: of the two.
        lost_faces: see `evaluate`.
        replicates: bootstrap replicates over subjects.
        seed: of the bootstrap.

    Raises:
        DatasetError: if the two are not about the same frames, labels and people, or share no action unit.
    """
    shared = tuple(au for au in after[0].aus if au in before[0].aus) if before and after else ()
    if not shared:
        raise DatasetError(f"{names[0]} and {names[1]} share no action unit to compare")
    first, second = (pooled([fold.with_aus(shared) for fold in folds]) for folds in (before, after))
    if not (np.array_equal(first.labels, second.labels) and np.array_equal(first.subjects, second.subjects)):
        raise DatasetError(f"{names[0]} and {names[1]} were not tested on the same frames, people and labels")
    tallies = [count_by_subject(one, lost_faces, replicates) for one in (first, second)]
    weights = bootstrap_weights(tallies[0].n_subjects, replicates, seed, 0)
    exact = [exact_scores(tally, one, lost_faces) for tally, one in zip(tallies, (first, second), strict=True)]
    drawn = [None if weights is None else replicate_decisions(tally, weights) for tally in tallies]
    figures = {m: _compared(m, exact, drawn) for m in COMPARED}
    confusion = tallies[0].confusion.sum(axis=0)
    return Comparison(
        before=names[0],
        after=names[1],
        subjects=tallies[0].n_subjects,
        frames=len(first.labels),
        per_au=tuple(
            AuComparison(
                au=au,
                labelled=int(confusion[a].sum()),
                positive=int(confusion[a, 0] + confusion[a, 2]),
                figures={m: per_au[a] for m, (per_au, _, _) in figures.items()},
            )
            for a, au in enumerate(shared)
        ),
        mean={m: mean for m, (_, mean, _) in figures.items()},
        averaged={m: count for m, (_, _, count) in figures.items()},
        replicates=0 if weights is None else replicates,
    )


def _compared(
    metric: str, exact: Sequence[Mapping[str, Float64Array]], drawn: Sequence[Mapping[str, Float64Array] | None]
) -> tuple[tuple[Compared, ...], Compared, int]:
    """Of each action unit, of their mean, and over how many that runs."""
    values = [scores[metric] for scores in exact]
    values.append(values[1] - values[0])
    replicated = [None if scores is None else scores[metric] for scores in drawn]
    replicated.append(None if replicated[0] is None or replicated[1] is None else replicated[1] - replicated[0])
    per_au = tuple(
        Compared(*(estimate(v[a], None if r is None else r[:, a]) for v, r in zip(values, replicated, strict=True)))
        for a in range(len(values[0]))
    )
    both = np.isfinite(values[2])
    means = [
        estimate(mean_of_defined(v[both]), None if r is None else mean_of_defined(r[:, both].T))
        for v, r in zip(values, replicated, strict=True)
    ]
    return per_au, Compared(*means), int(both.sum())


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"


def _people(n: int) -> str:
    return f"{n} {'person' if n == 1 else 'people'}"
