"""One call reads any benchmark as its owners distribute it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aucli.datasets.readers.layout import require_root
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.published_counts import check_published
from aucli.datasets.readers.registry import find_benchmark
from aucli.datasets.report import BROKEN_LABELS, Findings, Report
from aucli.datasets.samples import Samples
from aucli.errors import DatasetError, OptionsError


def load_dataset(
    name: str, root: str | Path, options: DatasetOptions | Mapping[str, Any] | None = None
) -> tuple[Samples, Report]:
    """Read a benchmark as its owners distribute it.

    Args:
        name: short name; `aucli.datasets.readers.registry.READERS` lists them.
        root: the folder that holds it.
        options: the benchmark's own options, or a mapping of their names; None for the defaults.

    Returns:
        Every frame that has at least one label and pixels, and the report of what was missing, dropped or doubtful.

    Raises:
        DatasetError: if the folder is unknown, nothing usable is found, or labels make no sense.
        OptionsError: if the name or an option is unknown, or an option has a value that is not allowed.
    """
    benchmark = find_benchmark(name)
    if options is None or isinstance(options, Mapping):
        options = benchmark.options(**(options or {}))
    if not isinstance(options, benchmark.options):
        raise OptionsError(f"`options` for {name} are {type(options).__name__}; expected {benchmark.options.__name__}")
    folder = require_root(Path(root))
    findings = Findings()
    samples = benchmark.read(folder, options, findings)
    for counts in benchmark.counts:
        check_published(samples, counts, findings)
    report = make_report(name, folder, samples, findings)
    if not len(samples):
        if broken := [finding for finding in findings.items if finding.kind == BROKEN_LABELS]:
            more = f" (so it is with {len(broken) - 1} other sequences)" if len(broken) > 1 else ""
            raise DatasetError(f"{broken[0].detail}{more}")
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
