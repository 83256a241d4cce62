"""What this machine can do, and whether `annotate` will run on it."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from aucli.errors import AucliError
from aucli.runtime.packages import NEEDED_BY, missing_packages

State = Literal["ok", "missing", "failed"]


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what.
        state: ``ok``; ``missing``: an optional part is not there; ``failed``: `annotate` will not run.
        detail: what was found, or what to do.
    """

    name: str
    state: State
    detail: str


def examine() -> Iterator[Check]:
    """Look at everything, one check at a time; the last really annotates a small video."""
    yield Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in ("aucli", "decord2", "av", "onnxruntime", "pyarrow", "polars"):
        yield _version(package)
    yield _torch()
    yield _gpu()
    yield _needed("detector centerface", _centerface)
    yield _insightface()
    yield _needed("default model", _default_model)
    yield from _other_models()
    yield _needed("trial run", _trial_run)


def _version(package: str) -> Check:
    try:
        return Check(package, "ok", importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return Check(package, "failed", f"not installed; pip install {package}")


def _torch() -> Check:
    try:
        return Check("torch", "ok", importlib.metadata.version("torch"))
    except importlib.metadata.PackageNotFoundError:
        return Check("torch", "missing", "not installed; annotate needs none on a CPU")


@dataclass(frozen=True)
class CommandHere:
    """Whether a command runs on this installation.

    Attributes:
        name: of the command.
        runs: it does.
        detail: what is missing, and the line that installs it; or why it does not run.
    """

    name: str
    runs: bool
    detail: str


def commands_here(*, annotate_runs: bool) -> list[CommandHere]:
    """Say of each command whether the packages it needs are installed.

    Args:
        annotate_runs: whether all of `examine` went well.
    """
    found = []
    for name, modules in NEEDED_BY.items():
        problem = missing_packages(*modules)
        if problem is None and name == "annotate" and not annotate_runs:
            problem = "see what FAILED above"
        found.append(CommandHere(name, problem is None, problem or ""))
    return found


def _gpu() -> Check:
    from aucli.runtime.device import gpu_problem

    problem = gpu_problem()
    return Check("gpu", "ok", "usable") if problem is None else Check("gpu", "missing", f"{problem}; the CPU is used")


def _insightface() -> Check:
    from aucli.faces.detectors import installed_detectors
    from aucli.faces.scrfd import insightface_problem

    if problem := insightface_problem():
        return Check("insightface (optional)", "missing", problem)
    found = ", ".join(installed_detectors()) or "no pack yet; aucli models pull buffalo_l"
    return Check("insightface (optional)", "ok", f"{importlib.metadata.version('insightface')}; {found}")


def _needed(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except AucliError as error:
        return Check(name, "failed", str(error))
    except Exception as error:  # whatever is wrong with this machine belongs into the report
        return Check(name, "failed", f"{type(error).__name__}: {error}")


def _centerface() -> str:
    from aucli.faces.detectors import open_detector

    return f"SHA-256 {open_detector('centerface').digest[:12]}…"


def _default_model() -> str:
    from aucli.models.zoo import DEFAULT_MODEL, find_model, verify

    model = find_model(DEFAULT_MODEL)
    verify(model)
    return f"{model.config.name} ({model.origin}, {len(model.config.aus)} AUs, files intact)"


def _other_models() -> Iterator[Check]:
    from aucli.models.zoo import DEFAULT_MODEL, list_models, verify

    models, problems = list_models()
    for model in models:
        try:
            verify(model)
        except AucliError as error:
            problems.append(str(error))
        else:
            if model.config.name != DEFAULT_MODEL:
                yield Check("model", "ok", f"{model.config.name} ({model.origin}, files intact)")
    for problem in problems:
        yield Check("model", "missing", problem)


def _trial_run() -> str:
    """Make a video of eight grey frames, annotate it, and read the table."""
    import av

    from aucli.annotation.run import annotate
    from aucli.results.read import read_table

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for level in range(8):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * level, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        outcome = annotate(path, Path(folder) / "trial.parquet")
        rows = len(read_table(Path(folder) / "trial.parquet"))
        (record,) = outcome.videos.values()
    if rows != 8:
        raise AucliError(f"a video of 8 frames gave {rows} rows")
    return f"8 frames annotated, decoded by {record.decoder}"
