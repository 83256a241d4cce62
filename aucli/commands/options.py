"""What several commands share: exit statuses, options, and the names that a shell completes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from aucli.errors import AucliError, OptionsError

FAILED: Final = 1
BAD_USAGE: Final = 2
INTERRUPTED: Final = 130


def complete_models(incomplete: str) -> list[str]:
    """Names of models at hand that begin so."""
    from aucli.models.zoo import model_names

    return [name for name in model_names() if name.startswith(incomplete)]


def complete_detectors(incomplete: str) -> list[str]:
    """Names of face detectors at hand that begin so."""
    from aucli.faces.detectors import installed_detectors

    return [name for name in ("centerface", *installed_detectors()) if name.startswith(incomplete)]


def complete_packs(incomplete: str) -> list[str]:
    """Names of insightface packs that begin so."""
    from aucli.faces.scrfd import INSIGHTFACE_PACKS

    return [name for name in INSIGHTFACE_PACKS if name.startswith(incomplete)]


def complete_models_and_detectors(incomplete: str) -> list[str]:
    """Names of models and face detectors at hand that begin so."""
    return [*complete_models(incomplete), *complete_detectors(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]", help="Where the networks run.")]
Model = Annotated[str, typer.Option(help="Name of a model, or path of a model folder.", autocompletion=complete_models)]
Detector = Annotated[
    str,
    typer.Option(
        help="centerface, an insightface pack, an imported detector, or an SCRFD .onnx file.",
        autocompletion=complete_detectors,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite/--resume", help="Begin anew, or go on with what is there.")]


def numbers(text: str, option: str) -> tuple[int, ...]:
    """``1,2,4``.

    Raises:
        OptionsError: if it is something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionsError(f"{option} is {text!r}; write numbers, as 1,2,4") from None


def as_seconds(text: str | float) -> float:
    """A time as it is typed: ``0.2``, ``0.2s``, ``200ms``, ``1:30``; Typer hands its defaults over as well.

    Raises:
        typer.BadParameter: if it is something else.
    """
    from aucli.human_codes.times import read_time

    time = read_time(str(text))
    if time is None or time.frames is not None:
        raise typer.BadParameter(f"{text!r} is no time; write seconds as 0.2 or 0.2s, milliseconds as 200ms, or 1:30")
    return time.seconds


def number_or_word(text: str) -> int | str:
    """``2`` -> 2; other texts as they are, for the library to judge."""
    return int(text) if text.isascii() and text.isdigit() else text


def as_options(message: str, names: Mapping[str, str]) -> str:
    """A message of the library, which names its fields in backticks, with the options as they are typed.

    Args:
        message: ```size_px` is 7``.
        names: option by field: ``{"size_px": "--size"}``; other words in backticks stay as they are.
    """
    return re.sub(r"`(\w+)`", lambda match: names.get(match[1], match[0]), message)


@contextmanager
def fields_as_options(names: Mapping[str, str]) -> Iterator[None]:
    """Errors of the library name options where it names fields, see `as_options`."""
    try:
        yield
    except AucliError as error:
        error.args = tuple(as_options(arg, names) if isinstance(arg, str) else arg for arg in error.args)
        raise
