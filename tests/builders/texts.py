"""The texts of the code itself: what a file may say to a user."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def texts_of(path: Path) -> Iterator[str]:
    """Every text in a file of Python that is no docstring; of an f-string its fixed parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
