"""The command ``aucli doctor``: call, print."""

from __future__ import annotations

from typing import Final

import typer

from aucli.commands.options import FAILED, Json, Quiet
from aucli.commands.output import Printer

MARKS: Final = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "failed": ("FAILED", "red")}


def doctor(as_json: Json = False, quiet: Quiet = False) -> None:
    """Say what this machine can do, and which commands run here. Exit status 0 if annotate does."""
    from dataclasses import asdict

    from aucli.doctor import commands_here, examine

    output = Printer("doctor", as_json=as_json, quiet=quiet)
    checks = []
    for check in examine():
        checks.append(check)
        _print(output, check.name, check.state, check.detail)
    runs = all(check.state != "failed" for check in checks)
    commands = commands_here(annotate_runs=runs)
    output.result("")
    for command in commands:
        _print(output, f"aucli {command.name}", "ok" if command.runs else "missing", command.detail)
    status = 0 if runs else FAILED
    output.json(
        exit_status=status,
        annotate_runs=runs,
        commands={command.name: {"runs": command.runs, "detail": command.detail} for command in commands},
        checks=[asdict(check) for check in checks],
    )
    if not runs:
        raise typer.Exit(status)


def _print(output: Printer, name: str, state: str, detail: str) -> None:
    mark, colour = MARKS[state]
    output.result(f"{mark:<7}{name:<24}{detail}".rstrip(), style=colour if state != "ok" else "")
