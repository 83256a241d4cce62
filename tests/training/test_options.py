from __future__ import annotations

from pathlib import Path

import pytest

from aucli.datasets.folds import FoldOptions
from aucli.datasets.source import training_source
from aucli.errors import OptionsError
from aucli.training.options import TrainOptions


def test_the_data_sets_name_is_the_sources(tmp_path: Path) -> None:
    assert TrainOptions(source=training_source("synth"), out=tmp_path).dataset == "synth"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"folds": FoldOptions(fold=2)}, "one division of the subjects, fold 1"),
        ({"folds": FoldOptions(fold=None)}, "`fold` is None; allowed are a number or all"),
        ({"checkpoint_every": 0}, "`checkpoint_every` is 0; allowed is 1 or more"),
    ],
)
def test_values_that_make_no_sense(wrong: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=message):
        TrainOptions(source=training_source("synth"), out=tmp_path, **wrong)  # type: ignore[arg-type]


def test_words_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"`dataset` is 'x'; allowed are bp4d, .*, synth, photographs"):
        training_source("x")
    with pytest.raises(OptionsError, match="`fold` is 'two'"):
        FoldOptions(fold="two")
    with pytest.raises(OptionsError, match="`codes` belongs to photographs"):
        training_source("synth", pairs=[f"codes={tmp_path}"])
    with pytest.raises(OptionsError, match="`option` is 'camera=left'; allowed is KEY=VALUE with one of photographs"):
        training_source("synth", pairs=["camera=left"])
