"""Video files in, batches of RGB frames out, each frame with its number and its true presentation time.

The only file that knows decord and PyAV. decord reads first; PyAV takes over where decord refuses a file or where a
look at the packets says that decord would give frames wrong numbers or times. Whoever reads, the frames are those
that FFmpeg's own decoding loop gives for the file: none invented, none repeated, none lost.

What decord 3.4.0 does that this file guards against:

- at the end of a file whose packets do not all decode it repeats the last frame; its option ``fault_tol`` turns that
  into an error. A frame lost on the way (damaged HEVC and AV1 lose them without an error) shifts the numbers of all
  that follow. So a stretch of the video is given out only when it has decoded whole, one frame for each packet;
- it counts packets that an edit list hides, and takes the n-th frame to have the n-th packet's time;
- its reader pushes a packet every time it looks for a frame and finds none, and its decoder decodes ahead without
  limit: for a slow consumer a long video ends up in memory, decoded. So those stretches are cut at key frames, short
  enough to lie in memory whole, and each gets a reader of its own;
- it gives up where a decoder returns two frames for one packet (common in HEVC);
- at import it loads every CUDA library that pip has installed: half a second and 650 MB that a CPU does not need.
"""

from __future__ import annotations

import importlib
import io
import itertools
import math
import sys
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, VideoError

if TYPE_CHECKING:
    import av.container
    import torch
    from av.video.stream import VideoStream

DecoderName = Literal["auto", "decord", "pyav"]

TIME_TOLERANCE_S: Final = 1e-6
"""FFmpeg rounds a container's start time to microseconds; times closer than this count as equal."""
FRAME_STEP: Final = Fraction(1, 25)
"""Time from frame to frame in the copies that decord gets; any value does, times come from the original."""
NO_TIMESTAMP: Final = -(2**63)
"""FFmpeg's AV_NOPTS_VALUE."""
SEGMENT_BYTES_CPU: Final = 64 * 2**20
"""Decoded pictures that decord may hold at a time. Where a group of pictures is larger PyAV reads the file; it is also
faster there (1920 x 1080: 10 against 13 to 19 ms of CPU a frame, on two cores)."""
SEGMENT_BYTES_CUDA: Final = 2**30
"""The same on a GPU."""
DECORD_PIXELS: Final = tuple(f"yuv{j}{chroma}p" for j in ("", "j") for chroma in ("420", "422", "444"))
"""Pixel formats that decord and PyAV turn into the same RGB, byte for byte. With more than 8 bits they differ."""
DECORD_CONTAINERS: Final = ("mov,mp4", "matroska,webm")
"""Containers whose packets carry real presentation times and can be rewound, as decord needs."""


@dataclass(frozen=True)
class VideoInfo:
    """What a file claims about itself: header, packets and the first frame.

    Attributes:
        path: the file.
        codec: FFmpeg's name of the decoder, e.g. ``h264``.
        container: FFmpeg's name of the container, e.g. ``mov,mp4,m4a,3gp,3g2,mj2``.
        width: of the frames as they are handed out: rotation applied, pixels as stored (frames with non-square
            pixels are not stretched).
        height: likewise.
        rotation_deg: 0, 90, 180 or 270: how far a player turns the stored picture, clockwise.
        fps: average frames per second; 0 where the file does not tell.
        duration_s: None where the file does not tell.
        n_frames_header: frames that the header promises; counted packets where the header is silent.
    """

    path: Path
    codec: str
    container: str
    width: int
    height: int
    rotation_deg: int
    fps: float
    duration_s: float | None
    n_frames_header: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise VideoError(f"{self.path}: frames of {self.width} x {self.height} pixels cannot be read")
        if self.rotation_deg not in (0, 90, 180, 270):
            raise ValueError(f"rotation_deg is {self.rotation_deg}; allowed are 0, 90, 180, 270")


@dataclass(frozen=True)
class FrameBatch:
    """Some frames of one video, in presentation order.

    Attributes:
        index: (B,) int32, 0-based number of each frame among all frames that the file decodes to.
        time_s: (B,) float64, seconds: the frame's own timestamp minus the container's start time.
        frames_rgb: (B, H, W, 3) uint8, rotation applied: a numpy array on the CPU, a torch tensor on a GPU.
    """

    index: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    frames_rgb: npt.NDArray[np.uint8] | torch.Tensor

    def __post_init__(self) -> None:
        n = len(self.index)
        if self.index.shape != (n,) or self.time_s.shape != (n,):
            raise ValueError(f"index is {self.index.shape} and time_s {self.time_s.shape}; expected ({n},) twice")
        shape = tuple(self.frames_rgb.shape)
        if len(shape) != 4 or shape[0] != n or shape[3] != 3:
            raise ValueError(f"frames_rgb is {shape}; expected ({n}, H, W, 3)")

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        span = f"{self.time_s[0]:.3f}-{self.time_s[-1]:.3f} s" if len(self) else "empty"
        return f"FrameBatch({tuple(self.frames_rgb.shape)}, {span})"


def probe(path: Path | str) -> VideoInfo:
    """Say what a video file claims, at the price of decoding one frame.

    Raises:
        VideoError: the file is missing, a folder, not readable, not a video, only sound, without a frame that
            decodes, or cut off before its index.
    """
    path = Path(path)
    with _open(path) as container:
        info = _describe(path, container, _video_stream(path, container))
    return info if info.n_frames_header else _with_count(info, _scan(path).n_packets)


class FrameReader:
    """Reads the frames of one video in batches.

    Args:
        path: the video file.
        device: ``cpu``, ``cuda`` or ``cuda:N``: where the frames shall lie.
        batch_size: frames in a batch; the last one may be shorter.
        start_s: leave out frames before this time.
        end_s: leave out frames at or after this time.
        every_s: give only the first frame at or after each multiple of this many seconds, counted from ``start_s``.
        first_frame: leave out frames before this index; what remains is what a full read gives from there on.
        decoder: ``auto`` tries decord and falls back on PyAV; a name allows only that one.

    Attributes:
        info: what the file claims.
        decoder: who delivered the frames, e.g. ``decord 3.4.0 (cpu)``; final when the reader is exhausted.
        n_frames: frames decoded so far, whether or not they were asked for.
        n_failed: frames promised by the header or present as packets that did not decode (packets hidden by an edit
            list are among them); known when the whole file has been read, 0 before.
        broken: why the video ends early or where it is damaged, None where all is well. What was given out is valid.

    Raises:
        OptionsError: an option that makes no sense.
        VideoError: as `probe`; while iterating, where not one frame decodes.

    Example:
        >>> with FrameReader("interview.mp4", batch_size=32) as reader:
        ...     for batch in reader:
        ...         print(batch.index, batch.time_s, batch.frames_rgb.shape)
    """

    def __init__(
        self,
        path: Path | str,
        *,
        device: str = "cpu",
        batch_size: int = 32,
        start_s: float | None = None,
        end_s: float | None = None,
        every_s: float | None = None,
        first_frame: int = 0,
        decoder: DecoderName = "auto",
    ) -> None:
        if batch_size < 1:
            raise OptionsError(f"batch_size is {batch_size}; it must be at least 1")
        if first_frame < 0:
            raise OptionsError(f"first_frame is {first_frame}; it must be at least 0")
        if decoder not in ("auto", "decord", "pyav"):
            raise OptionsError(f"decoder is {decoder!r}; allowed are auto, decord, pyav")
        self._selection = _Selection(start_s=start_s, end_s=end_s, every_s=every_s, first_frame=first_frame)
        self._device = _Device.parse(device)
        self._batch_size = batch_size
        self._allowed = decoder
        self._path = Path(path)
        with _open(self._path) as container:
            stream = _video_stream(self._path, container)
            info = _describe(self._path, container, stream)
            self._clock = _Clock.of(container, stream)
        self._scan = _scan(self._path)
        self.info = info if info.n_frames_header else _with_count(info, self._scan.n_packets)
        self.decoder = ""
        self.n_frames = 0
        self.n_failed = 0
        self.broken: str | None = None
        self._batches = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; frames already given out stay valid."""
        self._batches.close()

    def __iter__(self) -> Iterator[FrameBatch]:
        return self._batches

    def _read(self) -> Generator[FrameBatch, None, None]:
        """Generate batches: decode, choose, collect."""
        batch = _Batch(self._batch_size, self.info, self._device)
        for timestamp, paint in self._decode():
            index, self.n_frames = self.n_frames, self.n_frames + 1
            time_s = self._clock.seconds(timestamp, index)
            if self._selection.is_past(time_s):
                break
            if not self._selection.wants(index, time_s):
                continue
            batch.add(index, time_s, paint)
            if batch.is_full:
                yield batch.take()
        else:
            self._sum_up()
        if len(batch):
            yield batch.take()

    def _decode(self) -> Iterator[tuple[int, Paint]]:
        """Every frame of the file in presentation order: its timestamp, and how to paint it.

        A decoder that gives up is followed by the next, which starts from the beginning and says nothing until it
        has passed the frames that were given out already.
        """
        given = array("q")
        for source in self._sources():
            self.decoder, self.broken = source.name, None
            try:
                for n, (timestamp, paint) in enumerate(source.frames()):
                    if n < len(given):
                        self._check_same(n, given[n], timestamp)
                        continue
                    given.append(timestamp)
                    yield timestamp, paint
            except _GivesUpError as error:
                self.broken = str(error)
                continue
            self.broken = source.broken
            return

    def _sources(self) -> Iterator[_Source]:
        """Decoders worth trying, best first."""
        if self._allowed != "pyav" and self._scan.why_not_decord is None:
            yield from self._decord_sources()
        if self._allowed != "decord":
            if len(self._scan.timestamps):
                yield _PyAVSource(self.info, self._scan, careful=False)
            yield _PyAVSource(self.info, self._scan, careful=True)

    def _decord_sources(self) -> Iterator[_Source]:
        devices = [(self._device.index, SEGMENT_BYTES_CUDA)] if self._device.is_cuda else []
        for cuda_index, max_bytes in [*devices, (None, SEGMENT_BYTES_CPU)]:
            max_frames = max_bytes // (self.info.width * self.info.height * 3)
            if lengths := _segment_lengths(self._scan.gop_lengths, max_frames):
                yield _DecordSource(self.info, self._scan, lengths, cuda_index)

    def _check_same(self, n: int, given: int, found: int) -> None:
        if given != found:
            raise VideoError(
                f"{self._path}: decoders disagree from frame {n} on (timestamp {given} against {found}); "
                "its frames so far cannot be trusted: read it with decoder='pyav'"
            )

    def _sum_up(self) -> None:
        """Count what is missing, once the whole file has been read."""
        promised = max(self.info.n_frames_header, self._scan.n_packets)
        self.n_failed = max(0, promised - self.n_frames)
        if self.n_frames == 0:
            raise VideoError(f"{self._path}: none of its {promised} frames can be decoded ({self._why_none()})")
        if self.broken is None:
            self.broken = self._scan.ends_early

    def _why_none(self) -> str:
        if self._allowed == "decord":
            return self._scan.why_not_decord or self.broken or "decord would need too much memory"
        return self.broken or "it is damaged"


# ---- choosing and collecting frames ----------------------------------------------------------------------------


@dataclass
class _Selection:
    """Which frames are asked for. Must be shown every frame, in order.

    With ``every_s=1``, frames at 0.0 0.4 0.8 1.2 1.6 2.0 2.4 give 0.0, 1.2, 2.0.
    """

    start_s: float | None
    end_s: float | None
    every_s: float | None
    first_frame: int
    _next_multiple: int = 0

    def __post_init__(self) -> None:
        for name in ("start_s", "end_s", "every_s"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise OptionsError(f"{name} is {value}; it must be a finite number of seconds")
        if self.every_s is not None and self.every_s <= 0:
            raise OptionsError(f"every_s is {self.every_s}; it must be above 0")
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise OptionsError(f"end_s is {self.end_s}; it must lie after start_s, which is {self.start_s}")

    def is_past(self, time_s: float) -> bool:
        return self.end_s is not None and time_s > self.end_s - TIME_TOLERANCE_S

    def wants(self, index: int, time_s: float) -> bool:
        if self.start_s is not None and time_s < self.start_s - TIME_TOLERANCE_S:
            return False
        if self.every_s is not None:
            multiple = math.floor((time_s - (self.start_s or 0.0) + TIME_TOLERANCE_S) / self.every_s)
            if multiple < self._next_multiple:
                return False
            self._next_multiple = multiple + 1
        return index >= self.first_frame


@dataclass(frozen=True)
class _Device:
    """Where frames shall lie: the CPU (index None) or a CUDA device."""

    index: int | None

    @staticmethod
    def parse(name: str) -> _Device:
        kind, _, number = name.partition(":")
        if name == "cpu":
            return _Device(None)
        if kind == "cuda" and (number.isdecimal() or name == "cuda"):
            return _Device(int(number or 0))
        raise OptionsError(f"device is {name!r}; allowed are cpu, cuda, cuda:N")

    @property
    def is_cuda(self) -> bool:
        return self.index is not None

    def empty(self, shape: tuple[int, ...]) -> Any:
        """Uninitialised uint8 memory: numpy on the CPU, torch on a GPU."""
        if self.index is None:
            return np.empty(shape, dtype=np.uint8)
        import torch

        return torch.empty(shape, dtype=torch.uint8, device=torch.device("cuda", self.index))


Paint = Callable[[Any], None]
"""Writes one frame into (H, W, 3) uint8 memory of the device."""


class _Batch:
    """Frames on their way into a `FrameBatch`; each is decoded straight into its place."""

    def __init__(self, size: int, info: VideoInfo, device: _Device) -> None:
        self._shape = (size, info.height, info.width, 3)
        self._device = device
        self._start()

    def _start(self) -> None:
        self._index: list[int] = []
        self._time_s: list[float] = []
        self._frames: Any = None

    def __len__(self) -> int:
        return len(self._index)

    @property
    def is_full(self) -> bool:
        return len(self) == self._shape[0]

    def add(self, index: int, time_s: float, paint: Paint) -> None:
        if self._frames is None:
            self._frames = self._device.empty(self._shape)
        paint(self._frames[len(self)])
        self._index.append(index)
        self._time_s.append(time_s)

    def take(self) -> FrameBatch:
        batch = FrameBatch(
            np.array(self._index, dtype=np.int32), np.array(self._time_s, dtype=np.float64), self._frames[: len(self)]
        )
        self._start()
        return batch


# ---- what the file says about itself ---------------------------------------------------------------------------


def _open(path: Path) -> av.container.InputContainer:
    """Open a file with PyAV, or say in one line why not."""
    import av

    if path.is_dir():
        raise VideoError(f"{path}: is a folder, not a video file")
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError:
        raise VideoError(f"{path}: there is no such file") from None
    except PermissionError:
        raise VideoError(f"{path}: no permission to read it") from None
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    if is_empty:
        raise VideoError(f"{path}: is empty (0 bytes)")
    try:
        # As a plain file: a name like "a:b.mp4" is no protocol, and a playlist must not send us to the network.
        options: dict[str, Any] = {"container_options": {"protocol_whitelist": "file"}, **_metadata_option()}
        container: av.container.InputContainer = av.open(f"file:{path}", **options)
        return container
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(f"{path}: is not a video, or its header is damaged or cut off ({_reason(error)})") from None


def _metadata_option() -> dict[str, Any]:
    """Titles and tags that are not UTF-8 must not stop a file: PyAV before 19 has to be told, 19 does so by itself."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def _reason(error: Exception) -> str:
    """FFmpeg's own words for an error, without the number and the path that PyAV adds."""
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def _video_stream(path: Path, container: av.container.InputContainer) -> VideoStream:
    """The stream that FFmpeg takes to be the picture; decord asks FFmpeg the same question."""
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic:
        kinds = " and ".join(sorted({str(s.type) for s in container.streams}))
        raise VideoError(f"{path}: holds no video, only {kinds or 'an empty container'}")
    if stream.codec_context is None:
        raise VideoError(f"{path}: its video is of a kind that this FFmpeg cannot decode")
    return stream  # type: ignore[return-value]


def _describe(path: Path, container: av.container.InputContainer, stream: VideoStream) -> VideoInfo:
    """Read header and first frame: rotation and the true picture size are only certain there."""
    frame = next((frame for frame in _decode_tolerantly(container, stream, [])), None)
    if frame is None:
        raise VideoError(f"{path}: no frame of it can be decoded (the file is damaged, cut off or holds no frames)")
    rotation_deg = -round(frame.rotation / 90) * 90 % 360
    width, height = frame.width, frame.height
    if rotation_deg in (90, 270):
        width, height = height, width
    rate = stream.average_rate or stream.guessed_rate
    duration_s = None
    if stream.duration is not None and stream.time_base is not None:
        duration_s = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration_s = container.duration / 1e6
    return VideoInfo(
        path=path,
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name,
        width=width,
        height=height,
        rotation_deg=rotation_deg,
        fps=float(rate) if rate else 0.0,
        duration_s=duration_s,
        n_frames_header=_promised_frames(container, stream),
    )


def _with_count(info: VideoInfo, n_frames: int) -> VideoInfo:
    return VideoInfo(**{**vars(info), "n_frames_header": n_frames})


@dataclass(frozen=True)
class _Clock:
    """Turns a stream's timestamps into the seconds that a player shows."""

    seconds_per_tick: float
    start_s: float
    fps: float

    @staticmethod
    def of(container: av.container.InputContainer, stream: VideoStream) -> _Clock:
        tick = float(stream.time_base) if stream.time_base else 0.0
        start_s = (container.start_time or 0) / 1e6
        if stream.start_time is not None and abs(stream.start_time * tick - start_s) < TIME_TOLERANCE_S:
            start_s = stream.start_time * tick  # the same instant, before FFmpeg rounded it to microseconds
        return _Clock(tick, start_s, float(stream.average_rate or stream.guessed_rate or 0))

    def seconds(self, timestamp: int, index: int) -> float:
        """Presentation time of a frame; a frame without a timestamp (raw streams) is placed by the frame rate."""
        if timestamp != NO_TIMESTAMP:
            return timestamp * self.seconds_per_tick - self.start_s
        return index / self.fps if self.fps else 0.0


@dataclass(frozen=True)
class _Scan:
    """What the packets of a video tell without decoding.

    Attributes:
        timestamps: int64, ascending: when the frame of each packet is shown, if every packet decodes. Packets that an
            edit list hides are left out. Empty where packets do not say when their frames are shown.
        n_packets: packets of the video stream.
        gop_lengths: packets of each stretch that decodes on its own; empty where decord is out.
        why_not_decord: None where packets and frames correspond one to one, so that decord's n-th frame is the frame
            of the n-th timestamp.
        ends_early: what the header promises and the packets do not keep, else None.
    """

    timestamps: npt.NDArray[np.int64]
    n_packets: int
    gop_lengths: list[int]
    why_not_decord: str | None
    ends_early: str | None


def _scan(path: Path) -> _Scan:
    """Go through the packets of a file."""
    import av

    shown = array("q")
    is_key = array("b")
    n_hidden = n_damaged = 0
    end_s = 0.0
    error_text: str | None = None
    with _open(path) as container:
        stream = _video_stream(path, container)
        n_promised = _promised_frames(container, stream)
        # Where the header does not count frames, all streams together tell whether the file is whole.
        packets = container.demux(stream) if n_promised else container.demux()
        try:
            for packet in packets:
                if packet.size == 0 and packet.dts is None:
                    continue  # PyAV's mark for the end of a stream
                if packet.pts is not None and not n_promised:
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index != stream.index:
                    continue
                n_damaged += packet.is_corrupt
                if packet.is_discard:
                    n_hidden += 1
                else:
                    shown.append(NO_TIMESTAMP if packet.pts is None else packet.pts)
                    is_key.append(packet.is_keyframe)
        except av.error.FFmpegError as error:
            error_text = _reason(error)
        format_name, pix_fmt = container.format.name, stream.codec_context.pix_fmt
        start_s = (container.start_time or 0) / 1e6
        promised_s = (container.duration or 0) / 1e6
        if format_name == "avi" and stream.time_base is not None:
            promised_s = float(stream.frames * stream.time_base)  # FFmpeg shortens the duration to what is there

    timestamps = np.sort(np.array(shown, dtype=np.int64))
    n_packets = len(timestamps) + n_hidden
    is_regular = bool(n_packets and NO_TIMESTAMP not in timestamps[:1] and (np.diff(timestamps) > 0).all())
    why_not = None
    if pix_fmt not in DECORD_PIXELS:
        why_not = f"pixel format {pix_fmt}"
    elif not format_name.startswith(DECORD_CONTAINERS):
        why_not = f"container {format_name}"
    elif error_text or n_damaged:
        why_not = "damaged packets"
    elif n_hidden:
        why_not = "packets that an edit list hides"
    elif not is_regular:
        why_not = "timestamps that are missing or repeated"
    gop_lengths = [] if why_not else _gop_lengths(np.array(shown), np.array(is_key, dtype=bool))
    if why_not is None and not gop_lengths:
        why_not = "it does not start with a key frame"

    ends_early = None
    if error_text:
        ends_early = f"the file cannot be read to its end ({error_text})"
    elif n_packets < n_promised:
        ends_early = f"ends early: {n_packets} of {n_promised} frames are in the file"
    elif not n_promised and promised_s > max(end_s, end_s - start_s) + 0.5:
        # Matroska counts its duration from 0, also where the pictures start later.
        ends_early = f"ends early: the header promises {promised_s:.1f} s, the data end at {end_s:.1f} s"
    return _Scan(timestamps if is_regular else timestamps[:0], n_packets, gop_lengths, why_not, ends_early)


def _gop_lengths(timestamps: npt.NDArray[np.int64], is_key: npt.NDArray[np.bool_]) -> list[int]:
    """Lengths of the stretches of packets, given in decoding order, that decode on their own.

    A stretch begins at a key frame that is shown after everything before it and before everything after it:

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


def _segment_lengths(gop_lengths: list[int], max_frames: int) -> list[int]:
    """Join neighbouring stretches up to ``max_frames``; empty if one alone is longer.

    >>> _segment_lengths([3, 3, 3, 5], max_frames=6)
    [6, 3, 5]
    """
    lengths: list[int] = []
    for length in gop_lengths:
        if lengths and lengths[-1] + length <= max_frames:
            lengths[-1] += length
        else:
            lengths.append(length)
    return lengths if lengths and max(lengths) <= max_frames else []


def _segments(path: Path, lengths: list[int]) -> Iterator[bytes]:
    """Stretches of a video's packets, each as a small Matroska file in memory, rotation left out.

    The packets get plain timestamps, one step a frame, since Matroska's milliseconds could merge two.
    """
    import av

    with _open(path) as container:
        stream = _video_stream(path, container)
        packets = container.demux(stream)
        for length in lengths:
            members = list(itertools.islice(packets, length))
            rank = np.argsort(np.argsort([packet.pts or 0 for packet in members]))
            delay = int((np.arange(length) - rank).max())
            memory = io.BytesIO()
            with av.open(memory, "w", format="matroska") as copy:
                target = copy.add_stream_from_template(stream, opaque=True)
                target.set_display_rotation(0)
                for n, packet in enumerate(members):
                    packet.stream, packet.time_base = target, FRAME_STEP
                    packet.dts, packet.pts, packet.duration = n, int(rank[n]) + delay, 1
                    copy.mux(packet)
            yield memory.getvalue()


def _promised_frames(container: av.container.InputContainer, stream: VideoStream) -> int:
    """Frames that the header promises, 0 where it is silent. An AVI's header counts ticks of its clock instead."""
    return 0 if container.format.name == "avi" else stream.frames


# ---- decoders --------------------------------------------------------------------------------------------------


class _GivesUpError(Exception):
    """A decoder cannot go on; another one may."""


class _Source(Protocol):
    """One decoder at work on one file."""

    name: str
    broken: str | None

    def frames(self) -> Iterator[tuple[int, Paint]]:
        """Every frame in presentation order, as timestamp and a function that paints it.

        Raises:
            _GivesUpError: if another decoder should read the file.
        """
        ...


class _DecordSource:
    """decord, on the CPU (``cuda_index`` None) or with NVDEC."""

    def __init__(self, info: VideoInfo, scan: _Scan, segment_lengths: list[int], cuda_index: int | None) -> None:
        decord = import_decord(cuda=cuda_index is not None)
        where = "cpu" if cuda_index is None else f"cuda:{cuda_index}"
        self.name = f"decord {decord.__version__} ({where})"
        self.broken: str | None = None
        self._decord, self._info, self._timestamps, self._cuda_index = decord, info, scan.timestamps, cuda_index
        self._segment_lengths = segment_lengths
        self._turns = info.rotation_deg // 90
        self._stored_shape = (info.height, info.width, 3) if self._turns % 2 == 0 else (info.width, info.height, 3)

    def frames(self) -> Iterator[tuple[int, Paint]]:
        decord = self._decord
        paint_on = self._paint_cpu if self._cuda_index is None else self._paint_cuda
        timestamps = iter(self._timestamps.tolist())
        try:
            context = decord.cpu() if self._cuda_index is None else decord.gpu(self._cuda_index)
            for data, length in zip(self._segments(), self._segment_lengths, strict=True):
                # Any positive fraction that allows less than one frame: the first repeated frame is an error.
                reader = decord.VideoReader(io.BytesIO(data), ctx=context, fault_tol=1e-9)
                frames = deque(reader.next() for _ in range(length))
                if any(frame.shape != self._stored_shape for frame in frames):
                    raise _GivesUpError("decord: the size of the picture changes")
                while frames:
                    yield next(timestamps), partial(paint_on, frames.popleft())
        except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError) as error:
            raise _GivesUpError(f"decord: {error}") from None

    def _segments(self) -> Iterator[bytes]:
        """Stretches of the file for decord to read; an error while reading is a reason to try PyAV."""
        import av

        try:
            yield from _segments(self._info.path, self._segment_lengths)
        except (av.error.FFmpegError, ValueError) as error:
            raise _GivesUpError(f"the file cannot be cut for decord ({_reason(error)})") from None

    def _paint_cpu(self, frame: Any, out: Any) -> None:
        if isinstance(out, np.ndarray) and not self._turns:
            frame.copyto(self._decord.nd.zerocopy_from_numpy(out))
        else:
            _paint_picture(np.rot90(frame.asnumpy(), -self._turns), out)

    def _paint_cuda(self, frame: Any, out: torch.Tensor) -> None:
        import torch

        picture = torch.utils.dlpack.from_dlpack(frame.to_dlpack())
        out.copy_(torch.rot90(picture, -self._turns, dims=(0, 1)))
        # decord reuses the picture's memory as soon as it is let go.
        torch.cuda.current_stream(out.device).synchronize()


def _paint_picture(picture_rgb: npt.NDArray[np.uint8], out: Any) -> None:
    """Write a picture from the CPU into memory of the CPU (numpy) or of a GPU (torch)."""
    if isinstance(out, np.ndarray):
        out[...] = picture_rgb
    else:
        import torch

        out.copy_(torch.from_numpy(np.ascontiguousarray(picture_rgb)))


def import_decord(*, cuda: bool) -> Any:
    """Import decord; for the CPU, without the CUDA libraries that it would load from pip's ``nvidia`` packages.

    decord's log lines and FFmpeg's are turned off: what matters comes as an exception.
    """
    if "decord" not in sys.modules and not cuda and "nvidia" not in sys.modules:
        sys.modules["nvidia"] = None  # type: ignore[assignment]  # decord asks find_spec("nvidia"): not there
        try:
            decord = importlib.import_module("decord")
        except (OSError, RuntimeError):
            decord = None  # a CUDA build that cannot do without them
        finally:
            del sys.modules["nvidia"]
        if decord is None:
            for name in [name for name in sys.modules if name.partition(".")[0] == "decord"]:
                del sys.modules[name]
    decord = importlib.import_module("decord")
    decord.logging.set_level(decord.logging.QUIET)
    return decord


class _PyAVSource:
    """PyAV. Fast at first: several frames decoded side by side. Careful where something is wrong with the file.

    Side by side, a packet that does not decode takes good frames with it, at times without an error (two frames before
    the cut in a cut-off file). So the fast way goes on only while every frame arrives that the packets announce.
    """

    def __init__(self, info: VideoInfo, scan: _Scan, *, careful: bool) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self.name = f"pyav {av.__version__}"
        self.broken: str | None = None
        self._info, self._expected, self._careful = info, scan.timestamps, careful
        self._to_rgb = VideoReformatter()

    def frames(self) -> Iterator[tuple[int, Paint]]:
        errors: list[str] = []
        n, guess = 0, _TimestampGuess()
        with _open(self._info.path) as container:
            stream = _video_stream(self._info.path, container)
            stream.codec_context.thread_type = "AUTO"
            if self._careful:
                stream.codec_context.thread_count = 1
            for frame in _decode_tolerantly(container, stream, errors):
                timestamp = guess(frame.pts, frame.dts)
                if not self._careful and self._expected[n : n + 1] != [timestamp]:
                    raise _GivesUpError(f"pyav: frame {n} is not the one that the packets announce")
                yield timestamp, partial(self._paint, frame)
                n += 1
        if not self._careful and n < len(self._expected):
            raise _GivesUpError(f"pyav: {len(self._expected)} frames announced, {n} decoded")
        if errors:
            self.broken = f"{len(errors)} packets do not decode; the first error: {errors[0]}"

    def _paint(self, frame: Any, out: Any) -> None:
        turns = self._info.rotation_deg // 90
        width, height = self._info.width, self._info.height
        if turns % 2:
            width, height = height, width
        # A picture whose size changes on the way is brought to the first one's, as FFmpeg does.
        rgb = self._to_rgb.reformat(frame, width=width, height=height, format="rgb24", interpolation="BICUBIC")
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        _paint_picture(np.rot90(rows.reshape(height, width, 3), -turns), out)


def _decode_tolerantly(
    container: av.container.InputContainer, stream: VideoStream, errors: list[str]
) -> Iterator[av.VideoFrame]:
    """FFmpeg's decoding loop: a packet that does not decode is noted in ``errors`` and passed over."""
    import av

    packets = container.demux(stream)
    at_end = False
    while not at_end:
        try:
            packet = next(packets)
            at_end = packet.size == 0 and packet.dts is None
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            errors.append(f"the file cannot be read further ({_reason(error)})")
            at_end, packet = True, None  # what the decoder still holds is good
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            errors.append(_reason(error))


class _TimestampGuess:
    """FFmpeg's best-effort timestamp (``guess_correct_pts``), which PyAV does not hand out.

    Presentation times count unless they are missing or run backwards more often than decoding times do.
    """

    def __init__(self) -> None:
        self._faulty_pts = self._faulty_dts = 0
        self._last_pts = self._last_dts = NO_TIMESTAMP

    def __call__(self, pts: int | None, dts: int | None) -> int:
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
