"""Published counts and base rates, and the check of a copy against them.

A mislabelled column or a lost folder seldom raises an error, but it moves a base rate. So what was read is compared
with what others counted, and a warning is given where it is off by more than a tenth of the published figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from aucli.datasets.label_values import SplitName
from aucli.datasets.report import Findings, Unit
from aucli.datasets.samples import Samples

TOLERANCE: Final = 0.1
"""Largest difference that passes without a warning, as a share of the published figure."""


@dataclass(frozen=True)
class PublishedCounts:
    """What others counted in a benchmark, or in one split of it.

    Attributes:
        subjects: how many there are (videos for Aff-Wild2, which names no subjects).
        sequences: number of labelled sequences, where known.
        frames: number of labelled frames, where known.
        base_rates: share of labelled frames with the AU present, by AU, where known.
        source: who counted.
        split: the owners' split that was counted; None for all of it.
    """

    subjects: int
    source: str
    sequences: int | None = None
    frames: int | None = None
    base_rates: Mapping[int, float] = field(default_factory=dict)
    split: SplitName | None = None


def rates(aus: tuple[int, ...], percent: tuple[float, ...]) -> dict[int, float]:
    """Base rates as shares, from percent in the order of the action units."""
    return {au: value / 100 for au, value in zip(aus, percent, strict=True)}


def check_published(samples: Samples, published: PublishedCounts, findings: Findings) -> None:
    """Warn about counts and base rates that differ from the published ones by more than `TOLERANCE`.

    Args:
        samples: what was read.
        published: what it should be.
        findings: where warnings go.
    """
    what = published.split or ""
    if published.split is not None:
        here = np.array([s.split == published.split for s in samples.sequences], dtype=np.bool_)
        samples = samples.take(here[samples.sequence_index] if len(samples) else np.empty(0, dtype=np.bool_))
    used = len(set(samples.sequence_index.tolist()))
    counts: tuple[tuple[Unit, int, int | None], ...] = (
        ("subject", len(samples.subjects), published.subjects),
        ("sequence", used, published.sequences),
        ("frame", len(samples), published.frames),
    )
    for unit, found, expected in counts:
        if expected is not None and abs(found - expected) > TOLERANCE * expected:
            findings.warn(
                f"count of {unit}s differs from the published one", "kept", abs(found - expected), unit, what,
                f"{found:,} found, {expected:,} published ({published.source})",
            )  # fmt: skip
    for au, labelled, rate in zip(samples.aus, samples.labelled, samples.base_rates, strict=True):
        expected_rate = published.base_rates.get(au)
        if labelled and expected_rate is not None and abs(rate - expected_rate) > TOLERANCE * expected_rate:
            findings.warn(
                "base rate differs from the published one", "kept", int(labelled), "label", what,
                f"AU{au} is present in {100 * rate:.1f} % of frames, published {100 * expected_rate:.1f} %",
            )  # fmt: skip
