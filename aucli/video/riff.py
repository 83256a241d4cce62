"""What an AVI says of its own bytes.

Source: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (RIFF); OpenDML AVI File Format
Extensions 1.02: a long file is several RIFF chunks, one behind the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HEAD_BYTES: Final = 8
_UNKNOWN: Final = (0, 0xFFFFFFFF)
"""Sizes of a recording that was not ended."""
_ROUNDING: Final = 2 * _HEAD_BYTES
"""Some writers count the chunk's own head, or a byte that makes it even."""


def missing_bytes(path: Path) -> int:
    """How many bytes the last RIFF chunk promises and the file does not hold; 0 where none are promised."""
    n_bytes, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at + _HEAD_BYTES <= n_bytes:
            file.seek(at)
            head = file.read(_HEAD_BYTES)
            size = int.from_bytes(head[4:], "little")
            if not head.startswith(b"RIFF") or size in _UNKNOWN:
                return 0
            at += _HEAD_BYTES + size + size % 2
    return at - n_bytes if at - n_bytes > _ROUNDING else 0
