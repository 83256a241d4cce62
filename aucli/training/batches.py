"""The next batches, made in background threads while the network works.

What a batch holds is a function of seed, step and process alone: neither the number of threads nor a resume changes it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor

from aucli.datasets.faces import FaceSource
from aucli.errors import RecipeError
from aucli.faces.alignment import CropSpec
from aucli.models.network import MIN_INPUT_PX
from aucli.runtime.device import available_cores
from aucli.training.augment import AugmentConfig, random_views
from aucli.training.halves import mix_halves
from aucli.training.settings import Settings


class Stage(Settings):
    """Epochs at one crop size.

    Attributes:
        size_px: side of the crops, in which the face fills the same share at every size.
        epochs: how many.
    """

    size_px: int = Field(ge=MIN_INPUT_PX)
    epochs: int = Field(ge=1)


class BatchOptions(Settings):
    """What a batch is made of.

    Attributes:
        batch_size: pictures of all processes and parts together.
        accumulate: parts in which a process goes through its share, to save memory: the loss still compares all
            pictures of the batch.
        steps_per_epoch: cuts epochs of video, whose neighbouring frames hardly differ; 0 is one pass over the pictures.
        pictures_per_subject: above 0 makes subject-balanced batches: so many pictures of each subject, who are drawn
            anew for every batch.
    """

    batch_size: int = Field(default=64, ge=2)
    accumulate: int = Field(default=1, ge=1)
    steps_per_epoch: int = Field(default=0, ge=0)
    pictures_per_subject: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _can_be_shared(self) -> BatchOptions:
        size, each = self.batch_size, self.pictures_per_subject
        if each == size:
            raise ValueError(
                f"pictures_per_subject is {each}, the whole batch: no two subjects would be compared; allowed is up to "
                "half of batch_size"
            )
        if size % self.accumulate or size // self.accumulate < 2:
            raise ValueError(
                f"batch_size {size} cannot be shared by accumulate = {self.accumulate} parts: they must be equal, of 2 "
                "pictures or more"
            )
        if each and size % each:
            raise ValueError(f"batch_size {size} is no multiple of pictures_per_subject = {each}")
        return self


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's part of a step.

    Attributes:
        views: (V, N, 3, S, S) float32, RGB 0..255.
        labels: (N, A) int8.
        subjects: (N,) int64, which subject of the training split.
    """

    views: Tensor
    labels: Tensor
    subjects: Tensor


class BatchMaker:
    """Makes the batch of any step.

    Args:
        faces: the training split.
        options: what a batch is made of.
        stages: crop sizes; none at all for a run without encoder training.
        crop: how faces are laid into the views, but for their size.
        augment: strength of the random changes.
        seed: everything drawn follows from it.
        views: random views of each picture.
        rank: this process.
        world_size: how many processes share a batch.

    Raises:
        RecipeError: if there are too few pictures or subjects for the batch, or processes cannot share it equally.
    """

    def __init__(
        self,
        faces: FaceSource,
        options: BatchOptions,
        *,
        stages: Sequence[Stage],
        crop: CropSpec,
        augment: AugmentConfig,
        seed: int,
        views: int = 2,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.faces, self.options, self.stages, self.crop, self.augment = faces, options, tuple(stages), crop, augment
        self.seed, self.views, self.rank, self.world_size = seed, views, rank, world_size
        size, each = options.batch_size, options.pictures_per_subject
        if len(faces) < size:
            raise RecipeError(
                f"optim.batch_size is {size}, but there are {len(faces)} faces to train on; allowed is up to "
                f"{len(faces)}"
            )
        parts = world_size * options.accumulate
        if size % parts or size // parts < 2:
            raise RecipeError(
                f"optim.batch_size is {size}, shared by {world_size} processes in optim.accumulate = "
                f"{options.accumulate} parts each; allowed are multiples of {parts} from {2 * parts}"
            )
        if each and self.subjects_per_batch > self.n_subjects:
            raise RecipeError(
                f"optim.pictures_per_subject is {each}: a batch of {size} needs {self.subjects_per_batch} subjects, "
                f"and there are {self.n_subjects} to train on; allowed is {-(-size // self.n_subjects)} or more, or a "
                "smaller optim.batch_size"
            )
        self.steps_per_epoch = options.steps_per_epoch or len(faces) // size
        self._orders: dict[int, npt.NDArray[np.int64]] = {}

    @property
    def total_steps(self) -> int:
        """Of all stages together."""
        return self.steps_per_epoch * sum(stage.epochs for stage in self.stages)

    @property
    def subjects_per_batch(self) -> int:
        """In subject-balanced batches."""
        return self.options.batch_size // self.options.pictures_per_subject

    @cached_property
    def subjects(self) -> npt.NDArray[np.int64]:
        """(N,) number of the subject in each picture, from 0."""
        return np.unique(self.faces.subjects, return_inverse=True)[1].astype(np.int64).reshape(-1)

    @property
    def n_subjects(self) -> int:
        """How many subjects there are."""
        return int(self.subjects.max(initial=-1)) + 1

    @cached_property
    def _rows_of_subject(self) -> list[npt.NDArray[np.int64]]:
        order = np.argsort(self.subjects, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.subjects))[:-1])

    def rows(self, step: int) -> npt.NDArray[np.int64]:
        """Rows of the whole batch of a step, all processes together."""
        if self.options.pictures_per_subject:
            return self._balanced_rows(step)
        size = self.options.batch_size
        # The pictures are gone through in shuffled order, pass after pass; what is left over at the end waits.
        number, position = divmod(step, len(self.faces) // size)
        return self._shuffled(number)[position * size : (position + 1) * size]

    def _shuffled(self, number: int) -> npt.NDArray[np.int64]:
        """The order of one pass. Threads may be in two passes at once, so the last two are kept."""
        if number not in self._orders:
            order = np.random.default_rng((self.seed, number)).permutation(len(self.faces))
            self._orders = {number: order, **{k: v for k, v in self._orders.items() if abs(k - number) == 1}}
            return order
        return self._orders[number]

    def _balanced_rows(self, step: int) -> npt.NDArray[np.int64]:
        """Some subjects, so many pictures of each; who has fewer is shown repeatedly."""
        rng = np.random.default_rng((self.seed, step, 1))
        wanted = self.options.pictures_per_subject
        chosen = rng.choice(self.n_subjects, self.subjects_per_batch, replace=False)
        theirs = [self._rows_of_subject[subject] for subject in chosen]
        rows = np.concatenate([rng.choice(mine, wanted, replace=len(mine) < wanted) for mine in theirs])
        return rng.permutation(rows)  # so that each process sees several subjects

    def batch(self, step: int) -> Batch:
        """This process's part of a step, read from disk and cropped."""
        part = self.options.batch_size // self.world_size
        rows = self.rows(step)[self.rank * part : (self.rank + 1) * part]
        faces = self.faces[rows]
        rng = torch.Generator().manual_seed(step_seed(self.seed, step, self.rank))
        pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float()
        sizes, landmarks = torch.from_numpy(faces.sizes_wh), torch.from_numpy(faces.landmarks_xy)
        crop = replace(self.crop, size_px=self.size_px(step))
        views = torch.stack(
            [random_views(pictures, sizes, landmarks, crop, self.augment, rng) for _ in range(self.views)]
        )
        labels = torch.from_numpy(faces.labels)
        if self.augment.halves > 0:
            views, labels = mix_halves(views, labels, self.faces.aus, crop, self.augment.halves, rng)
        return Batch(views, labels, torch.from_numpy(self.subjects[rows]))

    def size_px(self, step: int) -> int:
        """The crop's size at a step."""
        epoch = step // self.steps_per_epoch
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.size_px
            epoch -= stage.epochs
        return self.stages[-1].size_px


class Prefetcher:
    """The batches of steps from `start` to `end`, made ahead of time. A context manager, then an iterable, once.

    Args:
        maker: makes them.
        start, end: steps.
        workers: threads; None for half of the CPUs, at most 8.
    """

    def __init__(self, maker: BatchMaker, start: int, end: int, *, workers: int | None = None) -> None:
        workers = workers or max(1, min(8, available_cores() // 2))
        self._maker, self._next, self._end, self._ahead = maker, start, end, workers + 1
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="aucli-batches")
        self._pending: deque[Future[Batch]] = deque()
        self._waited_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[Batch]:
        while self._pending or self._next < self._end:
            while self._next < self._end and len(self._pending) < self._ahead:
                self._pending.append(self._pool.submit(self._maker.batch, self._next))
                self._next += 1
            began = time.perf_counter()
            batch = self._pending.popleft().result()
            self._waited_s += time.perf_counter() - began
            yield batch

    def take_waited_s(self) -> float:
        """How long the network has waited for batches since this was last asked, seconds."""
        waited, self._waited_s = self._waited_s, 0.0
        return waited


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed of its own for every step and process."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))
