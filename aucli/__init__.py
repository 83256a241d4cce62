"""aucli: annotate videos with facial action units, frame by frame, and retrain the model behind it.

import aucli

aucli.annotate("videos/*.mp4", "aus.parquet")
table = aucli.read("aus.parquet")          # polars
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aucli.annotation.options import AnnotateOptions
    from aucli.annotation.outcome import Outcome
    from aucli.annotation.run import annotate
    from aucli.errors import AucliError
    from aucli.results.episodes import EpisodeRules, episodes
    from aucli.results.exports.run import Exported, ExportOptions, export
    from aucli.results.overlay.run import OverlayOptions, OverlayOutcome, overlay
    from aucli.results.read import read_metadata_of as read_metadata
    from aucli.results.read import read_table as read
    from aucli.results.report.run import ReportOptions, ReportOutcome, report
    from aucli.results.row_filter import RowFilter
    from aucli.results.summary import Summary, summary
    from aucli.runtime.progress import Progress

__version__ = "0.1.0"
__all__ = [
    "AnnotateOptions",
    "AucliError",
    "EpisodeRules",
    "ExportOptions",
    "Exported",
    "Outcome",
    "OverlayOptions",
    "OverlayOutcome",
    "Progress",
    "ReportOptions",
    "ReportOutcome",
    "RowFilter",
    "Summary",
    "__version__",
    "annotate",
    "episodes",
    "export",
    "overlay",
    "read",
    "read_metadata",
    "report",
    "summary",
]

_HOMES = {
    "annotate": ("aucli.annotation.run", "annotate"),
    "Outcome": ("aucli.annotation.outcome", "Outcome"),
    "Progress": ("aucli.runtime.progress", "Progress"),
    "AucliError": ("aucli.errors", "AucliError"),
    "AnnotateOptions": ("aucli.annotation.options", "AnnotateOptions"),
    "overlay": ("aucli.results.overlay.run", "overlay"),
    "OverlayOptions": ("aucli.results.overlay.run", "OverlayOptions"),
    "OverlayOutcome": ("aucli.results.overlay.run", "OverlayOutcome"),
    "read": ("aucli.results.read", "read_table"),
    "read_metadata": ("aucli.results.read", "read_metadata_of"),
    "episodes": ("aucli.results.episodes", "episodes"),
    "report": ("aucli.results.report.run", "report"),
    "ReportOptions": ("aucli.results.report.run", "ReportOptions"),
    "ReportOutcome": ("aucli.results.report.run", "ReportOutcome"),
    "EpisodeRules": ("aucli.results.episodes", "EpisodeRules"),
    "summary": ("aucli.results.summary", "summary"),
    "Summary": ("aucli.results.summary", "Summary"),
    "RowFilter": ("aucli.results.row_filter", "RowFilter"),
    "export": ("aucli.results.exports.run", "export"),
    "ExportOptions": ("aucli.results.exports.run", "ExportOptions"),
    "Exported": ("aucli.results.exports.run", "Exported"),
}


def __getattr__(name: str) -> Any:
    """Import on first use (PEP 562): `aucli --help` must not wait for pyarrow."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aucli' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names; those not used yet are not loaded for it."""
    return sorted(__all__)
