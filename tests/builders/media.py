"""Makes small real video files whose frames carry their own number, and breaks them in the ways that files break."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import numpy.typing as npt

IRREGULAR = list(np.cumsum([1, 4, 4, 9, 2, 30, 4, 4] * 5))
"""Times of 40 frames at changing distances, for `MadeVideo.ticks`."""

COUNTS_FRAMES = frozenset({".avi", ".h264", ".h265", ".ivf", ".m2v", ".m4v", ".y4m"})

ENCODED: dict[tuple[str, str], bytes] = {}
"""Videos that tests of this process have made: by recipe and suffix."""

NUMBER_BITS = 12
BLOCK_PX = 8


@dataclass(frozen=True)
class MadeVideo:
    """How to make a video; `write` makes it.

    Attributes:
        codec: FFmpeg's name of the encoder.
        n_frames: frames to write; frame k shows the number k.
        size: width and height as stored.
        pixel_aspect: width of a pixel over its height.
        color_trc: FFmpeg's number of the transfer characteristic.
        ticks: when each frame is shown, in units of 1 / fps / 4; regular if None.
        start_s: time of the first frame.
        rotation_ccw_deg: rotation that a player must apply, counter-clockwise.
        audio: whether a sound track (starting at 0) runs beside the picture.
        grain: noise in the picture, so that packets are large beside the header.
    """

    codec: str = "libx264"
    n_frames: int = 40
    size: tuple[int, int] = (128, 96)
    fps: int = 25
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    ticks: Sequence[int] | None = None
    start_s: float = 0.0
    rotation_ccw_deg: int = 0
    audio: bool = False
    grain: bool = False
    color_range: int | None = None
    colorspace: int | None = None
    color_trc: int | None = None
    pixel_aspect: Fraction | None = None

    def write(self, path: Path) -> Path:
        """Make the file; its suffix decides the container. Encoded once a recipe, then copied."""
        key = (repr(self), path.suffix)
        if key not in ENCODED:
            self._encode(path)
            ENCODED[key] = path.read_bytes()
        else:
            path.write_bytes(ENCODED[key])
        return path

    def _encode(self, path: Path) -> None:
        # An AVI and raw streams count time in frames and cannot say more; MPEG takes the tick for a frame's length.
        counts = path.suffix in COUNTS_FRAMES or (self.ticks is None and path.suffix in (".ts", ".vob"))
        per_frame = 1 if counts else 4
        tick = Fraction(1, self.fps * per_frame)
        with av.open(str(path), "w", options=self.container_options) as container:
            stream: Any = container.add_stream(self.codec, rate=self.fps, options=quiet(self.codec, self.options))
            stream.width, stream.height = self.size
            stream.pix_fmt = self.pix_fmt
            stream.time_base = tick
            stream.codec_context.time_base = tick
            stream.codec_context.thread_count = 1
            if self.color_range is not None:
                stream.codec_context.color_range = self.color_range
            if self.colorspace is not None:
                stream.codec_context.colorspace = self.colorspace
            if self.color_trc is not None:
                stream.codec_context.color_trc = self.color_trc
            if self.pixel_aspect is not None:
                stream.codec_context.sample_aspect_ratio = self.pixel_aspect
            if self.rotation_ccw_deg:
                stream.set_display_rotation(self.rotation_ccw_deg)
            if self.audio:
                write_sound(container, self.n_frames / self.fps + self.start_s)
            ticks = self.ticks if self.ticks is not None else range(0, per_frame * self.n_frames, per_frame)
            for number, at in zip(range(self.n_frames), ticks, strict=True):
                picture = numbered_frame(number, *self.size)
                if self.grain:
                    below = picture[2 * BLOCK_PX :]
                    below += np.random.default_rng(number).integers(0, 64, below.shape, dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.time_base = tick
                frame.pts = at + round(self.start_s / tick)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def quiet(codec: str, options: dict[str, str]) -> dict[str, str]:
    """Keep libx265 from writing its banner to the terminal, and VP9 from taking its time."""
    if codec == "libvpx-vp9":
        return {"cpu-used": "5", **options}
    if codec != "libx265":
        return options
    return {**options, "x265-params": ":".join(filter(None, [options.get("x265-params"), "log-level=none"]))}


def write_sound(container: Any, seconds: float) -> None:
    stream = container.add_stream("aac", rate=8000, layout="mono")
    n_samples = 1024
    for k in range(max(1, round(seconds * 8000 / n_samples))):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, n_samples), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        frame.pts = k * n_samples
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_repeated(source: Path, times: int, path: Path) -> Path:
    """Play a video several times over in one file, without encoding anything again."""
    with av.open(str(path), "w") as container:
        target: Any = None
        for k in range(times):
            with av.open(str(source)) as original:
                stream = original.streams.video[0]
                target = target or container.add_stream_from_template(stream)
                assert stream.duration is not None
                for packet in original.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + k * stream.duration, packet.dts + k * stream.duration
                    packet.stream = target
                    container.mux(packet)
    return path


def write_growing(path: Path) -> Path:
    """20 frames at 128 x 96, then 20 at 192 x 144 (what a video call does when the line gets better)."""
    codec = {".webm": "libvpx-vp9", ".ts": "mpeg2video"}.get(path.suffix, "libx264")
    small = MadeVideo(codec=codec, n_frames=20).write(path.with_name(f"small{path.suffix}"))
    large = MadeVideo(codec=codec, n_frames=20, size=(192, 144)).write(path.with_name(f"large{path.suffix}"))
    return append(small, large, path)


def append(first: Path, second: Path, path: Path) -> Path:
    """Play one video after the other in one stream, without encoding anything again."""
    with av.open(str(path), "w") as container:
        target: Any = None
        end = 0
        for part in (first, second):
            with av.open(str(part)) as original:
                stream = original.streams.video[0]
                target = target or container.add_stream_from_template(stream)
                offset = end
                for packet in original.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = target
                    container.mux(packet)
    return path


def write_sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        write_sound(container, 1.0)
    return path


def write_without_frames(path: Path) -> Path:
    """A video file with a video stream and not one frame."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        container.start_encoding()
    return path


def numbered_frame(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8: a colour gradient that moves, and on top the number as a row of black and white blocks."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    picture = np.stack([(x + 3 * number) % 256, (2 * y + number) % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    for bit in range(NUMBER_BITS):
        picture[: 2 * BLOCK_PX, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = 255 if number >> bit & 1 else 0
    return picture


def read_number(frame_rgb: npt.NDArray[np.uint8]) -> int:
    """The number that a frame of `numbered_frame` shows."""
    number = 0
    for bit in range(NUMBER_BITS):
        block = frame_rgb[4 : 2 * BLOCK_PX - 4, bit * BLOCK_PX + 2 : (bit + 1) * BLOCK_PX - 2]
        number |= int(block.mean() > 127) << bit
    return number


def cut_off(path: Path, share: float) -> Path:
    """Keep only the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damage(path: Path, *, start: float, share: float, seed: int = 0) -> Path:
    """Overwrite a stretch of a file with noise; ``start`` and ``share`` are parts of its length."""
    data = bytearray(path.read_bytes())
    begin, length = int(len(data) * start), max(1, int(len(data) * share))
    data[begin : begin + length] = np.random.default_rng(seed).bytes(length)
    path.write_bytes(data)
    return path


def change_packets(source: Path, path: Path, change: Callable[[int, bytes], bytes | None]) -> Path:
    """Copy a video packet by packet; ``change`` gets the number and the bytes of each, and returns None to drop it."""
    with av.open(str(source)) as original, av.open(str(path), "w") as container:
        stream = original.streams.video[0]
        target: Any = container.add_stream_from_template(stream)
        packets = [packet for packet in original.demux(stream) if packet.size]
        for number, packet in enumerate(packets):
            data = change(number, bytes(packet))
            if data is None:
                continue
            copy = av.Packet(data)
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, target
            container.mux(copy)
    return path


def flip_bits(source: Path, path: Path, *, packet: int, n_bits: int, seed: int, skip: float = 0.3) -> Path:
    """Flip so many bits of one packet, behind the first part of it."""

    def change(number: int, data: bytes) -> bytes:
        if number != packet:
            return data
        changed = bytearray(data)
        rng = np.random.default_rng(seed)
        for at in rng.integers(int(len(data) * skip), len(data), n_bits):
            changed[at] ^= 1 << int(rng.integers(8))
        return bytes(changed)

    return change_packets(source, path, change)


def overwrite_packet(source: Path, path: Path, *, packet: int, n_bytes: int) -> Path:
    """Put zeros into the middle of one packet."""

    def change(number: int, data: bytes) -> bytes:
        begin = (len(data) - n_bytes) // 2
        return data[:begin] + bytes(n_bytes) + data[begin + n_bytes :] if number == packet else data

    return change_packets(source, path, change)


def leave_out_packets(source: Path, path: Path, numbers: Container[int]) -> Path:
    """Copy a video without some of its packets."""
    return change_packets(source, path, lambda number, data: None if number in numbers else data)


def destroy_chunk(path: Path, number: int) -> Path:
    """Overwrite one frame of an AVI with noise, its chunk's name and length too: FFmpeg passes it over."""
    data = bytearray(path.read_bytes())
    at, begins = data.index(b"movi"), []
    while (at := data.find(b"00dc", at + 1, data.index(b"idx1"))) >= 0:
        begins.append(at)
    begin, end = begins[number], begins[number + 1]
    data[begin:end] = np.random.default_rng(0).bytes(end - begin)
    path.write_bytes(data)
    return path


def hide_beginning(path: Path, ticks: int, *, track: int = 0) -> Path:
    """Move the start of the first edit of an MP4's track later by so many of its ticks: the frames before are in the
    file, but a player does not show them (what phones do when a user trims a video)."""
    data = bytearray(path.read_bytes())
    at = -1
    for _ in range(track + 1):
        at = data.index(b"elst", at + 1)
    if data[at + 4] != 0:
        raise ValueError("only version 0 edit lists are handled")
    media_time = at + 4 + 4 + 4 + 4  # after the name, version and flags, number of edits, duration of the edit
    data[media_time : media_time + 4] = (int.from_bytes(data[media_time : media_time + 4]) + ticks).to_bytes(4)
    path.write_bytes(data)
    return path


@dataclass(frozen=True)
class Decoded:
    """What FFmpeg's plain decoding loop gives for a file."""

    timestamps: list[int]
    time_s: npt.NDArray[np.float64]
    frames_rgb: list[npt.NDArray[np.uint8]]


def decode_plainly(path: Path) -> Decoded:
    """The slow obvious version: one thread, one frame after the other, colours by FFmpeg's filter, rotated by NumPy."""
    timestamps: list[int] = []
    times: list[float] = []
    frames: list[npt.NDArray[np.uint8]] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):
                break
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in decoded:
                stamp = frame.dts if path.suffix == ".avi" else frame.pts  # an AVI holds nothing but slots
                assert stamp is not None
                timestamps.append(stamp)
                times.append(float(stamp * stream.time_base) - (container.start_time or 0) / 1e6)  # type: ignore[operator]
                frames.append(np.rot90(convert_plainly(frame), frame.rotation // 90))
    return Decoded(timestamps, np.array(times), frames)


@functools.lru_cache(maxsize=4)
def conversion_graph(width: int, height: int, pix_fmt: str, *_: int) -> tuple[Any, Any, Any]:
    """A graph for frames of one kind, with its two ends; it is kept, for it dies with its graph."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat(pix_fmt), time_base=Fraction(1, 25))
    last = graph.add("buffersink")
    convert = graph.add("format", "rgb24")
    source.link_to(convert)
    convert.link_to(last)
    graph.configure()
    return graph, source, last


def convert_plainly(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8: what FFmpeg's own conversion (``-pix_fmt rgb24``) makes of one frame, as stored."""
    _, source, last = conversion_graph(
        frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range
    )
    source.push(frame)
    picture: Any = last.pull()
    return np.asarray(picture.to_ndarray(), dtype=np.uint8)


def write_joined(parts: Sequence[Path], path: Path) -> Path:
    """What ``cat`` makes of some files."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into an MP4's video track: the stored point (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    matrix = at + 4 + (32 if data[at] == 1 else 20) + 16
    for place, value in zip((0, 1, 3, 4), (a, b, c, d), strict=True):
        data[matrix + 4 * place : matrix + 4 * place + 4] = (value * 65536).to_bytes(4, signed=True)
    path.write_bytes(data)
    return path


def show_only(path: Path, start_ticks: int, duration_ms: int) -> Path:
    """Make the only edit of an MP4 begin so many ticks of the track later and last so long: all frames stay in it."""
    hide_beginning(path, start_ticks)
    data = bytearray(path.read_bytes())
    scale = int.from_bytes(data[data.index(b"mvhd") + 16 :][:4])
    at = data.index(b"elst") + 12
    data[at : at + 4] = (duration_ms * scale // 1000).to_bytes(4)
    path.write_bytes(data)
    return path


def write_streams(parts: Sequence[Path], path: Path, *, cover: npt.NDArray[np.uint8] | None = None) -> Path:
    """The video streams of some files side by side in one, and a cover picture in front of them."""
    with av.open(str(path), "w") as container:
        if cover is not None:
            from av.stream import Disposition

            still: Any = container.add_stream("mjpeg", rate=1)
            still.width, still.height, still.pix_fmt = cover.shape[1], cover.shape[0], "yuvj420p"
            still.disposition = Disposition.attached_pic
        originals = [av.open(str(part)) for part in parts]
        targets = [container.add_stream_from_template(original.streams.video[0]) for original in originals]
        if cover is not None:
            container.mux(still.encode(av.VideoFrame.from_ndarray(cover, format="rgb24")))
            container.mux(still.encode(None))
        for original, target in zip(originals, targets, strict=True):
            for packet in original.demux(original.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = target
                    container.mux(packet)
            original.close()
    return path


def write_film(path: Path, frames: Sequence[npt.NDArray[np.uint8]], *, fps: int = 20) -> None:
    """A film of these pictures, (H, W, 3) RGB, all of one size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(fps))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuvj420p", 20_000_000
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
