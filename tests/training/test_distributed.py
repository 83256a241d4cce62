"""Several processes: what they gather, and a whole run that two share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn

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


def _worker(rank: int, folder: str) -> None:
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
    torch.save(results, Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one_with_the_joined_batch(tmp_path: Path) -> None:
    spawn(_worker, args=(str(tmp_path),), nprocs=2)  # type: ignore[no-untyped-call]
    x, labels, weight = _joint()
    for name in ALL_LOSSES:
        value, gradient = _loss_and_gradient(make_loss(name), x, labels, weight)
        for process in range(2):
            there = torch.load(tmp_path / f"rank{process}.pt", weights_only=True)[name]
            torch.testing.assert_close(there[0], value, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(there[1], gradient, rtol=1e-10, atol=1e-12)


def test_two_processes_share_a_run(cache: Path, recipe: Path, tmp_path: Path) -> None:
    from tests.builders.tiny_training import train_command  # here: the processes above need no trainer

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
    more = [
        "stages=[{size_px = 32, epochs = 2}]",
        "optim.accumulate=2",
        "optim.identity_weight=0.1",
        "optim.pictures_per_subject=2",
        "optim.patience=9",
    ]
    settings = [part for one in more for part in ("--set", one)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(script), *train_command(cache, recipe, tmp_path / "run", *settings)]
    package = str(Path(aucli.__file__).parents[1])  # this very one, wherever the script lies
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": package}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the test subjects") == 1  # only the first process speaks
    one, other = (torch.load(tmp_path / f"{process}.pt", weights_only=True) for process in (0, 1))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert (tmp_path / "run" / "model" / "config.json").is_file()
