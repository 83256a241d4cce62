"""Damage: which packets and pictures show it, which other pictures it reaches, and when a film counts as failed.

FFmpeg decodes a damaged picture as well as it can and hands it out like any other. What tells:

- its decoder's mark on the frame (H.264, MPEG-2, MPEG-4 and other codecs whose decoders conceal errors);
- its demuxer's mark on the packet (lost packets of a transport stream);
- a packet that does not decode at all;
- a checksum of a part of the file, where it has some (Matroska, see `changed_clusters`);
- a run of zeros inside a packet: what is left where a disk, a download or a copy lost a block. FFmpeg does not look at
  that, and the decoders of VP8, VP9, AV1 and HEVC do not notice.

A picture is predicted from others, so damage goes on to the next key frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, groupby
from typing import Final

from aucli.video.display import DisplayedFrame

ZERO_RUN: Final = bytes(64)
"""So many zeros in a row do not come out of an entropy coder; a lost block of a disk has 512 at least."""
START_CODE_END: Final = 1
ENTROPY_CODED: Final = frozenset({"av1", "h264", "hevc", "vp8", "vp9"})
"""Codecs that write no such run; others fill packets up with zeros, or may hold a plain surface as zeros."""
WITHOUT_STUFFING: Final = frozenset({"vp8", "vp9"})
"""Of these, codecs that put no zeros behind a picture either."""

MOST_HELD: Final = 16
"""Frames that may be decoded ahead of one that is shown before them: the largest picture buffer of H.264 and HEVC."""

MOST_LOST_SHARE: Final = 0.01
"""A film counts as failed if more than this share of its frames did not decode, or decoded damaged."""
MOST_RANGES: Final = 4
"""Stretches of damaged frames that a sentence names."""


def has_lost_block(data: bytes, codec: str) -> bool:
    """Whether a packet holds a run of zeros where its codec writes none.

    >>> has_lost_block(b"picture" + bytes(512) + b"picture", "vp9")
    True
    """
    if codec not in ENTROPY_CODED:
        return False
    at = data.find(ZERO_RUN)
    while at >= 0:
        end = at + len(ZERO_RUN)
        while end < len(data) and data[end] == 0:
            end += 1
        # Zeros may stand before a start code, and behind the last picture, to keep up a rate.
        is_stuffing = end == len(data) if codec not in WITHOUT_STUFFING else False
        if not is_stuffing and not (end < len(data) and data[end] == START_CODE_END):
            return True
        at = data.find(ZERO_RUN, end)
    return False


@dataclass
class DecodedFrame:
    """A frame as a decoder gives it, in the order in which frames are shown.

    Attributes:
        timestamp: when it is shown, in units of the stream.
        shown: the picture.
        is_key: whether it needs no other frame.
        is_bidirectional: whether it may be decoded after the frame that is shown next.
        is_damaged: what is known of it so far.
    """

    timestamp: int
    shown: DisplayedFrame
    is_key: bool
    is_bidirectional: bool
    is_damaged: bool


def spread_damage(frames: Iterable[DecodedFrame], n_held: int) -> Iterator[DecodedFrame]:
    """Mark what damaged frames damage: those after them up to the next key frame, and the B-frames right before them.

    Args:
        frames: in the order in which they are shown.
        n_held: frames that may be decoded later than the frame that is shown after them; so many are held back.
    """
    held: deque[DecodedFrame] = deque()
    goes_on = False
    for frame in frames:
        if frame.is_damaged:
            goes_on = True
            for before in reversed(held):
                if not before.is_bidirectional:
                    break
                before.is_damaged = True
        elif frame.is_key:
            goes_on = False
        frame.is_damaged |= goes_on
        held.append(frame)
        if len(held) > n_held:
            yield held.popleft()
    yield from held


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
