"""Frames into a film: each at its presentation time, with the sound of the film that they come from."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from aucli.errors import StorageError
from aucli.video.container import open_container, reason_of, video_stream
from aucli.video.sound import SoundTracks
from aucli.video.values import VideoInfo

FILM_FORMATS: Final = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's name of the container by suffix."""

CRF: Final = 18
"""libx264's constant rate factor: 18 is hard to tell from the original, 23 is its default."""
PRESET: Final = "superfast"
"""Two thirds of the processor time of veryfast for files some 6 % larger (benchmarks/overlay.py's film at 1080p)."""
THREADS: Final = 4
"""Fixed: the bytes then do not depend on the machine's number of cores."""
MPEG4_QUANTISER: Final = 3
"""Of the encoder that stands in: 2 is its best, 31 its worst."""
MPEG4_MAX_TICKS: Final = 65_535
"""Ticks a second that MPEG-4 part 2 can count (ISO 14496-2: vop_time_increment_resolution has 16 bits)."""
LAMBDA_OF_QUANTISER: Final = 118
"""FFmpeg's FF_QP2LAMBDA: its global quality counts in these."""

FINE_TICKS: Final = 10_000
COMMON_TICKS: Final = 90_000
"""Ticks a second where the source has none that can be used; a whole number for 24, 25, 30, 29.97 and 23.976 frames."""
MOST_TICKS: Final = 1_000_000
BT709: Final = 1
"""FFmpeg's number of BT.709 as matrix, primaries and transfer, and of limited range."""


class FilmWriter:
    """Writes frames as H.264 in 4:2:0, upright and with square pixels, and the source's sound beside them.

    Args:
        path: file to write; it need not have the suffix of its format.
        container: one of the values of `FILM_FORMATS`.
        source: what is known of the film that the frames come from.
        with_sound: whether its sound is taken over.
        start_s: where the film's time 0 lies on its own clock, see `FrameReader.start_s`.
        n_joints: times that the film's timestamps begin anew; its sound is left out then.
        comment: put into the file's metadata.

    Attributes:
        encoder: how the picture is encoded, in words.
        sound: how each stream of sound is taken over, one sentence each; empty where there is none.

    Raises:
        VideoError: if the source cannot be opened.
        StorageError: if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        container: str,
        source: VideoInfo,
        *,
        with_sound: bool,
        start_s: float = 0.0,
        n_joints: int = 0,
        comment: str = "",
    ) -> None:
        import av

        self._path = path
        self._size_wh = (source.width + source.width % 2, source.height + source.height % 2)
        has_x264 = "libx264" in av.codecs_available
        self.encoder = f"H.264 by libx264, CRF {CRF}" if has_x264 else "MPEG-4 part 2: this FFmpeg has no libx264"
        ticks = _ticks_of(source)
        self._tick = Fraction(1, ticks if has_x264 or ticks <= MPEG4_MAX_TICKS else MPEG4_MAX_TICKS)
        self._last_pts = -1
        options = {"fflags": "+bitexact"}  # no random numbers: the same film has the same bytes
        if container != "matroska":
            # A track that begins later than another says so in the movie's ticks: milliseconds unless they are set.
            options |= {"movflags": "+faststart", "movie_timescale": str(self._tick.denominator)}
        self._file = self._try(lambda: av.open(str(path), "w", format=container, options=options))
        if comment:
            self._file.metadata["comment"] = comment
        rate = Fraction(source.fps or 25).limit_denominator(1001)
        self._stream = self._file.add_stream(
            "libx264" if has_x264 else "mpeg4", rate=rate, options=_quality(has_x264, float(rate))
        )
        self._describe_picture()
        self._sound: SoundTracks | None = None
        self._no_sound: tuple[str, ...] = ()
        if with_sound and n_joints:
            self._no_sound = ("sound is left out: the film's recordings were joined, and its times begin anew",)
        elif with_sound and source.path.is_file():
            self._sound = SoundTracks(source.path, self._file, start_s)
        self._frame: Any = av.VideoFrame

    def _describe_picture(self) -> None:
        stream = self._stream
        stream.width, stream.height = self._size_wh
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._tick
        context = stream.codec_context
        context.thread_count = THREADS
        context.color_range = context.colorspace = context.color_primaries = context.color_trc = BT709

    @property
    def sound(self) -> tuple[str, ...]:
        """See above."""
        return tuple(self._sound.notes) if self._sound is not None else self._no_sound

    def write(self, frame_rgb: npt.NDArray[np.uint8], time_s: float) -> None:
        """Append a frame.

        Args:
            frame_rgb: (H, W, 3); one of another size than the first is fitted into that.
            time_s: presentation time, later than that of the frame before.
        """
        fitted = fitted_into(frame_rgb, self._size_wh)
        frame = self._frame.from_ndarray(fitted, format="rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.colorspace = frame.color_range = BT709
        frame.pts = self._last_pts = max(round(time_s / self._tick), self._last_pts + 1)
        frame.time_base = self._tick
        self._try(lambda: self._mux(self._stream.encode(frame)))

    def finish(self) -> None:
        """Write what is left, and the end of the file."""
        self._try(lambda: self._mux(self._stream.encode(None)))
        if self._sound is not None:
            sound = self._sound
            self._try(lambda: sound.write_until(float("inf")))
        self._try(self._file.close)

    def _mux(self, packets: list[Any]) -> None:
        """Put packets of the picture into the file, and the sound that belongs before each."""
        for packet in packets:
            due_s = float((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)
            if self._sound is not None:
                self._file.start_encoding()
                self._sound.write_until(due_s)
            self._file.mux(packet)

    def _try(self, work: Any) -> Any:
        import av

        try:
            return work()
        except av.error.FFmpegError as error:
            raise StorageError(f"{self._path.parent} takes no film ({reason_of(error)})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sound is not None:
            self._sound.close()
        if kind is not None:
            import av

            with contextlib.suppress(av.error.FFmpegError):  # the file is thrown away
                self._file.close()


def fitted_into(frame_rgb: npt.NDArray[np.uint8], size_wh: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a frame of this size: its last column and row repeated where one pixel lacks, else scaled and centred.

    Args:
        frame_rgb: (H, W, 3).
        size_wh: both even.
    """
    height, width, _ = frame_rgb.shape
    lacks = size_wh[0] - width, size_wh[1] - height
    if lacks == (0, 0):
        return frame_rgb
    if set(lacks) <= {0, 1}:
        return np.pad(frame_rgb, ((0, lacks[1]), (0, lacks[0]), (0, 0)), mode="edge")
    from PIL import Image

    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_wh = max(1, round(width * scale)), max(1, round(height * scale))
    whole = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    x, y = (size_wh[0] - inner_wh[0]) // 2, (size_wh[1] - inner_wh[1]) // 2
    scaled = Image.fromarray(frame_rgb).resize(inner_wh, Image.Resampling.BICUBIC)
    whole[y : y + inner_wh[1], x : x + inner_wh[0]] = np.asarray(scaled)
    return whole


def _ticks_of(source: VideoInfo) -> int:
    """Return the ticks a second that a film's times are told in."""
    if not source.path.is_file():
        return COMMON_TICKS
    with open_container(source.path) as container:
        tick = video_stream(source.path, container, source.stream).time_base
    if tick is None or not 0 < tick <= 1 or tick.denominator > MOST_TICKS:
        return COMMON_TICKS
    return tick.denominator * -(-FINE_TICKS // tick.denominator)


def _quality(has_x264: bool, fps: float) -> dict[str, str]:
    """Options of the encoder. A key frame every two seconds at least, so that players jump quickly."""
    key_every = {"g": str(max(round(2 * fps), 1))}
    if not has_x264:
        return {**key_every, "flags": "+qscale", "global_quality": str(MPEG4_QUANTISER * LAMBDA_OF_QUANTISER)}
    # Macroblock trees read memory that libx264 never wrote: the same frames would give other bytes now and then.
    return {**key_every, "crf": str(CRF), "preset": PRESET, "mbtree": "0"}
