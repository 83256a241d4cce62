"""All data sets by name. A new benchmark is its reader's module and a line here; see `Benchmark`.

Imports nothing heavy, so that help texts can list the names; a reader is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from aucli.errors import OptionsError

if TYPE_CHECKING:
    from aucli.datasets.readers.benchmark import Benchmark

READERS: Final[dict[str, str]] = {
    "bp4d": "aucli.datasets.readers.bp4d",
    "bp4dplus": "aucli.datasets.readers.bp4dplus",
    "disfa": "aucli.datasets.readers.disfa",
    "disfaplus": "aucli.datasets.readers.disfaplus",
    "gft": "aucli.datasets.readers.gft",
    "affwild2": "aucli.datasets.readers.affwild2",
    "own": "aucli.datasets.readers.own",
}
"""Module by short name; its value ``BENCHMARK`` says everything else."""

FREE_DATA: Final = ("synth", "photographs")
"""Training data that needs no form: see `aucli.datasets.free`."""


def find_benchmark(name: str) -> Benchmark:
    """What is known of a benchmark.

    Raises:
        OptionsError: if there is none of this name.
    """
    if name not in READERS:
        raise OptionsError(f"`dataset` is {name!r}; allowed are {', '.join(READERS)}")
    benchmark: Benchmark = import_module(READERS[name]).BENCHMARK
    return benchmark


def listed(*names: str) -> str:
    """Names for a help text: ``a, b or c``."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
