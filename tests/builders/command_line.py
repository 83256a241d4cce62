"""Running commands in tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from aucli.cli import app
from aucli.commands.output import JSON_SCHEMA
from tests.builders.reference import commands

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


def run(*arguments: object, code: int = 0, **keywords: Any) -> Any:
    """Run a command in this process; fails unless it ends with this status, and with --json in one strict object."""
    words = [str(argument) for argument in arguments]
    result = RUNNER.invoke(app, words, **keywords)
    assert result.exit_code == code, (result.output, result.exception)
    if "--json" in words and "--help" not in words:
        said = json.loads(result.stdout, parse_constant=_refuse)
        assert (said["schema"], said["exit_status"]) == (JSON_SCHEMA, code)
        assert words[: len(said["command"].split())] == said["command"].split()
    return result


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def environment() -> dict[str, str]:
    """For programs that run in other folders: this checkout's package comes first."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def left_out(command: str, given: tuple[object, ...], *, but: frozenset[str] = frozenset()) -> set[str]:
    """Options of a command that are not among the arguments given: nothing, where a test promises to give them all.

    Args:
        command: its words.
        given: arguments.
        but: options that the test leaves out for a reason.
    """
    params = dict(commands())[command].params
    names = {param.opts[0]: {*param.opts, *param.secondary_opts} for param in params if param.opts[0].startswith("-")}
    return {name for name, all_names in names.items() if not all_names & {*map(str, given)}} - but - {"--help"}
