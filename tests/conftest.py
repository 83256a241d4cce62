"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of footage and notes beside the checkout; tests that use it skip where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the shared footage is not beside this checkout")
    return SHARED
