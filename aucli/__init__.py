"""aucli: annotate videos with facial action units, frame by frame, and retrain the model behind it.

import aucli

aucli.annotate("videos/*.mp4", "aus.parquet")
table = aucli.read("aus.parquet")          # polars
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aucli.annotation import Outcome, annotate
    from aucli.errors import AucliError
    from aucli.options import AnnotateOptions
    from aucli.runtime.progress import Progress
    from aucli.table import read_metadata
    from aucli.table import read_table as read

__version__ = "0.1.0"
__all__ = ["AnnotateOptions", "AucliError", "Outcome", "Progress", "__version__", "annotate", "read", "read_metadata"]

_HOMES = {
    "annotate": ("aucli.annotation", "annotate"),
    "Outcome": ("aucli.annotation", "Outcome"),
    "Progress": ("aucli.annotation", "Progress"),
    "AucliError": ("aucli.errors", "AucliError"),
    "AnnotateOptions": ("aucli.options", "AnnotateOptions"),
    "read": ("aucli.table", "read_table"),
    "read_metadata": ("aucli.table", "read_metadata"),
}


def __getattr__(name: str) -> Any:
    """Import on first use (PEP 562): `aucli --help` must not wait for pyarrow."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aucli' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
