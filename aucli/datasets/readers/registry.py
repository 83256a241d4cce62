"""All benchmarks by name: one call reads any of them."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aucli.datasets.readers.affwild2 import AffWild2Options, load_affwild2
from aucli.datasets.readers.bp4d import Bp4dOptions, load_bp4d
from aucli.datasets.readers.bp4dplus import Bp4dPlusOptions, load_bp4dplus
from aucli.datasets.readers.disfa import DisfaOptions, load_disfa
from aucli.datasets.readers.disfaplus import DisfaPlusOptions, load_disfaplus
from aucli.datasets.readers.gft import GftOptions, load_gft
from aucli.datasets.readers.layout import require_root
from aucli.datasets.readers.options import DatasetOptions, options_from_mapping
from aucli.datasets.report import Findings, Report
from aucli.datasets.samples import Samples
from aucli.errors import DatasetError, OptionsError


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: how it is called, its options, and its reader."""

    name: str
    title: str
    options: type[DatasetOptions]
    load: Callable[[Path, Any, Findings], Samples]


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("bp4d", "BP4D-Spontaneous", Bp4dOptions, load_bp4d),
        Benchmark("bp4dplus", "BP4D+", Bp4dPlusOptions, load_bp4dplus),
        Benchmark("disfa", "DISFA", DisfaOptions, load_disfa),
        Benchmark("disfaplus", "DISFA+", DisfaPlusOptions, load_disfaplus),
        Benchmark("gft", "GFT", GftOptions, load_gft),
        Benchmark("affwild2", "Aff-Wild2", AffWild2Options, load_affwild2),
    )
}


def load_dataset(
    name: str, root: str | Path, options: DatasetOptions | Mapping[str, Any] | None = None
) -> tuple[Samples, Report]:
    """Read a benchmark as its owners distribute it.

    Args:
        name: ``bp4d``, ``bp4dplus``, ``disfa``, ``disfaplus``, ``gft`` or ``affwild2``.
        root: the folder that holds it.
        options: the benchmark's own options, or a mapping of their names; None for the defaults.

    Returns:
        Every frame that has at least one label and pixels, and the report of what was missing, dropped or doubtful.

    Raises:
        DatasetError: if the name or the folder is unknown, nothing usable is found, or labels make no sense.
        OptionsError: if an option is unknown, or has a value that is not allowed.
    """
    benchmark = BENCHMARKS.get(name)
    if benchmark is None:
        raise DatasetError(f"unknown data set {name!r}; known are {', '.join(BENCHMARKS)}")
    if options is None:
        options = benchmark.options()
    elif isinstance(options, Mapping):
        options = options_from_mapping(benchmark.options, options)
    if not isinstance(options, benchmark.options):
        raise OptionsError(f"options for {name} are {type(options).__name__}; expected {benchmark.options.__name__}")
    folder = require_root(Path(root))
    findings = Findings()
    samples = benchmark.load(folder, options, findings)
    report = make_report(name, folder, samples, findings)
    if not len(samples):
        kinds = ", ".join(f"{count} x {kind}" for kind, count in list(report.counts().items())[:4])
        raise DatasetError(f"no frame under {folder} has both a label and pixels ({kinds or 'nothing was found'})")
    return samples, report


def make_report(name: str, root: Path, samples: Samples, findings: Findings) -> Report:
    """The report on what was read."""
    return Report(
        dataset=name,
        root=str(root),
        subjects=len(samples.subjects),
        sequences=len(set(samples.sequence_index.tolist())),
        frames=len(samples),
        aus=samples.aus,
        labelled=tuple(int(n) for n in samples.labelled),
        base_rates=tuple(float(r) if r == r else None for r in samples.base_rates),
        findings=tuple(findings.items),
    )


def parse_dataset_options(dataset: str, pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs by the types of the benchmark's options.

    Example:
        >>> parse_dataset_options("disfa", ["camera=right", "positive_intensity=3", "aus=1,2"])
        {'camera': 'right', 'positive_intensity': 3, 'aus': [1, 2]}

    Raises:
        OptionsError: if a pair has no ``=``, the name is unknown, or the value cannot be read as its type.
    """
    if dataset not in BENCHMARKS:
        raise OptionsError(f"--dataset is {dataset!r}; allowed are {', '.join(BENCHMARKS)}")
    wanted = typing.get_type_hints(BENCHMARKS[dataset].options)
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in wanted:
            raise OptionsError(f"--option is {pair!r}; allowed is KEY=VALUE with one of {', '.join(wanted)} as KEY")
        values[name] = _parse_value(pair, text, wanted[name])
    return values


def _parse_value(pair: str, text: str, kind: Any) -> Any:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    origins = {typing.get_origin(k) or k for k in kinds}
    try:
        if origins & {tuple, frozenset}:
            return [int(part) for part in text.split(",") if part.strip()]
        if bool in origins:
            return {"true": True, "false": False, "on": True, "off": False}[text.casefold()]
        literals = [value for k in kinds if typing.get_origin(k) is typing.Literal for value in typing.get_args(k)]
        if int in origins or text in {str(value) for value in literals if isinstance(value, int)}:
            return int(text)
    except (ValueError, KeyError):
        form = "true or false" if bool in origins else "whole numbers, divided by commas where there are several"
        raise OptionsError(f"--option is {pair!r}; expected {form}") from None
    return text
