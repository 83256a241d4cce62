"""aucli doctor."""

from __future__ import annotations

import json

import typer

from aucli.commands.options import FAILED, Json


def doctor(as_json: Json = False) -> None:
    """Say what this machine can do. Exit status 0 if annotate will run."""
    from dataclasses import asdict

    from aucli.doctor import examine

    marks = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "failed": ("FAILED", "red")}
    checks = []
    for check in examine():
        checks.append(check)
        if not as_json:
            mark, colour = marks[check.state]
            typer.echo(f"{typer.style(f'{mark:<7}', fg=colour)}{check.name:<24}{check.detail}")
    runs = all(check.state != "failed" for check in checks)
    if as_json:
        typer.echo(json.dumps({"annotate_runs": runs, "checks": [asdict(check) for check in checks]}))
    if not runs:
        raise typer.Exit(FAILED)
