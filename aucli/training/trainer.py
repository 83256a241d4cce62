"""The encoder learns from random views of every picture: network, objective, optimiser, loop.

A run lies in one folder: ``checkpoint.pt`` (everything needed to go on: weights, averages, optimiser, best weights) and
its log. All chance is a function of seed, step and process, so a killed run goes on from its last checkpoint and, on
the CPU, gives the same bits.

Several processes (torchrun, one per GPU) share each batch: every one embeds its part, the loss sees all, gradients and
batch-norm statistics are averaged. The first process alone validates, logs and saves.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from aucli.datasets.faces import FaceSource
from aucli.errors import RecipeError
from aucli.faces.alignment import CropSpec
from aucli.models.network import AUNetwork, EncoderConfig
from aucli.training.augment import AugmentConfig
from aucli.training.batches import Batch, BatchMaker, Prefetcher, Stage, step_seed
from aucli.training.checkpoint import CHECKPOINT_NAME, read_checkpoint, write_checkpoint
from aucli.training.distributed import average_over_processes, barrier, rank, same_everywhere, world_size
from aucli.training.early_stopping import EarlyStopping
from aucli.training.grad_cache import backward
from aucli.training.identity_head import IdentityHead
from aucli.training.objective import LossOptions, Objective
from aucli.training.optimiser import OptimOptions, make_optimizer
from aucli.training.run_log import RunLog, TrainingProgress
from aucli.training.start import is_model, start_from
from aucli.training.validation import validate


@dataclass(frozen=True, kw_only=True)
class EncoderTraining:
    """All that defines how an encoder is trained, apart from the faces.

    Attributes:
        network: the network, at the size of the last stage.
        start: where its weights start, see `aucli.training.start.start_from`.
        crop: how faces are laid into the network's input.
        augment: strength of the random changes.
        loss: what is minimised.
        stages: crop sizes and epochs, one after the other; none leaves the encoder as it starts.
        optim: batch and optimiser.
        seed: everything drawn follows from it.
    """

    network: EncoderConfig
    start: str = ""
    crop: CropSpec = field(default_factory=CropSpec)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossOptions = field(default_factory=LossOptions)
    stages: tuple[Stage, ...]
    optim: OptimOptions = field(default_factory=OptimOptions)
    seed: int = 0

    def batches(self, faces: FaceSource, *, rank: int = 0, world_size: int = 1) -> BatchMaker:
        """The batches of these faces.

        Raises:
            RecipeError: if faces and batches do not fit each other.
        """
        return BatchMaker(
            faces,
            self.optim,
            stages=self.stages,
            crop=self.crop,
            augment=self.augment,
            seed=self.seed,
            views=self.loss.views,
            rank=rank,
            world_size=world_size,
        )


class Trainer:
    """One run of the encoder's training.

    Args:
        training: how.
        faces: the training split only.
        folder: where checkpoint and log go. A checkpoint that lies there is continued: whose folder it is has been
            looked at before (`aucli.training.run_folder`).
        validation: faces of other subjects, for early stopping and the log; never the test split.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        progress: called now and then, in the first process.
        checkpoint_every: steps between checkpoints.
        workers: threads that make batches ahead of time; they never change the result. None for half of the CPUs.

    Raises:
        RecipeError: if training and faces do not fit each other, or the checkpoint cannot be read.
    """

    def __init__(
        self,
        training: EncoderTraining,
        faces: FaceSource,
        folder: Path,
        *,
        validation: FaceSource | None = None,
        device: str = "cpu",
        progress: Callable[[TrainingProgress], None] = lambda _: None,
        checkpoint_every: int = 50,
        workers: int | None = None,
    ) -> None:
        self.training, self.faces, self.folder, self.validation = training, faces, folder, validation
        self.device, self.progress = torch.device(device), progress
        self.checkpoint_every, self.workers = checkpoint_every, workers
        self.batches = training.batches(faces, rank=rank(), world_size=world_size())
        optim = training.optim
        torch.manual_seed(training.seed)
        network = AUNetwork(training.network)
        is_new = not (folder / CHECKPOINT_NAME).is_file()
        if is_new:
            start_from(network, training.start)
        if world_size() > 1 and self.device.type == "cuda":
            # The CPU has none: there every process normalises by its own part of the batch.
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.network: AUNetwork = network.to(self.device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.is_backbone_fixed = optim.backbone_lr_factor == 0
        if self.is_backbone_fixed:
            self.network.encoder.backbone.requires_grad_(False)
        identity = None
        if optim.identity_weight > 0:
            identity = IdentityHead(len(faces.aus), training.network.embedding_dim, self.batches.n_subjects)
        self.objective = Objective(
            training.loss, torch.from_numpy(faces.labels), identity=identity, identity_weight=optim.identity_weight
        ).to(self.device)
        self.optimizer = make_optimizer(self.network, self.objective.parameters(), optim)
        self.early_stopping = EarlyStopping(optim.patience)
        self.total_steps = self.batches.total_steps
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if not is_new:
            self._resume()

    def run(self, *, until_step: int | None = None) -> AUNetwork:
        """Train to the end (or to a step) and return the averaged network, of the best epoch if there is patience.

        Raises:
            RecipeError: if the device's memory does not suffice, or the loss is not finite.
        """
        end = self.total_steps if until_step is None else min(until_step, self.total_steps)
        if self.step < end and not self.early_stopping.has_stopped:
            if self.step == 0 and is_model(self.training.start):
                self._validate()  # what training starts from may be the best that there is
            with self._memory_advice(), contextlib.ExitStack() as open_files:
                log = open_files.enter_context(RunLog(self.folder, self.step)) if rank() == 0 else None
                batches = open_files.enter_context(Prefetcher(self.batches, self.step, end, workers=self.workers))
                self._loop(batches, log)
        if self.early_stopping.best is not None:
            self.average.load_state_dict(self.early_stopping.best)
        return self.average

    def _loop(self, batches: Prefetcher, log: RunLog | None) -> None:
        began, since = time.perf_counter(), self.step
        for batch in batches:
            loss = self.train_step(batch)
            is_epoch = self.step % self.batches.steps_per_epoch == 0
            if is_epoch:
                self._validate()
            has_stopped = self.early_stopping.has_stopped
            is_due = self.step % self.checkpoint_every == 0 or self.step == self.total_steps or has_stopped
            if not (is_due or is_epoch):
                continue
            value = float(loss)  # read only now: each reading waits for the GPU
            self._check_finite(value)
            if is_due:
                self._save()
            seconds = time.perf_counter() - began
            faces_per_s = (self.step - since) * self.training.optim.batch_size / seconds
            if log is not None:
                now = self._progress(value, faces_per_s, batches.take_waited_s() / seconds)
                log.write(now)
                self.progress(now)
            began, since = time.perf_counter(), self.step
            if has_stopped:
                break

    def train_step(self, batch: Batch) -> Tensor:
        """One update of all weights.

        Returns:
            The loss of the whole batch, a scalar without a graph.
        """
        optim = self.training.optim
        torch.manual_seed(step_seed(self.training.seed, self.step, rank()))
        for group in self.optimizer.param_groups:
            group["lr"] = group["factor"] * self.lr(self.step)
        self.network.train(not optim.keep_statistics)  # nothing but batch norm and stochastic depth looks at this
        if self.is_backbone_fixed:
            self.network.encoder.backbone.eval()
        self.optimizer.zero_grad(set_to_none=True)
        views = batch.views.to(self.device, non_blocking=True)
        labels, subjects = batch.labels.to(self.device), batch.subjects.to(self.device)
        heads = self.network.head_logits
        loss_of = partial(self.objective, labels=labels, subjects=subjects, heads=heads)
        loss = backward(self.network, views, embed=self.embed, loss_of=loss_of, parts=optim.accumulate)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        average_over_processes([p.grad for p in parameters if p.grad is not None])
        average_over_processes([b for b in self.network.buffers() if b.dtype.is_floating_point])
        if optim.clip_norm > 0:
            nn.utils.clip_grad_norm_(parameters, optim.clip_norm)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return loss.detach()

    def embed(self, views: Tensor) -> Tensor:
        """Views (V, N, 3, S, S) on the device -> embeddings (V, N, A, D) float32, in the precision of the options."""
        optim = self.training.optim
        passes = views if optim.views_apart else [views.flatten(0, 1)]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=optim.precision == "bfloat16"):
            z = torch.cat(
                [self.network.encoder(crops.contiguous(memory_format=torch.channels_last)) for crops in passes]
            )
        return z.float().view(*views.shape[:2], *z.shape[1:])

    def _validate(self) -> None:
        if self.validation is None or not len(self.validation):
            return
        found = torch.zeros(2, dtype=torch.float64, device=self.device)
        if rank() == 0:
            by_heads = self.training.loss.trains_heads
            scores = validate(self.average, self.faces, self.validation, self.training.crop, by_heads=by_heads)
            found += torch.tensor(scores, device=self.device)
        auc, f1 = same_everywhere(found).tolist()
        self.early_stopping.add(auc, f1, self.average)

    def lr(self, step: int) -> float:
        """The rate of everything behind the backbone at a step."""
        optim = self.training.optim
        return optim.lr * optim.rate(step, self.total_steps, self.batches.steps_per_epoch)

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first, so that the random start is forgotten.
        decay = min(self.training.optim.ema_decay, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def _save(self) -> None:
        if rank() == 0:
            state = {
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "objective": self.objective.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "early_stopping": self.early_stopping.state(),
            }
            write_checkpoint(self.folder, state)
        barrier()  # nobody runs ahead of what is saved

    def _resume(self) -> None:
        state = read_checkpoint(self.folder, self.device)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.early_stopping.load(state["early_stopping"])

    def _progress(self, loss: float, faces_per_s: float, waiting: float) -> TrainingProgress:
        auc, f1 = self.early_stopping.last_defined()
        return TrainingProgress(
            step=self.step,
            total_steps=self.total_steps,
            epoch=(self.step - 1) // self.batches.steps_per_epoch,
            loss=loss,
            lr=self.lr(self.step - 1),
            faces_per_s=faces_per_s,
            waiting=waiting,
            validation_auc=auc,
            validation_f1=f1,
        )

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            optim = self.training.optim
            half = ", or set optim.precision=float32" if optim.precision == "bfloat16" else ""
            raise RecipeError(
                f"the loss is not finite ({loss}) at step {self.step}; lower optim.lr (it is {optim.lr:g}){half}"
            )

    @contextlib.contextmanager
    def _memory_advice(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # CUDA's OutOfMemoryError is one; the CPU's allocator has no class of its own
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise
            optim = self.training.optim
            size = self.batches.size_px(self.step)
            raise RecipeError(
                f"{self.device} has too little memory for {self.batches.views} views of {optim.batch_size} faces of "
                f"{size} px in {optim.accumulate} parts: try `overrides` optim.accumulate={2 * optim.accumulate} (the "
                "same batch, a third slower), optim.precision=bfloat16 or "
                f"optim.batch_size={max(optim.batch_size // 2, 2)}; a changed recipe needs a new folder"
            ) from None
