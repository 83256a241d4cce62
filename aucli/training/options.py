"""What a training is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aucli.datasets.readers.registry import BENCHMARKS
from aucli.errors import OptionsError

FREE: Final = ("synth", "photographs")
"""Data that needs no form."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What is trained, on what.

    Attributes:
        dataset: a benchmark's short name, ``synth`` or ``photographs``.
        out: folder of the run.
        root: the benchmark's folder; for ``synth`` the rig. Not needed with a finished cache.
        cache: of ``aucli prepare``; None for a folder of the user's own (benchmarks) or inside the run (free data).
        recipe: file, or name of a recipe that comes with aucli; None for the one of the data set's name.
        overrides: ``section.key=value``, instead of the recipe's values.
        fold: number of a published fold, or ``all``.
        dataset_options: the data set's own options.
        numbering: how folds are counted, see `aucli.datasets.splits`.
        device: auto, cpu, cuda or cuda:N.
        checkpoint_every: steps between checkpoints.
    """

    dataset: str
    out: Path
    root: Path | None = None
    cache: Path | None = None
    recipe: str | None = None
    overrides: tuple[str, ...] = ()
    fold: int | str = 1
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    numbering: str = "paper"
    device: str = "auto"
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        known = (*BENCHMARKS, *FREE)
        if self.dataset not in known:
            raise OptionsError(f"--dataset is {self.dataset!r}; allowed are {', '.join(known)}")
        if isinstance(self.fold, str) and self.fold != "all":
            raise OptionsError(f"--fold is {self.fold!r}; allowed are a number or all")
        if self.checkpoint_every < 1:
            raise OptionsError(f"--checkpoint-every is {self.checkpoint_every}; allowed is 1 or more")
