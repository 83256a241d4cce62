"""What a training is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aucli.datasets.folds import FoldOptions
from aucli.datasets.free.sources import FreeSource
from aucli.datasets.source import DatasetSource
from aucli.errors import OptionsError


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What is trained, on what.

    Attributes:
        source: a benchmark or free data.
        out: folder of the run.
        recipe: file, or name of a recipe that comes with aucli; None for the one of the data set's name.
        start: name or folder of a model to go on from: its network, crops and weights instead of the recipe's; None for
            what the recipe says.
        overrides: ``section.key=value``, instead of the recipe's values.
        folds: which, and how they are made; share of validation and seed are the recipe's.
        device: auto, cpu, cuda or cuda:N.
        checkpoint_every: steps between checkpoints.
        finish_again: in a folder that holds a run with the same encoder, keep that and do anew what comes after it:
            heads, calibration, thresholds, test, model folder and card.
        allow_seen: start from a model that has seen people whom this run tests; the card says so.
    """

    source: DatasetSource | FreeSource
    out: Path
    recipe: str | None = None
    start: str | None = None
    overrides: tuple[str, ...] = ()
    folds: FoldOptions = field(default_factory=lambda: FoldOptions(fold=1))
    device: str = "auto"
    checkpoint_every: int = 50
    finish_again: bool = False
    allow_seen: bool = False

    @property
    def dataset(self) -> str:
        """The data set's short name."""
        return self.source.dataset

    def __post_init__(self) -> None:
        if self.folds.fold is None:
            raise OptionsError("`fold` is None; allowed are a number or all")
        if isinstance(self.source, FreeSource) and self.folds.fold not in (1, "all"):
            raise OptionsError(f"`fold` is {self.folds.fold}; {self.dataset} has one division of the subjects, fold 1")
        if self.checkpoint_every < 1:
            raise OptionsError(f"`checkpoint_every` is {self.checkpoint_every}; allowed is 1 or more")
