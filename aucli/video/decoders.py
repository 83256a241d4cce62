"""decord and PyAV, each as a source of a file's frames.

What decord 3.4.0 does that this room guards against:

- at the end of a file whose packets do not all decode it repeats the last frame; its option ``fault_tol`` turns that
  into an error. A frame lost on the way (damaged HEVC and AV1 lose them without an error) shifts the numbers of all
  that follow. So a piece of the video is given out only when it has decoded whole, one frame for each packet;
- it counts packets that an edit list hides, and takes the n-th frame to have the n-th packet's time;
- its reader pushes a packet every time it looks for a frame and finds none, and its decoder decodes ahead without
  limit: for a slow consumer a long video ends up in memory, decoded. So those pieces are cut at key frames, short
  enough to lie in memory whole, and each gets a reader of its own;
- it gives up where a decoder returns two frames for one packet (common in HEVC);
- it does not tell which pictures decode damaged; on a CPU it takes more time than PyAV, too, so there it only reads
  where it is asked for by name;
- at import it loads every CUDA library that pip has installed: half a second and 650 MB that a CPU does not need.
"""

from __future__ import annotations

import importlib
import io
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch
from aucli.video.container import DecodeLog, decode_tolerantly, open_container, reason_of, video_stream
from aucli.video.damage import DamageReach, DecodedFrame
from aucli.video.display import Display, ShownFrame
from aucli.video.orientation import UPRIGHT
from aucli.video.packets import PacketScan, cut_pieces
from aucli.video.times import TimestampGuess
from aucli.video.values import VideoInfo
from aucli.video.yuv import FrameRGB

PREDICTED: Final = (2, 3, 4)
"""FFmpeg's AV_PICTURE_TYPE_P, B and S: pictures that need others."""


class GivesUpError(Exception):
    """A decoder cannot go on; another one may."""


class Source(Protocol):
    """One decoder at work on one file."""

    name: str
    first_error: str | None

    def frames(self) -> Iterator[tuple[int, int, ShownFrame, bool]]:
        """Every frame in presentation order: its number, its timestamp, the picture, and whether it is damaged.

        Numbers pass over frames that did not decode where packets alone tell the number of each
        (`PacketScan.why_not_numbered`), so that a frame has the same number however much of the film is decoded; else
        frames are counted.

        Raises:
            GivesUpError: if another decoder should read the file.
        """
        ...


class DecordSource:
    """decord, on the CPU (``cuda_index`` None) or with NVDEC."""

    def __init__(self, info: VideoInfo, scan: PacketScan, piece_lengths: list[int], cuda_index: int | None) -> None:
        decord = import_decord(cuda=cuda_index is not None)
        where = "cpu" if cuda_index is None else f"cuda:{cuda_index}"
        self.name = f"decord {decord.__version__} ({where})"
        self.first_error: str | None = None
        self._decord, self._info, self._timestamps, self._cuda_index = decord, info, scan.timestamps, cuda_index
        self._piece_lengths = piece_lengths
        self._stored_shape = info.orientation.shape(info.height, info.width)

    def frames(self) -> Iterator[tuple[int, int, ShownFrame, bool]]:
        """See `Source`."""
        decord = self._decord
        numbered = enumerate(self._timestamps.tolist())
        try:
            context = decord.cpu() if self._cuda_index is None else decord.gpu(self._cuda_index)
            for data, length in zip(self._pieces(), self._piece_lengths, strict=True):
                # Any positive fraction that allows less than one frame: the first repeated frame is an error.
                reader = decord.VideoReader(io.BytesIO(data), ctx=context, fault_tol=1e-9)
                frames = deque(reader.next() for _ in range(length))
                if any(frame.shape != self._stored_shape for frame in frames):
                    raise GivesUpError("decord: the size of the picture changes")
                while frames:
                    yield *next(numbered), _DecordFrame(self._info, frames.popleft()), False
        except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError) as error:
            raise GivesUpError(f"decord: {error}") from None

    def _pieces(self) -> Iterator[bytes]:
        """Pieces of the file for decord to read; an error while reading is a reason to try PyAV."""
        import av

        try:
            yield from cut_pieces(self._info, self._piece_lengths)
        except (av.error.FFmpegError, ValueError) as error:
            raise GivesUpError(f"the file cannot be cut for decord ({reason_of(error)})") from None


class _DecordFrame:
    """A frame that decord has decoded, on the CPU or on a GPU."""

    def __init__(self, info: VideoInfo, frame: Any) -> None:
        self.shape = (info.height, info.width, 3)
        self._orientation, self._frame = info.orientation, frame

    def paint(self, out: Any) -> None:
        """See `ShownFrame`."""
        if not isinstance(out, np.ndarray):
            self._paint_torch(out)
        elif self._orientation == UPRIGHT:
            self._frame.copyto(import_decord(cuda=False).nd.zerocopy_from_numpy(out))
        else:
            out[...] = self._orientation.apply(self._frame.asnumpy())

    def kept(self) -> FrameRGB:
        """See `ShownFrame`."""
        return self._orientation.apply(self._frame.asnumpy())

    def _paint_torch(self, out: torch.Tensor) -> None:
        import torch

        picture = torch.utils.dlpack.from_dlpack(self._frame.to_dlpack())
        out.copy_(self._orientation.apply_torch(picture))
        # decord reuses the picture's memory as soon as it is let go.
        torch.cuda.current_stream(out.device).synchronize()


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


class PyAVSource:
    """PyAV. Fast at first: several frames decoded side by side. Careful where something is wrong with the file.

    Side by side, a packet that does not decode takes good frames with it, at times without an error (two frames before
    the cut in a cut-off file). So the fast way goes on only while every frame arrives that the packets announce, whole.
    """

    def __init__(self, info: VideoInfo, scan: PacketScan, *, careful: bool) -> None:
        import av

        self.name = f"pyav {av.__version__}"
        self.first_error: str | None = None
        self._info, self._scan, self._careful = info, scan, careful

    def frames(self) -> Iterator[tuple[int, int, ShownFrame, bool]]:
        """See `Source`."""
        return self._frames_carefully() if self._careful else self._frames_side_by_side()

    def _frames_side_by_side(self) -> Iterator[tuple[int, int, ShownFrame, bool]]:
        """Every frame once those have come that damage it if they are damaged; any surprise ends it."""
        expected, held, log = self._scan.timestamps, deque[tuple[int, int, ShownFrame, bool]](), DecodeLog()
        n = 0
        for frame in self._decode(log):
            if log.errors or frame.is_damaged:
                raise GivesUpError(f"pyav: frame {n} is damaged")
            if expected[n : n + 1] != [frame.timestamp]:
                raise GivesUpError(f"pyav: frame {n} is not the one that the packets announce")
            held.append((n, frame.timestamp, frame.shown, False))
            n += 1
            if len(held) > self._scan.n_ahead:
                yield held.popleft()
        if log.errors or n < len(expected):
            raise GivesUpError(f"pyav: {len(expected)} frames announced, {n} decoded")
        yield from held

    def _frames_carefully(self) -> Iterator[tuple[int, int, ShownFrame, bool]]:
        """Every frame that comes, with what damages it."""
        reach = DamageReach(self._scan.announced())
        for packet in self._scan.damaged.tolist():
            reach.note(packet)
        for packet in [0, *self._scan.gaps] if self._scan.begins_inside else self._scan.gaps:
            reach.note_gap(packet)
        is_numbered = self._scan.why_not_numbered is None
        for n, frame in enumerate(reach.pass_on(self._told(reach))):
            is_damaged = frame.is_damaged or frame.packet in self._scan.mistimed
            yield frame.number if is_numbered else n, frame.timestamp, frame.shown, is_damaged

    def _told(self, reach: DamageReach) -> Iterator[DecodedFrame]:
        """Every frame; damage that is met on the way is noted."""
        damaged, gaps, n_errors = set(self._scan.damaged.tolist()), self._scan.gaps, 0
        log = DecodeLog()
        for frame in self._decode(log):
            for packet, _ in log.errors[n_errors:]:
                reach.note(packet)
            n_errors = len(log.errors)
            # Where slots are all that tells the time, those that wait in the decoder when a gap comes are late by it.
            n_gaps = bisect_right(gaps, log.n_packets - 1)
            is_late = not len(self._scan.timestamps) and n_gaps > 0 and frame.packet < gaps[n_gaps - 1]
            frame.is_damaged |= frame.packet in damaged or is_late
            yield frame

    def _decode(self, log: DecodeLog) -> Iterator[DecodedFrame]:
        """Every frame, with what FFmpeg says of it."""
        joints = self._scan.before_joints
        joint_stamps = {int(self._scan.order.timestamps[packet]) for packet in joints}
        with open_container(self._info.path) as container:
            stream = video_stream(self._info.path, container, self._info.stream)
            guess = TimestampGuess.of(container, usual_ticks=self._scan.usual_ticks)
            stream.codec_context.thread_type = "AUTO"
            if self._careful:
                stream.codec_context.thread_count = 1
                # Not side by side: PyAV frees what a packet carries under Python's lock, for which threads would wait.
                stream.codec_context.copy_opaque = True
            else:
                # Side by side, a frame may be handed over before its decoder has marked it: an error is told in time.
                stream.codec_context.options = {"err_detect": "explode"}
            display = Display(self._info.path, stream)
            for frame in decode_tolerantly(container, stream, log):
                self.first_error = log.first_error
                timestamp = guess(frame.pts, frame.dts)
                packet = frame.opaque if isinstance(frame.opaque, int) else log.n_packets - 1
                is_whole = not frame.is_corrupt or packet in joints or timestamp in joint_stamps
                is_key = frame.key_frame or int(frame.pict_type) not in PREDICTED
                yield DecodedFrame(timestamp, display.show(frame), packet, is_key=is_key, is_damaged=not is_whole)
        self.first_error = log.first_error
