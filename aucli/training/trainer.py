"""Stage 1: the encoder learns from random views of every picture. Network, loss, optimiser, loop.

A run lies in one folder: ``checkpoint.pt`` (everything needed to go on: weights, averages, optimiser, best weights) and
its log. All chance is a function of seed, step and process, so a killed run goes on from its last checkpoint and, on
the CPU, gives the same bits.

Several processes (torchrun, one per GPU) share each batch: every one embeds its part, the loss sees all, gradients and
batch-norm statistics are averaged. The first process alone validates, logs and saves.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from aucli.datasets.faces import FaceSource
from aucli.errors import RecipeError
from aucli.models.network import AUNetwork
from aucli.runtime.files import whole_or_nothing
from aucli.training.batches import Batch, BatchMaker, Prefetcher, step_seed
from aucli.training.distributed import average_over_processes, barrier, rank, same_everywhere, world_size
from aucli.training.identity_head import IdentityHead
from aucli.training.linear_heads import au_weights
from aucli.training.losses import AULoss, Outputs, WeightedBCE, make_loss
from aucli.training.recipe import Recipe
from aucli.training.run_log import RunLog, TrainingProgress
from aucli.training.start_imagenet import load_imagenet
from aucli.training.start_model import load_encoder
from aucli.training.validation import validate

CHECKPOINT_NAME: Final = "checkpoint.pt"


class Trainer:
    """One run of stage 1.

    Args:
        recipe: what to do.
        faces: the training fold only.
        folder: where checkpoint and log go; a checkpoint that lies there is continued.
        validation: other people, for early stopping and the log; never the test fold.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        progress: called now and then, in the first process.
        checkpoint_every: steps between checkpoints.
        workers: threads that make batches ahead of time; they never change the result. None for half of the CPUs.

    Raises:
        RecipeError: if recipe and faces do not fit each other, or the folder holds another run.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: FaceSource,
        folder: Path,
        *,
        validation: FaceSource | None = None,
        device: str = "cpu",
        progress: Callable[[TrainingProgress], None] = lambda _: None,
        checkpoint_every: int = 50,
        workers: int | None = None,
    ) -> None:
        self.recipe, self.faces, self.folder, self.validation = recipe, faces, folder, validation
        self.device, self.progress = torch.device(device), progress
        self.checkpoint_every, self.workers = checkpoint_every, workers
        self.loss, self.cross_entropy = _losses(recipe, torch.from_numpy(faces.labels), self.device)
        self.batches = BatchMaker(
            recipe, faces, views=2 if self.loss.num_views > 1 else 1, rank=rank(), world_size=world_size()
        )
        torch.manual_seed(recipe.seed)
        network = AUNetwork(recipe.encoder_config())
        if not (folder / CHECKPOINT_NAME).is_file():
            start_from(network, recipe.encoder.pretrained)
        if world_size() > 1 and self.device.type == "cuda":
            # The CPU has none: there every process normalises by its own part of the batch.
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.network: AUNetwork = network.to(self.device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.identity = (
            IdentityHead(len(faces.aus), recipe.encoder.embedding_dim, self.batches.n_people).to(self.device)
            if recipe.optim.identity_weight > 0
            else None
        )
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.network, self.identity, recipe), lr=recipe.optim.lr)
        self.total_steps = self.batches.steps_per_epoch * sum(stage.epochs for stage in recipe.stages)
        self.step = 0
        self.scores: list[tuple[float, float]] = []
        """AUC and F1 on the validation people after each epoch."""
        self.best: dict[str, Tensor] | None = None
        """Averaged weights of the best epoch, where the recipe stops early."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT_NAME).is_file():
            self._resume()

    def run(self, *, until_step: int | None = None) -> AUNetwork:
        """Train to the end (or to a step) and return the averaged network, of the best epoch if the recipe says so.

        Raises:
            RecipeError: if the device's memory does not suffice, or the loss is no number any more.
        """
        end = self.total_steps if until_step is None else min(until_step, self.total_steps)
        if self.step < end and not self._is_settled():
            with self._memory_advice(), contextlib.ExitStack() as open_files:
                log = open_files.enter_context(RunLog(self.folder, self.step)) if rank() == 0 else None
                batches = open_files.enter_context(Prefetcher(self.batches, self.step, end, workers=self.workers))
                self._loop(batches, log)
        if self.best is not None:
            self.average.load_state_dict(self.best)
        return self.average

    def _loop(self, batches: Prefetcher, log: RunLog | None) -> None:
        began, since = time.perf_counter(), self.step
        for batch in batches:
            loss = self.train_step(batch)
            is_epoch = self.step % self.batches.steps_per_epoch == 0
            if is_epoch:
                self._validate()
            settled = self._is_settled()
            is_due = self.step % self.checkpoint_every == 0 or self.step == self.total_steps or settled
            if not (is_due or is_epoch):
                continue
            value = float(loss)  # read only now: each reading waits for the GPU
            if not math.isfinite(value):
                half = ", or set optim.precision=float32" if self.recipe.optim.precision == "bfloat16" else ""
                raise RecipeError(
                    f"the loss is {value} at step {self.step}; lower optim.lr (it is {self.recipe.optim.lr:g}){half}"
                )
            if is_due:
                self._save()
            seconds = time.perf_counter() - began
            faces_per_s = (self.step - since) * self.recipe.optim.batch_size / seconds
            if log is not None:
                now = self._progress(value, faces_per_s, batches.take_waited_s() / seconds)
                log.write(now)
                self.progress(now)
            began, since = time.perf_counter(), self.step
            if settled:
                break

    def train_step(self, batch: Batch) -> Tensor:
        """One update of all weights.

        Returns:
            The loss of the whole batch, a scalar without a graph.
        """
        optim = self.recipe.optim
        torch.manual_seed(step_seed(self.recipe.seed, self.step, rank()))
        for group in self.optimizer.param_groups:
            group["lr"] = optim.lr * group["factor"] * self._schedule()
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(batch)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        average_over_processes([p.grad for p in parameters if p.grad is not None])
        average_over_processes([b for b in self.network.buffers() if b.dtype.is_floating_point])
        nn.utils.clip_grad_norm_(parameters, optim.clip_norm)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return loss.detach()

    def _backward(self, batch: Batch) -> Tensor:
        """The loss of the whole batch, and its gradients, in as many parts as the recipe says.

        A contrastive loss compares every picture with every other, so parts cannot simply be added up. As in GradCache
        (Gao et al. 2021, arXiv 2101.06983): embeddings of all parts without a graph, the loss and its gradient for the
        embeddings of all, then each part again, with a graph. Batch norm sees one part at a time.
        """
        views = batch.views.to(self.device, non_blocking=True)
        labels, people = batch.labels.to(self.device), batch.people.to(self.device)
        parts = views.chunk(self.recipe.optim.accumulate, dim=1)
        if len(parts) == 1:
            loss = self._loss_of(self._embed(views), labels, people)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss
        embedded, states = [], []
        with torch.no_grad(), _frozen_statistics(self.network):
            for part in parts:
                states.append(_random_state(self.device))
                embedded.append(self._embed(part))
        z = torch.cat(embedded, dim=1).requires_grad_()
        loss = self._loss_of(z, labels, people)
        loss.backward()  # type: ignore[no-untyped-call]
        assert z.grad is not None
        for part, gradient, state in zip(parts, z.grad.chunk(len(parts), dim=1), states, strict=True):
            _set_random_state(self.device, state)  # the same stochastic depth as the first time
            self._embed(part).backward(gradient)  # type: ignore[no-untyped-call]
        return loss

    def _embed(self, views: Tensor) -> Tensor:
        """(V, N, 3, S, S) -> (V, N, A, D) float32."""
        crops = views.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.optim.precision == "bfloat16"):
            z: Tensor = self.network.encoder(crops)
        return z.float().view(*views.shape[:2], *z.shape[1:])

    def _loss_of(self, z: Tensor, labels: Tensor, people: Tensor) -> Tensor:
        loss, optim = self.recipe.loss, self.recipe.optim
        logits = self.network.head_logits(z.flatten(0, 1)).view(z.shape[:3]) if loss.trains_heads else None
        outputs = Outputs(z, logits)
        total: Tensor = self.loss(outputs, labels)
        if self.cross_entropy is not None:
            total = total + loss.bce_weight * self.cross_entropy(outputs, labels)
        if self.identity is not None:
            total = total + optim.identity_weight * self.identity(z.flatten(0, 1), people.repeat(len(z)))
        return total

    def _validate(self) -> None:
        if self.validation is None or not len(self.validation):
            return
        found = torch.zeros(2, dtype=torch.float64, device=self.device)
        if rank() == 0:
            found += torch.tensor(validate(self.average, self.faces, self.validation, self.recipe), device=self.device)
        auc, f1 = same_everywhere(found).tolist()
        self.scores.append((auc, f1))
        aucs = np.array([score for score, _ in self.scores])
        if self.recipe.optim.patience and np.isfinite(aucs).any() and np.nanargmax(aucs) == len(aucs) - 1:
            self.best = {name: value.detach().cpu().clone() for name, value in self.average.state_dict().items()}

    def _is_settled(self) -> bool:
        """Whether so many epochs brought nothing better that the recipe stops."""
        aucs = np.array([score for score, _ in self.scores])
        if not self.recipe.optim.patience or not np.isfinite(aucs).any():
            return False
        return len(aucs) - 1 - int(np.nanargmax(aucs)) >= self.recipe.optim.patience

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
        if rank() == 0:
            state: dict[str, Any] = {
                "recipe": self.recipe.model_dump_json(),
                "data": data_digest(self.faces),
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "identity": None if self.identity is None else self.identity.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scores": self.scores,
                "best": self.best,
            }
            with whole_or_nothing(self.folder / CHECKPOINT_NAME) as temporary:
                torch.save(state, temporary)
        barrier()  # nobody runs ahead of what is saved

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT_NAME
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise RecipeError(f"{path} is damaged ({str(error).splitlines()[0]}); remove it to begin anew") from error
        if not isinstance(state.get("recipe"), str):
            raise RecipeError(f"{path} was written by another version of aucli; choose another folder, or remove it")
        check_same(Recipe.model_validate_json(state["recipe"]), self.recipe, self.folder)
        if state["data"] != data_digest(self.faces):
            raise RecipeError(
                f"{self.folder} holds a run on other faces or labels; choose another folder, or remove this one"
            )
        self.step = state["step"]
        self.scores, self.best = [tuple(pair) for pair in state["scores"]], state["best"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        if self.identity is not None:
            self.identity.load_state_dict(state["identity"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _progress(self, loss: float, faces_per_s: float, waiting: float) -> TrainingProgress:
        known = [score for score in self.scores[-1:] if math.isfinite(score[0])]
        auc, f1 = known[0] if known else (None, None)
        return TrainingProgress(
            step=self.step,
            total_steps=self.total_steps,
            epoch=(self.step - 1) // self.batches.steps_per_epoch,
            loss=loss,
            lr=self.recipe.optim.lr * self._schedule(),
            faces_per_s=faces_per_s,
            waiting=waiting,
            validation_auc=auc,
            validation_f1=f1,
        )

    @contextlib.contextmanager
    def _memory_advice(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # CUDA's OutOfMemoryError is one; the CPU's allocator has no class of its own
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise
            optim = self.recipe.optim
            size = self.batches.size_px(self.step)
            raise RecipeError(
                f"{self.device} has too little memory for {self.batches.views} views of {optim.batch_size} faces of "
                f"{size} px in {optim.accumulate} parts: try --set optim.accumulate={2 * optim.accumulate} (the same "
                "batch, a third slower), optim.precision=bfloat16 or "
                f"optim.batch_size={max(optim.batch_size // 2, 2)}; a changed recipe needs a new folder"
            ) from None


def data_digest(faces: FaceSource) -> str:
    """SHA-256 over action units, labels and people: other faces, another run."""
    digest = hashlib.sha256(repr((faces.aus, faces.labels.shape)).encode())
    digest.update(np.ascontiguousarray(faces.labels).tobytes())
    digest.update("\n".join(faces.subjects.tolist()).encode())
    return digest.hexdigest()


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


def _parameter_groups(network: AUNetwork, identity: IdentityHead | None, recipe: Recipe) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for biases and norms; the backbone at its own rate."""
    optim = recipe.optim
    backbone = {id(p) for p in network.encoder.backbone.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in [*network.parameters(), *(identity.parameters() if identity is not None else ())]:
        groups.setdefault((id(parameter) in backbone, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": optim.weight_decay if decays else 0.0,
            "factor": optim.backbone_lr_factor if in_backbone else 1.0,
        }
        for (in_backbone, decays), parameters in groups.items()
    ]


def check_same(theirs: Recipe, ours: Recipe, folder: Path) -> None:
    """Refuse to go on with a run of another recipe.

    Raises:
        RecipeError: naming the first value that differs.
    """
    one, other = _flat(theirs.model_dump()), _flat(ours.model_dump())
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key):
            raise RecipeError(
                f"{folder} holds a run of another recipe ({key} was {one.get(key)!r}, now {other.get(key)!r}); choose "
                "another folder, or remove this one"
            )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


@contextlib.contextmanager
def _frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm normalises by the batch but does not remember it: that happens in the second pass."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
