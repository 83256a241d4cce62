"""What the packets of a video tell without decoding: times, and where the file may be cut for decord."""

from __future__ import annotations

import io
import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aucli.video import asf, matroska, riff
from aucli.video.container import open_container, promised_frames, reason_of, video_stream
from aucli.video.damage import MOST_HELD, Announced
from aucli.video.damaged_packets import DamagedPackets
from aucli.video.orientation import UPRIGHT
from aucli.video.random_access import AccessWatch, DecodingOrder
from aucli.video.shapes import ShapeWatch
from aucli.video.times import MAY_BEGIN_ANEW, NO_TIMESTAMP, AviSlots, Joints, is_framed
from aucli.video.values import VideoInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FRAME_STEP: Final = Fraction(1, 25)
"""Time from frame to frame in the copies that decord gets; any value does, times come from the original."""

DECORD_PIXELS: Final = tuple(f"yuv{j}{chroma}p" for j in ("", "j") for chroma in ("420", "422", "444"))
"""Pixel formats that decord and PyAV turn into the same RGB, byte for byte. With more than 8 bits they differ."""


@dataclass(frozen=True)
class PacketScan:
    """What the packets of a video tell without decoding.

    Attributes:
        timestamps: int64, ascending: when the frame of each packet is shown, if every packet decodes. Packets that an
            edit list hides are left out. Empty where packets do not say when their frames are shown.
        n_expected: frames that are to be shown: one for each packet, and those that the header, or an AVI's index,
            promises and the file does not hold. What an edit list hides is not among them.
        n_hidden: frames in the file that its edit list hides.
        damaged: int64, ascending: packets that lack something, by their number in decoding order.
        gaps: packets before which others are missing, likewise.
        mistimed: packets whose time is wrong, likewise.
        before_joints: the last two packets before each joint, likewise. FFmpeg calls one of them corrupt, for the next
            recording's counters begin anew, though both are whole.
        n_ahead: frames that are decoded before one that is shown before them, at most: how late a decoder may notice
            what is wrong with a frame; `MOST_HELD` where timestamps do not tell.
        order: of all packets, hidden ones too, as they are decoded.
        begins_inside: whether the first packet is not a key frame: nothing before the first key frame can be whole.
        is_framed: see `is_framed`.
        n_joints: times that timestamps begin anew, or jump ahead by more than ten seconds (`Joints`).
        n_jumps: of them, times that they jump ahead.
        lacks_times: whether a packet says neither when it is shown nor when it is decoded.
        usual_ticks: median distance between timestamps that are there, in the stream's units; where packets only say
            when they are decoded, between these; 0 where there are none.
        gop_lengths: packets of each group of pictures that decodes on its own; empty where decord is out.
        why_not_decord: None where packets and frames correspond one to one, so that decord's n-th frame is the frame
            of the n-th timestamp.
        ends_early: what the header promises and the packets do not keep, else None.
    """

    timestamps: npt.NDArray[np.int64]
    n_expected: int
    n_hidden: int
    damaged: npt.NDArray[np.int64]
    gaps: list[int]
    mistimed: frozenset[int]
    before_joints: frozenset[int]
    n_ahead: int
    order: DecodingOrder
    begins_inside: bool
    is_framed: bool
    n_joints: int
    n_jumps: int
    lacks_times: bool
    usual_ticks: float
    gop_lengths: list[int]
    why_not_decord: str | None
    ends_early: str | None

    @property
    def is_damaged(self) -> bool:
        """Whether packets lack something, or others are missing before them."""
        return bool(len(self.damaged) or self.gaps or self.begins_inside)

    @property
    def why_not_numbered(self) -> str | None:
        """Why packets alone cannot tell the number of a frame; None where they can."""
        if not len(self.timestamps):
            return "its packets do not tell when each frame is shown"
        if self.is_damaged or self.ends_early or self.n_expected != len(self.timestamps):
            return "it is damaged or not whole"
        return None

    def announced(self) -> Announced:
        """What the packets say of the frames to come."""
        ranks = np.searchsorted(self.timestamps, self.order.timestamps)
        ranks[self.order.is_hidden] = -1
        return Announced(
            ranks if len(self.timestamps) else ranks[:0], self.order.is_unneeded, self.n_ahead, self.is_framed
        )


def scan_packets(info: VideoInfo) -> PacketScan:
    """Go through the packets of a file."""
    import av

    shown, decoded, is_key = array("q"), array("q"), array("b")
    n_hidden = 0
    end_s = 0.0
    error_text: str | None = None
    lacks_times = False
    begins_inside: bool | None = None
    damaged = DamagedPackets(info)
    with open_container(info.path) as container:
        stream = video_stream(info.path, container, info.stream)
        joints, shape, slots = Joints(container, stream), ShapeWatch(stream), AviSlots(container, stream)
        access = AccessWatch(stream, is_framed=is_framed(container))
        n_promised = promised_frames(container, stream)
        is_reordered_avi = info.is_avi and bool(stream.codec_context.has_b_frames)
        # Where the header does not count frames, all streams together tell whether the file is whole.
        packets = container.demux(stream) if n_promised else container.demux()
        try:
            for packet in packets:
                if packet.size == 0:
                    continue  # PyAV's mark for the end of a stream; or no frame: the one before is shown on (Theora)
                if packet.pts is not None and not n_promised:
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index != stream.index:
                    continue
                slots.correct(packet)
                n_joints = joints.count
                joints.carry_on(packet)
                damaged.look(
                    packet,
                    is_after_joint=joints.count > n_joints,
                    follows_gap=slots.follows_gap,
                )
                shape.look(packet)
                stamp = packet.dts if info.is_avi and not is_reordered_avi else packet.pts  # see `TimestampGuess`
                access.look(packet, stamp)
                if begins_inside is None:
                    begins_inside = not packet.is_keyframe
                lacks_times |= packet.pts is None and packet.dts is None
                if packet.is_discard:
                    n_hidden += 1
                else:
                    shown.append(NO_TIMESTAMP if stamp is None else stamp)
                    decoded.append(NO_TIMESTAMP if packet.dts is None else packet.dts)
                    is_key.append(packet.is_keyframe)
        except av.error.FFmpegError as error:
            error_text = reason_of(error)
        promised_s = _promised_seconds(info, container, stream)
        start_s, n_slots = (container.start_time or 0) / 1e6, stream.frames
        why_not, framed = _why_not_decord(info, stream), is_framed(container)

    timestamps = np.sort(np.array(shown, dtype=np.int64))
    is_told = bool(len(timestamps)) and timestamps[0] != NO_TIMESTAMP and not is_reordered_avi
    is_regular = bool(is_told and (np.diff(timestamps) > 0).all())
    if why_not is None and not shape.is_constant:
        why_not = "a picture that may change its shape"
    elif why_not is None and (error_text or len(damaged.numbers()) or damaged.gaps):
        why_not = "damaged packets"
    elif why_not is None and n_hidden:
        why_not = "packets that an edit list hides"
    elif why_not is None and not is_regular:
        why_not = "timestamps that are missing or repeated"
    gop_lengths = [] if why_not else gop_lengths_of(np.array(shown), np.array(is_key, dtype=bool))
    if why_not is None and not gop_lengths:
        why_not = "it does not start with a key frame"

    usual_ticks = _usual_step(timestamps) or _usual_step(np.array(decoded, dtype=np.int64))
    n_in_file = len(timestamps) + n_hidden
    if n_in_file < n_promised and info.is_mp4:
        n_in_file = _count_with_hidden(info)
    n_bytes = _missing_bytes(info)
    if info.is_avi and n_bytes and usual_ticks:  # its index is lost with them; its header counts slots
        n_promised = n_in_file + round((n_slots - max(decoded, default=0) - usual_ticks) / usual_ticks)
    n_missing = max(0, n_promised - n_in_file) or damaged.n_lost(np.array(shown, dtype=np.int64), usual_ticks)
    ends_early = None
    if error_text:
        ends_early = f"the file cannot be read to its end ({error_text})"
    elif n_in_file < n_promised:
        ends_early = f"ends early: {n_in_file} of {n_promised} frames are in the file"
    elif not n_promised and promised_s > max(end_s, end_s - start_s) + 0.5:
        # Matroska counts its duration from 0, also where the pictures start later.
        ends_early = f"ends early: the header promises {promised_s:.1f} s, the data end at {end_s:.1f} s"
    elif n_unread := damaged.n_unread:
        ends_early = f"ends early: its last {n_unread:,} bytes cannot be read"
    elif n_bytes:
        ends_early = f"ends early: {n_bytes:,} bytes that the header promises are not in the file"
    return PacketScan(
        timestamps=timestamps if is_regular else timestamps[:0],
        n_expected=max(len(timestamps) + n_missing, slots.n_frames),
        n_hidden=n_in_file - len(timestamps),
        damaged=damaged.numbers(),
        gaps=damaged.gaps,
        mistimed=frozenset(damaged.mistimed),
        before_joints=frozenset(damaged.before_joints),
        n_ahead=_frames_ahead(np.array(shown, dtype=np.int64)) if is_regular else MOST_HELD,
        order=access.order(),
        begins_inside=bool(begins_inside),
        is_framed=framed,
        n_joints=joints.count,
        n_jumps=joints.n_jumps,
        lacks_times=lacks_times,
        usual_ticks=usual_ticks,
        gop_lengths=gop_lengths,
        why_not_decord=why_not,
        ends_early=ends_early,
    )


def _missing_bytes(info: VideoInfo) -> int:
    """How many bytes the file promises and does not hold, where its container tells."""
    if info.is_matroska:
        return matroska.missing_bytes(info.path)
    if info.is_avi:
        return riff.missing_bytes(info.path)
    packets = asf.asf_packets(info.path) if info.container == "asf" else None
    return packets.n_missing if packets else 0


def _promised_seconds(info: VideoInfo, container: InputContainer, stream: VideoStream) -> float:
    """How long the header says that the file lasts; 0 where that is no promise."""
    if container.format.flags & MAY_BEGIN_ANEW:
        return 0.0  # FFmpeg's guess from the last timestamps in the file
    if info.is_avi and stream.time_base is not None:
        return float(stream.frames * stream.time_base)  # FFmpeg shortens the duration to what is there
    return (container.duration or 0) / 1e6


def _why_not_decord(info: VideoInfo, stream: VideoStream) -> str | None:
    """What the header tells against decord; None if nothing."""
    if (pix_fmt := stream.codec_context.pix_fmt) not in DECORD_PIXELS:
        return f"pixel format {pix_fmt}"
    if not info.is_stored_as_shown:
        return "pixels that are not square" if info.pixel_aspect != 1 else "high dynamic range"
    if info.orientation != UPRIGHT and not hasattr(stream, "set_display_rotation"):
        return "an orientation, which this PyAV cannot take out"  # before 18.1
    if not (info.is_mp4 or info.is_matroska):
        return f"container {info.container}"  # decord needs real presentation times, and to rewind
    return None


def described_by_packets(info: VideoInfo, scan: PacketScan) -> VideoInfo:
    """Correct what a header claims by what its packets tell: how many frames there are, and an AVI's rate.

    Its header counts slots, and every second one may be empty.
    """
    is_sparse = info.is_avi and scan.usual_ticks > 1
    fps = info.fps / scan.usual_ticks if is_sparse else info.fps
    return replace(info, n_frames_header=scan.n_expected, fps=fps)


def _usual_step(timestamps: npt.NDArray[np.int64]) -> float:
    steps = np.diff(timestamps[timestamps != NO_TIMESTAMP])
    return float(np.median(steps)) if len(steps) else 0.0


def _frames_ahead(timestamps: npt.NDArray[np.int64]) -> int:
    """How many frames lie at most between one and a later shown one that is decoded before it.

    Args:
        timestamps: in decoding order.
    """
    place = np.argsort(np.argsort(timestamps, kind="stable"), kind="stable")
    return min(int((np.maximum.accumulate(place) - place).max(initial=0)), MOST_HELD)


def _count_with_hidden(info: VideoInfo) -> int:
    """Count all packets of an MP4's stream, also those that FFmpeg leaves out since no edit shows them."""
    import av

    with open_container(info.path, ignore_editlist="1") as container:
        stream = video_stream(info.path, container, info.stream)
        count = 0
        try:
            for packet in container.demux(stream):
                count += packet.size > 0
        except av.error.FFmpegError:
            pass
        return count


def gop_lengths_of(timestamps: npt.NDArray[np.int64], is_key: npt.NDArray[np.bool_]) -> list[int]:
    """Lengths of the groups of pictures that decode on their own, in packets, which are given in decoding order.

    Such a group begins at a key frame that is shown after everything before it and before everything after it:

        shown:   0 2 1 3 | 4 6 5 7 8 10 9 | ...      key frames: 0, 4, 8
        not at 8 if its successors were shown before it, as in an open group of pictures: ... 10 8 9

    Empty if the first packet does not begin one.
    """
    latest_before = np.concatenate([[NO_TIMESTAMP], np.maximum.accumulate(timestamps)[:-1]])
    earliest_from = np.minimum.accumulate(timestamps[::-1])[::-1]
    begins = np.flatnonzero(is_key & (timestamps > latest_before) & (timestamps == earliest_from))
    if not len(begins) or begins[0] != 0:
        return []
    return [int(length) for length in np.diff(np.append(begins, len(timestamps)))]


def join_pieces(gop_lengths: list[int], max_frames: int) -> list[int]:
    """Join neighbouring groups of pictures into pieces of up to ``max_frames``; empty if one alone is longer.

    >>> join_pieces([3, 3, 3, 5], max_frames=6)
    [6, 3, 5]
    """
    lengths: list[int] = []
    for length in gop_lengths:
        if lengths and lengths[-1] + length <= max_frames:
            lengths[-1] += length
        else:
            lengths.append(length)
    return lengths if lengths and max(lengths) <= max_frames else []


def cut_pieces(info: VideoInfo, lengths: list[int]) -> Iterator[bytes]:
    """Pieces of a video's packets, each as a small Matroska file in memory, orientation left out.

    The packets get plain timestamps, one step a frame, since Matroska's milliseconds could merge two.
    """
    import av

    with open_container(info.path) as container:
        stream = video_stream(info.path, container, info.stream)
        packets = container.demux(stream)
        for length in lengths:
            members = list(itertools.islice(packets, length))
            rank = np.argsort(np.argsort([packet.pts or 0 for packet in members]))
            delay = int((np.arange(length) - rank).max())
            memory = io.BytesIO()
            with av.open(memory, "w", format="matroska") as copy:
                target = copy.add_stream_from_template(stream, opaque=True)
                if info.orientation != UPRIGHT:
                    target.set_display_rotation(0)
                for n, packet in enumerate(members):
                    packet.stream, packet.time_base = target, FRAME_STEP
                    packet.dts, packet.pts, packet.duration = n, int(rank[n]) + delay, 1
                    copy.mux(packet)
            yield memory.getvalue()
