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
_PACKET: Final = bytes.fromhex("820000")
"""What packets begin with: two bytes of error correction data, which say that there is none."""
_SMALLEST: Final = 64
"""Bytes of a packet that may hold anything: its head alone can have 37."""
_MOST_HEADER: Final = 2**20


@dataclass(frozen=True)
class AsfPackets:
    """Where the packets of an ASF file lie.

    Attributes:
        begin: of the first, in bytes of the file.
        size: of each, bytes.
        end: of the last, if nothing is missing; or of the file.
        n_missing: bytes that the header promises and the file does not hold.
    """

    begin: int
    size: int
    end: int
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
            if flags & _IS_BROADCAST or packet_size < _SMALLEST:
                return None
            n_data = int.from_bytes(head[end + 16 : end + 24], "little")
            data_end = end + n_data if n_data > _DATA_HEAD else n_bytes
            n_missing = max(0, promised - n_bytes)
            return AsfPackets(end + _DATA_HEAD, packet_size, min(data_end, n_bytes + n_missing), n_missing)
        at += max(size, _OBJECT_HEAD)
    return None


def broken_stretches(path: Path) -> list[tuple[int, int]]:
    """Where a packet does not hold what it says that it holds, in bytes: begin and end of each stretch.

    Where bytes are missing, the packets after the first stretch lie so much nearer. Of a file whose first packet does
    not keep to the specification, nothing is told.
    """
    packets = asf_packets(path)
    if packets is None:
        return []
    stretches: list[tuple[int, int]] = []
    with path.open("rb") as file:
        at, late = packets.begin, packets.n_missing
        while at + packets.size <= packets.end - (packets.n_missing - late):
            file.seek(at)
            next_at = at + packets.size
            if not _is_whole(file.read(packets.size)):
                if at == packets.begin:
                    return []
                next_at += late // packets.size * packets.size - late if late else 0
                next_at += packets.size if next_at <= at else 0
                late = 0
                stretches.append((at, next_at))
            at = next_at
    return stretches


def _is_whole(packet: bytes) -> bool:
    """Whether the payloads of a packet fill it: sections 5.2.1 to 5.2.4."""
    at = 0

    def number(kind: int) -> int:
        nonlocal at
        n = (0, 1, 2, 4)[kind & 3]
        value = int.from_bytes(packet[at : at + n], "little")
        at += n
        return value

    if not packet.startswith(_PACKET):
        return False
    at = len(_PACKET)
    kinds, of_payload = packet[at], packet[at + 1]
    at += 2
    length = number(kinds >> 5) or len(packet)
    number(kinds >> 1)  # sequence
    end = length - number(kinds >> 3)
    at += 6  # send time and duration
    has_several = kinds & 1
    count, kind_of_length = (packet[at] & 0x3F, packet[at] >> 6) if has_several else (1, 0)
    at += has_several
    for _ in range(count):
        at += 1  # stream
        number(of_payload >> 4)
        number(of_payload >> 2)
        n_replicated = number(of_payload)
        at += n_replicated
        n_payload = number(kind_of_length)
        at = at + n_payload if has_several else end
        if not at <= end <= len(packet):
            return False
    return at == end
