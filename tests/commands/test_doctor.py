"""aucli doctor: what is examined, printed and returned."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any

import pytest

from aucli import doctor
from aucli.runtime.packages import NEEDED_BY
from tests.builders.command_line import left_out, run
from tests.builders.reference import commands

HEAVY = ("torch", "timm", "insightface", "onnxscript", "moderngl", "torchvision")


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine for annotation alone."""
    version = metadata.version

    def without(name: str) -> str:
        if name in HEAVY:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    for name in HEAVY:
        monkeypatch.setitem(sys.modules, name, None)


def test_every_command_is_judged() -> None:
    assert set(NEEDED_BY) == {words.split()[0] for words, _ in commands()} - {"doctor"}


def test_a_trial_is_run_and_all_is_well_here() -> None:
    assert left_out("doctor", ("--json", "--quiet")) == set()
    said = json.loads(run("doctor", "--json").output)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, "doctor", 0)
    assert said["annotate_runs"] is True
    states = {check["name"]: check["state"] for check in said["checks"]}
    assert states["trial run"] == "ok"
    assert said["commands"]["annotate"] == {"runs": True, "detail": ""}


@pytest.mark.usefixtures("light")
def test_a_light_installation_says_which_commands_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_trial_run", lambda: "not here")
    result = run("doctor")
    assert "FAILED" not in result.output
    lines = {line[7:31].strip(): (line[:7].strip(), line[31:]) for line in result.output.splitlines() if line}
    assert lines["torch"] == ("--", "not installed; annotate needs none on a CPU")
    assert lines["aucli annotate"] == ("ok", "")
    assert lines["aucli train"] == (
        "--",
        "needs torch and timm and onnxscript, not installed here: pip install torch timm onnxscript",
    )
    assert lines["aucli synth"] == ("--", "needs moderngl, not installed here: pip install moderngl")
    said = json.loads(run("doctor", "--json").output)
    assert {name for name, state in said["commands"].items() if not state["runs"]} == {"train", "synth"}


def test_what_keeps_annotate_from_running_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError("no decoder")

    monkeypatch.setattr(doctor, "_trial_run", broken)
    result = run("doctor", code=1)
    assert "FAILED trial run               ZeroDivisionError: no decoder" in result.output
    said: dict[str, Any] = json.loads(run("doctor", "--json", code=1).output)
    assert (said["annotate_runs"], said["exit_status"]) == (False, 1)
    assert said["commands"]["annotate"] == {"runs": False, "detail": "see what FAILED above"}
    assert run("doctor", "--quiet", code=1).output == ""
