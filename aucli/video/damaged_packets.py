"""Which packets of a file lack something, before anything is decoded. The rules: `aucli.video.damage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aucli.video.damage import has_lost_block
from aucli.video.matroska import changed_clusters
from aucli.video.values import VideoInfo

if TYPE_CHECKING:
    from av.packet import Packet


class DamagedPackets:
    """Goes along with the packets of a video and keeps those that lack something.

    Packets are known by their number in decoding order: timestamps may be missing, repeated or wrong.

    Attributes:
        gaps: packets before which others are missing.
        before_joints: the last two packets before each joint.
    """

    def __init__(self, info: VideoInfo) -> None:
        self.gaps: list[int] = []
        self.before_joints: set[int] = set()
        self._codec = info.codec
        self._changed = changed_clusters(info.path) if info.is_matroska else []
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
        is_changed = any(begin <= (packet.pos or 0) < end for begin, end in self._changed)
        if follows_gap:
            self.gaps.append(self._n)
        if is_lossy or is_changed or has_lost_block(bytes(packet), self._codec):
            self._lacking.append(self._n)
        self._n += 1

    def numbers(self) -> npt.NDArray[np.int64]:
        """Packets that lack something, (L,) int64, ascending.

        Without the last packets before a joint: FFmpeg calls one of them corrupt, for the next recording's counters
        begin anew, though both are whole.
        """
        return np.array([n for n in self._lacking if n not in self.before_joints], dtype=np.int64)
