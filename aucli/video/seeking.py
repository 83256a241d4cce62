"""Decoding only what is needed for the frames that are asked for: from the key frame before each.

All packets are still read, which costs a few microseconds each, so that frames have the numbers and times that a full
read gives them: the n-th shown frame is that of the n-th timestamp. Those that are needed are decoded, and it is
checked that each gives the frame that it announces. What is passed over is not looked at: it damages no frame that is
asked for, and a frame has the same number whatever else of the film decodes (`aucli.video.damage`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.video.container import open_container, reason_of, video_stream
from aucli.video.decoders import GivesUpError
from aucli.video.display import Display, DisplayedFrame
from aucli.video.packets import PacketScan
from aucli.video.random_access import DecodingOrder
from aucli.video.selection import FrameSelection
from aucli.video.times import NO_TIMESTAMP, AviSlots, Clock, Joints
from aucli.video.values import VideoInfo

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

WORTHWHILE_SHARE: Final = 0.9
"""Where more of the packets than this would have to be decoded, all are."""


@dataclass(frozen=True)
class DecodingPlan:
    """Which packets are decoded.

    Attributes:
        is_decoded: (P,) bool, in decoding order.
        begins: (P,) bool: the decoder is emptied before this packet and begins anew.
        is_wanted: (N,) bool, by number of frame.
        has_leading: whether frames are decoded that are predicted from what is passed over, as behind the key frame of
            an open group of pictures; they are wrong, and not handed out.
    """

    is_decoded: npt.NDArray[np.bool_]
    begins: npt.NDArray[np.bool_]
    is_wanted: npt.NDArray[np.bool_]
    has_leading: bool

    def is_worthwhile(self, n_otherwise: int) -> bool:
        """Whether so few packets are decoded that passing over the others pays, where else so many would be."""
        return int(self.is_decoded.sum()) <= WORTHWHILE_SHARE * n_otherwise


def why_not_seek(scan: PacketScan) -> str | None:
    """Say why the number of a frame cannot be told from packets alone; None where it can."""
    if (why := scan.why_not_numbered) is not None:
        return why
    if not scan.order.begins.any():
        return "its codec does not tell where decoding may begin"
    return None


@dataclass(frozen=True)
class Foreseen:
    """What a full read would find, told from packets.

    Attributes:
        time_s: (N,) float64: when each frame is shown.
        is_asked_for: (N,) bool.
        end: number of the first frame that comes too late; N if there is none.
    """

    time_s: npt.NDArray[np.float64]
    is_asked_for: npt.NDArray[np.bool_]
    end: int


def foresee(timestamps: npt.NDArray[np.int64], clock: Clock, selection: FrameSelection) -> Foreseen:
    """Let a clock and a selection go through the frames that packets announce; neither is changed."""
    clock, selection = copy(clock), copy(selection)
    time_s = np.array([clock.seconds(timestamp) for timestamp in timestamps.tolist()])
    is_asked_for = np.zeros(len(time_s), np.bool_)
    for n, at_s in enumerate(time_s.tolist()):
        if selection.is_past(at_s):
            return Foreseen(time_s, is_asked_for, n)
        is_asked_for[n] = selection.wants(at_s)
    return Foreseen(time_s, is_asked_for, len(time_s))


def plan_decoding(
    order: DecodingOrder, timestamps: npt.NDArray[np.int64], is_wanted: npt.NDArray[np.bool_]
) -> DecodingPlan:
    """Plan which packets give the wanted frames.

    A frame needs what is decoded from the last place on that lies before it in decoding order, and that is shown before
    it. In an open group of pictures that is one key frame earlier:

        decoded:  0 2 1 4 3 | 8 6 5 7 10 9      key frames: 0, 8
        9 needs 8, 10, 9; 5 needs all from 0 on

    Args:
        order: of all packets.
        timestamps: (N,) int64, rising: of all frames.
        is_wanted: (N,) bool: of all frames.
    """
    number = np.searchsorted(timestamps, order.timestamps)
    wants = ~order.is_hidden
    wants[wants] = is_wanted[number[wants]]
    wanted = np.flatnonzero(wants)
    entries = np.flatnonzero(order.begins)
    starts = np.zeros(len(wanted), np.int64)
    latest = np.searchsorted(entries, wanted, "right") - 1
    for n, (place, shown) in enumerate(zip(latest.tolist(), order.timestamps[wanted].tolist(), strict=True)):
        at = place
        while at >= 0 and order.timestamps[entries[at]] > shown:
            at -= 1
        starts[n] = entries[at] if at >= 0 else 0
    is_decoded, begins = np.zeros(len(number), np.bool_), np.zeros(len(number), np.bool_)
    # The first frame is always decoded: it says what changes of the pixels' shape are measured against.
    first, end = 0, 0
    for i in [*np.argsort(starts, kind="stable").tolist(), None]:
        if i is None or starts[i] > end + 1:
            begins[first] = True
            is_decoded[first : end + 1] = True
        if i is None:
            break
        if starts[i] > end + 1:
            first, end = int(starts[i]), int(wanted[i])
        end = max(end, int(wanted[i]))
    is_decoded &= wants | ~order.is_unneeded | begins
    run = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    has_leading = bool((is_decoded & (run > 0) & (order.timestamps < order.timestamps[run])).any())
    return DecodingPlan(is_decoded, begins, is_wanted, has_leading)


class SeekingSource:
    """PyAV, decoding what a plan says. Gives the wanted frames; gives up at the first that is not as announced."""

    def __init__(self, info: VideoInfo, scan: PacketScan, plan: DecodingPlan) -> None:
        import av

        self.name = f"pyav {av.__version__}"
        self.first_error: str | None = None
        self._info, self._scan, self._plan = info, scan, plan

    def frames(self) -> Iterator[tuple[int, int, DisplayedFrame, bool]]:
        """See `Source`; of the wanted frames only, each once those have come that damage it if they are damaged."""
        held: deque[tuple[int, int, DisplayedFrame]] = deque()
        for number, timestamp, shown in self._frames():
            held.append((number, timestamp, shown))
            if len(held) > self._scan.n_ahead:
                number, timestamp, shown = held.popleft()
                if self._plan.is_wanted[number]:
                    yield number, timestamp, shown, False
        for number, timestamp, shown in held:
            if self._plan.is_wanted[number]:
                yield number, timestamp, shown, False

    def _frames(self) -> Iterator[tuple[int, int, DisplayedFrame]]:
        """Every decoded frame."""
        import av

        with open_container(self._info.path) as container:
            stream = video_stream(self._info.path, container, self._info.stream)
            if self._plan.has_leading:
                stream.codec_context.thread_type = "SLICE"
            else:
                stream.codec_context.thread_type = "AUTO"
                # Side by side, a frame may be handed out before it is marked as damaged: let the error itself end it.
                stream.codec_context.options = {"err_detect": "explode"}
            display = Display(self._info.path, stream)
            try:
                for timestamp, frame in self._decode(container, stream):
                    # Every frame is asked how it is turned, which holds for those after it too.
                    number = int(np.searchsorted(self._scan.timestamps, timestamp))
                    yield number, timestamp, display.show(frame)
            except av.error.FFmpegError as error:
                raise GivesUpError(f"pyav: {reason_of(error)}") from None

    def _decode(self, container: Any, stream: VideoStream) -> Iterator[tuple[int, Any]]:
        """Every decoded frame with its timestamp, run by run."""
        plan, order, codec = self._plan, self._scan.order, stream.codec_context
        begins = np.append(np.flatnonzero(plan.begins), len(plan.is_decoded))
        last = int(np.flatnonzero(plan.is_decoded)[-1])
        run = _Run([], NO_TIMESTAMP, by_slots=False)
        for at, packet in enumerate(_packets(container, stream)):
            if at > last:
                break
            if not plan.is_decoded[at]:
                continue
            if plan.begins[at]:
                if at:
                    yield from run.check(codec.decode(None))
                    run.close()
                    codec.flush_buffers()
                here = slice(at, int(begins[np.searchsorted(begins, at, "right")]))
                shown = order.timestamps[here][plan.is_decoded[here] & ~order.is_hidden[here]]
                # Frames that are shown before a later beginning are predicted from what was passed over.
                first = int(order.timestamps[at]) if at else NO_TIMESTAMP
                run = _Run(np.sort(shown[shown >= first]).tolist(), first, by_slots=self._info.is_avi)
            yield from run.check(codec.decode(packet))
        yield from run.check(codec.decode(None))
        run.close()


class _Run:
    """What packets that are decoded together announce."""

    def __init__(self, timestamps: list[int], first: int, *, by_slots: bool) -> None:
        self._announced, self._first = deque(timestamps), first
        self._by_slots = by_slots  # see `TimestampGuess`

    def check(self, frames: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Pass frames on, with their timestamps, that come as announced and whole."""
        for frame in frames:
            timestamp = frame.dts if self._by_slots else frame.pts
            if timestamp is not None and timestamp < self._first:
                continue
            if frame.is_corrupt or not self._announced or timestamp != self._announced.popleft():
                raise GivesUpError("pyav: a frame is damaged, or is not the one that the packets announce")
            yield timestamp, frame

    def close(self) -> None:
        """See that all have come."""
        if self._announced:
            raise GivesUpError(f"pyav: {len(self._announced)} frames that packets announce do not decode")


def _packets(container: Any, stream: VideoStream) -> Iterator[Packet[Any]]:
    """The packets of a stream, with the times and in the order of `scan_packets`."""
    joints, slots = Joints(container, stream), AviSlots(container, stream)
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        slots.correct(packet)
        joints.carry_on(packet)
        yield packet
