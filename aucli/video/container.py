"""Opening a file with PyAV: its picture stream, its clock, FFmpeg's decoding loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aucli.errors import VideoError

if TYPE_CHECKING:
    import av.container
    from av.video.stream import VideoStream
from aucli.video.values import VideoInfo

TIME_TOLERANCE_S: Final = 1e-6
"""FFmpeg rounds a container's start time to microseconds; times closer than this count as equal."""

NO_TIMESTAMP: Final = -(2**63)
"""FFmpeg's AV_NOPTS_VALUE."""


def open_container(path: Path) -> av.container.InputContainer:
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
        options: dict[str, Any] = {"container_options": {"protocol_whitelist": "file"}, **metadata_option()}
        container: av.container.InputContainer = av.open(f"file:{path}", **options)
        return container
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(f"{path}: is not a video, or its header is damaged or cut off ({reason_of(error)})") from None


def metadata_option() -> dict[str, Any]:
    """Titles and tags that are not UTF-8 must not stop a file: PyAV before 19 has to be told, 19 does so by itself."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def reason_of(error: Exception) -> str:
    """FFmpeg's own words for an error, without the number and the path that PyAV adds."""
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def video_stream(path: Path, container: av.container.InputContainer) -> VideoStream:
    """The stream that FFmpeg takes to be the picture; decord asks FFmpeg the same question."""
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic:
        kinds = " and ".join(sorted({str(s.type) for s in container.streams}))
        raise VideoError(f"{path}: holds no video, only {kinds or 'an empty container'}")
    if stream.codec_context is None:
        raise VideoError(f"{path}: its video is of a kind that this FFmpeg cannot decode")
    return stream  # type: ignore[return-value]


def describe_file(path: Path, container: av.container.InputContainer, stream: VideoStream) -> VideoInfo:
    """Read header and first frame: rotation and the true picture size are only certain there."""
    frame = next((frame for frame in decode_tolerantly(container, stream, [])), None)
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
        n_frames_header=promised_frames(container, stream),
    )


def with_count(info: VideoInfo, n_frames: int) -> VideoInfo:
    """Fill in a number of frames that the header did not tell."""
    return VideoInfo(**{**vars(info), "n_frames_header": n_frames})


@dataclass(frozen=True)
class Clock:
    """Turns a stream's timestamps into the seconds that a player shows."""

    seconds_per_tick: float
    start_s: float
    fps: float

    @staticmethod
    def of(container: av.container.InputContainer, stream: VideoStream) -> Clock:
        """Read the clock of an open file."""
        tick = float(stream.time_base) if stream.time_base else 0.0
        start_s = (container.start_time or 0) / 1e6
        if stream.start_time is not None and abs(stream.start_time * tick - start_s) < TIME_TOLERANCE_S:
            start_s = stream.start_time * tick  # the same instant, before FFmpeg rounded it to microseconds
        return Clock(tick, start_s, float(stream.average_rate or stream.guessed_rate or 0))

    def seconds(self, timestamp: int, index: int) -> float:
        """Presentation time of a frame; a frame without a timestamp (raw streams) is placed by the frame rate."""
        if timestamp != NO_TIMESTAMP:
            return timestamp * self.seconds_per_tick - self.start_s
        return index / self.fps if self.fps else 0.0


def promised_frames(container: av.container.InputContainer, stream: VideoStream) -> int:
    """Frames that the header promises, 0 where it is silent. An AVI's header counts ticks of its clock instead."""
    return 0 if container.format.name == "avi" else stream.frames


def decode_tolerantly(
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
            errors.append(f"the file cannot be read further ({reason_of(error)})")
            at_end, packet = True, None  # what the decoder still holds is good
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            errors.append(reason_of(error))


class TimestampGuess:
    """FFmpeg's best-effort timestamp (``guess_correct_pts``), which PyAV does not hand out.

    Presentation times count unless they are missing or run backwards more often than decoding times do.
    """

    def __init__(self) -> None:
        self._faulty_pts = self._faulty_dts = 0
        self._last_pts = self._last_dts = NO_TIMESTAMP

    def __call__(self, pts: int | None, dts: int | None) -> int:
        """Return the timestamp of the next frame; `NO_TIMESTAMP` if it has neither."""
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
