"""Benchmarks as their owners distribute them, read into one value: `Samples`, with a `Report` of what was amiss."""

from __future__ import annotations

from aucli.training.data.affwild2 import AffWild2Options
from aucli.training.data.bp4d import Bp4dOptions
from aucli.training.data.bp4dplus import Bp4dPlusOptions
from aucli.training.data.cache import write_faces
from aucli.training.data.cached_faces import CachedFaces, concatenate
from aucli.training.data.disfa import DisfaOptions
from aucli.training.data.disfaplus import DisfaPlusOptions
from aucli.training.data.gft import GftOptions
from aucli.training.data.options import DatasetOptions, options_from_mapping
from aucli.training.data.registry import BENCHMARKS, Benchmark, load_dataset
from aucli.training.data.report import Finding, Report
from aucli.training.data.samples import Sample, Samples, SequenceInfo

__all__ = [
    "BENCHMARKS",
    "AffWild2Options",
    "Benchmark",
    "Bp4dOptions",
    "Bp4dPlusOptions",
    "CachedFaces",
    "DatasetOptions",
    "DisfaOptions",
    "DisfaPlusOptions",
    "Finding",
    "GftOptions",
    "Report",
    "Sample",
    "Samples",
    "SequenceInfo",
    "concatenate",
    "load_dataset",
    "options_from_mapping",
    "write_faces",
]
