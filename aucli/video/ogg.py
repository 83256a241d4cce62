"""Pages of an Ogg file that are not as they were written, told by their checksums and numbers.

Source: RFC 3533, section 6: a page has a checksum of all its bytes (polynomial 0x04c11db7, begun with 0, not inverted)
and is numbered within its stream; FFmpeg passes over a page whose checksum is wrong.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, Final

_CAPTURE: Final = b"OggS"
_HEAD_BYTES: Final = 27
_READ_BYTES: Final = 2**20
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""zlib's CRC-32 has the same polynomial, but takes the lowest bit of a byte first."""
_ALL: Final = 0xFFFFFFFF


def broken_stretches(path: Path) -> list[tuple[int, int]]:
    """Where the file holds no whole page, in bytes: begin and end of each stretch; empty where pages are missing."""
    stretches: list[tuple[int, int]] = []
    numbers: dict[bytes, int] = {}
    with path.open("rb") as file:
        at, n_bytes = 0, path.stat().st_size
        while (page := _page(file, at)) is not None:
            if _is_whole(page):
                stream, number = page[14:18], int.from_bytes(page[18:22], "little")
                if stream in numbers and number != numbers[stream] + 1 and not (stretches and stretches[-1][1] == at):
                    stretches.append((at, at))
                numbers[stream] = number
                at += len(page)
            else:
                end = _next_page(file, at + 1)
                if not page.startswith(_CAPTURE) and end == n_bytes and not (stretches and stretches[-1][1] == at):
                    break  # something was appended
                is_more = bool(stretches) and stretches[-1][1] == at
                stretches[-1:] = [(stretches[-1][0], end)] if is_more else [*stretches[-1:], (at, end)]
                at = end
    return stretches


def _page(file: IO[bytes], at: int) -> bytes | None:
    """The bytes of a page, or what stands in its place; None at the file's end."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if not head:
        return None
    if not head.startswith(_CAPTURE) or len(head) < _HEAD_BYTES:
        return head
    lengths = file.read(head[26])
    return head + lengths + file.read(sum(lengths))


def _is_whole(page: bytes) -> bool:
    if not page.startswith(_CAPTURE) or len(page) < _HEAD_BYTES:
        return False
    n_segments = page[26]
    if len(page) != _HEAD_BYTES + n_segments + sum(page[_HEAD_BYTES : _HEAD_BYTES + n_segments]):
        return False
    return page_checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


def page_checksum(data: bytes) -> int:
    """The checksum of a page whose own four bytes of checksum are 0."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), _ALL) ^ _ALL
    return int(f"{mirrored:032b}"[::-1], 2)


def _next_page(file: IO[bytes], at: int) -> int:
    """Where the next page seems to begin; the file's end where none does."""
    file.seek(at)
    before = b""
    while data := file.read(_READ_BYTES):
        found = (before + data).find(_CAPTURE)
        if found >= 0:
            return at - len(before) + found
        before = data[-3:]
        at += len(data)
    return at
