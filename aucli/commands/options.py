"""Options and exit statuses that several commands share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final

import typer

FAILED: Final = 1
BAD_USAGE: Final = 2
INTERRUPTED: Final = 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def as_options(message: str, option_of: Mapping[str, str]) -> str:
    """A message of the library, which names its fields in backticks, with the command's options in their place."""
    return re.sub(r"`(\w+)`", lambda match: option_of.get(match.group(1), match.group(1)), message)


@contextmanager
def fields_as_options(option_of: Mapping[str, str]) -> Iterator[None]:
    """Errors of the library name options where it names fields."""
    from aucli.errors import AucliError

    try:
        yield
    except AucliError as error:
        error.args = tuple(as_options(arg, option_of) if isinstance(arg, str) else arg for arg in error.args)
        raise
