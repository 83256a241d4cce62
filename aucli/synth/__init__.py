"""Rendered faces with known action units.

from aucli.synth import SynthOptions, generate
generate(SynthOptions(rig=Path("facekit.npz"), out=Path("faces"), count=10_000))
"""

from aucli.synth.generate import SynthOptions, SynthResult, generate

__all__ = ["SynthOptions", "SynthResult", "generate"]
