"""Which packets of a file lack something, before anything is decoded. The rules: `aucli.video.damage`."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aucli.video import asf, ogg
from aucli.video.damage import LONG_STUFFING, MOST_STUFFED, NEVER, RARELY_STUFFED, zero_runs
from aucli.video.matroska import changed_clusters
from aucli.video.values import VideoInfo

if TYPE_CHECKING:
    from av.packet import Packet


class DamagedPackets:
    """Goes along with the packets of a video and keeps those that lack something.

    Packets are known by their number in decoding order: timestamps may be missing, repeated or wrong.

    Attributes:
        gaps: packets before which others are missing.
        mistimed: packets whose time FFmpeg counted on from before a gap: wrong.
        before_joints: the last two packets before each joint.
        stretches: of the file where no packet can be found, in bytes (Ogg, ASF).
    """

    def __init__(self, info: VideoInfo) -> None:
        self.gaps: list[int] = []
        self.before_joints: set[int] = set()
        self.mistimed: set[int] = set()
        self._codec, self._is_ogg = info.codec, info.container == "ogg"
        self._changed = changed_clusters(info.path) if info.is_matroska else []
        self.stretches: list[tuple[int, int]] = []
        if self._is_ogg or info.container == "asf":
            self.stretches = (ogg if self._is_ogg else asf).broken_stretches(info.path)
        self._n_stretches = 0
        self._n_pixels, self._stuffed = info.width * info.height, array("q")
        self._lacking: list[int] = []
        self._n = 0
        self._was_corrupt = False

    def look(self, packet: Packet[Any], *, is_after_joint: bool, follows_gap: bool) -> None:
        """Look at the next packet.

        Args:
            is_after_joint: another recording begins with it.
            follows_gap: others are missing before it.
        """
        if is_after_joint:
            self.before_joints.update(range(max(0, self._n - 2), self._n))
            self._was_corrupt = False
        # FFmpeg marks a packet that it had begun when it came upon a gap: that one is not whole, or the next.
        is_lossy = packet.is_corrupt or self._was_corrupt
        self._was_corrupt = packet.is_corrupt or (is_lossy and packet.pts is None and packet.dts is None)
        strange, stuffing = zero_runs(bytes(packet), self._codec, self._n_pixels)
        if stuffing >= LONG_STUFFING:
            self._stuffed.append(self._n)
        is_changed = any(begin <= (packet.pos or 0) < end for begin, end in self._changed)
        n_before, self._n_stretches = self._n_stretches, bisect_right(self.stretches, (packet.pos or 0, NEVER))
        if self._n_stretches > n_before:
            if self._n:
                self._lacking.append(self._n - 1)  # what it begins may go on where nothing is left
            if self._is_ogg:
                self.mistimed.add(self._n)
        if follows_gap or self._n_stretches > n_before:
            self.gaps.append(self._n)
        is_inside = self._n_stretches > 0 and (packet.pos or 0) < self.stretches[self._n_stretches - 1][1]
        if is_lossy or is_changed or is_inside or strange:
            self._lacking.append(self._n)
        self._n += 1

    @property
    def n_unread(self) -> int:
        """Bytes behind the last packet that cannot be read."""
        return sum(end - begin for begin, end in self.stretches[self._n_stretches :])

    def n_lost(self, timestamps: npt.NDArray[np.int64], usual_ticks: float) -> int:
        """How many frames are missing where the file holds nothing that can be read, by the times around.

        Args:
            timestamps: of all packets, in decoding order.
            usual_ticks: from frame to frame.
        """
        if not self.stretches or not usual_ticks:
            return 0
        n = 0
        for gap in self.gaps:
            after = gap + (gap in self.mistimed)
            if gap > 0 and after < len(timestamps):
                n += max(
                    0, round((int(timestamps[after]) - int(timestamps[gap - 1])) / usual_ticks) - 1 - (after - gap)
                )
        return n

    def numbers(self) -> npt.NDArray[np.int64]:
        """Packets that lack something, (L,) int64, ascending.

        Without the last packets before a joint: FFmpeg calls one of them corrupt, for the next recording's counters
        begin anew, though both are whole.
        """
        lacking = set(self._lacking)
        if self._n and self._n_stretches < len(self.stretches):
            lacking.add(self._n - 1)
        if self._codec in RARELY_STUFFED and len(self._stuffed) <= MOST_STUFFED:
            lacking.update(n for n in self._stuffed if n < self._n - 1)  # a file may be filled up at its end
        return np.array(sorted(lacking - self.before_joints), dtype=np.int64)
