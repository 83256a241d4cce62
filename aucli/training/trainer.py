"""Stage 1: the encoder learns from random views of every picture. Data, network, loss, optimiser, loop.

A run lies in one folder: ``checkpoint.pt`` (everything needed to go on: weights, averages, optimiser, random state)
and ``log.csv``. A killed run goes on from its last checkpoint and, on the CPU, gives the same bits.

The next batch is read from disk while the network works; views are made in the training thread, for their random
numbers are the run's.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from aucli.encoder import AUNetwork
from aucli.errors import RecipeError
from aucli.training.augment import random_views
from aucli.training.data.labelled_faces import FaceSource, LabelledFaces
from aucli.training.imagenet import load_imagenet
from aucli.training.linear_evaluation import au_weights, predict
from aucli.training.losses import AULoss, Outputs, WeightedBCE, make_loss
from aucli.training.metrics import evaluate
from aucli.training.pretrained import load_encoder
from aucli.training.recipe import OptimSection, Recipe

CHECKPOINT_NAME = "checkpoint.pt"
LOG_NAME = "log.csv"
LOG_COLUMNS: Final = ("step", "epoch", "loss", "lr", "faces_per_s", "waiting", "validation_auc", "validation_f1")


@dataclass(frozen=True)
class Progress:
    """How a run stands.

    Attributes:
        step, total_steps: of stage 1.
        epoch: from 0.
        loss: of the last step.
        faces_per_s: since the last report.
        waiting: share of the time that the network waited for pictures.
        validation_auc, validation_f1: means over AUs on the validation people at the end of the last epoch; F1 at
            0.5. None before that, or where stage 1 trains no heads.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    lr: float
    faces_per_s: float
    waiting: float
    validation_auc: float | None
    validation_f1: float | None

    def __str__(self) -> str:
        told = f"step {self.step} of {self.total_steps}: loss {self.loss:.4f}, {self.faces_per_s:.0f} faces/s"
        if self.validation_auc is None:
            return told
        return f"{told}, validation AUC {self.validation_auc:.3f}"


class Trainer:
    """One run of stage 1.

    Args:
        recipe: what to do.
        faces: the training fold only.
        folder: where checkpoint and log go; a checkpoint that lies there is continued.
        validation: other people, for early stopping and the log; never the test fold.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        progress: called now and then.
        checkpoint_every: steps between checkpoints.

    Raises:
        RecipeError: if the batch is larger than the training fold, or the folder holds a run of another recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: FaceSource,
        folder: Path,
        *,
        validation: FaceSource | None = None,
        device: str = "cpu",
        progress: Callable[[Progress], None] = lambda _: None,
        checkpoint_every: int = 50,
    ) -> None:
        if len(faces) < recipe.optim.batch_size:
            raise RecipeError(
                f"optim.batch_size is {recipe.optim.batch_size}, but there are {len(faces)} faces to train on; "
                f"allowed is up to {len(faces)}"
            )
        self.recipe, self.faces, self.folder, self.validation = recipe, faces, folder, validation
        self.device, self.progress, self.checkpoint_every = torch.device(device), progress, checkpoint_every
        torch.manual_seed(recipe.seed)
        network = AUNetwork(recipe.encoder_config())
        start_from(network, recipe.encoder.pretrained)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.loss, self.cross_entropy = _losses(recipe, torch.from_numpy(faces.labels), self.device)
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.network, recipe.optim), lr=recipe.optim.lr)
        self.views = 2 if self.loss.num_views > 1 else 1
        self.steps_per_epoch = len(faces) // recipe.optim.batch_size
        self.total_steps = self.steps_per_epoch * sum(stage.epochs for stage in recipe.stages)
        self.step = 0
        self.scores: list[tuple[float, float]] = []
        """AUC and F1 on the validation people after each epoch."""
        self.best: dict[str, Tensor] | None = None
        """Averaged weights of the best epoch, where the recipe stops early."""
        self._seconds = self._waited = 0.0
        self._reported = 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT_NAME).is_file():
            self._resume()

    def run(self, *, until_step: int | None = None) -> AUNetwork:
        """Train to the end (or to a step) and return the averaged network, of the best epoch if the recipe says so.

        Raises:
            RecipeError: if the device's memory does not suffice; the message says what to change.
        """
        end = self.total_steps if until_step is None else min(until_step, self.total_steps)
        with ThreadPoolExecutor(1) as reader:
            batch = reader.submit(self._read, self.step)
            while self.step < end and not self._is_settled():
                began = time.perf_counter()
                faces = batch.result()
                self._waited += time.perf_counter() - began
                batch = reader.submit(self._read, self.step + 1)
                try:
                    loss = self._train_step(faces)
                except torch.cuda.OutOfMemoryError:
                    half = max(self.recipe.optim.batch_size // 2, 2)
                    raise RecipeError(
                        f"{self.device} has too little memory for {self.views} views of {self.recipe.optim.batch_size} "
                        f"faces of {self._stage_size()} px: try --set optim.batch_size={half} or "
                        "--set optim.precision=bfloat16; what is trained is kept"
                    ) from None
                self._seconds += time.perf_counter() - began
                if self.step % self.steps_per_epoch == 0:
                    self._validate()
                if self.step % self.checkpoint_every == 0 or self.step == self.total_steps or self._is_settled():
                    self._save()
                    self._log(loss)
        if self.best is not None:
            self.average.load_state_dict(self.best)
        return self.average

    def _train_step(self, faces: LabelledFaces) -> float:
        optim = self.recipe.optim
        pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float()
        sizes, landmarks = torch.from_numpy(faces.sizes_wh), torch.from_numpy(faces.landmarks_xy)
        labels = torch.from_numpy(faces.labels).to(self.device)
        spec = self.recipe.crop_spec(self._stage_size())
        views = [random_views(pictures, sizes, landmarks, spec, self.recipe.augment) for _ in range(self.views)]
        crops = torch.cat(views).to(self.device, memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = optim.lr * group["factor"] * self._schedule()
        self.network.train()
        half = self.recipe.optim.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            z = self.network.encoder(crops)
            heads = self.network.head_logits(z) if self.recipe.loss.trains_heads else None
        logits = None if heads is None else heads.view(self.views, -1, z.shape[1])
        outputs = Outputs(z.view(self.views, -1, *z.shape[1:]), logits)
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

    def _read(self, step: int) -> LabelledFaces:
        """A step's faces: the order of an epoch is a function of seed and epoch alone, so a run can resume."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.faces))
        size = self.recipe.optim.batch_size
        return self.faces[order[position * size : (position + 1) * size]]

    def _validate(self) -> None:
        if self.validation is None or not len(self.validation) or not self.recipe.loss.trains_heads:
            return
        state = torch.get_rng_state()
        probabilities = predict(self.average, self.validation, self.recipe).double().numpy()
        torch.set_rng_state(state)  # looking must not change the run
        labels = self.validation.labels
        found = evaluate(labels, probabilities, aus=self.faces.aus, subjects=self.validation.identities, replicates=0)
        auc, f1 = (found.mean[name].value for name in ("roc_auc", "f1"))
        self.scores.append((math.nan if auc is None else auc, math.nan if f1 is None else f1))
        aucs = np.array([score for score, _ in self.scores])
        if self.recipe.optim.patience and np.isfinite(aucs).any() and np.nanargmax(aucs) == len(aucs) - 1:
            self.best = {name: value.detach().cpu().clone() for name, value in self.average.state_dict().items()}

    def _is_settled(self) -> bool:
        """Whether so many epochs brought nothing better that the recipe stops."""
        aucs = np.array([score for score, _ in self.scores])
        if not self.recipe.optim.patience or not np.isfinite(aucs).any():
            return False
        return len(aucs) - 1 - int(np.nanargmax(aucs)) >= self.recipe.optim.patience

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
            "scores": self.scores,
            "best": self.best,
        }
        partial = self.folder / f".{CHECKPOINT_NAME}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT_NAME)

    def _resume(self) -> None:
        state = torch.load(self.folder / CHECKPOINT_NAME, map_location=self.device, weights_only=True)
        if state["recipe"] != self.recipe.model_dump(mode="json"):
            raise RecipeError(f"{self.folder} holds a run of another recipe; choose another folder, or remove this one")
        self.step = state["step"]
        self.scores, self.best = [tuple(pair) for pair in state["scores"]], state["best"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"].cpu())

    def _log(self, loss: float) -> None:
        auc, f1 = self.scores[-1] if self.scores else (None, None)
        now = Progress(
            step=self.step,
            total_steps=self.total_steps,
            epoch=(self.step - 1) // self.steps_per_epoch,
            loss=loss,
            lr=self.recipe.optim.lr * self._schedule(),
            faces_per_s=(self.step - self._reported) * self.recipe.optim.batch_size / max(self._seconds, 1e-9),
            waiting=self._waited / max(self._seconds, 1e-9),
            validation_auc=auc,
            validation_f1=f1,
        )
        self._seconds = self._waited = 0.0
        self._reported = self.step
        path = self.folder / LOG_NAME
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(LOG_COLUMNS)
            values = (now.loss, now.lr, now.faces_per_s, now.waiting, auc, f1)
            writer.writerow([now.step, now.epoch, *("" if value is None else f"{value:.5g}" for value in values)])
        self.progress(now)


def start_from(network: AUNetwork, pretrained: str) -> None:
    """Give a fresh network the weights that the recipe's ``encoder.pretrained`` names; see there."""
    if pretrained in ("package", "timm"):
        load_imagenet(network, pretrained)
    elif pretrained:
        load_encoder(pretrained, network)


def _losses(recipe: Recipe, labels: Tensor, device: torch.device) -> tuple[AULoss, WeightedBCE | None]:
    """The loss and, beside a contrastive one, the cross-entropy."""
    section, weights = recipe.loss, au_weights(labels)
    loss = make_loss(section.name, temperature=section.temperature, weights=weights, published=section.published)
    beside = section.bce_weight > 0 and not loss.needs_logits
    cross_entropy = WeightedBCE(weights if section.bce_balanced else None) if beside else None
    return loss.to(device), None if cross_entropy is None else cross_entropy.to(device)


def _parameter_groups(network: AUNetwork, optim: OptimSection) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for biases and norms; the backbone at its own rate."""
    backbone = {id(p) for p in network.encoder.backbone.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        groups.setdefault((id(parameter) in backbone, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": optim.weight_decay if decays else 0.0,
            "factor": optim.backbone_lr_factor if in_backbone else 1.0,
        }
        for (in_backbone, decays), parameters in groups.items()
    ]
