"""Where a data set lies: one value, made at the door."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aucli.datasets.free.sources import FreeSource
from aucli.datasets.readers.benchmark import Benchmark
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.registry import FREE_DATA, READERS, find_benchmark
from aucli.errors import OptionsError
from aucli.runtime.files import user_folder


@dataclass(frozen=True, kw_only=True)
class DatasetSource:
    """A benchmark and where it lies: its owners' folder, the cache of its faces, or both.

    Attributes:
        dataset: its short name.
        root: the folder as its owners hand it out; needed where there is no finished cache.
        cache: of ``aucli prepare``; with a root it is made or completed first. None is a folder of the user's own, by
            data set and root: the owners' folder stays as it is.
        options: the benchmark's own options, for reading it; None for the defaults.

    Raises:
        OptionsError: if the data set is not known, its options are another's, or both folders are None.
    """

    dataset: str
    root: Path | None = None
    cache: Path | None = None
    options: DatasetOptions | None = None

    def __post_init__(self) -> None:
        wanted = self.benchmark.options
        if self.options is not None and not isinstance(self.options, wanted):
            raise OptionsError(f"`options` are {type(self.options).__name__}; {self.dataset} has {wanted.__name__}")
        if self.cache is None and self.root is None:
            raise OptionsError(
                "give `root`, the data set's folder, or `cache`, the faces that aucli prepare made of it"
            )

    @classmethod
    def from_pairs(
        cls, dataset: str, *, root: Path | None = None, cache: Path | None = None, pairs: Sequence[str] = ()
    ) -> DatasetSource:
        """A source whose options are ``KEY=VALUE`` texts.

        Raises:
            OptionsError: as above, and for a pair that cannot be read.
        """
        options = find_benchmark(dataset).options.from_pairs(pairs)
        return cls(dataset=dataset, root=root, cache=cache, options=options)

    @property
    def benchmark(self) -> Benchmark:
        """What is known of the data set."""
        return find_benchmark(self.dataset)

    @property
    def reader_options(self) -> DatasetOptions:
        """The benchmark's own options, with their defaults."""
        return self.options or self.benchmark.options()

    @property
    def cache_folder(self) -> Path:
        """Where the faces are, or will be."""
        if self.cache is not None:
            return self.cache
        assert self.root is not None
        root = hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()
        return user_folder() / "caches" / f"{self.dataset}-{root[:12]}"


def training_source(
    dataset: str, *, root: Path | None = None, cache: Path | None = None, pairs: Sequence[str] = ()
) -> DatasetSource | FreeSource:
    """What training can read: a benchmark, or data that needs no form.

    Raises:
        OptionsError: if it is neither, or an option makes no sense.
    """
    if dataset not in (*READERS, *FREE_DATA):
        raise OptionsError(f"`dataset` is {dataset!r}; allowed are {', '.join((*READERS, *FREE_DATA))}")
    kind = FreeSource if dataset in FREE_DATA else DatasetSource
    return kind.from_pairs(dataset, root=root, cache=cache, pairs=pairs)
