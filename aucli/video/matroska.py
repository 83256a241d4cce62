"""What a Matroska file says of its own bytes: how many there are, and checksums of its clusters.

Source: RFC 8794 (EBML), section 4, variable-size integers, section 6.2, elements of unknown size, and section 11.3.1,
CRC-32; RFC 9559 (Matroska), section 5.1: one Segment holds everything after the head.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, Final

_HEAD_BYTES: Final = 4096
_EBML_ID: Final = bytes.fromhex("1a45dfa3")
_SEGMENT_ID: Final = bytes.fromhex("18538067")
_CLUSTER_ID: Final = bytes.fromhex("1f43b675")
_CRC_HEAD: Final = bytes.fromhex("bf84")
"""A checksum's name and size; the four bytes after it are the checksum itself, its lowest byte first."""
_LONGEST_HEAD: Final = 12
_READ_BYTES: Final = 2**20


def changed_clusters(path: Path) -> list[tuple[int, int]]:
    """Where the clusters begin and end, in bytes of the file, whose content is not what it was when it was written.

    FFmpeg and what is built on it (OBS) put a checksum into each cluster; others do not, and WebM holds none. A cluster
    is some seconds of pictures and sound. The file is read once, as fast as a disk gives it.
    """
    changed = []
    with path.open("rb") as file:
        at, end = _segment(file)
        while at < end:
            file.seek(at)
            head = file.read(_LONGEST_HEAD)
            id_bytes = 9 - head[0].bit_length() if head and head[0] else 0
            size = _size_at(head, id_bytes) if id_bytes else None
            if size is None:  # of unknown size, as in a live recording, or no element at all
                break
            begin = at + size[0]
            if head[:4] == _CLUSTER_ID and begin + size[1] <= end and not _is_unchanged(file, begin, size[1]):
                changed.append((at, begin + size[1]))
            at = begin + size[1]
    return changed


def _segment(file: IO[bytes]) -> tuple[int, int]:
    """Where the contents of the Segment begin, and where those of them end that are in the file."""
    head = file.read(_HEAD_BYTES)
    n_bytes = file.seek(0, 2)
    header = _size_at(head, len(_EBML_ID)) if head.startswith(_EBML_ID) else None
    if header is None or head[sum(header) : sum(header) + 4] != _SEGMENT_ID:
        return n_bytes, n_bytes
    segment = _size_at(head, sum(header) + 4)
    return (segment[0], min(sum(segment), n_bytes)) if segment else (n_bytes, n_bytes)


def _is_unchanged(file: IO[bytes], begin: int, n_bytes: int) -> bool:
    """Whether an element's content agrees with the checksum at its beginning, if there is one."""
    file.seek(begin)
    head = file.read(len(_CRC_HEAD) + 4)
    if not head.startswith(_CRC_HEAD):
        return True
    left, found = n_bytes - len(head), 0
    while left > 0 and (data := file.read(min(left, _READ_BYTES))):
        found = zlib.crc32(data, found)
        left -= len(data)
    return found == int.from_bytes(head[len(_CRC_HEAD) :], "little")


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
