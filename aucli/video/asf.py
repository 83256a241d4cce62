"""What an ASF file (WMV) says of its own bytes: how many there are, and where each of its packets begins.

Source: Microsoft, Advanced Systems Format specification, revision 01.20.05, sections 3.1 (header), 3.2 (file
properties), 5.1 and 5.2 (data object and its packets, all of one size).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEADER: Final = uuid.UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_FILE_PROPERTIES: Final = uuid.UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
_DATA: Final = uuid.UUID("75b22636-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_OBJECT_HEAD: Final = 24
_DATA_HEAD: Final = 50
_IS_BROADCAST: Final = 1
"""In its flags: a live recording, whose other numbers mean nothing."""
_MOST_HEADER: Final = 2**20


@dataclass(frozen=True)
class AsfPackets:
    """Where the packets of an ASF file lie.

    Attributes:
        begin: of the first, in bytes of the file.
        size: of each, bytes.
        n_missing: bytes that the header promises and the file does not hold.
    """

    begin: int
    size: int
    n_missing: int


def asf_packets(path: Path) -> AsfPackets | None:
    """Read the header; None where it is none, or of a live recording."""
    with path.open("rb") as file:
        head = file.read(_MOST_HEADER)
    n_bytes = path.stat().st_size
    if not head.startswith(_HEADER):
        return None
    at, end = _OBJECT_HEAD + 6, int.from_bytes(head[16:24], "little")
    if head[end : end + 16] != _DATA:
        return None
    while at + _OBJECT_HEAD <= end:
        size = int.from_bytes(head[at + 16 : at + 24], "little")
        if head[at : at + 16] == _FILE_PROPERTIES:
            promised, flags, packet_size = (
                int.from_bytes(head[at + begin : at + begin + n], "little") for begin, n in ((40, 8), (88, 4), (92, 4))
            )
            if flags & _IS_BROADCAST or not packet_size:
                return None
            return AsfPackets(end + _DATA_HEAD, packet_size, max(0, promised - n_bytes))
        at += max(size, _OBJECT_HEAD)
    return None


def broken_stretches(path: Path) -> list[tuple[int, int]]:
    """Where packets do not begin as the first one does, in bytes: begin and end of each stretch.

    They begin with error correction data, ``82 00 00`` in all files that were seen; for other files nothing is told.
    Where bytes are missing, the packets after the first stretch lie so much nearer.
    """
    packets = asf_packets(path)
    if packets is None:
        return []
    stretches: list[tuple[int, int]] = []
    with path.open("rb") as file:
        n_bytes = path.stat().st_size
        at, late = packets.begin, packets.n_missing
        while at + packets.size <= n_bytes:
            file.seek(at)
            head = file.read(16)
            if head in _INDEXES or (at == packets.begin and not head.startswith(_PACKET)):
                break
            if not head.startswith(_PACKET):
                begin, at = at, at - late
                stretches.append((begin - packets.size if late else begin, at + packets.size))
                late = 0
            at += packets.size
    return stretches


_PACKET: Final = bytes.fromhex("820000")
_INDEXES: Final = frozenset(
    uuid.UUID(name).bytes_le
    for name in (
        "33000890-e5b1-11cf-89f4-00a0c90349cb",  # simple index
        "d6e229d3-35da-11d1-9034-00a0c90349be",  # index
        "feb103f8-12ad-4c64-840f-2a1d2f7ad48c",  # media object index
        "3cb73fd0-0c4a-4803-953d-edf7b6228f0c",  # timecode index
    )
)
