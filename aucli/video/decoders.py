"""decord and PyAV, each as a source of a file's frames.

What decord 3.4.0 does that this room guards against:

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
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
from aucli.video.container import TimestampGuess, decode_tolerantly, open_container, reason_of, video_stream
from aucli.video.packets import PacketScan, cut_segments
from aucli.video.values import VideoInfo

Paint = Callable[[Any], None]
"""Writes one frame into (H, W, 3) uint8 memory of the device."""


class GivesUpError(Exception):
    """A decoder cannot go on; another one may."""


class Source(Protocol):
    """One decoder at work on one file."""

    name: str
    broken: str | None

    def frames(self) -> Iterator[tuple[int, Paint]]:
        """Every frame in presentation order, as timestamp and a function that paints it.

        Raises:
            GivesUpError: if another decoder should read the file.
        """
        ...


class DecordSource:
    """decord, on the CPU (``cuda_index`` None) or with NVDEC."""

    def __init__(self, info: VideoInfo, scan: PacketScan, segment_lengths: list[int], cuda_index: int | None) -> None:
        decord = import_decord(cuda=cuda_index is not None)
        where = "cpu" if cuda_index is None else f"cuda:{cuda_index}"
        self.name = f"decord {decord.__version__} ({where})"
        self.broken: str | None = None
        self._decord, self._info, self._timestamps, self._cuda_index = decord, info, scan.timestamps, cuda_index
        self._segment_lengths = segment_lengths
        self._turns = info.rotation_deg // 90
        self._stored_shape = (info.height, info.width, 3) if self._turns % 2 == 0 else (info.width, info.height, 3)

    def frames(self) -> Iterator[tuple[int, Paint]]:
        """See `Source`."""
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
                    raise GivesUpError("decord: the size of the picture changes")
                while frames:
                    yield next(timestamps), partial(paint_on, frames.popleft())
        except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError) as error:
            raise GivesUpError(f"decord: {error}") from None

    def _segments(self) -> Iterator[bytes]:
        """Stretches of the file for decord to read; an error while reading is a reason to try PyAV."""
        import av

        try:
            yield from cut_segments(self._info.path, self._segment_lengths)
        except (av.error.FFmpegError, ValueError) as error:
            raise GivesUpError(f"the file cannot be cut for decord ({reason_of(error)})") from None

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


class PyAVSource:
    """PyAV. Fast at first: several frames decoded side by side. Careful where something is wrong with the file.

    Side by side, a packet that does not decode takes good frames with it, at times without an error (two frames before
    the cut in a cut-off file). So the fast way goes on only while every frame arrives that the packets announce.
    """

    def __init__(self, info: VideoInfo, scan: PacketScan, *, careful: bool) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self.name = f"pyav {av.__version__}"
        self.broken: str | None = None
        self._info, self._expected, self._careful = info, scan.timestamps, careful
        self._to_rgb = VideoReformatter()

    def frames(self) -> Iterator[tuple[int, Paint]]:
        """See `Source`."""
        errors: list[str] = []
        n, guess = 0, TimestampGuess()
        with open_container(self._info.path) as container:
            stream = video_stream(self._info.path, container)
            stream.codec_context.thread_type = "AUTO"
            if self._careful:
                stream.codec_context.thread_count = 1
            for frame in decode_tolerantly(container, stream, errors):
                timestamp = guess(frame.pts, frame.dts)
                if not self._careful and self._expected[n : n + 1] != [timestamp]:
                    raise GivesUpError(f"pyav: frame {n} is not the one that the packets announce")
                yield timestamp, partial(self._paint, frame)
                n += 1
        if not self._careful and n < len(self._expected):
            raise GivesUpError(f"pyav: {len(self._expected)} frames announced, {n} decoded")
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
