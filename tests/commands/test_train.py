"""aucli train: that every option reaches the library, and what is printed. Training itself: tests/training."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aucli.commands import train as command
from aucli.commands.train import FoldReports
from aucli.datasets.folds import FoldOptions
from aucli.datasets.source import DatasetSource, training_source
from aucli.runtime.progress import Progress
from aucli.training import plan as planning
from aucli.training import run as training
from aucli.training.options import TrainOptions
from aucli.training.run import TrainResult
from aucli.training.run_log import TrainingProgress
from tests.builders.command_line import left_out, run
from tests.builders.made_scores import made_scores


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[TrainOptions]:
    seen: list[TrainOptions] = []
    planned = SimpleNamespace(warnings=("few people",), folds=(SimpleNamespace(number=1),))

    def plan(options: TrainOptions, **_: Any) -> Any:
        seen.append(options)
        return planned

    def train(options: TrainOptions, *, planned: Any, **_: Any) -> TrainResult:
        seen.append(options)
        return TrainResult((Path("runs/x y/model"),), made_scores())

    monkeypatch.setattr(planning, "plan", plan)
    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(command, "_hours", lambda _: 0.5)
    monkeypatch.setattr(command, "_plan_as_text", lambda _, hours=None: [f"the plan, {hours}"])
    monkeypatch.setattr(command, "_plan_as_json", lambda _, hours: {"hours_of_stage_1": hours})
    return seen


# fmt: off
GIVEN = ("--dataset", "own", "--codes", "/k", "--people", "/p.csv", "--out", "o",
         "--root", "/d", "--cache", "c", "--recipe", "r.toml", "--from", "m", "--fold", 2,
         "--set", "optim.lr=1", "--set", "seed=2", "--option", "coded=film", "--numbering", "part", "--device", "cpu",
         "--checkpoint-every", 7, "--folds-dir", "f", "--allow-shared-videos", "--allow-seen", "--finish-again")
# fmt: on
OPTIONS = TrainOptions(
    source=DatasetSource.from_pairs(
        "own", root=Path("/d"), cache=Path("c"), pairs=["coded=film", "labels_dir=/k", "people=/p.csv"]
    ),
    out=Path("o"),
    recipe="r.toml",
    start="m",
    overrides=("optim.lr=1", "seed=2"),
    folds=FoldOptions(fold=2, numbering="part", folds_dir=Path("f"), allow_shared_videos=True),
    device="cpu",
    checkpoint_every=7,
    finish_again=True,
    allow_seen=True,
)


def test_every_option_reaches_the_library(calls: list[TrainOptions], tmp_path: Path) -> None:
    faces = tmp_path / "faces.parquet"
    faces.touch()
    codes = tmp_path / "codes.csv"
    codes.touch()
    pairs = [f"photographs={faces}", f"codes={codes}"]
    given = (*GIVEN, "--json", "--quiet")
    assert left_out("train", given) == {"--dry-run"}
    said = json.loads(run("train", *given).stdout)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, "train", 0)
    assert (said["models"], said["warnings"]) == (["runs/x y/model"], ["few people"])
    assert said["scores"]["name"] == "made"
    options = [word for pair in pairs for word in ("--option", pair)]
    run("train", "--dataset", "synth", "--folds", "all", *options, "--device", "cpu")
    free = TrainOptions(
        source=training_source("synth", pairs=pairs),
        out=Path("runs/synth"),
        folds=FoldOptions(fold="all"),
        device="cpu",
    )
    assert calls == [OPTIONS, OPTIONS, free, free]


def test_a_dry_run_says_what_would_be_done_and_stops(calls: list[TrainOptions]) -> None:
    result = run("train", *GIVEN, "--dry-run")
    assert result.stdout == "the plan, 0.5\n"
    assert result.stderr == "warning: few people\n"
    said = json.loads(run("train", *GIVEN, "--dry-run", "--json").stdout)
    assert (said["command"], said["hours_of_stage_1"], said["warnings"]) == ("train", 0.5, ["few people"])
    assert calls == [OPTIONS, OPTIONS]


def test_the_end_says_what_to_type_next(calls: list[TrainOptions]) -> None:
    result = run("train", *GIVEN)
    assert "made" in result.stdout
    assert result.stderr.splitlines()[-1] == "next: aucli annotate VIDEOS -o aus.parquet --model 'runs/x y/model'"
    assert run("train", *GIVEN, "-q").output == ""


def _at(step: int, *, auc: float | None = None) -> TrainingProgress:
    return TrainingProgress(
        step=step,
        total_steps=100,
        epoch=0,
        loss=0.25,
        lr=1e-3,
        faces_per_s=10.0,
        waiting=0.0,
        validation_auc=auc,
        validation_f1=auc,
    )


def test_folds_become_items_and_steps_their_progress() -> None:
    """Fold 1 was finished before; fold 2 goes on from step 40; fold 3 is new."""
    seen: list[Progress] = []
    reports = FoldReports(seen.append, [1, 2, 3])
    for fold, step in ((2, 40), (2, 100), (3, 50)):
        reports(fold, _at(step, auc=0.9 if step == 100 else None))
    assert [(p.item, p.n_done, p.ended) for p in seen] == [
        ("fold 1", 0, True),
        ("fold 2", 40, False),
        ("fold 2", 100, False),
        ("fold 2", 100, True),
        ("fold 3", 50, False),
    ]
    assert [round(p.share, 3) for p in seen] == [0.333, 0.467, 0.667, 0.667, 0.833]
    assert seen[1].note == "fold 2, step 40/100  loss 0.2500"
    assert seen[2].note == "fold 2, step 100/100  loss 0.2500  AUC 0.900  F1 0.900"
    assert {p.items for p in seen} == {"folds"}
