"""Damage: which packets and pictures show it, which other pictures it reaches, and when a film counts as failed.

FFmpeg decodes a damaged picture as well as it can and hands it out like any other. What tells:

- its decoder's mark on the frame (H.264, MPEG-2, MPEG-4 and other codecs whose decoders conceal errors);
- its demuxer's mark on the packet (lost packets of a transport stream);
- a packet that does not decode at all;
- a checksum of a part of the file, where it has some (Matroska, see `changed_clusters`);
- a checksum, a number or the place of a part of the file, where it has some (Ogg, ASF);
- a run of zeros inside a packet: what is left where a disk, a download or a copy lost a block. FFmpeg does not look at
  that, and the decoders of VP8, VP9, AV1 and HEVC do not notice.

FFmpeg's log would tell more; but PyAV's way to it holds Python's lock, for which a decoder's threads would wait while
Python waits for them.

A picture is predicted from others, so damage goes on to the next key frame.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.video.display import DisplayedFrame

ZERO_RUN: Final = bytes(64)
"""So many zeros in a row do not come out of an entropy coder; a lost block of a disk has 512 at least."""
START_CODE_END: Final = 1
WITHOUT_STUFFING: Final = frozenset({"vp8", "vp9"})
"""Codecs that write no such run, and put no zeros behind a picture either."""
WITH_STUFFING: Final = frozenset(
    {"av1", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "h263", "h263p", "flv1", "ffv1", "ffvhuff", "huffyuv"}
    | {"msmpeg4v2", "msmpeg4v3", "wmv1"}
)
"""Codecs that write no such run inside a picture; others fill up with zeros, or write a plain surface as zeros."""
PLAIN_AS_ZEROS: Final = frozenset({"wmv2"})
"""Codecs that write up to 3 zero bits for each macroblock of a still or plain picture (measured); 8 are allowed for."""
MACROBLOCK_PX: Final = 256

LONG_STUFFING: Final = 512
MOST_STUFFED: Final = 8
"""H.264 and HEVC keep up a rate by other means. So a film in which only so few packets hold a run of zeros as long as a
block of a disk, before a start code or behind the last picture, lost these blocks."""
RARELY_STUFFED: Final = frozenset({"h264", "hevc"})

MOST_HELD: Final = 16
"""Frames that may be decoded ahead of one that is shown before them: the largest picture buffer of H.264 and HEVC."""
NEVER: Final = 2**62
MOST_ASTRAY: Final = 8
"""Frames that one may be shown later than its timestamp says, where healthy films have times that run back."""

MOST_LOST_SHARE: Final = 0.01
"""A film counts as failed if more than this share of its frames did not decode, or decoded damaged."""
MOST_RANGES: Final = 4
"""Stretches of damaged frames that a sentence names."""


def zero_runs(data: bytes, codec: str, n_pixels: int = 0) -> tuple[int, int]:
    """Lengths of the longest runs of zeros in a packet that its codec does not write, and that may be stuffing.

    >>> zero_runs(b"picture" + bytes(512) + b"picture", "vp9")
    (512, 0)
    """
    if codec not in WITH_STUFFING | WITHOUT_STUFFING | PLAIN_AS_ZEROS:
        return 0, 0
    shortest = max(len(ZERO_RUN), n_pixels // MACROBLOCK_PX if codec in PLAIN_AS_ZEROS else 0)
    strange = stuffing = 0
    at = data.find(ZERO_RUN)
    while at >= 0:
        end = at + len(ZERO_RUN)
        while end < len(data) and data[end] == 0:
            end += 1
        # Zeros may stand before a start code, and behind the last picture, to keep up a rate.
        may_be_stuffing = codec not in WITHOUT_STUFFING and (end == len(data) or data[end] == START_CODE_END)
        if may_be_stuffing:
            stuffing = max(stuffing, end - at)
        elif end - at >= shortest:
            strange = max(strange, end - at)
        at = data.find(ZERO_RUN, end)
    return strange, stuffing


@dataclass
class DecodedFrame:
    """A frame as a decoder gives it, in the order in which frames are shown.

    Attributes:
        timestamp: when it is shown, in units of the stream.
        shown: the picture.
        packet: number of its packet, in decoding order.
        is_key: whether it needs no other frame.
        is_damaged: what is known of it so far.
        number: among all frames that packets announce, with those that did not come.
    """

    timestamp: int
    shown: DisplayedFrame
    packet: int
    is_key: bool
    is_damaged: bool
    number: int = 0


@dataclass(frozen=True)
class Announced:
    """What packets say of the frames to come.

    Attributes:
        ranks: (P,) int64, in decoding order: the how many-th frame of the film each packet gives; -1 for one that is
            hidden. Empty where packets do not tell: then no frame is missed.
        stands_alone: (P,) bool: nothing is predicted from it, and nothing else can have been lost with it.
        n_ahead: frames that may be decoded before one that is shown before them.
        is_framed: whether the container says where a packet begins and when its frame is shown. Else FFmpeg works that
            out, and what is lost goes unseen: all frames shown after damage, up to a key frame, are in doubt.
    """

    ranks: npt.NDArray[np.int64]
    stands_alone: npt.NDArray[np.bool_]
    n_ahead: int
    is_framed: bool = True


class DamageReach:
    """Finds the frames that damage reaches: what is decoded after it, up to the next key frame.

    Decoding order counts, as pictures are predicted in it. A frame that is shown before a key frame and decoded after
    it (of an open group of pictures) may need what lies before that key frame, and nothing after that needs it.

    A packet whose frame does not come was lost in the decoder, and damages others likewise. Only so many frames later
    is it certain: times of healthy films, too, may run back (`MOST_ASTRAY`). Where something is damaged and frames come
    in another order than before, their times are wrong: they are damaged.
    """

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        # Places, 2 n + 1 in packet n, 2 n between it and the one before; and the first key frame after it, as shown.
        self._damage: list[tuple[int, int]] = []
        self._keys: list[int] = []
        self._lost: list[int] = []  # ranks
        self._packet_of = np.full(int(announced.ranks.max(initial=-1)) + 1, -1, np.int64)
        self._packet_of[announced.ranks[announced.ranks >= 0]] = np.flatnonzero(announced.ranks >= 0)
        self._has_come = np.zeros(len(self._packet_of), np.bool_)
        self._n_judged = self._n_passed_on = 0
        self._latest_rank = -1
        self._goes_on = False
        self._is_ordered = True  # so far, frames have come in the order of their times

    def note(self, packet: int) -> None:
        """Something is wrong with a packet."""
        if self._stands_alone(packet):
            return
        at = bisect_right(self._keys, packet)
        key = self._keys[at - 1] if at else NEVER
        is_before = at > 0 and -1 < self._rank(packet) < self._rank(key)
        insort(self._damage, (2 * packet + 1, key if is_before else NEVER))

    def note_gap(self, packet: int) -> None:
        """Something is missing before a packet."""
        insort(self._damage, (2 * packet, NEVER))

    def pass_on(self, frames: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
        """Hand frames on, each as soon as all is known that may damage it.

        Args:
            frames: in the order in which they are shown; while they are drawn, damage is noted.
        """
        n_astray = MOST_ASTRAY if len(self._announced.ranks) else 0
        held: deque[tuple[DecodedFrame, int]] = deque()
        for frame in frames:
            self._come(frame)
            if frame.is_damaged:
                self.note(frame.packet)
            elif frame.is_key:
                self._begin_anew(frame.packet, {other.packet for other, _ in held})
            held.append((frame, self._damaged_from(frame.packet)))
            if len(held) > n_astray:
                self._judge(self._rank(held[-1 - n_astray][0].packet))
            if len(held) > self._announced.n_ahead + n_astray + 1:
                yield self._judged(*held.popleft())
        self._judge(len(self._has_come))
        for frame, begin in held:
            yield self._judged(frame, begin)

    def _stands_alone(self, packet: int) -> bool:
        return packet < len(self._announced.stands_alone) and bool(self._announced.stands_alone[packet])

    def _rank(self, packet: int) -> int:
        return int(self._announced.ranks[packet]) if packet < len(self._announced.ranks) else -1

    def _damaged_from(self, packet: int) -> int:
        """The key frame from which on damage reaches a frame that comes now; -1 for the film's beginning."""
        at = bisect_right(self._keys, packet)
        return self._keys[at - 1] if at else -1

    def _begin_anew(self, key: int, shown_before: set[int]) -> None:
        """Let decoding begin with a key frame; damage to what is shown before it does not go beyond it."""
        insort(self._keys, key)
        at = bisect_right(self._damage, (2 * key + 1, NEVER))
        end = bisect_right(self._damage, (2 * (key + 2 * MOST_HELD), NEVER))
        for n, (place, until) in enumerate(self._damage[at:end], at):
            packet = place // 2
            if packet in shown_before or -1 < self._rank(packet) < self._rank(key):
                self._damage[n] = place, min(key, until)

    def _come(self, frame: DecodedFrame) -> None:
        """See which of the frames that packets announce this one is."""
        rank = self._rank(frame.packet)
        if rank < 0:
            return
        self._has_come[rank] = True
        if rank in self._lost:
            self._lost.remove(rank)
        if rank < self._latest_rank and self._is_ordered:
            if self._damage:
                frame.is_damaged = True
            else:
                self._is_ordered = False
        self._latest_rank = max(rank, self._latest_rank)

    def _judge(self, end: int) -> None:
        """Take those of the first frames for lost that have not come."""
        for rank in range(self._n_judged, end):
            if not self._has_come[rank] and self._packet_of[rank] >= 0:
                insort(self._lost, rank)
                self.note(int(self._packet_of[rank]))
        self._n_judged = max(self._n_judged, end)

    def _judged(self, frame: DecodedFrame, begin: int) -> DecodedFrame:
        at = bisect_left(self._damage, (2 * begin + 1, -1))
        end = bisect_right(self._damage, (2 * frame.packet + 1, NEVER))
        frame.is_damaged |= any(begin < until for _, until in self._damage[at:end])
        if not self._announced.is_framed:
            self._goes_on = frame.is_damaged or (self._goes_on and not frame.is_key)
            frame.is_damaged |= self._goes_on
        rank = self._rank(frame.packet)
        frame.number = rank if self._is_ordered and rank >= 0 else self._n_passed_on + bisect_left(self._lost, rank)
        self._n_passed_on += 1
        return frame


def as_ranges(numbers: Iterable[int]) -> tuple[str, ...]:
    """Write rising numbers in short.

    >>> as_ranges([3, 4, 5, 9])
    ('3-5', '9')
    """
    ranges = []
    for _, run in groupby(zip(numbers, count(), strict=False), key=lambda pair: pair[0] - pair[1]):
        members = [number for number, _ in run]
        ranges.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return tuple(ranges)


@dataclass(frozen=True)
class Losses:
    """Frames of a film that are not as they were recorded.

    Attributes:
        n_failed: frames that the file promises and that did not decode.
        n_promised: of so many.
        n_damaged: frames asked for that decoded damaged.
        damaged: their numbers, `as_ranges`.
    """

    n_failed: int
    n_promised: int
    n_damaged: int
    damaged: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.n_failed or self.n_damaged)

    def __str__(self) -> str:
        """Say it in one sentence; empty where nothing is lost."""
        told = []
        if self.n_failed:
            told.append(f"{self.n_failed:,} of {self.n_promised:,} promised frames did not decode")
        if self.n_damaged:
            more = ", ..." if len(self.damaged) > MOST_RANGES else ""
            frames = "1 frame" if self.n_damaged == 1 else f"{self.n_damaged:,} frames"
            told.append(f"{frames} decoded damaged ({', '.join(self.damaged[:MOST_RANGES])}{more})")
        return " and ".join(told)


def are_many(n_lost: int, n_whole: int) -> bool:
    """Whether a film counts as failed that lost so many frames and kept so many."""
    return n_lost > MOST_LOST_SHARE * (n_lost + n_whole)
