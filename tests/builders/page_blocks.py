"""The code of a page of docs/, for tests that run it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, *languages: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block in one of the languages, in the order of the page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no code"
    return [(language, code) for language, code in found if language in languages]
