"""Rendered faces with known action units.

from aucli.synth import SynthOptions, generate
if __name__ == "__main__":  # the worker processes import this file
    generate(SynthOptions(rig=Path("facekit.npz"), out=Path("faces"), count=10_000))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aucli.synth.generation import SynthOptions, SynthResult, generate

__all__ = ["SynthOptions", "SynthResult", "generate"]


def __getattr__(name: str) -> Any:
    """Import on first use (PEP 562): the command line only needs the command's options."""
    if name not in __all__:
        raise AttributeError(f"module 'aucli.synth' has no attribute {name!r}")
    from aucli.synth import generation as home

    return getattr(home, name)
