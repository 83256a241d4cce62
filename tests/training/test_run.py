"""aucli train, from a cache to a model folder that annotate uses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from aucli.cli import app
from aucli.datasets.readers.bp4d import FOLDS
from aucli.evaluation.predictions import read_predictions
from aucli.models.zoo import find_model
from aucli.runtime.files import folder_lock
from tests.builders.face_cache import write_faces
from tests.builders.tiny_training import BACKBONE, BP4D_AUS, bp4d_faces, train_command


@pytest.mark.slow
def test_cross_validation_from_cache_to_annotated_video(
    cache: Path, recipe: Path, cross_validated: Path, tmp_path: Path, example: Path
) -> None:
    run = cross_validated
    folds = [read_predictions(run / f"fold{k}" / "predictions.parquet") for k in (1, 2, 3)]
    tested = [set(fold.subjects.tolist()) for fold in folds]
    assert sum(map(len, tested)) == len(set.union(*tested)) == 12
    assert tested[0] == {f"bp4d/{name}" for name in FOLDS.parts[2].split()[:4]}  # the paper's fold 1 tests part 3
    assert sum(len(fold.frames) for fold in folds) == 90
    column = BP4D_AUS.index(12)
    everyone = np.concatenate([fold.labels[:, 0] for fold in folds])
    assert sorted(everyone.tolist()) == sorted(bp4d_faces().labels[:, column].tolist())
    again = CliRunner().invoke(app, train_command(cache, recipe, run, "--folds", "all", "--json"))
    assert json.loads(again.stdout)
    scored = CliRunner().invoke(app, ["evaluate", str(run), "--format", "json"])
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.stdout) == json.loads(again.stdout)["scores"]
    model = run / "fold2" / "model"
    assert '"batch_size": 8' in (model / "README.md").read_text(encoding="utf-8")
    table = tmp_path / "clip.parquet"
    words = ["annotate", str(example), "-o", str(table), "--model", str(model), "--end", "1", "-q"]
    annotated = CliRunner().invoke(app, words)
    assert annotated.exit_code == 0, annotated.output
    assert {"AU12_p", "AU01_p"} <= set(pl.read_parquet(table).columns)
    on_benchmark = ["evaluate", "--model", str(model), "--dataset", "bp4d", "--cache", str(cache), "--replicates", "0"]
    refused = CliRunner().invoke(app, on_benchmark)
    assert refused.exit_code == 2
    assert "has seen 8 of the 12 people (bp4d/" in " ".join(refused.stderr.split())
    assert "the --fold that it was not trained on, or use --allow-seen" in " ".join(refused.stderr.split())
    allowed = CliRunner().invoke(app, [*on_benchmark, "--allow-seen"])
    assert allowed.exit_code == 0, allowed.output
    assert "-fold2 has seen 8 of the 12 people" in " ".join(allowed.stderr.split())
    of_its_fold = CliRunner().invoke(app, [*on_benchmark, "--fold", "2"])
    assert of_its_fold.exit_code == 0, of_its_fold.output
    assert "seen" not in of_its_fold.stderr


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_with_the_same_bits(
    cache: Path, recipe: Path, finished: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "aucli", *train_command(cache, recipe, killed, "-q", "--checkpoint-every", "2")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while not (killed / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told.decode()
    assert not (killed / "predictions.parquet").exists()
    assert CliRunner().invoke(app, train_command(cache, recipe, killed, "-q")).exit_code == 0
    one, other = (read_predictions(run / "predictions.parquet") for run in (finished, killed))
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_a_finished_run_is_kept_for_its_own_recipe_and_faces_only(
    cache: Path, recipe: Path, finished: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished, tmp_path / "my run")
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# my-run-fold1\n")
    weights = (run / "model" / "model.safetensors").read_bytes()
    again = CliRunner().invoke(app, train_command(cache, recipe, run, "--set", "optim.lr=5e-5"))
    assert again.exit_code == 1
    assert "holds a run of another recipe (optim.lr was 0.001, now 5e-05)" in " ".join(again.stderr.split())
    assert (run / "model" / "model.safetensors").read_bytes() == weights
    changed = bp4d_faces()
    changed.labels[:, 6] = 1 - abs(changed.labels[:, 6])
    write_faces(changed, tmp_path / "changed", dataset="bp4d")
    other_faces = CliRunner().invoke(app, train_command(tmp_path / "changed", recipe, run))
    assert "holds a run on other train faces, subjects or labels" in " ".join(other_faces.stderr.split())
    (run / "predictions.parquet").unlink()  # as if it had been killed before the end
    unfinished = CliRunner().invoke(app, train_command(cache, recipe, run, "--set", "seed=1"))
    assert "another recipe (seed was 3407, now 1)" in " ".join(unfinished.stderr.split())
    (run / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:1000])
    damaged = CliRunner().invoke(app, train_command(cache, recipe, run))
    assert damaged.exit_code == 1
    assert "checkpoint.pt is damaged" in damaged.stderr


def test_a_finished_run_can_be_finished_again_with_calibrated_heads(
    cache: Path, recipe: Path, finished: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished, tmp_path / "my run")
    log, before = (run / "log.csv").read_bytes(), read_predictions(run / "predictions.parquet")
    changes = (
        "decisions.calibrate=true",
        "decisions.max_false_alarms=0.1",
        "decisions.min_positives=5",
        "leave_out=[1]",
    )
    more = [part for change in changes for part in ("--set", change)]
    refused = CliRunner().invoke(app, train_command(cache, recipe, run, *more))
    assert "--finish-again" in refused.stderr
    result = CliRunner().invoke(app, train_command(cache, recipe, run, "-q", "--finish-again", *more))
    assert result.exit_code == 0, result.output
    assert (run / "log.csv").read_bytes() == log, "the encoder was not trained again"
    after = read_predictions(run / "predictions.parquet")
    np.testing.assert_array_equal(after.labels, before.labels)
    for a in range(2):  # a straight line in log-odds
        x, y = (np.log(p / (1 - p)) for p in (before.probabilities[:, a], after.probabilities[:, a]))
        line = np.polynomial.Polynomial.fit(x, y, 1)
        np.testing.assert_allclose(y, line(x), atol=1e-3)
        assert line.deriv()(0.0) > 0
        assert np.abs(y - x).max() > 1e-3
    config = find_model(str(run / "model")).config
    assert config.aus == (12,)
    assert config.thresholds == after.thresholds[:1]
    again = CliRunner().invoke(app, train_command(cache, recipe, run, "-q", *more))
    assert again.exit_code == 0, "finished, and kept"


def test_one_run_at_a_time_but_a_finished_one_can_always_be_read(
    cache: Path, recipe: Path, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with folder_lock(run):
        second = CliRunner().invoke(app, train_command(cache, recipe, run, "-q"))
    assert "another run is writing to" in second.stderr
    assert [path.name for path in run.iterdir()] == ["lock"]
    shutil.copytree(finished, run, dirs_exist_ok=True)
    content = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with folder_lock(run):
        third = CliRunner().invoke(app, train_command(cache, recipe, run, "--json"))
    assert third.exit_code == 0, third.stderr
    assert json.loads(third.stdout)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "lock"} == {
        path: time_ns for path, time_ns in content.items() if path.name != "lock"
    }


def test_linear_evaluation_alone_starts_from_a_model(cache: Path, recipe: Path, finished: Path, tmp_path: Path) -> None:
    log = pl.read_csv(finished / "log.csv")
    assert log["epoch"].to_list() == [0, 1, 2]  # a row an epoch, however rare checkpoints are
    more = ("--set", "stages=[]", "--set", f"encoder.pretrained={finished / 'model'}")
    result = CliRunner().invoke(app, train_command(cache, recipe, tmp_path / "linear", "-q", *more))
    assert result.exit_code == 0, result.output
    one, linear = (load_file(run / "model" / "model.safetensors") for run in (finished, tmp_path / "linear"))
    same = {name: torch.equal(value, linear[name]) for name, value in one.items()}
    assert all(equal for name, equal in same.items() if name.startswith("encoder."))
    plain = CliRunner().invoke(app, train_command(cache, recipe, tmp_path / "dry", "--dry-run", "--json", *more))
    assert json.loads(plain.stdout)["steps"] == 0


@pytest.mark.slow
def test_own_films_go_on_from_a_model_and_are_compared_with_it(finished: Path, tmp_path: Path) -> None:
    benchmark = bp4d_faces(60)
    columns = [BP4D_AUS.index(1), BP4D_AUS.index(12)]
    faces = replace(benchmark, aus=(1, 12), labels=np.ascontiguousarray(benchmark.labels[:, columns]))
    write_faces(faces, tmp_path / "cache", dataset="own")
    words = ["train", "--dataset", "own", "--cache", str(tmp_path / "cache"), "--from", str(finished / "model")]
    sets = [f"--set=optim.{word}" for word in ("batch_size=8", "patience=1")]
    result = CliRunner().invoke(app, [*words, *sets, "-o", str(tmp_path / "run"), "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)["comparison"]
    assert [one["au"] for one in said["per_au"]] == [12, 1]
    assert said["subjects"] == 3, "a fifth of twelve people"
    assert said["verdict"][0].count("my-run-fold1") == 1
    start, mine = (find_model(str(where)).config for where in (finished / "model", tmp_path / "run" / "model"))
    assert mine.thresholds == pytest.approx(start.thresholds, abs=1e-4), "twelve people do not move a threshold"
    assert (mine.crop, mine.encoder["backbone"]) == (start.crop, BACKBONE)
    assert set(mine.seen_subjects) == {"bp4d", "own"}
    assert "from which training started" in (tmp_path / "run" / "model" / "README.md").read_text()
    scored = ["evaluate", "--model", str(tmp_path / "run" / "model"), "--dataset", "own", "--cache"]
    refused = CliRunner().invoke(app, [*scored, str(tmp_path / "cache")])
    assert (refused.exit_code, "has seen" in refused.stderr) == (2, True)
    again = CliRunner().invoke(app, [*scored, str(tmp_path / "cache"), "--fold", "1", "--format", "json"])
    assert again.exit_code == 0, again.output


@pytest.mark.slow
def test_training_on_renders_alone(made_up_rig_path: Path, opengl: None, tmp_path: Path) -> None:
    command = ["train", "--dataset", "synth", "--root", str(made_up_rig_path), "-o", str(tmp_path)]
    small = [
        "free_data.renders=24",
        "optim.batch_size=8",
        "split.validation=0.4",
        "encoder={backbone = 'test_efficientnet', colour = 'grey', aus = [12, 1], global_dim = 16, embedding_dim = 8}",
        "leave_out=[]",
        "experimental=[12]",
        "stages=[{size_px = 32, epochs = 1}]",
        "crop.size_px=32",
        "linear.epochs=1",
    ]
    more = [part for setting in small for part in ("--set", setting)]
    result = CliRunner().invoke(app, [*command, *more, "--device", "cpu", "-q"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "model" / "config.json").is_file()
