"""Packages that only some commands need: looked for before any work, and named with the line that installs them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from aucli.errors import MissingPackageError

NEEDED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "annotate": (),
    "prepare": (),
    "evaluate": (),
    "episodes": (),
    "summary": (),
    "overlay": (),
    "report": ("jinja2", "vl_convert", "markdown_it"),
    "models": (),
    "export": (),  # to csv, openface, elan and boris; other targets name what they need
    # All that a run needs at any time, so that none fails at its end; the exporter writes the model's graph.
    "train": ("torch", "timm", "pydantic", "onnxscript"),
    "synth": ("moderngl",),
}
"""What each command cannot do without, beside what every installation has."""
PACKAGE_OF: Final[Mapping[str, str]] = {"markdown_it": "markdown-it-py", "vl_convert": "vl-convert-python"}
"""Package by module, where pip has another name for it."""


def is_installed(module: str) -> bool:
    """Whether a top-level module can be found; it is not imported."""
    return find_spec(module) is not None


def require(*modules: str, for_: str, install: str | None = None) -> None:
    """Make sure that packages are installed. Imports none of them, so it costs nothing.

    Args:
        modules: top-level modules, e.g. ``torch``.
        for_: what needs them, the subject of the message: ``aucli train``.
        install: the command that installs them; None for ``pip install`` with those that are missing.

    Raises:
        MissingPackageError: in one line, naming all that are missing.
    """
    if problem := missing_packages(*modules, install=install):
        raise MissingPackageError(f"{for_} {problem}")


def missing_packages(*modules: str, install: str | None = None) -> str | None:
    """Say which packages are missing and how to install them, in the words of `require`; None if none is."""
    names = [module for module in modules if not is_installed(module)]
    if not names:
        return None
    packages = " ".join(PACKAGE_OF.get(name, name) for name in names)
    return f"needs {' and '.join(names)}, not installed here: {install or 'pip install ' + packages}"
