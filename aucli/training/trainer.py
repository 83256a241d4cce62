"""Stage 1: the encoder learns from two random views of every picture. Data, network, loss, optimiser, loop.

A run lies in one folder: ``checkpoint.pt`` (everything needed to go on: weights, averages, optimiser, random state)
and ``log.csv``. A killed run goes on from its last checkpoint and, on the CPU, gives the same bits.
"""

from __future__ import annotations

import copy
import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aucli.encoder import AUNetwork
from aucli.training.augment import random_views
from aucli.training.data.labelled_faces import LabelledFaces
from aucli.training.linear_evaluation import au_weights
from aucli.training.losses import Outputs, WeightedBCE, make_loss
from aucli.training.recipe import Recipe

CHECKPOINT_NAME = "checkpoint.pt"
LOG_NAME = "log.csv"

Progress = Callable[[str], None]


class Trainer:
    """One run of stage 1.

    Args:
        recipe: what to do.
        faces: the training fold only; the trainer never sees another.
        folder: where checkpoint and log go; a checkpoint that lies there is continued.
        progress: called with a line of text now and then.
        checkpoint_every: steps between checkpoints.
    """

    def __init__(
        self, recipe: Recipe, faces: LabelledFaces, folder: Path, *, progress: Progress, checkpoint_every: int = 50
    ) -> None:
        self.recipe, self.faces, self.folder = recipe, faces, folder
        self.progress, self.checkpoint_every = progress, checkpoint_every
        torch.manual_seed(recipe.seed)
        self.network = AUNetwork(recipe.encoder_config()).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        weights = au_weights(torch.from_numpy(faces.labels))
        self.loss = make_loss(recipe.loss.name, temperature=recipe.loss.temperature, weights=weights)
        self.cross_entropy = WeightedBCE(weights) if recipe.loss.bce_weight > 0 and not self.loss.needs_logits else None
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(self.network, recipe.optim.weight_decay), lr=recipe.optim.lr
        )
        self.steps_per_epoch = max(len(faces) // recipe.optim.batch_size, 1)
        self.total_steps = self.steps_per_epoch * sum(stage.epochs for stage in recipe.stages)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT_NAME).is_file():
            self._resume()

    def run(self, *, until_step: int | None = None) -> AUNetwork:
        """Train to the end (or to a step) and return the averaged network."""
        end = self.total_steps if until_step is None else min(until_step, self.total_steps)
        while self.step < end:
            loss = self._train_step()
            if self.step % self.checkpoint_every == 0 or self.step == self.total_steps:
                self._save()
                self._log(loss)
        return self.average

    def _train_step(self) -> float:
        optim = self.recipe.optim
        pictures, sizes, landmarks, labels = self._batch()
        spec = self.recipe.crop_spec(self._stage_size())
        views = [random_views(pictures, sizes, landmarks, spec, self.recipe.augment) for _ in range(2)]
        for group in self.optimizer.param_groups:
            group["lr"] = optim.lr * self._schedule()
        self.network.train()
        z = self.network.encoder(torch.cat(views).contiguous(memory_format=torch.channels_last))
        heads_read = self.cross_entropy is not None or self.loss.needs_logits
        logits = self.network.head_logits(z).view(2, -1, z.shape[1]) if heads_read else None
        outputs = Outputs(z.view(2, -1, *z.shape[1:]), logits)
        loss = self.loss(outputs, labels)
        if self.cross_entropy is not None:
            loss = loss + self.recipe.loss.bce_weight * self.cross_entropy(outputs, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), optim.clip_norm)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return float(loss.detach())

    def _batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The step's pictures: the order of an epoch is a function of seed and epoch alone, so a run can resume."""
        epoch, position = divmod(self.step, self.steps_per_epoch)
        order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.faces))
        size = self.recipe.optim.batch_size
        rows = self.faces[order[position * size : (position + 1) * size]]
        return (
            torch.from_numpy(rows.pictures).permute(0, 3, 1, 2).float(),
            torch.from_numpy(rows.sizes_wh),
            torch.from_numpy(rows.landmarks_xy),
            torch.from_numpy(rows.labels),
        )

    def _stage_size(self) -> int:
        epoch = self.step // self.steps_per_epoch
        for stage in self.recipe.stages:
            if epoch < stage.epochs:
                return stage.size_px
            epoch -= stage.epochs
        return self.recipe.stages[-1].size_px

    def _schedule(self) -> float:
        """Linear warm-up to 1, then half a cosine to 0."""
        warmup = self.recipe.optim.warmup_share * self.total_steps
        if self.step < warmup:
            return (self.step + 1) / (warmup + 1)
        return 0.5 * (1 + math.cos(math.pi * (self.step - warmup) / max(self.total_steps - warmup, 1)))

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first, so that the random start is forgotten.
        decay = min(self.recipe.optim.ema_decay, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def _save(self) -> None:
        state: dict[str, Any] = {
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }
        partial = self.folder / f".{CHECKPOINT_NAME}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT_NAME)

    def _resume(self) -> None:
        state = torch.load(self.folder / CHECKPOINT_NAME, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])

    def _log(self, loss: float) -> None:
        path = self.folder / LOG_NAME
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["step", "loss", "lr"])
            writer.writerow([self.step, f"{loss:.5f}", f"{self.optimizer.param_groups[0]['lr']:.3g}"])
        self.progress(f"step {self.step} of {self.total_steps}: loss {loss:.4f}")


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for biases and norms."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
