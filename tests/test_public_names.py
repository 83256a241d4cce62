"""What users may import from aucli itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import aucli

DOCS = Path(__file__).resolve().parents[1] / "docs" / "python.md"


def test_public_names_are_listed_importable_and_documented() -> None:
    documented = set(re.findall(r"^\| `(\w+)", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert documented == set(aucli.__all__)
    assert dir(aucli) == sorted(aucli.__all__)
    for name in aucli.__all__:
        assert getattr(aucli, name).__doc__


def test_listing_names_loads_nothing() -> None:
    code = "import sys, aucli; dir(aucli); print([m for m in ('numpy', 'pyarrow', 'polars') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, aucli, aucli.cli; print([m for m in ('numpy', 'pyarrow', 'torch', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
