"""Opening a file with PyAV: what may be opened, which of its streams is the picture, FFmpeg's decoding loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aucli.errors import OptionsError, VideoError
from aucli.video.display import Display, transfer_of
from aucli.video.orientation import side_data_of
from aucli.video.times import NO_TIMESTAMP, AviSlots, Joints, TimestampGuess, frame_rate, rate_is_assumed
from aucli.video.values import MAX_PIXELS, VideoInfo

if TYPE_CHECKING:
    import av.container
    from av.video.stream import VideoStream

PLAYLISTS: Final = (
    (b"#EXTM3U", "HLS or m3u"),
    (b"ffconcat version", "ffconcat"),
    (b"[playlist]", "PLS"),
    (b"<mpd", "DASH"),
    (b"<smil", "SMIL"),
    (b"<asx", "ASX"),
    (b"<playlist", "XSPF"),
)
"""What files begin with that name other files to play, XML declarations and comments apart."""

READS_OTHER_FILES: Final = frozenset(
    {"concat", "dash", "hds", "hls", "image2", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp", "smoothstreaming", "tee"}
    | {"alsa", "fbdev", "kmsgrab", "oss", "video4linux2,v4l2", "webm_dash_manifest", "whip", "x11grab"}
)
"""FFmpeg's formats that go on to other files, the network or devices: never tried."""


DOLBY_VISION_TAGS: Final = frozenset({"dvh1", "dvhe", "dav1"})
"""How MP4 marks HEVC and AV1 with Dolby Vision."""
UNSPECIFIED_TRANSFER: Final = 2
"""FFmpeg's AVCOL_TRC_UNSPECIFIED."""


def open_container(path: Path, **format_options: str) -> av.container.InputContainer:
    """Open a file with PyAV, or say in one line why not.

    Args:
        path: the file.
        format_options: for FFmpeg's reader of the container.
    """
    import av

    if path.is_dir():
        raise VideoError(f"{path}: is a folder, not a video file")
    if path.exists() and not path.is_file():
        raise VideoError(f"{path}: is a pipe, socket or device, not a video file")
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise VideoError(f"{path}: there is no such file") from None
    except PermissionError:
        raise VideoError(f"{path}: no permission to read it") from None
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    if not head:
        raise VideoError(f"{path}: is empty (0 bytes)")
    if kind := playlist_kind(head):
        raise VideoError(f"{path}: is a playlist ({kind}), which only names other files; name those instead")
    try:
        # As a plain file: a name like "a:b.mp4" is no protocol, and nothing must send us to the network.
        allowed = {"protocol_whitelist": "file", "format_whitelist": _formats(), **format_options}
        container: av.container.InputContainer = av.open(
            f"file:{path}", options={"max_pixels": str(MAX_PIXELS)}, container_options=allowed, **_metadata_option()
        )
        return container
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(f"{path}: is not a video, or its header is damaged or cut off ({reason_of(error)})") from None


def playlist_kind(head: bytes) -> str | None:
    """Return what kind of playlist a file is, judged by its first bytes; None for others."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"v=0") and b"\nm=" in text:
        return "SDP"
    is_xml = text.startswith(b"<")
    for mark, kind in PLAYLISTS:
        if text.startswith(mark.lower()) or (is_xml and mark.startswith(b"<") and mark in text):
            return kind
    return None


@cache
def _formats() -> str:
    import av

    return ",".join(sorted(av.formats_available - READS_OTHER_FILES))


def _metadata_option() -> dict[str, Any]:
    """Titles and tags that are not UTF-8 must not stop a file: PyAV before 19 has to be told, 19 does so by itself."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def reason_of(error: Exception) -> str:
    """FFmpeg's own words for an error, without the number and the path that PyAV adds."""
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def video_streams(path: Path, container: av.container.InputContainer) -> list[VideoStream]:
    """Return the streams of moving pictures that FFmpeg can decode, in the file's order; never none."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & still]
    if not moving:
        kinds = " and ".join(sorted({str(s.type) for s in container.streams if s.type != "video"}))
        raise VideoError(f"{path}: holds no video, only {kinds or 'an empty container'}")
    if known := [stream for stream in moving if stream.codec_context is not None]:
        return known
    raise VideoError(f"{path}: its video is of a kind that this FFmpeg cannot decode")


def video_stream(path: Path, container: av.container.InputContainer, number: int | None) -> VideoStream:
    """Return the stream of that number among `video_streams`; for None the one that FFmpeg's command line takes.

    That is the stream marked as default, else the one with the largest picture; of equal ones the first.

    Raises:
        VideoError: if there is no video, or none of that number.
    """
    from av.stream import Disposition

    streams = video_streams(path, container)
    if number is not None:
        if number < 0:
            raise OptionsError(f"`stream` is {number}; it must be at least 0")
        if number >= len(streams):
            count = "1 video stream" if len(streams) == 1 else f"{len(streams)} video streams"
            raise VideoError(f"{path}: holds {count}, so `stream` goes up to {len(streams) - 1}, not {number}")
        return streams[number]
    return max(streams, key=lambda stream: (bool(stream.disposition & Disposition.default), _pixels(stream)))


def _pixels(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height


def describe_file(path: Path, container: av.container.InputContainer, number: int | None) -> VideoInfo:
    """Read header and first frame: orientation and the true picture size are only certain there."""
    stream = video_stream(path, container, number)
    streams = video_streams(path, container)
    log = DecodeLog()
    frame = next((frame for frame in decode_tolerantly(container, stream, log)), None)
    if frame is None:
        why = f": {log.first_error}" if log.first_error else ""
        raise VideoError(f"{path}: no frame of it can be decoded (it is damaged, cut off or holds no frames{why})")
    if needs_dolby_vision(stream, frame):
        raise VideoError(
            f"{path}: is Dolby Vision without an ordinary picture beneath (profile 5), whose colours are not read; "
            "export it as SDR or HDR10 first"
        )
    shown = Display(path, stream).show(frame)
    height, width, _ = shown.shape
    duration_s = None
    if stream.duration is not None and stream.time_base is not None:
        duration_s = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration_s = container.duration / 1e6
    info = VideoInfo(
        path=path,
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name,
        width=width,
        height=height,
        fps=float(frame_rate(container, stream)),
        duration_s=duration_s,
        n_frames_header=promised_frames(container, stream),
        orientation=shown.orientation,
        pixel_aspect=shown.pixel_aspect,
        transfer=transfer_of(stream),
        stream=[s.index for s in streams].index(stream.index),
        n_streams=len(streams),
    )
    notes: list[str] = []
    if number is None and len(streams) > 1:
        others = ", ".join(
            f"{n}: {s.codec_context.codec.canonical_name} {s.codec_context.width}x{s.codec_context.height}"
            for n, s in enumerate(streams)
            if n != info.stream
        )
        notes.append(f"holds {len(streams)} video streams; number {info.stream} is read, `stream` takes {others}")
    if rate_is_assumed(container, stream) and info.fps:
        notes.append(f"has no times and no frame rate; {info.fps:g} frames a second are assumed")
    if info.transfer != "sdr":
        notes.append(f"is high dynamic range ({info.transfer.upper()}); tone-mapped to an ordinary screen's range")
    return replace(info, notes=tuple(notes))


def needs_dolby_vision(stream: VideoStream, frame: av.VideoFrame) -> bool:
    """Whether the picture makes sense to a Dolby Vision decoder only: its colours are coded as no other video's.

    Of the profiles in use that is 5. PyAV does not hand out the profile; but all others lie over a picture that players
    without Dolby Vision show, and so say how that is coded (Dolby's ISOBMFF specification, section on profiles).
    """
    if int(stream.codec_context.color_trc) != UNSPECIFIED_TRANSFER:
        return False
    if stream.codec_context.codec_tag in DOLBY_VISION_TAGS:
        return True
    try:
        return "DOVI_RPU_BUFFER" in side_data_of(frame)
    except ValueError:  # see `Orientation.of`
        return False


def promised_frames(container: av.container.InputContainer, stream: VideoStream) -> int:
    """Frames that the header promises, 0 where it is silent. An AVI's header counts ticks of its clock instead."""
    return 0 if container.format.name == "avi" else stream.frames


def first_timestamp(info: VideoInfo) -> tuple[int, int] | None:
    """Count the frames before the first that has a timestamp, and return that too; None where no frame has one."""
    with open_container(info.path) as container:
        stream = video_stream(info.path, container, info.stream)
        guess = TimestampGuess.of(container)
        for n, frame in enumerate(decode_tolerantly(container, stream, DecodeLog())):
            timestamp = guess(frame.pts, frame.dts)
            if timestamp != NO_TIMESTAMP:
                return n, timestamp
    return None


def _mpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that a packet of MPEG-1 or MPEG-2 begins with (ISO/IEC 13818-2, 6.2.2.1), if any."""
    if not data.startswith(b"\x00\x00\x01\xb3") or len(data) < 7:
        return None
    return data[4] << 4 | data[5] >> 4, (data[5] & 15) << 8 | data[6]


@dataclass
class DecodeLog:
    """How decoding goes.

    Attributes:
        n_packets: given to the decoder so far.
        errors: FFmpeg's words for packets that did not decode, with their numbers in decoding order.
    """

    n_packets: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    @property
    def first_error(self) -> str | None:
        """FFmpeg's words for the first of them."""
        return self.errors[0][1] if self.errors else None


def decode_tolerantly(
    container: av.container.InputContainer, stream: VideoStream, log: DecodeLog
) -> Iterator[av.VideoFrame]:
    """FFmpeg's decoding loop: a packet that does not decode is noted in ``log`` and passed over, as is an empty one.

    Where the decoder is told to (``copy_opaque``), each frame carries the number of its packet (``opaque``).
    """
    import av

    packets = container.demux(stream)
    joints, slots = Joints(container, stream), AviSlots(container, stream)
    codec = stream.codec_context
    is_mpeg = codec.name in ("mpeg1video", "mpeg2video")
    at_end = False
    while not at_end:
        try:
            packet = next(packets)
            at_end = packet.size == 0 and packet.dts is None
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            log.errors.append((log.n_packets, f"the file cannot be read further ({reason_of(error)})"))
            at_end, packet = True, None  # what the decoder still holds is good
        try:
            if packet is not None and not packet.size and not at_end:
                continue
            if packet is not None and not at_end:
                if codec.copy_opaque:
                    packet.opaque = log.n_packets
                log.n_packets += 1
                slots.correct(packet)
                joints.carry_on(packet)
                if is_mpeg and _mpeg_size(bytes(memoryview(packet)[:7])) not in (None, (codec.width, codec.height)):
                    yield from codec.decode(None)  # else FFmpeg's decoder throws away what it holds
                    codec.flush_buffers()
            yield from codec.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            log.errors.append((log.n_packets - 1, reason_of(error)))
