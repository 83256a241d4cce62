"""Which packets of a file lack something, before anything is decoded. The rules: `aucli.video.damage`."""

from __future__ import annotations

from collections import deque
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

    Attributes:
        count: packets that lack something, also those without a timestamp.
        before_joints: timestamps of the last two packets before each joint.
    """

    def __init__(self, info: VideoInfo) -> None:
        self.count = 0
        self.before_joints: set[int] = set()
        self._codec, self._is_avi = info.codec, info.is_avi
        self._changed = changed_clusters(info.path) if info.is_matroska else []
        self._stamps: set[int] = set()
        self._last_two: deque[int | None] = deque(maxlen=2)
        self._was_corrupt = False

    def look(self, packet: Packet[Any], *, is_after_joint: bool, lacks_others: bool) -> None:
        """Look at the next packet, whose times are already right.

        Args:
            is_after_joint: another recording begins with it.
            lacks_others: packets that it is predicted from are missing.
        """
        if is_after_joint:
            self.before_joints.update(stamp for stamp in self._last_two if stamp is not None)
            self._was_corrupt = False
        self._last_two.append(packet.pts)
        shown_as = packet.dts if self._is_avi or packet.pts is None else packet.pts
        # FFmpeg marks a packet that it had begun when it came upon a gap: that one is not whole, or the next.
        is_lossy = packet.is_corrupt or self._was_corrupt
        self._was_corrupt = packet.is_corrupt or (is_lossy and shown_as is None)
        is_changed = any(begin <= (packet.pos or 0) < end for begin, end in self._changed)
        if is_lossy or is_changed or lacks_others or has_lost_block(bytes(packet), self._codec):
            self.count += 1
            if shown_as is not None:
                self._stamps.add(shown_as)

    def timestamps(self) -> npt.NDArray[np.int64]:
        """Timestamps of the packets that lack something, (P,) int64, ascending.

        Without the last packets before a joint: FFmpeg calls one of them corrupt, for the next recording's counters
        begin anew, though both are whole.
        """
        return np.array(sorted(self._stamps - self.before_joints), dtype=np.int64)
