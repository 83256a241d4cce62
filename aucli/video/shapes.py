"""Whether a stream may change the size or the orientation of its picture, told from its packets without decoding.

decord brings every picture to the size of the first one and does not say so, and knows only the container's
orientation. A stream is left to it only where its packets show that there is one shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

VOL_OF_MPEG4 = re.compile(rb"\x00\x00\x01[\x20-\x2f].+?(?=\x00\x00\x01[^\x20-\x2f]|$)", re.DOTALL)
FRAME_OF_JPEG = re.compile(rb"\xff[\xc0-\xc2]\x00.(.{5})", re.DOTALL)
HEAD_BYTES = 4096
START_CODE = re.compile(rb"\x00\x00\x01")
DISPLAY_ORIENTATION = 47  # ITU-T H.264 and H.265, annex D: the type of the message


class ShapeWatch:
    """Looks at packets for headers that carry the size of the picture.

    H.264 and HEVC write it into sequence parameter sets (SPS), MPEG-4 into a video object layer, VP8 and JPEG into each
    key frame. VP9 and AV1 can change it in any frame.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._codec = stream.codec_context.codec.canonical_name
        self._known = bytes(stream.codec_context.extradata or b"")
        self._first: bytes | None = None
        from av.packet import Packet

        known = self._codec in ("h264", "hevc", "mpeg4", "vp8", "mjpeg")
        self.is_constant = known and hasattr(Packet, "has_sidedata")  # PyAV 15 cannot tell

    def look(self, packet: Packet[Any]) -> None:
        """Look at the next packet."""
        if not self.is_constant:
            return
        if packet.has_sidedata("new_extradata"):
            self.is_constant = False
        elif packet.is_keyframe:
            for header in self._headers(memoryview(packet)):
                if header in self._known:
                    continue
                if self._first is None:
                    self._first = header
                self.is_constant &= header == self._first

    def _headers(self, data: memoryview) -> Iterator[bytes]:
        if self._codec in ("h264", "hevc"):
            yield from self._parameter_sets(data)
        elif self._codec == "vp8":
            yield bytes(data[3:10])  # RFC 6386, section 9.1: start code, width, height
        else:
            pattern = VOL_OF_MPEG4 if self._codec == "mpeg4" else FRAME_OF_JPEG
            for match in pattern.finditer(bytes(data[:HEAD_BYTES])):
                yield match[1] if pattern.groups else match[0]

    def _parameter_sets(self, data: memoryview) -> Iterator[bytes]:
        """Sequence parameter sets before the first slice, of units with their length in front (ISO 14496-15)."""
        is_avc = self._codec == "h264"
        n_length = length_bytes(self._codec, self._known)
        if not n_length:
            self.is_constant = False  # units are told apart by start codes, which no MP4 or Matroska should hold
            return
        for start, end in units(data, n_length):
            kind = data[start] & 31 if is_avc else data[start] >> 1 & 63
            if (1 <= kind <= 5) if is_avc else kind < 32:
                return
            if kind == (7 if is_avc else 33):
                yield bytes(data[start:end])
            elif kind == (6 if is_avc else 39):
                types = {one for one, _ in messages(bytes(data[start + (1 if is_avc else 2) : end]))}
                self.is_constant &= DISPLAY_ORIENTATION not in types


def length_bytes(codec: str, extradata: bytes) -> int:
    """Bytes that tell a unit's length before it (ISO 14496-15); 0 where units are told apart by start codes."""
    at = {"h264": 4, "hevc": 21}.get(codec, 0)
    return (extradata[at] & 3) + 1 if at and len(extradata) > at and extradata[0] == 1 else 0


def units(data: memoryview, n_length: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the units of a packet of H.264 or HEVC that are long enough for their header."""
    if not n_length:
        starts = [match.end() for match in START_CODE.finditer(data)]
        ends = [*starts[1:], len(data)]
        yield from ((start, end) for start, end in zip(starts, ends, strict=True) if end - start >= 2)
        return
    start = 0
    while start + n_length < len(data):
        length = int.from_bytes(data[start : start + n_length])
        start += n_length
        if 2 <= length <= len(data) - start:
            yield start, start + length
        start += length


def messages(information: bytes) -> Iterator[tuple[int, int]]:
    """Type and beginning of each message in a unit of supplemental enhancement information, its header left out."""
    at = 0
    while at < len(information) - 1:
        values = []
        for _ in range(2):  # the type, then the size: bytes of 255 and a last one, added up
            value = 0
            while at < len(information) and information[at] == 255:
                value, at = value + 255, at + 1
            if at >= len(information):
                return
            values.append(value + information[at])
            at += 1
        yield values[0], at
        at += values[1]
