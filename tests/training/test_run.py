"""aucli train, from a cache to a model folder that annotate uses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from aucli.cli import app
from aucli.datasets.faces import LabelledFaces, join
from aucli.datasets.folds import FoldOptions
from aucli.datasets.readers.bp4d import FOLDS
from aucli.datasets.source import DatasetSource, training_source
from aucli.errors import DatasetError, OptionsError, RecipeError
from aucli.evaluation.predictions import read_predictions
from aucli.runtime.files import folder_lock
from aucli.training.options import TrainOptions
from aucli.training.plan import plan
from tests.builders.face_cache import write_faces

AUS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
RECIPE = """
name = "tiny"
data = "bp4d"
[encoder]
backbone = "mobilenetv4_conv_small"
aus = [12, 1]
global_dim = 16
embedding_dim = 8
[crop]
size_px = 32
[loss]
bce_weight = 1.0
[[stages]]
size_px = 32
epochs = 3
[optim]
batch_size = 8
[linear]
epochs = 2
batch_size = 16
"""


def _faces(count: int = 90) -> LabelledFaces:
    """Noise whose brightness is AU12, of four people of each part of BP4D."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (count, len(AUS))).astype(np.int8)
    labels[rng.random(labels.shape) < 0.1] = -1
    level = 128 + 60 * labels[:, 6, None, None].astype(float) + rng.normal(0, 20, (count, 64, 64))
    people = [name for part in FOLDS.parts for name in part.split()[:4]]
    return LabelledFaces(
        aus=AUS,
        pictures=np.repeat(level.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3),
        sizes_wh=np.full((count, 2), 64, np.int32),
        landmarks_xy=np.repeat(
            np.array([[[24, 26], [40, 26], [32, 34], [26, 44], [38, 44]]], np.float32), count, axis=0
        ),
        labels=labels,
        subjects=np.array([people[i % len(people)] for i in range(count)]),
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bp4d") / "cache"
    write_faces(_faces(), folder, dataset="bp4d")
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def _command(cache: Path, recipe: Path, out: Path, *more: str) -> list[str]:
    where = ["--dataset", "bp4d", "--cache", str(cache), "--recipe", str(recipe), "-o", str(out)]
    return ["train", *where, "--device", "cpu", *more]


def test_cross_validation_from_cache_to_annotated_video(
    cache: Path, recipe: Path, tmp_path: Path, example: Path
) -> None:
    run = tmp_path / "run"
    result = CliRunner().invoke(app, _command(cache, recipe, run, "--folds", "all"))
    assert result.exit_code == 0, result.output
    folds = [read_predictions(run / f"fold{k}" / "predictions.parquet") for k in (1, 2, 3)]
    tested = [set(fold.subjects.tolist()) for fold in folds]
    assert sum(map(len, tested)) == len(set.union(*tested)) == 12
    assert tested[0] == {f"bp4d/{name}" for name in FOLDS.parts[2].split()[:4]}  # the paper's fold 1 tests part 3
    assert sum(len(fold.frames) for fold in folds) == 90
    column = list(AUS).index(12)
    everyone = np.concatenate([fold.labels[:, 0] for fold in folds])
    assert sorted(everyone.tolist()) == sorted(_faces().labels[:, column].tolist())
    again = CliRunner().invoke(app, _command(cache, recipe, run, "--folds", "all", "--json"))
    assert json.loads(again.stdout)
    scored = CliRunner().invoke(app, ["evaluate", str(run), "--format", "json"])
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.stdout) == json.loads(again.stdout)["scores"]
    model = run / "fold2" / "model"
    assert '"batch_size": 8' in (model / "README.md").read_text(encoding="utf-8")
    table = tmp_path / "clip.parquet"
    annotated = CliRunner().invoke(app, ["annotate", str(example), "-o", str(table), "--model", str(model), "-q"])
    assert annotated.exit_code == 0, annotated.output
    assert {"AU12_p", "AU01_p"} <= set(pl.read_parquet(table).columns)


def test_a_run_that_is_killed_goes_on_with_the_same_bits(cache: Path, recipe: Path, tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert CliRunner().invoke(app, _command(cache, recipe, straight, "-q")).exit_code == 0
    command = [sys.executable, "-m", "aucli", *_command(cache, recipe, killed, "-q", "--checkpoint-every", "2")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while not (killed / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told.decode()
    assert not (killed / "predictions.parquet").exists()
    assert CliRunner().invoke(app, _command(cache, recipe, killed, "-q")).exit_code == 0
    one, other = (read_predictions(run / "predictions.parquet") for run in (straight, killed))
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_a_dry_run_writes_nothing(cache: Path, recipe: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, _command(cache, recipe, tmp_path / "run", "--dry-run", "--folds", "all", "--json"))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert list(told["folds"]) == ["1", "2", "3"]
    sides = told["folds"]["1"]
    assert sum(side["faces"] for side in sides.values()) == 90
    assert sum(side["people"] for side in sides.values()) == 12
    assert sides["validation"]["people"] >= 1
    assert told["hours_of_stage_1"] > 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.batch_size=500", "optim.batch_size is 500, but there are 54 faces"),
        ("encoder.aus=[]", "encoder.aus is []: Value should have at least 1 item"),
        ("encoder.aus=[1, 99]", "encoder.aus is [1, 99]: AU 99 is not known; allowed are 1, 2, 4"),
        ("encoder.pretrained=nobody", "unknown model 'nobody'"),
        ("optim.lr=-1", "optim.lr is -1: Input should be greater than 0"),
        ("encoder.aus=[1, 5]", "AU 5, which bp4d does not code; allowed are 1, 2, 4"),
        ("linear.epochs=0 loss.bce_weight=0", "trains no heads"),
        ("optim.lr=inf", "optim.lr is inf: Input should be a finite number"),
        ("seed=-5", "seed is -5: Input should be greater than or equal to 0"),
        ("crop.size_px=33", "the last of stages has size_px 32, but crop.size_px, at which the model is used, is 33"),
        ("stages=[]", "linear evaluation alone needs encoder.pretrained"),
        ("optim.pictures_per_person=8", "optim.pictures_per_person is 8, the whole batch"),
        ("encoder.pretrained=package", "mobilenetv4_conv_small"),
        ("optim.accumulate=3", "optim.batch_size 8 cannot be shared by optim.accumulate = 3 parts"),
        ("optim.pictures_per_person=3", "optim.batch_size 8 is no multiple of optim.pictures_per_person = 3"),
        (
            "optim.pictures_per_person=1",
            "needs 8 people, and there are 7 to train on; allowed is 2 or more",
        ),
        ("loss.published=true loss.name=supcon", "variant of aunce"),
        ("loss.name=nonsense", "loss.name is 'nonsense'"),
        ("optim.speed=3", "optim.speed is not a word of recipes"),
        ("nonsense", "write it as section.key=value"),
        ("data=gft", "the recipe tiny is for gft, the data are bp4d"),
    ],
)
def test_recipes_that_make_no_sense(cache: Path, recipe: Path, tmp_path: Path, setting: str, message: str) -> None:
    settings = [setting] if "[" in setting else setting.split()
    more = [part for one in settings for part in ("--set", one)]
    result = CliRunner().invoke(app, _command(cache, recipe, tmp_path / "run", *more))
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
    assert result.stderr.count("\n") == 1


def test_a_finished_run_is_kept_for_its_own_recipe_only(cache: Path, recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "my run"
    assert CliRunner().invoke(app, _command(cache, recipe, run, "-q")).exit_code == 0
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# my-run\n")
    weights = (run / "model" / "model.safetensors").read_bytes()
    again = CliRunner().invoke(app, _command(cache, recipe, run, "--set", "optim.lr=5e-5"))
    assert again.exit_code == 1
    assert "holds a run of another recipe (optim.lr was 0.001, now 5e-05)" in " ".join(again.stderr.split())
    with folder_lock(tmp_path / "busy"):
        second = CliRunner().invoke(app, _command(cache, recipe, tmp_path / "busy"))
    assert "another run is writing to" in second.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == weights
    other_fold = CliRunner().invoke(app, _command(cache, recipe, run, "--fold", "2"))
    assert "holds a run on bp4d fold 1" in " ".join(other_fold.stderr.split())
    changed = _faces()
    changed.labels[:, 6] = 1 - abs(changed.labels[:, 6])
    write_faces(changed, tmp_path / "changed", dataset="bp4d")
    other_faces = CliRunner().invoke(app, _command(tmp_path / "changed", recipe, run))
    assert "holds a run on other train faces, people or labels" in " ".join(other_faces.stderr.split())
    (run / "predictions.parquet").unlink()  # as if it had been killed before the end
    unfinished = CliRunner().invoke(app, _command(cache, recipe, run, "--set", "seed=1"))
    assert "another recipe (seed was 3407, now 1)" in " ".join(unfinished.stderr.split())
    (run / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:1000])
    damaged = CliRunner().invoke(app, _command(cache, recipe, run))
    assert damaged.exit_code == 1
    assert "checkpoint.pt is damaged" in damaged.stderr


def test_linear_evaluation_alone_starts_from_a_model(cache: Path, recipe: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, _command(cache, recipe, tmp_path / "one", "-q")).exit_code == 0
    log = pl.read_csv(tmp_path / "one" / "log.csv")
    assert log["epoch"].to_list() == [0, 1, 2]  # a row an epoch, however rare checkpoints are
    more = ("--set", "stages=[]", "--set", f"encoder.pretrained={tmp_path / 'one' / 'model'}")
    result = CliRunner().invoke(app, _command(cache, recipe, tmp_path / "linear", "-q", *more))
    assert result.exit_code == 0, result.output
    one, linear = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("one", "linear"))
    same = {name: torch.equal(value, linear[name]) for name, value in one.items()}
    assert all(equal for name, equal in same.items() if name.startswith("encoder."))
    plain = CliRunner().invoke(app, _command(cache, recipe, tmp_path / "dry", "--dry-run", "--json", *more))
    assert json.loads(plain.stdout)["steps"] == 0


def test_a_cache_tells_what_could_not_be_read(cache: Path, recipe: Path, tmp_path: Path) -> None:
    broken = tmp_path / "cache"
    shutil.copytree(cache, broken)
    index = json.loads((broken / "index.json").read_text(encoding="utf-8"))
    index["failures"] = {"F001 T1": "cannot be read"}
    (broken / "index.json").write_text(json.dumps(index), encoding="utf-8")
    result = CliRunner().invoke(app, _command(broken, recipe, tmp_path / "run", "--dry-run"))
    assert "1 sequences could not be read, or not wholly" in " ".join(result.stderr.split())
    assert "F001 T1 (cannot be read)" in " ".join(result.stderr.split())


def test_early_stopping_keeps_the_best_epoch(cache: Path, recipe: Path, tmp_path: Path) -> None:
    # Stage 1 trains no heads here: similar training pictures vote.
    settings = ("loss.bce_weight=0", "optim.patience=1", "optim.lr=1e-9", "stages=[{size_px = 32, epochs = 40}]")
    more = [part for setting in settings for part in ("--set", setting)]
    assert CliRunner().invoke(app, _command(cache, recipe, tmp_path / "run", "-q", *more)).exit_code == 0
    log = pl.read_csv(tmp_path / "run" / "log.csv")
    assert log["epoch"].to_list()[-1] < 39  # nothing is learnt at such a rate, so the score soon stops rising
    assert log["validation_auc"].is_not_null().any()


def test_two_processes_share_a_run(cache: Path, recipe: Path, tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from aucli.cli import app\n"
        "from aucli.training.distributed import rank\n"
        "from aucli.training.trainer import Trainer\n"
        "run = Trainer.run\n"
        "def keep(self):\n"
        "    run(self)\n"
        "    torch.save(self.network.state_dict(), Path(sys.argv[0]).with_name(f'{rank()}.pt'))\n"
        "    return self.average\n"
        "Trainer.run = keep\n"
        "app()\n",
        encoding="utf-8",
    )
    more = ["optim.accumulate=2", "optim.identity_weight=0.1", "optim.pictures_per_person=2", "optim.patience=9"]
    settings = [part for one in more for part in ("--set", one)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(script), *_command(cache, recipe, tmp_path / "run", *settings)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the test people") == 1  # only the first process speaks
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert (tmp_path / "run" / "model" / "config.json").is_file()


def test_the_published_loss_leaves_out_frames_with_missing_labels(cache: Path, recipe: Path, tmp_path: Path) -> None:
    options = TrainOptions(
        source=DatasetSource(dataset="bp4d", cache=cache),
        out=tmp_path,
        recipe=str(recipe),
        overrides=("loss.published=true",),
        device="cpu",
    )
    planned = plan(options)
    assert (planned.folds[0].train.labels >= 0).all()
    assert any("published loss knows no missing labels" in warning for warning in planned.warnings)


def test_words_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"`dataset` is 'x'; allowed are bp4d, .*, synth, photographs"):
        training_source("x")
    with pytest.raises(OptionsError, match="`fold` is 'two'"):
        FoldOptions(fold="two")
    with pytest.raises(OptionsError, match="one division of the subjects, fold 1"):
        TrainOptions(source=training_source("synth"), out=tmp_path, folds=FoldOptions(fold=2))
    with pytest.raises(RecipeError, match="there is no recipe 'none'; give a file, or one of"):
        plan(TrainOptions(source=training_source("bp4d", cache=tmp_path), out=tmp_path, recipe="none"))
    with pytest.raises(OptionsError, match="codes belong to photographs"):
        training_source("synth", pairs=[f"codes={tmp_path}"])
    with pytest.raises(OptionsError, match="`option` is 'camera=left'; allowed is KEY=VALUE with one of photographs"):
        training_source("synth", pairs=["camera=left"])
    with pytest.raises(DatasetError, match="give the rig"):
        plan(TrainOptions(source=training_source("synth"), out=tmp_path))


def test_training_on_renders_alone(shared: Path, tmp_path: Path) -> None:
    command = ["train", "--dataset", "synth", "--root", str(shared / "facekit" / "facekit.npz"), "-o", str(tmp_path)]
    small = [
        "free_data.renders=40",
        "optim.batch_size=8",
        "encoder.pretrained=",
        "split.validation=0.4",
        "encoder.backbone=mobilenetv4_conv_small",
        "stages=[{size_px = 32, epochs = 1}]",
        "crop.size_px=32",
        "linear.epochs=1",
    ]
    more = [part for setting in small for part in ("--set", setting)]
    result = CliRunner().invoke(app, [*command, *more, "--device", "cpu", "-q"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "model" / "config.json").is_file()


def test_joined_faces_keep_their_own() -> None:
    one, other = _faces(4), _faces(3)
    small = LabelledFaces(**{**other.__dict__, "pictures": other.pictures[:, :40, :50]})
    both = join([one, small])
    assert both.pictures.shape == (7, 64, 64, 3)
    np.testing.assert_array_equal(both.pictures[4:, :40, :50], small.pictures)
    np.testing.assert_array_equal(both.labels[:4], one.labels)
    with pytest.raises(DatasetError, match="no faces to join"):
        join([])
