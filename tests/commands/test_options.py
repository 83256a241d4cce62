"""The library's messages name fields in backticks; the commands turn them into options, and each option exists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

import aucli
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.run import annotate
from aucli.cli import app
from aucli.commands import annotate as annotate_command
from aucli.commands import code_options, dataset_options, evaluate, models, options, result_options, synth, train
from aucli.commands import export as export_command
from aucli.commands import overlay as overlay_command
from aucli.commands import report as report_command
from aucli.commands import summary as summary_command
from aucli.errors import OptionsError
from aucli.models.exchange import import_any
from tests.builders.command_line import run
from tests.builders.reference import commands
from tests.builders.texts import texts_of

PACKAGE = Path(aucli.__file__).parent
COMMANDS: Any = get_command(app).commands  # type: ignore[attr-defined]
OPTIONS_OF: dict[str, Mapping[str, str]] = {
    "annotate": annotate_command.OPTION_OF,
    "evaluate": {**evaluate.OPTION_OF, **code_options.OPTION_OF},
    "models import": models.IMPORT_OPTION_OF,
    "episodes": result_options.OPTION_OF,
    "summary": summary_command.OPTION_OF,
    "export": export_command.OPTION_OF,
    "overlay": overlay_command.OPTION_OF,
    "prepare": dataset_options.PREPARE_OPTION_OF,
    "report": report_command.OPTION_OF,
    "synth": synth.OPTION_OF,
    "train": train.OPTION_OF,
}
# The share of validation is the recipe's and checked there; a card is Markdown and no message; commands do not read
# into pandas, choose no decoder, and make the options of a data set themselves.
NO_OPTIONS = {"validation_share", "name", "as_", "decoder", "first_frame", "options"}


def test_names_of_fields_become_options() -> None:
    names = {"size_px": "--size"}
    text = "`size_px` is 7, not `x`; size_px stays"
    assert options.as_options(text, names) == "--size is 7, not `x`; size_px stays"
    with pytest.raises(OptionsError, match=r"^--size is 7$"), options.fields_as_options(names):
        raise OptionsError("`size_px` is 7")


@pytest.mark.parametrize("command", OPTIONS_OF)
def test_every_option_exists(command: str) -> None:
    group, _, word = command.partition(" ")
    typed = COMMANDS[group].commands[word] if word else COMMANDS[group]
    there = {name for parameter in typed.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {option.split()[0] for option in OPTIONS_OF[command].values()} <= there


@pytest.mark.slow
def test_every_field_in_a_message_is_an_option_of_a_command() -> None:
    known = NO_OPTIONS.union(*OPTIONS_OF.values())
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "card.py"]
    named = {(name, path.name) for path in paths for text in texts_of(path) for name in re.findall(r"`(\w+)`", text)}
    assert len(named) > 60, "the search itself must find something"
    assert {(name, file) for name, file in named if name not in known} == set()


def test_a_field_in_a_sentence_is_in_backticks() -> None:
    """One that is not would reach the user as it is: no option is called so."""
    fields = sorted({field for of in OPTIONS_OF.values() for field in of if "_" in field})
    bare = re.compile(rf"(?<![`\w./])({'|'.join(fields)})(?![`\w])")
    # Recipes, and a data set's own options, are typed by their names in the code.
    own = [PACKAGE / room for room in ("training", "datasets")]
    paths = [path for path in PACKAGE.rglob("*.py") if not any(path.is_relative_to(room) for room in own)]
    said = {(path.name, text) for path in paths for text in texts_of(path) if " " in text.strip()}
    assert len(said) > 300, "the search itself must find something"
    assert {(name, text) for name, text in said if bare.search(text) and name != "alignment.py"} == set()


def test_every_field_of_annotate_and_of_import_has_an_option() -> None:
    fields = set(inspect.signature(AnnotateOptions).parameters)
    assert set(annotate_command.OPTION_OF) == fields | {"output"}
    assert "output" in inspect.signature(annotate).parameters
    assert set(models.IMPORT_OPTION_OF) == set(inspect.signature(import_any).parameters) - {"path"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("annotate", "v.mp4", "-o", "t.parquet", "--min-face", 2), "--min-face is 2; allowed is 8 to 10000"),
        (("annotate", "v.mp4", "-o", "t.csv"), "-o t.csv: tables are written as Parquet; use -o t.parquet"),
        (("annotate", "v.mp4", "-o", "t", "--start", 2, "--end", 1), "--end is 1.0; allowed is more than --start (2)"),
        (("annotate", "v.mp4", "-o", "t", "--device", "tpu"), "--device is 'tpu'; allowed are auto, cpu"),
        (("evaluate", "r", "--replicates", -1), "--replicates is -1; allowed is 0 or more"),
    ],
)
def test_a_user_reads_options(
    given: tuple[object, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v.mp4").touch()
    assert f"error: {said}" in run(*given, code=2).stderr


@pytest.mark.parametrize(("typed", "seconds"), [("0.2", 0.2), ("0.2s", 0.2), ("200 ms", 0.2), ("1:30", 90), (0.2, 0.2)])
def test_a_time_is_typed_with_or_without_its_unit(typed: str | float, seconds: float) -> None:
    assert options.as_seconds(typed) == pytest.approx(seconds)


def test_every_time_takes_a_unit_and_says_what_it_takes() -> None:
    of_commands = {words: {p.opts[0]: p for p in command.params} for words, command in commands()}
    times = {(words, name) for words, of in of_commands.items() for name, p in of.items() if p.metavar == "TIME"}
    assert {("episodes", "--smooth"), ("annotate", "--start"), ("evaluate", "--shift"), ("synth", "--seconds")} <= times
    named = {name for of in OPTIONS_OF.values() for field, name in of.items() if re.search(r"_s$|^seconds$", field)}
    # A stretch is two times; a data set's own options are numbers in the unit of their name.
    assert named - {"--coded-span", "--option shift_s"} == {name for _, name in times}
    for words, name in times:
        assert of_commands[words][name].type_descriptor.parameter_info.parser is options.as_seconds
    assert options.as_seconds("-80ms") == -0.08
    for wrong in ("soon", "", "nan", "00:00:01:12"):
        with pytest.raises(typer.BadParameter, match=r"write seconds as 0\.2 or 0\.2s, milliseconds as 200ms"):
            options.as_seconds(wrong)
    said = run("episodes", "t.parquet", "--smooth", "fast", code=2)
    assert "'fast' is no time; write seconds as 0.2 or 0.2s" in " ".join(said.stderr.split())
