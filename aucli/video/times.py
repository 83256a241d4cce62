"""When frames are shown: timestamps as containers write them become seconds that never run back."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import av.container
    from av.packet import Packet
    from av.video.stream import VideoStream

TIME_TOLERANCE_S: Final = 1e-6
"""FFmpeg rounds a container's start time to microseconds; times closer than this count as equal."""

NO_TIMESTAMP: Final = -(2**63)
"""FFmpeg's AV_NOPTS_VALUE."""

STAMPLESS: Final = 0x0080
"""FFmpeg's AVFMT_NOTIMESTAMPS: a raw stream; what timestamps it has are made up, at 25 frames a second."""
MAY_BEGIN_ANEW: Final = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT: a stream meant to be cut and joined, as of MPEG."""

AVI_CHUNK_HEAD: Final = 8
"""Bytes before a chunk's data in an AVI: its name and its length."""

FALLS_S: Final = 0.1
JUMPS_S: Final = 10.0
"""FFmpeg's limits (``dts_delta_threshold``): timestamps that fall by more than the first, or jump by more than the
second, belong to another recording."""


HALF_ROUND: Final = 2**32
"""MPEG counts 2^33 ticks; FFmpeg takes times that fall for ones that have come round."""


def is_stampless(container: av.container.InputContainer) -> bool:
    """Whether a file is a raw stream whose frames carry no times."""
    return bool(container.format.flags & STAMPLESS)


def is_framed(container: av.container.InputContainer) -> bool:
    """Whether a container says where each packet begins and ends; in MPEG's streams and raw ones the data do."""
    return not container.format.flags & (MAY_BEGIN_ANEW | STAMPLESS)


def frame_rate(container: av.container.InputContainer, stream: VideoStream) -> Fraction:
    """Return frames per second, as FFmpeg knows them; 0 where the file does not tell.

    A raw stream's own rate stands in its codec's header. The average counts for the rest, unless it is no rate at all
    (FFmpeg gives 60,000 for DV).
    """
    average, guessed = stream.average_rate, stream.guessed_rate
    if is_stampless(container) or not average or (guessed and average > 4 * guessed):
        return guessed or average or Fraction(0)
    return average


def rate_is_assumed(container: av.container.InputContainer, stream: VideoStream) -> bool:
    """Whether a stream has neither times nor a rate of its own, so that FFmpeg's default stands in."""
    if container.format.name == "mjpeg" or container.format.name.endswith("_pipe"):
        return True
    return is_stampless(container) and not stream.codec_context.framerate


class Joints:
    """Carries the timestamps of a stream's packets on where they begin anew, so that they rise over the whole file.

    Recordings of MPEG (transport streams, VOBs) can be joined by ``cat``; each part keeps its own times. The rule is
    FFmpeg's (``ts_discontinuity_detect`` of its command line): where decoding times fall, or jump by more than ten
    seconds, the part goes on where the one before ended. In other containers only a return to the beginning counts as
    a joint, since a single wild timestamp there is damage.

    Attributes:
        count: joints so far.
        n_jumps: of them, those where times jump ahead.
    """

    def __init__(self, container: av.container.InputContainer, stream: VideoStream) -> None:
        self.count = self.n_jumps = 0
        self._anywhere = bool(container.format.flags & MAY_BEGIN_ANEW)
        self._is_off = is_stampless(container) or not stream.time_base
        tick = float(stream.time_base or 1)
        rate = frame_rate(container, stream)
        self._falls, self._jumps = round(FALLS_S / tick), round(JUMPS_S / tick)
        self._step = round(1 / (float(rate) * tick)) if rate else 1
        self._offset = 0
        self._first: int | None = None
        self._last = self._next = self._end = 0

    def carry_on(self, packet: Packet[Any]) -> None:
        """Move a packet's times to where they belong. Must be shown every packet, in order."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if self._is_off or stamp is None:
            return
        if self._first is None:
            self._first = stamp
        elif self._anywhere and packet.dts is not None and self._breaks_off(stamp + self._offset):
            self.count += 1
            self.n_jumps += 0 < stamp + self._offset - self._last < HALF_ROUND
            self._offset = self._next - stamp
        elif not self._anywhere and packet.is_keyframe and self._starts_over(stamp):
            self.count += 1
            self._offset = self._end - (stamp if packet.pts is None else packet.pts)
        length = packet.duration or self._step
        if self._offset:
            if packet.pts is not None:
                packet.pts += self._offset
            if packet.dts is not None:
                packet.dts += self._offset
        if self._anywhere and packet.dts is not None and self._is_wild(packet.pts, packet.dts):
            packet.pts = self._end  # the last packet of a part takes its time from the header of the next one
        self._end = max(self._end, (stamp + self._offset if packet.pts is None else packet.pts) + length)
        if packet.dts is not None or not self._anywhere:
            self._last = stamp + self._offset
            self._next = self._last + length

    def _is_wild(self, pts: int | None, dts: int) -> bool:
        return pts is not None and abs(pts - dts) > self._jumps

    def _breaks_off(self, dts: int) -> bool:
        return dts + self._falls < self._last or abs(dts - self._next) > self._jumps

    def _starts_over(self, stamp: int) -> bool:
        return stamp <= (self._first or 0) + self._falls and stamp + self._offset + self._falls < self._last


class AviSlots:
    """The slots of an AVI's frames, as its index tells them; for other files nothing.

    FFmpeg counts the slots of frames as it comes upon them. A frame whose chunk is destroyed it passes over, and all
    frames after that one would be shown a slot too early.

    Attributes:
        n_frames: frames that the index lists; 0 where there is none, or PyAV (before 17) does not hand it out.
        follows_gap: whether frames that the index lists are missing before the packet that was corrected last.
    """

    def __init__(self, container: av.container.InputContainer, stream: VideoStream) -> None:
        entries: Any = getattr(stream, "index_entries", ()) if container.format.name == "avi" else ()
        listed = [(entry.pos + AVI_CHUNK_HEAD, entry.timestamp) for entry in entries if entry.size > 0]
        self._positions, self._slots = np.array(sorted(listed), np.int64).reshape(-1, 2).T
        self.n_frames = len(listed)
        self.follows_gap = False
        self._next = 0

    def correct(self, packet: Packet[Any]) -> None:
        """Move a packet's times to its slot."""
        if not self.n_frames or packet.pos is None or packet.dts is None:
            return
        at = int(np.searchsorted(self._positions, packet.pos))
        is_listed = at < self.n_frames and self._positions[at] == packet.pos
        self.follows_gap = is_listed and at > self._next
        self._next = at + 1 if is_listed else self._next
        if is_listed and self._slots[at] != packet.dts:
            late = int(self._slots[at]) - packet.dts
            packet.dts += late
            if packet.pts is not None:
                packet.pts += late


class TimestampGuess:
    """FFmpeg's best-effort timestamp (``guess_correct_pts``), which PyAV does not hand out.

    Presentation times count unless they are missing or run backwards more often than decoding times do.

    An AVI has a slot for each packet and no presentation times; what FFmpeg gives as such is made up, wrong where slots
    are empty, and out of order where frames are (H.264 with B-frames). The slots alone count there: frames come out in
    the order in which they are shown, and the last ones, which wait in the decoder, follow at the usual distance.

    Args:
        slots_only: the file is an AVI.
        usual_slots: from frame to frame there, in slots; 2 where every second slot is empty.
    """

    def __init__(self, *, slots_only: bool = False, usual_slots: float = 1.0) -> None:
        self._slots_only = slots_only
        self._usual_slots = max(1, round(usual_slots))
        self._faulty_pts = self._faulty_dts = 0
        self._last_pts = self._last_dts = NO_TIMESTAMP

    @staticmethod
    def of(container: av.container.InputContainer, *, usual_ticks: float = 1.0) -> TimestampGuess:
        """For the frames of an open file, whose packets lie so far apart."""
        return TimestampGuess(slots_only=container.format.name == "avi", usual_slots=usual_ticks)

    def __call__(self, pts: int | None, dts: int | None) -> int:
        """Return the timestamp of the next frame; `NO_TIMESTAMP` if it has neither."""
        if self._slots_only:
            if dts is None and self._last_dts != NO_TIMESTAMP:
                dts = self._last_dts + self._usual_slots
            pts = None
        if dts is not None:
            self._faulty_dts += dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        if pts is not None and (self._faulty_pts <= self._faulty_dts or dts is None):
            return pts
        return NO_TIMESTAMP if dts is None else dts


class Clock:
    """Turns the timestamps of a stream's frames, shown in order, into the seconds that a player shows.

    Args:
        tick_s: seconds of one unit of the timestamps.
        start_s: the container's start, which counts as 0.
        fps: frames per second, 0 if unknown.
        counts: the frames carry no times: frame n is shown n / fps seconds after the start.
        origin: is taken off every timestamp before it becomes seconds; numbers too large to be told apart in
            seconds, and too large for FFmpeg to give the container's start, stay exact so.
    """

    def __init__(self, tick_s: float, start_s: float, fps: float, *, counts: bool, origin: int = 0) -> None:
        self._tick_s, self._start_s, self._fps, self._counts = tick_s, start_s, fps, counts
        self._origin = origin
        self._step_s = 1 / fps if fps else tick_s  # from frame to frame, where there are no times
        self._n = 0
        self._anchor = (0, 0.0)  # the latest frame with a timestamp, and its time
        self._last_s = 0.0
        self._n_without_time = self._n_not_rising = 0

    @staticmethod
    def of(container: av.container.InputContainer, stream: VideoStream) -> Clock:
        """Read the clock of an open file."""
        tick_s = float(stream.time_base) if stream.time_base else 0.0
        start_s = (container.start_time or 0) / 1e6
        if stream.start_time is not None and abs(stream.start_time * tick_s - start_s) < TIME_TOLERANCE_S:
            start_s = stream.start_time * tick_s  # the same instant, before FFmpeg rounded it to microseconds
        counts = is_stampless(container) or not tick_s
        origin = (stream.start_time or 0) if container.start_time is None else 0
        return Clock(tick_s, start_s, float(frame_rate(container, stream)), counts=counts, origin=origin)

    @property
    def start_s(self) -> float:
        """The container's start on the file's own clock: what counts as 0."""
        return self._origin * self._tick_s + self._start_s

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the times given so far, one sentence each."""
        notes = []
        if n := self._n_without_time:
            what = "its time is" if n == 1 else "their times are"
            rate = f"{1 / self._step_s:.4g} frames a second"
            notes.append(f"{_frames(n)} no time in the file; {what} counted from the others' at {rate}")
        if n := self._n_not_rising:
            what = "it is" if n == 1 else "they are"
            notes.append(f"{_frames(n)} a time that is not after the frame before; {what} put just after it")
        return tuple(notes)

    def learn_step(self, usual_ticks: float) -> None:
        """Take the step for frames without times from those that have some, where the file's frame rate is not theirs.

        Args:
            usual_ticks: from frame to frame, in units of the timestamps.
        """
        if usual_ticks > 0 and abs(usual_ticks * self._tick_s - self._step_s) > self._tick_s:
            self._step_s = usual_ticks * self._tick_s

    def count_back(self, n_before: int, timestamp: int) -> None:
        """Give the first frames, which have no timestamps, times that lead up to the first frame that has one.

        Matroska, for one, cannot write negative times and leaves them out. Where the frames begin before the
        container's start, that start is moved: the first frame is shown at 0.

        Args:
            n_before: frames before the first one with a timestamp.
            timestamp: that frame's.
        """
        if self._counts or not n_before:
            return
        first_s = (timestamp - self._origin) * self._tick_s - n_before * self._step_s
        self._start_s = min(self._start_s, first_s)
        self._anchor = (0, first_s - self._start_s)

    def agrees(self, timestamp: int, time_s: float) -> bool:
        """Whether a timestamp alone says that its frame is shown at this time."""
        return not self._counts and abs(self._since_start_s(timestamp) - time_s) <= TIME_TOLERANCE_S

    def _since_start_s(self, timestamp: int) -> float:
        return (timestamp - self._origin) * self._tick_s - self._start_s

    def seconds(self, timestamp: int) -> float:
        """Return the presentation time of the next frame.

        A frame without a timestamp comes one step after the one before; the first of all lies where
        `count_back` says. A frame whose timestamp does not lie after the one before comes one tick after it: FFmpeg
        hands frames out in the order in which they are shown, so the timestamp is wrong.
        """
        n, self._n = self._n, self._n + 1
        if self._counts:
            return n / self._fps if self._fps else 0.0
        if timestamp == NO_TIMESTAMP:
            since, anchor_s = self._anchor
            time_s = anchor_s + (n - since) * self._step_s
            self._n_without_time += 1
        else:
            time_s = self._since_start_s(timestamp)
            self._anchor = (n, time_s)
        if n and time_s <= self._last_s:
            self._n_not_rising += timestamp != NO_TIMESTAMP
            time_s = self._last_s + self._tick_s
        self._last_s = time_s
        return time_s


def _frames(n: int) -> str:
    return "1 frame has" if n == 1 else f"{n:,} frames have"
