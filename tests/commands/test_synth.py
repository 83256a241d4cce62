"""aucli synth: what is parsed, printed and returned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aucli.synth import generation
from aucli.synth.generation import SynthResult
from aucli.synth.options import SynthOptions
from tests.builders.command_line import left_out, run


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[SynthOptions]:
    seen: list[SynthOptions] = []

    def record(options: SynthOptions, *, on_progress: Any) -> SynthResult:
        seen.append(options)
        return SynthResult(Path("out/labels.parquet"), 1200, 5, 0, "llvmpipe")

    monkeypatch.setattr(generation, "generate", record)
    return seen


def test_every_option_reaches_the_library(calls: list[SynthOptions]) -> None:
    # fmt: off
    given = ("--rig", "r.npz", "--out", "o", "--kind", "videos", "--count", 5, "--size", 96, "--seed", 3,
             "--workers", 2, "--per-person", 4, "--seconds", 2.5, "--fps", 30, "--json", "--quiet")
    # fmt: on
    assert left_out("synth", given) == set()
    said = json.loads(run("synth", *given).stdout)
    assert (said["schema"], said["command"], said["frames"], said["device"]) == (1, "synth", 1200, "llvmpipe")
    run("synth", "--rig", "r.npz", "-o", "o")
    assert calls == [
        SynthOptions(
            rig=Path("r.npz"),
            out=Path("o"),
            kind="videos",
            count=5,
            size_px=96,
            seed=3,
            workers=2,
            pictures_per_person=4,
            seconds=2.5,
            fps=30.0,
        ),
        SynthOptions(rig=Path("r.npz"), out=Path("o")),
    ]


def test_what_is_printed(calls: list[SynthOptions]) -> None:
    assert run("synth", "--rig", "r", "-o", "o").stdout.splitlines()[0] == "1,200 frames in out/labels.parquet"
    assert run("synth", "--rig", "r", "-o", "o", "-q").output == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--size", 65), "error: --size is 65; allowed is an even number from 64 to 1024"),
        (("--per-person", 0), "error: --per-person is 0; allowed is 1 or more"),
        (("--kind", "videos", "--seconds", 0.2, "--fps", 1), "error: --seconds 0.2 at --fps 1.0 make no whole frame"),
    ],
)
def test_messages_name_the_options_as_typed(calls: list[SynthOptions], given: tuple[object, ...], message: str) -> None:
    assert message in run("synth", "--rig", "r", "-o", "o", *given, code=2).stderr
    assert calls == []
