"""Whether a Matroska file has lost its end: its first lines say how many bytes follow.

Source: RFC 8794 (EBML), section 4, variable-size integers, and section 6.2, elements of unknown size; RFC 9559
(Matroska), section 5.1: one Segment holds everything after the head.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HEAD_BYTES: Final = 4096
_EBML_ID: Final = bytes.fromhex("1a45dfa3")
_SEGMENT_ID: Final = bytes.fromhex("18538067")


def missing_bytes(path: Path) -> int:
    """How many bytes the file promises and does not hold; 0 where it promises none, as a live recording does.

    A file that grows while it is recorded has no promise yet; a player's clock cannot tell so exactly, since sound may
    be longer than pictures.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.startswith(_EBML_ID):
        return 0
    header = _size_at(head, len(_EBML_ID))
    if header is None:
        return 0
    at = sum(header)
    if head[at : at + 4] != _SEGMENT_ID:
        return 0
    segment = _size_at(head, at + 4)
    return 0 if segment is None else max(0, sum(segment) - path.stat().st_size)


def _size_at(head: bytes, at: int) -> tuple[int, int] | None:
    """Where an element's contents begin, and how long they are; None where that is not known."""
    first = head[at] if at < len(head) else 0
    length = 9 - first.bit_length()
    if not first or at + length > len(head):
        return None
    size = int.from_bytes(head[at : at + length], "big") & ((1 << (7 * length)) - 1)
    return None if size == (1 << (7 * length)) - 1 else (at + length, size)
