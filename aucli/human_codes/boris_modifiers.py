"""What the modifiers of BORIS say about an action unit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aucli.human_codes.names import reading_of

NOT_CHOSEN: Final = ("", "None")
"""BORIS writes None where no modifier was chosen: the behaviour was seen all the same."""


def value_of(modifiers: Iterable[str]) -> str:
    """The first modifier that is an intensity, a side or a word like absent; "" if none is."""
    return next((one for one in modifiers if one not in NOT_CHOSEN and reading_of(one) is not None), "")
