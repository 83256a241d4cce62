"""The next batches, made in background threads while the network works.

What a batch holds is a function of seed, step and process alone: neither the number of threads nor a resume changes it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aucli.datasets.faces import FaceSource
from aucli.errors import RecipeError
from aucli.runtime.device import available_cores
from aucli.training.augment import random_views
from aucli.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's part of a step.

    Attributes:
        views: (V, N, 3, S, S) float32, RGB 0..255.
        labels: (N, A) int8.
        people: (N,) int64, which person of the training fold.
    """

    views: Tensor
    labels: Tensor
    people: Tensor


class BatchMaker:
    """Makes the batch of any step.

    Args:
        recipe: what to do.
        faces: the training fold.
        views: random views of each picture.
        rank: this process.
        world_size: how many processes share a batch.

    Raises:
        RecipeError: if the fold has too few pictures or people for the batch, or processes cannot share it equally.
    """

    def __init__(
        self, recipe: Recipe, faces: FaceSource, *, views: int = 2, rank: int = 0, world_size: int = 1
    ) -> None:
        self.recipe, self.faces, self.views, self.rank, self.world_size = recipe, faces, views, rank, world_size
        optim = recipe.optim
        if len(faces) < optim.batch_size:
            raise RecipeError(
                f"optim.batch_size is {optim.batch_size}, but there are {len(faces)} faces to train on; "
                f"allowed is up to {len(faces)}"
            )
        parts = world_size * optim.accumulate
        if optim.batch_size % parts or optim.batch_size // parts < 2:
            raise RecipeError(
                f"optim.batch_size is {optim.batch_size}, shared by {world_size} processes in optim.accumulate = "
                f"{optim.accumulate} parts each; allowed are multiples of {parts} from {2 * parts}"
            )
        if optim.pictures_per_person and self.people_per_batch > self.n_people:
            raise RecipeError(
                f"optim.pictures_per_person is {optim.pictures_per_person}: a batch of {optim.batch_size} needs "
                f"{self.people_per_batch} people, and there are {self.n_people} to train on; allowed is "
                f"{-(-optim.batch_size // self.n_people)} or more, or a smaller optim.batch_size"
            )
        self.steps_per_epoch = optim.steps_per_epoch or len(faces) // optim.batch_size
        self._orders: dict[int, npt.NDArray[np.int64]] = {}

    @property
    def people_per_batch(self) -> int:
        """In identity-balanced batches."""
        return self.recipe.optim.batch_size // self.recipe.optim.pictures_per_person

    @cached_property
    def people(self) -> npt.NDArray[np.int64]:
        """(N,) number of the person in each picture."""
        return np.unique(self.faces.subjects, return_inverse=True)[1].astype(np.int64).reshape(-1)

    @property
    def n_people(self) -> int:
        """How many people the fold has."""
        return int(self.people.max(initial=-1)) + 1

    @cached_property
    def _rows_of_person(self) -> list[npt.NDArray[np.int64]]:
        order = np.argsort(self.people, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.people))[:-1])

    def rows(self, step: int) -> npt.NDArray[np.int64]:
        """Rows of the whole batch of a step, all processes together."""
        size = self.recipe.optim.batch_size
        if self.recipe.optim.pictures_per_person:
            return self._balanced_rows(step)
        # The pictures are gone through in shuffled order, pass after pass; what is left over at the end waits.
        number, position = divmod(step, len(self.faces) // size)
        return self._shuffled(number)[position * size : (position + 1) * size]

    def _shuffled(self, number: int) -> npt.NDArray[np.int64]:
        """The order of one pass. Threads may be in two passes at once, so the last two are kept."""
        if number not in self._orders:
            order = np.random.default_rng((self.recipe.seed, number)).permutation(len(self.faces))
            self._orders = {number: order, **{k: v for k, v in self._orders.items() if abs(k - number) == 1}}
            return order
        return self._orders[number]

    def _balanced_rows(self, step: int) -> npt.NDArray[np.int64]:
        """Some people, so many pictures of each; who has fewer is shown repeatedly."""
        rng = np.random.default_rng((self.recipe.seed, step, 1))
        wanted = self.recipe.optim.pictures_per_person
        chosen = rng.choice(self.n_people, self.people_per_batch, replace=False)
        theirs = [self._rows_of_person[person] for person in chosen]
        rows = np.concatenate([rng.choice(mine, wanted, replace=len(mine) < wanted) for mine in theirs])
        return rng.permutation(rows)  # so that each process sees several people

    def batch(self, step: int) -> Batch:
        """This process's part of a step, read from disk and cropped."""
        part = self.recipe.optim.batch_size // self.world_size
        rows = self.rows(step)[self.rank * part : (self.rank + 1) * part]
        faces = self.faces[rows]
        rng = torch.Generator().manual_seed(step_seed(self.recipe.seed, step, self.rank))
        pictures = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float()
        sizes, landmarks = torch.from_numpy(faces.sizes_wh), torch.from_numpy(faces.landmarks_xy)
        spec = self.recipe.crop_spec(self.size_px(step))
        views = [random_views(pictures, sizes, landmarks, spec, self.recipe.augment, rng) for _ in range(self.views)]
        return Batch(torch.stack(views), torch.from_numpy(faces.labels), torch.from_numpy(self.people[rows]))

    def size_px(self, step: int) -> int:
        """The crop's size at a step."""
        epoch = step // self.steps_per_epoch
        for stage in self.recipe.stages:
            if epoch < stage.epochs:
                return stage.size_px
            epoch -= stage.epochs
        return self.recipe.stages[-1].size_px


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
