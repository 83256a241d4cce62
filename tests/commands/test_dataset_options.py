"""What the library's messages call a field, the commands call an option, and each option exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import aucli
from aucli.cli import app
from aucli.commands import evaluate, train
from aucli.commands.dataset_options import OPTION_OF, PREPARE_OPTION_OF
from aucli.datasets.readers.registry import FREE_DATA, READERS
from tests.builders.texts import texts_of

COMMANDS: Any = get_command(app).commands  # type: ignore[attr-defined]
ROOM = Path(aucli.__file__).parent / "datasets"


def options_of(command: str) -> set[str]:
    return {name for parameter in COMMANDS[command].params for name in parameter.opts}


def test_every_field_in_a_message_has_an_option() -> None:
    named = {name for path in ROOM.rglob("*.py") for text in texts_of(path) for name in re.findall(r"`(\w+)`", text)}
    assert {"dataset", "root", "cache", "folds_dir", "allow_shared_videos"} <= named
    # The share of validation is the recipe's, and checked there; commands make a value of options themselves.
    assert named - {"validation_share", "name", "options"} <= set(OPTION_OF) | set(PREPARE_OPTION_OF)


@pytest.mark.parametrize(("command", "option_of"), [("train", train.OPTION_OF), ("evaluate", evaluate.OPTION_OF)])
def test_the_options_exist(command: str, option_of: dict[str, str]) -> None:
    assert {option_of[field].split()[0] for field in OPTION_OF} <= options_of(command)
    assert {"--dataset", "--root", "--out", "--option", "--side"} <= options_of("prepare")


def test_help_lists_every_data_set() -> None:
    for command, names in (("prepare", READERS), ("evaluate", READERS), ("train", (*READERS, *FREE_DATA))):
        (dataset,) = [parameter for parameter in COMMANDS[command].params if parameter.name == "dataset"]
        for name in names:
            assert re.search(rf"\b{name}\b", dataset.help), (command, name)
