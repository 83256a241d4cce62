"""Reads the frames of a video in batches.

On a CPU PyAV reads: it tells which pictures are damaged, and takes less time than decord. Into a GPU's memory decord
reads first; PyAV takes over where decord refuses a file or where a look at the packets says that decord would give
frames wrong numbers or times. Whoever reads, the frames are those that FFmpeg's own decoding loop gives for the file:
none invented, none repeated, none lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, VideoError
from aucli.video.container import describe_file, first_timestamp, open_container, video_stream
from aucli.video.damage import Losses, are_many, as_ranges
from aucli.video.decoders import DecordSource, GivesUpError, PyAVSource, Source
from aucli.video.display import ShownFrame
from aucli.video.packets import PacketScan, described_by_packets, join_pieces, scan_packets
from aucli.video.pictures import PictureSource, is_photograph
from aucli.video.seeking import Foreseen, SeekingSource, foresee, plan_decoding, why_not_seek
from aucli.video.selection import BatchBuffer, FrameDevice, FrameSelection
from aucli.video.times import Clock
from aucli.video.values import FrameBatch, VideoInfo

DecoderName = Literal["auto", "decord", "pyav"]

BATCH_BYTES: Final = 24 * 2**20
"""Pixels in a batch on the CPU, unless its size is given."""
KEPT_BYTES: Final = 4 * 2**20
"""The same where frames need not be whole."""

PIECE_BYTES_CPU: Final = 64 * 2**20
"""Decoded pictures that decord may hold at a time. Where a group of pictures is larger PyAV reads the file."""

PIECE_BYTES_CUDA: Final = 2**30
"""The same on a GPU."""


def probe(path: Path | str, *, stream: int | None = None, picture_rate: float | None = None) -> VideoInfo:
    """Say what a video claims, at the price of decoding one frame.

    Args:
        path: as for `FrameReader`.
        stream: likewise.
        picture_rate: likewise.

    Raises:
        VideoError: the file is missing, not readable, not a video, only sound, a playlist, without a frame that
            decodes, or cut off before its index; a folder without numbered pictures.
    """
    path = Path(path)
    if path.is_dir() or is_photograph(path):
        return PictureSource(path, picture_rate, stream).info
    with _memory_for(path), open_container(path) as container:
        info = describe_file(path, container, stream)
    return info if info.n_frames_header else described_by_packets(info, scan_packets(info))


@contextmanager
def _memory_for(path: Path) -> Iterator[None]:
    """Turn a lack of memory into an error of this video."""
    try:
        yield
    except MemoryError:
        raise VideoError(f"{path}: there is not enough memory for its frames; scale it down first") from None


def default_batch_size(info: VideoInfo, device: FrameDevice, *, whole: bool = True) -> int:
    """Return how many frames are decoded at once where nobody says so: memory alike from web clips to 4K."""
    n_pixels = info.width * info.height
    most = BATCH_BYTES // (3 * n_pixels) if whole else 2 * KEPT_BYTES // (3 * n_pixels)
    return 64 if device.is_cuda else min(max(most, 1), 8)


class FrameReader:
    """Reads the frames of one video in batches.

    Args:
        path: a video file, a photograph (one frame at time 0), or a folder of numbered pictures.
        device: ``cpu``, ``cuda`` or ``cuda:N``: where the frames shall lie.
        batch_size: frames in a batch; the last one, and the last before a change of size, may be shorter. None chooses
            by device and size of the frames.
        start_s: leave out frames before this time.
        end_s: leave out frames at or after this time.
        every_s: give only the first frame at or after each multiple of this many seconds, counted from ``start_s``.
        first_frame: leave out frames before this index; what remains is what a full read gives from there on.
        seek: pass over packets that no frame needs that is asked for, where packets tell the numbers of frames
            (`aucli.video.seeking`); what is passed over is taken to decode. False decodes all from the beginning.
        decoder: ``auto`` is PyAV, and for a GPU decord before it; a name allows only that one.
        leave_out_damaged: do not give frames that decode damaged; they keep their numbers. decord does not tell.
        whole: False: frames on the CPU need not be RGB in memory. A batch's are then a list, of `YuvFrame` where parts
            can be made RGB alone.
        stream: number of the video stream, 0-based, among the file's video streams; None: the one marked as default,
            else the largest picture.
        picture_rate: pictures a second of a folder of numbered pictures; None: 25.

    Attributes:
        info: what the file claims.
        decoder: who delivered the frames, e.g. ``pyav 18.1.0``; final when the reader is exhausted.
        n_frames: frames gone through so far, whether or not they were asked for.
        n_failed: frames promised by the header or present as packets that did not decode; known when the whole file
            has been read, 0 before.
        n_hidden: frames in the file that its edit list hides; a player does not show them, so they are not given.
        notes: what a user should know of how the file was read, one sentence each; final like `decoder`.
        broken: why the video ends early, or what of it is lost if that is much (`are_many`); None where all is
            well. What was given out is valid.
        is_as_announced: whether all frames so far were whole and those that the packets announce.

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
        seek: bool = True,
        decoder: DecoderName = "auto",
        stream: int | None = None,
        picture_rate: float | None = None,
        leave_out_damaged: bool = False,
        whole: bool = True,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise OptionsError(f"`batch_size` is {batch_size}; it must be at least 1")
        if first_frame < 0:
            raise OptionsError(f"`first_frame` is {first_frame}; it must be at least 0")
        if decoder not in ("auto", "decord", "pyav"):
            raise OptionsError(f"`decoder` is {decoder!r}; allowed are auto, decord, pyav")
        self._selection = FrameSelection(start_s=start_s, end_s=end_s, every_s=every_s)
        self._first_frame = first_frame
        self._device = FrameDevice.parse(device)
        self._allowed, self._leave_out_damaged = decoder, leave_out_damaged
        self._path = Path(path)
        self._scan: PacketScan | None = None
        self._pictures: PictureSource | None = None
        if self._path.is_dir() or is_photograph(self._path):
            self._pictures = PictureSource(self._path, picture_rate, stream)
            self.info, self._clock = self._pictures.info, self._pictures.clock
        else:
            with _memory_for(self._path), open_container(self._path) as container:
                info = describe_file(self._path, container, stream)
                self._clock = Clock.of(container, video_stream(self._path, container, info.stream))
            self._scan = scan_packets(info)
            if self._scan.lacks_times:
                self._clock.learn_step(self._scan.usual_ticks)
                with _memory_for(self._path):
                    first = first_timestamp(info)
                if first:
                    self._clock.count_back(*first)
            self.info = described_by_packets(info, self._scan)
        self._whole = whole
        self._batch_size = batch_size or default_batch_size(self.info, self._device, whole=whole)
        self._sizes: list[str] = []
        self.decoder = ""
        self.n_frames = 0
        self.n_failed = 0
        self.n_hidden = self._scan.n_hidden if self._scan else 0
        self.broken: str | None = None
        self._n_asked_for = 0
        self._damaged = array("q")
        self._first_error: str | None = None
        self._may_seek = seek
        self._foreseen: Foreseen | None = None
        self._why_not_seek: str | None = None
        self._reaches_end = True
        self.is_as_announced = True
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

    @property
    def n_joints(self) -> int:
        """Times that timestamps begin anew, because recordings were joined."""
        return self._scan.n_joints if self._scan else 0

    @property
    def losses(self) -> Losses:
        """What did not decode, or decoded damaged; final like `decoder`."""
        damaged = as_ranges(sorted(self._damaged))
        return Losses(self.n_failed, self.n_frames + self.n_failed, len(self._damaged), damaged)

    @property
    def start_s(self) -> float:
        """Where time 0 lies on the file's own clock, seconds."""
        return self._clock.start_s

    def announced_times_s(self) -> npt.NDArray[np.float64] | None:
        """(N,) when each frame of the file is shown, told by packets alone; None where only decoding can tell."""
        if self._scan is None or why_not_seek(self._scan) is not None:
            return None
        return foresee(self._scan.timestamps, self._clock, FrameSelection(None, None, None)).time_s

    @property
    def notes(self) -> tuple[str, ...]:
        """See above."""
        notes = list(self.info.notes)
        n_jumps = self._scan.n_jumps if self._scan else 0
        if n := self.n_joints - n_jumps:
            notes.append(f"timestamps begin anew {_times(n)} (recordings joined); times go on without a gap")
        if n_jumps:
            what = "a pause, a loss or recordings joined"
            notes.append(f"timestamps jump ahead by over 10 s {_times(n_jumps)} ({what}); times go on without the gap")
        notes += self._clock.notes
        surprise = None if self.is_as_announced else "a frame on the way is damaged, or not the one that is announced"
        why = self._why_not_seek or surprise
        if why and self._scan and self._selection.is_sparse:
            notes.append(f"was decoded from its beginning, which takes longer: {why}")
        if len(self._sizes) > 1:
            more = ", ..." if len(self._sizes) > 4 else ""
            notes.append(f"the picture changes its size: {', '.join(self._sizes[:4])}{more}; boxes are in each frame's")
        return tuple(notes)

    def _read(self) -> Generator[FrameBatch, None, None]:
        """Generate batches: decode, choose, collect."""
        with _memory_for(self._path):
            batch = BatchBuffer(self._batch_size, self._device, whole=self._whole)
            for index, timestamp, frame, is_damaged in self._decode():
                if self._foreseen is not None:
                    time_s = float(self._foreseen.time_s[index])
                    is_past = index >= self._foreseen.end
                    is_wanted = index >= 0 and bool(self._foreseen.is_asked_for[index])
                else:
                    time_s = self._clock.seconds(timestamp)
                    is_past = self._selection.is_past(time_s)
                    is_wanted = not is_past and self._selection.wants(time_s)
                if is_past:
                    break
                if not is_wanted:
                    continue
                self._n_asked_for += 1
                if is_damaged:
                    self._damaged.append(index)
                if index < self._first_frame or (is_damaged and self._leave_out_damaged):
                    continue
                if not batch.takes(frame):
                    yield batch.take()
                self._note_size(index, frame)
                batch.add(index, time_s, frame)
                if batch.is_full:
                    yield batch.take()
            else:
                if self._reaches_end:
                    self._check_end()
            self._judge_losses()
            if len(batch):
                yield batch.take()

    def _note_size(self, index: int, frame: ShownFrame) -> None:
        height, width, _ = frame.shape
        size = f"{width}x{height}"
        if not self._sizes or self._sizes[-1].partition(" ")[0] != size:
            self._sizes.append(f"{size} from frame {index}" if self._sizes else size)

    def _decode(self) -> Iterator[tuple[int, int, ShownFrame, bool]]:
        """Frames of the file in presentation order: number, timestamp, picture, and whether it is damaged.

        A decoder that gives up is followed by the next, which starts from the beginning and says nothing until it
        has passed the frames that were given out already.
        """
        given = array("q")
        for source in self._sources():
            self.decoder, self.broken = source.name, None
            is_seeking = isinstance(source, SeekingSource)
            try:
                for n, (number, timestamp, frame, is_damaged) in enumerate(source.frames()):
                    if not is_seeking:
                        if n < len(given):
                            self._check_same(n, given[n], timestamp)
                            continue
                        given.append(timestamp)
                    self.n_frames = number + 1 if is_seeking else n + 1
                    yield number, timestamp, frame, is_damaged
            except GivesUpError as error:
                self.broken = str(error)
                if self._foreseen is not None:
                    self._start_over()
                    given = array("q")
                continue
            self._first_error = source.first_error
            if is_seeking and self._foreseen is not None:
                self.n_frames = min(self._foreseen.end + 1, len(self._foreseen.time_s))
                self._reaches_end = self._foreseen.end == self.n_frames
            return

    def _start_over(self) -> None:
        """Go through all frames from the beginning, without those that were given out: packets said what is not."""
        self._first_frame, self._n_asked_for = max(self._first_frame, self.n_frames), 0
        self._foreseen = None

    def _sources(self) -> Iterator[Source]:
        """Decoders worth trying, best first."""
        if self._pictures is not None:
            yield self._pictures
        if self._scan is None:
            return
        may_use_decord = self._allowed == "decord" or (self._allowed == "auto" and self._device.is_cuda)
        if may_use_decord and self._scan.why_not_decord is None:
            yield from self._decord_sources(self._scan)
        if self._allowed != "decord":
            if seeking := self._seeking_source(self._scan):
                yield seeking
            elif len(self._scan.timestamps) and not self._scan.is_damaged:
                yield PyAVSource(self.info, self._scan, careful=False)
            self.is_as_announced = False
            yield PyAVSource(self.info, self._scan, careful=True)

    def _seeking_source(self, scan: PacketScan) -> Source | None:
        """The decoder that passes over what is not needed; None where nothing is won by it, or numbers need all.

        Frames that are sampled, or begin late, have the numbers of their packets, whoever decodes them; all others are
        counted. So a file has the same numbers whether or not damage is met on the way, and when a run is resumed.
        """
        is_sparse = self._selection.is_sparse
        if not (is_sparse or (self._first_frame and self._may_seek)):
            return None
        self._why_not_seek = why_not_seek(scan)
        if self._why_not_seek is not None:
            return None
        foreseen = foresee(scan.timestamps, self._clock, self._selection)
        if is_sparse:
            self._foreseen = foreseen
        is_wanted = foreseen.is_asked_for & (np.arange(len(scan.timestamps)) >= self._first_frame)
        plan = plan_decoding(scan.order, scan.timestamps, is_wanted)
        if not self._may_seek or not plan.is_worthwhile(foreseen.end):
            return None
        self._foreseen = foreseen
        return SeekingSource(self.info, scan, plan)

    def _decord_sources(self, scan: PacketScan) -> Iterator[Source]:
        devices = [(self._device.index, PIECE_BYTES_CUDA)] if self._device.is_cuda else []
        for cuda_index, max_bytes in [*devices, (None, PIECE_BYTES_CPU)]:
            max_frames = max_bytes // (self.info.width * self.info.height * 3)
            if lengths := join_pieces(scan.gop_lengths, max_frames):
                yield DecordSource(self.info, scan, lengths, cuda_index)

    def _check_same(self, n: int, given: int, found: int) -> None:
        if given != found:
            raise VideoError(
                f"{self._path}: decoders disagree from frame {n} on (timestamp {given} against {found}); "
                "its frames so far cannot be trusted: encode it anew and read that file: "
                "ffmpeg -i VIDEO -fps_mode passthrough -c:v libx264 -crf 18 NEW.mp4"
            )

    def _check_end(self) -> None:
        """See whether the file kept what it promised, once all of it has been read."""
        promised = self.info.n_frames_header
        self.n_failed = max(0, promised - self.n_frames)
        if self.n_frames == 0:
            raise VideoError(f"{self._path}: none of its {promised} frames can be decoded ({self._why_none()})")
        if self.broken is None and self._scan is not None:
            self.broken = self._scan.ends_early

    def _judge_losses(self) -> None:
        """See whether so much is lost that the video counts as failed: one rule for every kind of file."""
        n_damaged = len(self._damaged)
        lost = are_many(self.n_failed, self.n_frames) or are_many(n_damaged, self._n_asked_for - n_damaged)
        if self.broken is None and lost:
            reason = f"; the first error: {self._first_error}" if self._first_error else ""
            self.broken = f"{self.losses}{reason}"

    def _why_none(self) -> str:
        if self._allowed == "decord" and self._scan is not None:
            return self._scan.why_not_decord or self.broken or "decord would need too much memory"
        return self.broken or self._first_error or "it is damaged"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
