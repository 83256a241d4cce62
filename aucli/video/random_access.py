"""Where decoding may begin, and which pictures no other needs: told from packets, without decoding.

A container's mark of a key frame is not enough: H.264 marks pictures from which the film comes right only gradually
(intra refresh), and AVI and Matroska pass on what an encoder said. So the codec's own headers have to agree.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.video.shapes import length_bytes, messages, units
from aucli.video.times import NO_TIMESTAMP

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

INTRA_ONLY: Final = frozenset({"dnxhd", "mjpeg", "prores"})
"""Codecs whose pictures all stand alone."""
KEY_PICTURE: Final = {
    "mpeg1video": re.compile(rb"\x00\x00\x01\x00.[\x08-\x0f\x48-\x4f\x88-\x8f\xc8-\xcf]", re.DOTALL),
    "mpeg2video": re.compile(rb"\x00\x00\x01\x00.[\x08-\x0f\x48-\x4f\x88-\x8f\xc8-\xcf]", re.DOTALL),
    "mpeg4": re.compile(rb"\x00\x00\x01\xb6[\x00-\x3f]"),
}
"""Headers of intra pictures: picture_coding_type 1 (ISO/IEC 13818-2, 6.3.9), vop_coding_type 0 (14496-2, 6.3.5)."""
RECOVERY_POINT: Final = 6  # ITU-T H.264, annex D: the type of the message
RECOVERS_AT_ONCE: Final = 0b110
"""Its first bits: recovery_frame_cnt 0 (as ue(v): 1), exact_match_flag 1, broken_link_flag 0."""
NEEDED: Final = -1


class AccessWatch:
    """Looks at packets, in decoding order: may decoding begin here, and does any other picture need this one?"""

    def __init__(self, stream: VideoStream, *, is_framed: bool = True) -> None:
        self._is_framed = is_framed
        self._codec = stream.codec_context.codec.canonical_name
        self._n_length = length_bytes(self._codec, bytes(stream.codec_context.extradata or b""))
        self._timestamps = array("q")
        self._is_hidden, self._begins, self._sublayers = array("b"), array("b"), array("b")
        self._top = 0

    def look(self, packet: Packet[Any], timestamp: int | None) -> None:
        """Look at the next packet.

        Args:
            packet: as it comes from the file.
            timestamp: when its frame is shown, in units of the stream.
        """
        begins, sublayer = packet.is_keyframe, NEEDED
        if self._codec == "h264":
            begins, sublayer = self._look_h264(packet)
        elif self._codec == "hevc":
            begins, sublayer = self._look_hevc(packet)
        elif self._codec in KEY_PICTURE:
            begins = begins and KEY_PICTURE[self._codec].search(memoryview(packet)) is not None
        elif self._codec in ("vp8", "vp9"):
            begins = begins and _is_key_vp(self._codec, memoryview(packet))
        self._timestamps.append(NO_TIMESTAMP if timestamp is None else timestamp)
        self._is_hidden.append(packet.is_discard)
        self._begins.append(begins)
        self._sublayers.append(sublayer)

    def order(self) -> DecodingOrder:
        """What was seen."""
        is_known = self._codec in KEY_PICTURE or self._codec in INTRA_ONLY | {"av1", "h264", "hevc", "vp8", "vp9"}
        sublayers = np.array(self._sublayers, dtype=np.int8)
        return DecodingOrder(
            timestamps=np.array(self._timestamps, dtype=np.int64),
            is_hidden=np.array(self._is_hidden, dtype=np.bool_),
            begins=np.array(self._begins, dtype=np.bool_) & is_known,
            # Higher sub-layers may need a picture that its own does not.
            is_unneeded=(sublayers != NEEDED) & (sublayers == self._top) & self._is_framed,
        )

    def _look_h264(self, packet: Packet[Any]) -> tuple[bool, int]:
        """ITU-T H.264: nal_unit_type 5 is an IDR picture, nal_ref_idc 0 a picture that no other needs."""
        is_idr = recovers = is_needed = has_slices = False
        sets = set()
        data = memoryview(packet)
        for start, end in units(data, self._n_length):
            kind = data[start] & 31
            if 1 <= kind <= 5:
                has_slices = True
                is_idr |= kind == 5
                is_needed |= bool(data[start] & 0x60)
            elif kind in (7, 8):
                sets.add(kind)
            elif kind == 6 and packet.is_keyframe:
                recovers |= _recovers_at_once(bytes(data[start + 1 : end]))
        is_complete = self._n_length > 0 or len(sets) == 2
        begins = packet.is_keyframe and has_slices and (is_idr or recovers) and is_complete
        return begins, NEEDED if is_needed or not has_slices else 0

    def _look_hevc(self, packet: Packet[Any]) -> tuple[bool, int]:
        """ITU-T H.265: types 16 to 21 are random access pictures; no other of its sub-layer needs an even one below."""
        kinds, sets, sublayer = set(), set(), 0
        data = memoryview(packet)
        for start, _ in units(data, self._n_length):
            kind = data[start] >> 1 & 63
            if kind < 32:
                kinds.add(kind)
                sublayer = (data[start + 1] & 7) - 1
            elif kind <= 34:
                sets.add(kind)
        self._top = max(self._top, sublayer)
        is_complete = self._n_length > 0 or len(sets) == 3
        begins = packet.is_keyframe and bool(kinds) and all(16 <= kind <= 21 for kind in kinds) and is_complete
        is_unneeded = bool(kinds) and all(kind < 16 and kind % 2 == 0 for kind in kinds)
        return begins, sublayer if is_unneeded else NEEDED


@dataclass(frozen=True)
class DecodingOrder:
    """The packets of a stream in the order in which they are decoded.

    Attributes:
        timestamps: (P,) int64: when the frame of each is shown, `NO_TIMESTAMP` where that is not told.
        is_hidden: (P,) bool: an edit list hides its frame.
        begins: (P,) bool: decoding may begin here: all frames that are decoded after it and shown after it are whole.
        is_unneeded: (P,) bool: no other picture is predicted from it, and damage to it is damage to nothing else: never
            where only the data say where a packet ends (MPEG's streams), for it may have swallowed the next.
    """

    timestamps: npt.NDArray[np.int64]
    is_hidden: npt.NDArray[np.bool_]
    begins: npt.NDArray[np.bool_]
    is_unneeded: npt.NDArray[np.bool_]


def _recovers_at_once(information: bytes) -> bool:
    """Whether a unit of supplemental information says that all pictures shown from here on are exact."""
    for kind, at in messages(information):
        if kind == RECOVERY_POINT and at < len(information):
            return information[at] >> 5 == RECOVERS_AT_ONCE
    return False


def _is_key_vp(codec: str, data: memoryview) -> bool:
    """Whether a frame of VP8 (RFC 6386, 9.1) or VP9 (bitstream specification, 6.2) is a key frame."""
    if not len(data):
        return False
    if codec == "vp8":
        return not data[0] & 1
    is_wide = data[0] & 0x30 == 0x30  # profile 3 has a reserved bit more
    return not data[0] & (0x06 if is_wide else 0x0C)
