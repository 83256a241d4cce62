from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from aucli.errors import RecipeError
from aucli.faces.alignment import CropSpec
from aucli.training.batches import Stage
from aucli.training.checkpoint import CHECKPOINT_NAME
from aucli.training.objective import LossOptions
from aucli.training.trainer import Trainer
from tests.builders.tiny_training import TINY_NETWORK, tiny_faces, tiny_training


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    training, faces = tiny_training(identity_weight=0.1), tiny_faces(32)
    straight = Trainer(training, faces, tmp_path / "straight").run()
    first = Trainer(training, faces, tmp_path / "killed", checkpoint_every=3)
    first.run(until_step=5)  # two steps beyond the checkpoint are lost
    second = Trainer(training, faces, tmp_path / "killed")
    assert second.step == 3
    resumed = second.run().state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in straight.state_dict().items())


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    training = replace(
        tiny_training(patience=1, lr=1e-9),
        loss=LossOptions(bce_weight=0.0),  # it trains no heads: similar training pictures vote
        stages=(Stage(size_px=32, epochs=40),),
        crop=CropSpec(size_px=32),
        network=replace(TINY_NETWORK, input_size_px=32),
    )
    faces = tiny_faces()
    trainer = Trainer(training, faces[np.arange(40)], tmp_path, validation=faces[np.arange(40, 60)])
    trainer.run()
    log = pl.read_csv(tmp_path / "log.csv")
    assert log["epoch"].to_list()[-1] < 39  # nothing is learnt at such a rate, so the score soon stops rising
    assert log["validation_auc"].is_not_null().any()


def test_a_backbone_without_a_rate_stays_as_it_is_and_statistics_may(tmp_path: Path) -> None:
    for keep in (False, True):
        training = tiny_training(backbone_lr_factor=0.0, keep_statistics=keep, lr=1e-2)
        trainer = Trainer(training, tiny_faces(32), tmp_path / str(keep))
        before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
        trainer.run()
        moved = {name for name, value in trainer.network.state_dict().items() if not torch.equal(value, before[name])}
        assert moved, "the heads learn"
        assert not [name for name in moved if "backbone" in name]
        assert any("running_mean" in name for name in moved) is not keep


def test_the_start_itself_may_be_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aucli.training.trainer.start_from", lambda *_: None)
    training = replace(tiny_training(patience=1, lr=1e-12), start="a model", stages=(Stage(size_px=48, epochs=9),))
    faces = tiny_faces()
    trainer = Trainer(training, faces[np.arange(40)], tmp_path, validation=faces[np.arange(40, 60)])
    before = {name: value.clone() for name, value in trainer.network.encoder.global_linear.fc.state_dict().items()}
    monkeypatch.setattr("aucli.training.trainer.validate", lambda *_, **__: (0.9 if trainer.step == 0 else 0.5, 0.5))
    kept = trainer.run().encoder.global_linear.fc.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in kept.items())
    assert trainer.step == trainer.batches.steps_per_epoch


def test_the_network_is_trained_at_the_options_precision(tmp_path: Path) -> None:
    views = torch.rand(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 255
    found = []
    for precision in ("float32", "bfloat16"):
        trainer = Trainer(tiny_training(precision=precision), tiny_faces(), tmp_path / precision)
        trainer.network.eval()
        found.append(trainer.embed(views).detach())
    assert found[0].dtype == found[1].dtype == torch.float32
    assert not torch.equal(*found)
    torch.testing.assert_close(*found, atol=0.1, rtol=0)


def test_too_little_memory_ends_in_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(tiny_training(), tiny_faces(), tmp_path)

    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "embed", full)
    with pytest.raises(RecipeError, match=r"try `overrides` optim\.accumulate=2"):
        trainer.run()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(tiny_training(), tiny_faces(), tmp_path, checkpoint_every=1)
    monkeypatch.setattr(trainer.objective, "forward", lambda z, **_: z.sum() * float("nan"))
    with pytest.raises(RecipeError, match=r"the loss is not finite \(nan\) at step 1; lower optim.lr \(it is 0.001\)"):
        trainer.run()
    assert not (tmp_path / CHECKPOINT_NAME).exists()
