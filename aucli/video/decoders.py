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
- at import it loads every CUDA library that pip has installed: half a second and 650 MB that a CPU does not need.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch
from aucli.video.container import decode_tolerantly, open_container, reason_of, video_stream
from aucli.video.display import Display, ShownFrame
from aucli.video.orientation import UPRIGHT
from aucli.video.packets import PacketScan, cut_pieces
from aucli.video.times import TimestampGuess
from aucli.video.values import VideoInfo


class GivesUpError(Exception):
    """A decoder cannot go on; another one may."""


class Source(Protocol):
    """One decoder at work on one file."""

    name: str
    broken: str | None

    def frames(self) -> Iterator[tuple[int, ShownFrame]]:
        """Every frame in presentation order, with its timestamp.

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
        self.broken: str | None = None
        self._decord, self._info, self._timestamps, self._cuda_index = decord, info, scan.timestamps, cuda_index
        self._piece_lengths = piece_lengths
        self._stored_shape = info.orientation.shape(info.height, info.width)

    def frames(self) -> Iterator[tuple[int, ShownFrame]]:
        """See `Source`."""
        decord = self._decord
        timestamps = iter(self._timestamps.tolist())
        try:
            context = decord.cpu() if self._cuda_index is None else decord.gpu(self._cuda_index)
            for data, length in zip(self._pieces(), self._piece_lengths, strict=True):
                # Any positive fraction that allows less than one frame: the first repeated frame is an error.
                reader = decord.VideoReader(io.BytesIO(data), ctx=context, fault_tol=1e-9)
                frames = deque(reader.next() for _ in range(length))
                if any(frame.shape != self._stored_shape for frame in frames):
                    raise GivesUpError("decord: the size of the picture changes")
                while frames:
                    yield next(timestamps), _DecordFrame(self._info, frames.popleft())
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
    the cut in a cut-off file). So the fast way goes on only while every frame arrives that the packets announce.
    """

    def __init__(self, info: VideoInfo, scan: PacketScan, *, careful: bool) -> None:
        import av

        self.name = f"pyav {av.__version__}"
        self.broken: str | None = None
        self._info, self._scan, self._expected, self._careful = info, scan, scan.timestamps, careful

    def frames(self) -> Iterator[tuple[int, ShownFrame]]:
        """See `Source`."""
        errors: list[str] = []
        n = 0
        with open_container(self._info.path) as container:
            stream = video_stream(self._info.path, container, self._info.stream)
            guess = TimestampGuess.of(container, usual_ticks=self._scan.usual_ticks)
            stream.codec_context.thread_type = "AUTO"
            if self._careful:
                stream.codec_context.thread_count = 1
            display = Display(self._info.path, stream)
            for frame in decode_tolerantly(container, stream, errors):
                timestamp = guess(frame.pts, frame.dts)
                if not self._careful and self._expected[n : n + 1] != [timestamp]:
                    raise GivesUpError(f"pyav: frame {n} is not the one that the packets announce")
                yield timestamp, display.show(frame)
                n += 1
        if not self._careful and n < len(self._expected):
            raise GivesUpError(f"pyav: {len(self._expected)} frames announced, {n} decoded")
        if errors:
            self.broken = f"{len(errors)} packets do not decode; the first error: {errors[0]}"
