"""Options about a data set and its folds, the same in ``prepare``, ``train`` and ``evaluate``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aucli.commands.options import number_or_word
from aucli.datasets import choices
from aucli.datasets.readers.registry import FREE_DATA, READERS, listed

if TYPE_CHECKING:
    from aucli.datasets.folds import FoldOptions

SOURCE_OPTION_OF: Final[Mapping[str, str]] = {
    "dataset": "--dataset",
    "root": "--root",
    "cache": "--cache",
    "option": "--option",
    "photographs": "--option photographs",
    "codes": "--codes",
    "teacher": "--option teacher",
    "people": "--people",
    **{
        field: f"--option {field}"
        for field in (
            "person_pattern", "coded_aus", "format", "names", "missing_names", "min_intensity", "one_sided",
            "observation", "subject", "coder", "shift_s", "frame_rate", "frame_base", "missing_codes",
        )
    },
}  # fmt: skip
"""Option by field of `DatasetSource`, `FreeSource` and `OwnOptions`."""

OPTION_OF: Final[Mapping[str, str]] = {
    **SOURCE_OPTION_OF,
    "fold": "--fold",
    "numbering": "--numbering",
    "folds_dir": "--folds-dir",
    "allow_shared_videos": "--allow-shared-videos",
}
"""Option by field of a source and of `FoldOptions`."""

PREPARE_OPTION_OF: Final[Mapping[str, str]] = {
    **SOURCE_OPTION_OF,
    "cache": "--out",
    "detector": "--detector",
    "device": "--device",
    "workers": "--workers",
    "batch_size": "--batch-size",
    "side_px": "--side",
    "border": "--border",
    "overwrite": "--overwrite",
}
"""Option of ``prepare`` by field of `PrepareOptions` and its source."""


def complete_benchmarks(incomplete: str) -> list[str]:
    """Names of benchmarks that begin so."""
    return [name for name in READERS if name.startswith(incomplete)]


def complete_training_data(incomplete: str) -> list[str]:
    """Names of benchmarks and of free data that begin so."""
    return [name for name in (*READERS, *FREE_DATA) if name.startswith(incomplete)]


Benchmark = Annotated[
    str,
    typer.Option("--dataset", help=f"{listed(*READERS)}.", show_default=False, autocompletion=complete_benchmarks),
]
TrainingData = Annotated[
    str,
    typer.Option(
        "--dataset",
        help=f"{listed(*READERS, *FREE_DATA)}.",
        show_default=False,
        autocompletion=complete_training_data,
    ),
]
Cache = Annotated[
    Path | None, typer.Option(help="Its cache, made by prepare; made now if it is not there.", show_default=False)
]
Option = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="The data set's own options, e.g. camera=right (see docs/datasets.md). Can be repeated.",
        show_default=False,
    ),
]
Codes = Annotated[
    Path | None,
    typer.Option(help="Folder of the codes (own), or of the labels.", show_default="in the data set's folder"),
]
People = Annotated[
    Path | None,
    typer.Option(help="Who is in which of your own films: a CSV of video and subject (own).", show_default=False),
]
Numbering = Annotated[choices.Numbering, typer.Option(help="Which part fold k tests: as in the papers, or part k.")]
FoldsDir = Annotated[
    Path | None,
    typer.Option(help="Your own folds: a folder of Split1_Test_Subjects.csv ...", show_default="the published ones"),
]
AllowSeen = Annotated[
    bool,
    typer.Option("--allow-seen", help="Score a model on people whom it has seen in training; said in the result."),
]
AllowSharedVideos = Annotated[
    bool,
    typer.Option("--allow-shared-videos", help="Leave out of training what the owners' test split has too."),
]


def fold_options(
    fold: str | None, numbering: choices.Numbering, folds_dir: Path | None, allow_shared_videos: bool
) -> FoldOptions:
    """The words of the command line as `FoldOptions`.

    Raises:
        OptionsError: for a word that is not allowed.
    """
    from aucli.datasets.folds import FoldOptions

    return FoldOptions(
        fold=None if fold is None else number_or_word(fold),
        numbering=numbering,
        folds_dir=folds_dir,
        allow_shared_videos=allow_shared_videos,
    )


def pairs_of(dataset: str, option: Sequence[str] | None, codes: Path | None, people: Path | None) -> list[str]:
    """The data set's own options as ``KEY=VALUE``, those among them that have an option of the command's.

    Raises:
        OptionsError: if it has no people to name.
    """
    from aucli.errors import OptionsError

    pairs = list(option or ())
    if codes is not None:
        pairs.append(f"{'codes' if dataset in FREE_DATA else 'labels_dir'}={codes.absolute()}")
    if people is not None:
        if dataset != "own":
            raise OptionsError("--people goes with --dataset own: benchmarks say themselves who is seen")
        pairs.append(f"people={people.absolute()}")
    return pairs
