"""Options and exit statuses that several commands share."""

from __future__ import annotations

from typing import Annotated, Final

import typer

FAILED: Final = 1
BAD_USAGE: Final = 2
INTERRUPTED: Final = 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
