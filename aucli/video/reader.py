"""Reads the frames of a video in batches.

decord reads first; PyAV takes over where decord refuses a file or where a look at the packets says that decord would
give frames wrong numbers or times. Whoever reads, the frames are those that FFmpeg's own decoding loop gives for the
file: none invented, none repeated, none lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from aucli.errors import OptionsError, VideoError
from aucli.video.container import Clock, describe_file, open_container, video_stream, with_count
from aucli.video.decoders import DecordSource, GivesUpError, Paint, PyAVSource, Source
from aucli.video.packets import join_segments, scan_packets
from aucli.video.selection import BatchBuffer, FrameDevice, FrameSelection
from aucli.video.values import FrameBatch, VideoInfo

DecoderName = Literal["auto", "decord", "pyav"]

BATCH_BYTES: Final = 24 * 2**20
"""Pixels in a batch on the CPU, unless its size is given."""

SEGMENT_BYTES_CPU: Final = 64 * 2**20
"""Decoded pictures that decord may hold at a time. Where a group of pictures is larger PyAV reads the file; it is also
faster there (1920 x 1080: 10 against 13 to 19 ms of CPU a frame, on two cores)."""

SEGMENT_BYTES_CUDA: Final = 2**30
"""The same on a GPU."""


def probe(path: Path | str) -> VideoInfo:
    """Say what a video file claims, at the price of decoding one frame.

    Raises:
        VideoError: the file is missing, a folder, not readable, not a video, only sound, without a frame that
            decodes, or cut off before its index.
    """
    path = Path(path)
    with open_container(path) as container:
        info = describe_file(path, container, video_stream(path, container))
    return info if info.n_frames_header else with_count(info, scan_packets(path).n_packets)


def default_batch_size(info: VideoInfo, device: FrameDevice) -> int:
    """Return how many frames are decoded at once where nobody says so: memory alike from web clips to 4K."""
    return 64 if device.is_cuda else min(max(BATCH_BYTES // (info.width * info.height * 3), 1), 8)


class FrameReader:
    """Reads the frames of one video in batches.

    Args:
        path: the video file.
        device: ``cpu``, ``cuda`` or ``cuda:N``: where the frames shall lie.
        batch_size: frames in a batch; the last one may be shorter. None chooses by device and size of the frames.
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
        batch_size: int | None = 32,
        start_s: float | None = None,
        end_s: float | None = None,
        every_s: float | None = None,
        first_frame: int = 0,
        decoder: DecoderName = "auto",
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise OptionsError(f"batch_size is {batch_size}; it must be at least 1")
        if first_frame < 0:
            raise OptionsError(f"first_frame is {first_frame}; it must be at least 0")
        if decoder not in ("auto", "decord", "pyav"):
            raise OptionsError(f"decoder is {decoder!r}; allowed are auto, decord, pyav")
        self._selection = FrameSelection(start_s=start_s, end_s=end_s, every_s=every_s, first_frame=first_frame)
        self._device = FrameDevice.parse(device)
        self._allowed = decoder
        self._path = Path(path)
        with open_container(self._path) as container:
            stream = video_stream(self._path, container)
            info = describe_file(self._path, container, stream)
            self._clock = Clock.of(container, stream)
        self._scan = scan_packets(self._path)
        self.info = info if info.n_frames_header else with_count(info, self._scan.n_packets)
        self._batch_size = batch_size or default_batch_size(self.info, self._device)
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
        batch = BatchBuffer(self._batch_size, self.info, self._device)
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
            except GivesUpError as error:
                self.broken = str(error)
                continue
            self.broken = source.broken
            return

    def _sources(self) -> Iterator[Source]:
        """Decoders worth trying, best first."""
        if self._allowed != "pyav" and self._scan.why_not_decord is None:
            yield from self._decord_sources()
        if self._allowed != "decord":
            if len(self._scan.timestamps):
                yield PyAVSource(self.info, self._scan, careful=False)
            yield PyAVSource(self.info, self._scan, careful=True)

    def _decord_sources(self) -> Iterator[Source]:
        devices = [(self._device.index, SEGMENT_BYTES_CUDA)] if self._device.is_cuda else []
        for cuda_index, max_bytes in [*devices, (None, SEGMENT_BYTES_CPU)]:
            max_frames = max_bytes // (self.info.width * self.info.height * 3)
            if lengths := join_segments(self._scan.gop_lengths, max_frames):
                yield DecordSource(self.info, self._scan, lengths, cuda_index)

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
