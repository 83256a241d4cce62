"""Several processes: what they gather, and a whole run that two share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

import aucli
from aucli.training.distributed import (
    average_over_processes,
    first_process_first,
    gather_batch,
    process_group,
    rank,
    rank_zero_only,
    same_everywhere,
    world_size,
)
from aucli.training.losses import AULoss, LossName, Outputs, make_loss
from tests.builders.tiny_training import tiny_recipe, train_command

ALL_LOSSES: tuple[LossName, ...] = get_args(LossName)


def test_one_process_is_all_there_is() -> None:
    assert (rank(), world_size()) == (0, 1)
    value = torch.arange(6.0).view(2, 3)
    assert gather_batch(value) is value
    assert torch.equal(same_everywhere(value), value)
    average_over_processes([value])
    assert torch.equal(value, torch.arange(6.0).view(2, 3))
    with process_group("cpu") as device, first_process_first(), rank_zero_only():
        assert device == "cpu"


def _joint(num_aus: int = 3, count: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(count, num_aus, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(-1, 2, (count, num_aus), generator=generator)
    weight = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    return x, labels, weight


def _loss_and_gradient(loss: AULoss, x: Tensor, labels: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """A tiny network with one parameter; views differ by a fixed shift."""
    parameter = weight.clone().requires_grad_()
    views = torch.stack([x, x.flip(-1)]) @ parameter
    outputs = Outputs(torch.nn.functional.normalize(views, dim=-1), views.sum(dim=-1))
    torch.manual_seed(1)
    value = loss(outputs, labels)
    (gradient,) = torch.autograd.grad(value, parameter)
    return value.detach(), gradient


def share_losses(rank: int, folder: Path) -> None:
    """One of two processes: every loss of half a batch, with the gradient that both have; into the folder."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    x, labels, weight = _joint()
    mine = slice(rank * 3, rank * 3 + 3)
    results = {}
    for name in ALL_LOSSES:
        value, gradient = _loss_and_gradient(make_loss(name), x[mine], labels[mine], weight)
        dist.all_reduce(gradient)  # what DistributedDataParallel does: the mean over processes
        results[name] = (value, gradient / 2)
    mean = [torch.full((2, 3), float(rank)), torch.full((1,), 4.0 * rank)]
    average_over_processes(mean)
    assert [set(tensor.flatten().tolist()) for tensor in mean] == [{0.5}, {2.0}]
    assert torch.equal(gather_batch(labels[mine]), labels)
    if rank == 0:
        with rank_zero_only():  # the other process is not waited for
            assert world_size() == 1
            assert len(gather_batch(labels[mine])) == 3
    torch.save(results, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def pair(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two processes that torchrun started: they share some losses, and then a whole run."""
    folder = tmp_path_factory.mktemp("pair")
    script, recipe = folder / "two.py", folder / "tiny.toml"
    recipe.write_text(tiny_recipe("bp4d"), encoding="utf-8")
    script.write_text(
        "import os, sys, torch\n"
        "from pathlib import Path\n"
        "from aucli.cli import app\n"
        "from aucli.training.distributed import rank\n"
        "from aucli.training.trainer import Trainer\n"
        "from tests.training.test_distributed import share_losses\n"
        "folder = Path(sys.argv[0]).parent\n"
        "share_losses(int(os.environ['RANK']), folder)\n"
        "run = Trainer.run\n"
        "def keep(self):\n"
        "    run(self)\n"
        "    torch.save(self.network.state_dict(), folder / f'{rank()}.pt')\n"
        "    return self.average\n"
        "Trainer.run = keep\n"
        "app()\n",
        encoding="utf-8",
    )
    more = [
        "stages=[{size_px = 32, epochs = 2}]",
        "optim.accumulate=2",
        "optim.identity_weight=0.1",
        "optim.pictures_per_subject=2",
        "optim.patience=9",
    ]
    settings = [part for one in more for part in ("--set", one)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(script), *train_command(cache, recipe, folder / "run", *settings)]
    package = str(Path(aucli.__file__).parents[1])  # this very one, wherever the script lies
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": package}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder / "told").write_text(done.stderr)
    return folder


@pytest.mark.slow
def test_two_processes_equal_one_with_the_joined_batch(pair: Path) -> None:
    x, labels, weight = _joint()
    for name in ALL_LOSSES:
        value, gradient = _loss_and_gradient(make_loss(name), x, labels, weight)
        for process in range(2):
            there = torch.load(pair / f"rank{process}.pt", weights_only=True)[name]
            torch.testing.assert_close(there[0], value, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(there[1], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_two_processes_share_a_run(pair: Path) -> None:
    assert (pair / "told").read_text().count("the test subjects") == 1  # only the first process speaks
    one, other = (torch.load(pair / f"{process}.pt", weights_only=True) for process in (0, 1))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert (pair / "run" / "model" / "config.json").is_file()
