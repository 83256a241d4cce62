"""Rendered faces with known action units.

from aucli.synth.generation import generate
from aucli.synth.options import SynthOptions
if __name__ == "__main__":  # the worker processes import this file
    generate(SynthOptions(rig=Path("facekit.npz"), out=Path("faces"), count=10_000))
"""
