"""The code of a page of docs/, for tests that run it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, *languages: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block in one of the languages ("" for none), in the order of the page."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    chosen = [(language, code) for language, code in found if language in languages]
    assert chosen, f"{page} has no code"
    return chosen


def commands_in(code: str) -> list[list[str]]:
    """The words behind ``aucli`` of each line."""
    lines = [shlex.split(line, comments=True) for line in code.splitlines()]
    assert all(line[0] == "aucli" for line in lines)
    return [line[1:] for line in lines]
