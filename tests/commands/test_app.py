"""What all commands have in common, read from the app itself."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import aucli
from aucli.annotation import supervised
from aucli.cli import app
from aucli.commands import dataset_options, options
from aucli.datasets.readers.registry import FREE_DATA, READERS
from aucli.errors import AucliError, OptionsError
from tests.builders.command_line import environment, run
from tests.builders.reference import commands, reference

COMMANDS = dict(commands())
PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def test_the_commands_are_those_the_package_promises() -> None:
    assert set(COMMANDS) == {
        *("annotate", "overlay", "report", "doctor", "synth", "prepare", "train", "evaluate", "export"),
        *("episodes", "summary"),
        *(f"models {name}" for name in ("list", "info", "pull", "import", "export")),
    }


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(words: str) -> None:
    command = COMMANDS[words]
    assert command.help
    assert command.help.strip()[0].isupper()
    for parameter in command.params:
        assert parameter.help, f"aucli {words}: {parameter.name} has no help"


def test_every_command_and_option_stands_in_the_docs() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == reference(), "write it anew: python -m tests.builders.reference > docs/commands.md"


@pytest.mark.parametrize("words", ["", "models", *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(words: str, flag: str) -> None:
    output = run(*words.split(), flag).output
    assert "Usage:" in output
    assert flag in output


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_speaks_json_and_can_be_quiet(words: str) -> None:
    names = {name for parameter in COMMANDS[words].params for name in parameter.opts}
    assert {"--json", "--quiet", "-q"} <= names


def test_version() -> None:
    assert run("--version").output == f"aucli {aucli.__version__}\n"


@pytest.mark.parametrize("words", COMMANDS)
def test_a_wrong_option_ends_with_two_and_one_line(words: str) -> None:
    result = run(*words.split(), "--no-such-option", code=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: No such option: --no-such-option")
    assert line.endswith(f"; aucli {words} -h lists what there is")
    assert result.stdout == ""


@pytest.mark.parametrize("words", COMMANDS)
def test_a_wrong_option_is_an_object_with_json(words: str) -> None:
    result = run(*words.split(), "--no-such-option", "--json", code=2)
    said = json.loads(result.stdout)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, words, 2)
    assert said["error"]["kind"] == "UsageError"
    assert said["error"]["message"] in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["annotate"], "Missing argument 'VIDEOS'"),
        (["annotate", "x.mp4"], "Missing option '--output'"),
        (["annotate", "x.mp4", "-o", "t.parquet", "--workers", "many"], "Invalid value for '--workers'"),
        (["synth", "--rig", "r", "--out", "o", "--kind", "films"], "'films' is not one of 'pictures', 'videos'"),
        (["evaluate", "--metric", "f2"], "'f2' is not one of 'f1', 'accuracy'"),
        (["models", "info"], "Missing argument 'name'"),
        (["nosuch"], "No such command 'nosuch'"),
    ],
)
def test_wrong_usage(words: list[str], message: str) -> None:
    result = run(*words, code=2)
    (line,) = result.stderr.splitlines()
    assert message in line
    assert "Value error" not in line


@pytest.mark.parametrize("words", [[], ["models"]])
def test_without_a_command_the_help_says_which_there_are(words: list[str]) -> None:
    result = run(*words, code=2)
    assert "Usage:" in result.output
    assert "error: " in result.stderr


def _raise(error: BaseException) -> Callable[..., None]:
    def raising(*_: object, **__: object) -> None:
        raise error

    return raising


@pytest.mark.parametrize(
    ("error", "kind", "message", "status"),
    [
        (OptionsError("--x is 1"), "UsageError", "--x is 1", 2),
        (AucliError("no model"), "AucliError", "no model", 1),
        (OSError(errno.ENOSPC, "No space left on device", "/data/t"), "OSError", "/data/t: No space left on device", 1),
        (PermissionError(errno.EACCES, "Permission denied", "a\x1b[2J"), "PermissionError", r"a\x1b[2J: Perm", 1),
        (KeyboardInterrupt(), "Interrupted", "run the same command again to go on", 130),
    ],
)
def test_what_ends_a_command_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: str, message: str, status: int
) -> None:
    monkeypatch.setattr(supervised, "annotate_supervised", _raise(error))
    plain = run("annotate", "v.mp4", "-o", "t.parquet", code=status)
    (line,) = plain.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    said = json.loads(run("annotate", "v.mp4", "-o", "t.parquet", "--json", code=status).stdout)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, "annotate", status)
    assert said["error"]["kind"] == kind
    assert message in said["error"]["message"]


def test_our_own_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "annotate_supervised", _raise(ZeroDivisionError()))
    assert isinstance(run("annotate", "v.mp4", "-o", "t.parquet", code=1).exception, ZeroDivisionError)


@pytest.mark.slow
def test_the_installed_program_ends_with_its_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aucli", "annotate", "no.mp4", "-o", "t.parquet"]
    for more, status in (([], 1), (["--detect-every", "0"], 2), (["--nosuch"], 2)):
        done = subprocess.run([*command, *more], capture_output=True, text=True, cwd=tmp_path, env=environment())
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr


def test_a_pipe_that_closes_ends_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m aucli models info aunce-small | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment())
    assert "aunce-small" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("complete", "begin", "expected"),
    [
        (options.complete_models, "aunce", ["aunce-small"]),
        (options.complete_models, "x", []),
        (options.complete_detectors, "", ["centerface"]),
        (options.complete_packs, "buffalo_s", ["buffalo_s", "buffalo_sc"]),
        (options.complete_models_and_detectors, "", ["aunce-small", "centerface"]),
        (dataset_options.complete_benchmarks, "bp", ["bp4d", "bp4dplus"]),
        (dataset_options.complete_benchmarks, "", list(READERS)),
        (dataset_options.complete_training_data, "", [*READERS, *FREE_DATA]),
        (dataset_options.complete_training_data, "photo", ["photographs"]),
    ],
)
def test_names_complete(complete: Callable[[str], list[str]], begin: str, expected: list[str]) -> None:
    assert complete(begin) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("aucli annotate v.mp4 --model aun", "aunce-small"),
        ("aucli annotate v.mp4 --detector cen", "centerface"),
        ("aucli prepare --dataset disfap", "disfaplus"),
        ("aucli train --dataset syn", "synth"),
        ("aucli evaluate --metric roc", "roc_auc"),
        ("aucli models info aun", "aunce-small"),
        ("aucli models pull ante", "antelopev2"),
    ],
)
def test_they_complete_on_their_lines(
    line: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in _asked_by_bash(line).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        app(prog_name="aucli")
    assert capsys.readouterr().out.split() == [expected]


def test_a_shell_completes() -> None:
    code = "from aucli.cli import app; app(prog_name='aucli')"
    asked = environment() | _asked_by_bash("aucli annotate v.mp4 --model aun")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=asked)
    assert done.stdout.split() == ["aunce-small"]


def _asked_by_bash(line: str) -> dict[str, str]:
    """What bash sets when the tab key is pressed at the end of a line."""
    return {"_AUCLI_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'pyarrow', 'polars', 'torch', 'av', 'onnxruntime'}"
    code = f"import sys, aucli.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_words_of_the_metrics_are_the_metrics() -> None:
    from typing import get_args

    from aucli.evaluation.choices import Metric
    from aucli.evaluation.values import METRICS

    assert get_args(Metric) == tuple(METRICS)
