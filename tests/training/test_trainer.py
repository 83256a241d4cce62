"""Stage 1: batches, parts, people, the log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from aucli.errors import RecipeError
from aucli.evaluation.scoring import evaluate
from aucli.models.network import AUNetwork
from aucli.models.zoo import find_model
from aucli.training.batches import BatchMaker, Prefetcher
from aucli.training.identity_head import IdentityHead
from aucli.training.linear_heads import au_weights, predict
from aucli.training.model_folder import write_bundle
from aucli.training.run_log import BOARD_NAME, LOG_NAME, RunLog, TrainingProgress
from aucli.training.trainer import Trainer
from aucli.training.validation import vote
from tests.builders.tiny_training import AUS, tiny_faces, tiny_recipe


def test_every_picture_once_a_pass_and_the_same_whatever_the_threads() -> None:
    recipe, faces = tiny_recipe(optim={"batch_size": 12}), tiny_faces(60)
    maker = BatchMaker(recipe, faces)
    first, second = (np.concatenate([maker.rows(5 * k + step) for step in range(5)]) for k in (0, 1))
    assert sorted(first) == sorted(second) == list(range(60))
    assert first.tolist() != second.tolist()
    batches = []
    for workers in (1, 3):
        with Prefetcher(maker, 2, 8, workers=workers) as prefetcher:
            batches.append(list(prefetcher))
    assert [len(found) for found in batches] == [6, 6]
    assert all(torch.equal(a.views, b.views) for a, b in zip(*batches, strict=True))
    with Prefetcher(maker, 3, 3) as nothing:
        assert list(nothing) == []


def test_processes_share_a_batch_without_overlap() -> None:
    recipe, faces = tiny_recipe(optim={"batch_size": 12}), tiny_faces(60)
    parts = [BatchMaker(recipe, faces, rank=rank, world_size=3).batch(4) for rank in range(3)]
    whole = BatchMaker(recipe, faces).batch(4)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)
    assert torch.equal(torch.cat([part.people for part in parts]), whole.people)
    with pytest.raises(RecipeError, match=r"shared by 5 processes in optim\.accumulate = 1 parts each; allowed are"):
        BatchMaker(recipe, faces, world_size=5)


def test_identity_balanced_batches() -> None:
    faces = tiny_faces(50, people=20)  # ten people with three pictures, ten with two
    maker = BatchMaker(tiny_recipe(optim={"batch_size": 12, "pictures_per_person": 3}), faces)
    for step in range(20):
        _, counts = np.unique(maker.people[maker.rows(step)], return_counts=True)
        assert counts.tolist() == [3, 3, 3, 3]


def _embed_double(network: AUNetwork, views: Tensor) -> Tensor:
    z: Tensor = network.encoder(views.flatten(0, 1).double())
    return z.view(*views.shape[:2], *z.shape[1:])


def test_parts_give_the_gradients_of_the_whole_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "_embed", lambda self, views: _embed_double(self.network, views))
    gradients = []
    for parts in (1, 2, 4):
        recipe = tiny_recipe(optim={"batch_size": 16, "accumulate": parts, "identity_weight": 0.1})
        trainer = Trainer(recipe, tiny_faces(), tmp_path / str(parts))
        # In double precision only the order of sums differs; batch norm in evaluation, so that no part sees another.
        trainer.network.double().eval()
        torch.manual_seed(1)
        trainer._backward(trainer.batches.batch(0))
        gradients.append([p.grad.clone() for p in trainer.network.parameters() if p.grad is not None])
    whole, *in_parts = gradients
    assert sum(float(g.abs().sum()) for g in whole) > 0
    for added in in_parts:
        for one, other in zip(added, whole, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


def test_running_statistics_do_not_count_parts_twice(tmp_path: Path) -> None:
    trainer = Trainer(tiny_recipe(optim={"batch_size": 16, "accumulate": 2}), tiny_faces(), tmp_path)
    norm = next(m for m in trainer.network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen: list[Tensor] = []
    norm.register_forward_hook(lambda module, _, __: seen.append(module.running_mean.clone()))
    trainer.train_step(trainer.batches.batch(0))
    assert torch.equal(seen[0], seen[1])  # the first pass remembers nothing
    assert not torch.equal(seen[2], seen[3])


def test_the_encoder_learns_to_hide_who_it_is() -> None:
    torch.manual_seed(0)
    head = IdentityHead(2, 4, 3)
    z = torch.randn(6, 2, 4, requires_grad=True)
    people = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = head(z, people)
    loss.backward()
    assert z.grad is not None
    with torch.no_grad():
        moved = head(z - 0.1 * z.grad, people)  # what gradient descent does to the embeddings
        for parameter in head.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.1 * parameter.grad)
        assert moved > loss > head(z, people)


def test_votes_of_similar_pictures() -> None:
    known = torch.eye(4).view(4, 1, 4).repeat(1, 2, 1)
    labels = torch.tensor([[1, -1], [1, -1], [0, -1], [-1, -1]])
    asked = torch.tensor([[1.0, 0.9, 0.0, 0.0], [0.0, 0.0, 1.0, 0.9]]).view(2, 1, 4).repeat(1, 2, 1)
    assert vote(known, labels, asked, 2)[:, 1].tolist() == [0.5, 0.5]  # nobody knows
    assert vote(known, labels, asked, 1)[:, 0].tolist() == [1.0, 0.0]
    assert vote(known[:0], labels[:0], asked).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def _report(step: int) -> TrainingProgress:
    return TrainingProgress(
        step, 9, 0, 1.5 / step, 1e-3, 100.0, 0.01, None if step < 3 else 0.75, None if step < 3 else 0.5
    )


def test_the_log_goes_on_where_the_run_does(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with RunLog(tmp_path, 0) as log:
        for step in (1, 2, 3, 4):
            log.write(_report(step))
    with (tmp_path / LOG_NAME).open("a") as file:
        file.write("5,0,half a li")
    with RunLog(tmp_path, 3) as log:  # the checkpoint was of step 3
        log.write(_report(4))
    table = pl.read_csv(tmp_path / LOG_NAME)
    assert table["step"].to_list() == [1, 2, 3, 4]
    assert table["validation_auc"].to_list() == [None, None, 0.75, 0.75]
    board = EventAccumulator(str(tmp_path / BOARD_NAME)).Reload()
    losses = board.Scalars("loss")
    assert [event.step for event in losses] == [1, 2, 3, 4]
    assert losses[1].value == pytest.approx(0.75)
    assert [event.step for event in board.Scalars("validation_f1")] == [3, 4]


def test_too_little_memory_ends_in_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(tiny_recipe(), tiny_faces(), tmp_path)

    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "_embed", full)
    with pytest.raises(RecipeError, match=r"try --set optim\.accumulate=2"):
        trainer.run()


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(tiny_recipe(), tiny_faces(), tmp_path, checkpoint_every=1)
    monkeypatch.setattr(trainer, "_loss_of", lambda z, *_: z.sum() * float("nan"))
    with pytest.raises(RecipeError, match=r"the loss is nan at step 1; lower optim.lr \(it is 0.001\)"):
        trainer.run()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_another_data_set_does_not_continue_a_run(tmp_path: Path) -> None:
    Trainer(tiny_recipe(), tiny_faces(), tmp_path, checkpoint_every=1).run(until_step=1)
    with pytest.raises(RecipeError, match="holds a run on other faces or labels"):
        Trainer(tiny_recipe(), tiny_faces(people=19), tmp_path)


def test_au_weights_are_inverse_to_occurrence() -> None:
    labels = torch.tensor([[1, 1], [0, 1], [0, 0], [0, -1], [-1, -1]])
    torch.testing.assert_close(au_weights(labels), torch.tensor([4.0, 1.5]) * 2 / 5.5)


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    recipe, faces = tiny_recipe(), tiny_faces(32)
    straight = Trainer(recipe, faces, tmp_path / "straight", progress=lambda _: None).run()
    first = Trainer(recipe, faces, tmp_path / "killed", progress=lambda _: None, checkpoint_every=3)
    first.run(until_step=5)  # two steps beyond the checkpoint are lost
    second = Trainer(recipe, faces, tmp_path / "killed", progress=lambda _: None)
    assert second.step == 3
    resumed = second.run().state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in straight.state_dict().items())


def test_an_au_that_does_not_work_is_left_out_of_the_model(tmp_path: Path) -> None:
    from aucli.models.predictor import OnnxPredictor, TorchPredictor

    recipe, faces = tiny_recipe(), tiny_faces()
    torch.manual_seed(0)
    network = AUNetwork(recipe.encoder_config()).eval()
    results = evaluate(faces.labels, predict(network, faces, recipe).numpy(), aus=AUS, subjects=faces.subjects)
    for name, leave_out in (("both", []), ("one", [AUS[0]])):
        write_bundle(
            network,
            results,
            recipe,
            tmp_path / name,
            name="tiny",
            licence="Apache-2.0",
            summary="noise",
            card="# tiny",
            leave_out=leave_out,
        )
    frame = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    landmarks = np.array([[[30, 30], [60, 30], [45, 45], [33, 60], [57, 60]]], np.float32)
    where = np.zeros(1, np.intp)
    both = OnnxPredictor(find_model(str(tmp_path / "both"))).predict([frame], where, landmarks)
    one = find_model(str(tmp_path / "one"))
    assert one.config.aus == (AUS[1],)
    np.testing.assert_array_equal(OnnxPredictor(one).predict([frame], where, landmarks), both[:, 1:])
    np.testing.assert_allclose(
        TorchPredictor(one, device="cpu").predict([frame], where, landmarks), both[:, 1:], atol=0.05
    )
