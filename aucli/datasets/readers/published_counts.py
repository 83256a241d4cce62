"""Published counts and base rates, and the check of a copy against them.

A mislabelled column or a lost folder seldom raises an error, but it moves a base rate. So what was read is compared
with what others counted, and a warning is given where it is off by more than a tenth of the published figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aucli.datasets.report import Findings, Unit
from aucli.datasets.samples import Samples
from aucli.facs import BP4D_AUS, DISFA_AUS

TOLERANCE: Final = 0.1
"""Largest difference that passes without a warning, as a share of the published figure."""


@dataclass(frozen=True)
class Published:
    """What is known about a benchmark.

    Attributes:
        subjects: number of people (videos for Aff-Wild2, which names no people).
        sequences: number of labelled sequences, where known.
        frames: number of labelled frames, where known.
        base_rates: share of labelled frames with the AU present, by AU, where known.
        source: who counted.
    """

    subjects: int
    source: str
    sequences: int | None = None
    frames: int | None = None
    base_rates: Mapping[int, float] = field(default_factory=dict)


def _rates(aus: tuple[int, ...], percent: tuple[float, ...]) -> dict[int, float]:
    return {au: value / 100 for au, value in zip(aus, percent, strict=True)}


BP4D: Final = Published(
    subjects=41,
    sequences=328,
    frames=146_847,
    base_rates=_rates(BP4D_AUS, (21.1, 17.0, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5, 15.2)),
    source="frames counted in the lists of CVI-SZU/ME-GraphAU; base rates in the label files of ihp-lab/FG-Net",
)
BP4DPLUS: Final = Published(
    subjects=140,
    sequences=560,
    frames=197_875,
    source="forever208/FMAE-IAT (197,756) and papers (197,875); 140 subjects by four coded tasks",
)
DISFA: Final = Published(
    subjects=27,
    sequences=27,
    frames=130_814,
    base_rates=_rates(DISFA_AUS, (4.97, 4.31, 15.24, 7.89, 4.18, 12.88, 27.71, 8.82)),
    source="counted in the labels of lkq52110/au-recognition at intensity >= 2",
)
DISFAPLUS: Final = Published(
    subjects=9, sequences=641, frames=57_150, source="py-feat, docs/benchmarks/competitors/pyafar_accuracy_disfaplus"
)
GFT: Final = Published(
    subjects=96,
    sequences=96,
    frames=172_800,
    source="Girard et al. 2017, abstract; missing codes included",
)
AFFWILD2_TRAIN: Final = Published(
    subjects=295,
    sequences=295,
    frames=1_356_694,
    source="frames with every AU annotated and an aligned crop: av-savchenko/face-emotion-recognition",
)
AFFWILD2_VALIDATION: Final = Published(
    subjects=105,
    sequences=105,
    frames=445_836,
    source="frames with every AU annotated and an aligned crop: av-savchenko/face-emotion-recognition",
)


def check_published(samples: Samples, published: Published, findings: Findings, *, what: str = "") -> None:
    """Warn about counts and base rates that differ from the published ones by more than `TOLERANCE`.

    Args:
        samples: what was read.
        published: what it should be.
        findings: where warnings go.
        what: which part of the data set this is, for the message.
    """
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
