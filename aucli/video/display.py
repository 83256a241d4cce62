"""From a decoded frame to the picture that a player shows: RGB, square pixels, turned and mirrored, ordinary range.

The colours are those of FFmpeg's own conversion, byte for byte, because its own filters make them: the matrix (BT.601,
BT.709, BT.2020) and range that the frame is marked with; BT.601 and limited range where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from aucli.video.hdr import ToneMap
from aucli.video.orientation import UPRIGHT, Orientation
from aucli.video.values import Transfer, check_size
from aucli.video.yuv import LEAST_PIXELS, FrameRGB, YuvFrame, convert_graph, plane_of

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

MAX_PIXEL_ASPECT: Final = 10
"""Pixels farther from square than 10:1 or 1:10 are taken as damage: as square."""

SAR_OF_FRAME: Final = (11, 14)
"""The first libavfilter whose scale filter reads each frame's own pixel aspect, which PyAV does not hand out."""


class ShownFrame(Protocol):
    """One frame, decoded or about to be, that can be put into memory."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3) as displayed."""
        ...

    def paint(self, out: Any) -> None:
        """Write it into (H, W, 3) uint8 memory: a numpy array on the CPU, a torch tensor on a GPU."""
        ...

    def kept(self) -> FrameRGB:
        """It on the CPU, as it lies in memory, if its RGB can be made part by part; else its RGB."""
        ...


def put(picture_rgb: npt.NDArray[np.uint8], out: Any) -> None:
    """Write a picture from the CPU into memory of the CPU (numpy) or of a GPU (torch)."""
    if isinstance(out, np.ndarray):
        out[...] = picture_rgb
    else:
        import torch

        out.copy_(torch.from_numpy(np.ascontiguousarray(picture_rgb)))


def transfer_of(stream: VideoStream) -> Transfer:
    """Return how a stream codes brightness; known for certain once a frame is decoded."""
    known: dict[int, Transfer] = {16: "pq", 18: "hlg"}  # FFmpeg's AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67
    return known.get(int(stream.codec_context.color_trc), "sdr")


def plausible_aspect(aspect: Fraction | None) -> Fraction:
    """Return a pixel aspect that can be meant; 1 where none is known."""
    if not aspect or not Fraction(1, MAX_PIXEL_ASPECT) <= aspect <= MAX_PIXEL_ASPECT:
        return Fraction(1)
    return aspect


def shown_width(width: int, aspect: Fraction) -> int:
    """Return how wide a picture is shown: its height is kept.

    >>> shown_width(720, Fraction(64, 45))
    1024
    """
    return max(1, int(width * aspect + Fraction(1, 2)))


class Display:
    """Makes the shown pictures of one stream's frames."""

    def __init__(self, path: Path, stream: VideoStream) -> None:
        self._path, self._stream = path, stream
        self._time_base = stream.time_base  # the last frames are shown when the file is closed
        self._graph: tuple[Any, ...] = ()
        self._graph_key: tuple[Any, ...] | None = None
        self._first_aspect: Fraction | None = None
        self._aspect_changes = False
        self._orientation = UPRIGHT
        self._tone_map: ToneMap | None = None

    def show(self, frame: av.VideoFrame) -> DisplayedFrame:
        """Say how a frame is shown; the work is done when its shape or pixels are asked for."""
        aspect, is_latest = self._pixel_aspect()
        render = partial(self._render, frame, aspect, transfer_of(self._stream), ask_frame=is_latest)
        # What an H.264 or HEVC stream itself says holds until it says something else, or a new sequence begins.
        of_frame = Orientation.of(frame)
        if of_frame is not None or frame.key_frame:
            self._orientation = of_frame or UPRIGHT
        is_plain = aspect == 1 and not is_latest and transfer_of(self._stream) == "sdr" and YuvFrame.can_hold(frame)
        if is_plain:
            check_size(self._path, frame.width, frame.height)
        return DisplayedFrame(render, self._orientation, aspect, frame if is_plain else None)

    def _pixel_aspect(self) -> tuple[Fraction, bool]:
        """Return the pixel aspect, and whether it is the codec's own and has changed on the way.

        The container's word counts, as in FFmpeg, unless it is the codec's own, repeated, and the codec says something
        else now.
        """
        of_codec = plausible_aspect(self._stream.codec_context.sample_aspect_ratio)
        of_stream = plausible_aspect(self._stream.sample_aspect_ratio)
        if self._first_aspect is None:
            self._first_aspect = of_codec
        self._aspect_changes |= of_codec != self._first_aspect and of_stream == self._first_aspect
        return (of_codec, True) if self._aspect_changes else (of_stream, False)

    def _render(
        self, frame: av.VideoFrame, aspect: Fraction, transfer: Transfer, *, ask_frame: bool
    ) -> npt.NDArray[np.uint8]:
        """Return the stored picture as (H, W, 3) uint8 RGB with square pixels and ordinary brightness."""
        import av

        check_size(self._path, shown_width(frame.width, aspect), frame.height)
        depth = "rgb24" if transfer == "sdr" else "rgb48le"
        options = f"w={shown_width(frame.width, aspect)}:h={frame.height}:flags=bicubic"
        if ask_frame and av.library_versions["libavfilter"] >= SAR_OF_FRAME:
            # The decoder has read on: a frame that it hands out late has the aspect of before.
            limit = MAX_PIXEL_ASPECT
            options = (
                f"w=max(1\\,trunc(iw*if(gt(sar\\,{limit})+lt(sar\\,1/{limit})\\,1\\,sar)+0.5))"
                f":h={frame.height}:eval=frame:flags=bicubic"
            )
        key = (frame.width, frame.height, frame.format.name, options, depth)
        if key != self._graph_key:
            graph = convert_graph(frame.width, frame.height, frame.format, options, depth, self._time_base)
            self._graph, self._graph_key = graph, key
        source, sink = self._graph[1:]
        source.push(frame)
        rgb = sink.pull()
        lines = plane_of(rgb)
        if depth == "rgb24":
            return lines[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3)
        deep = lines.view("<u2")
        if self._tone_map is None or self._tone_map.transfer != transfer:
            self._tone_map = ToneMap(transfer)
        return self._tone_map(deep[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3))


class DisplayedFrame:
    """A frame that is made into a picture when it is needed, once."""

    def __init__(
        self,
        render: Callable[[], npt.NDArray[np.uint8]],
        orientation: Orientation,
        pixel_aspect: Fraction,
        plain: av.VideoFrame | None = None,
    ) -> None:
        self.orientation, self.pixel_aspect, self._plain = orientation, pixel_aspect, plain
        self._render = render
        self._picture: npt.NDArray[np.uint8] | None = None

    @property
    def picture_rgb(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 as displayed."""
        if self._picture is None:
            self._picture = self.orientation.apply(self._render())
        return self._picture

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `ShownFrame`."""
        if self._plain is not None:
            return self.orientation.shape(self._plain.height, self._plain.width)
        height, width, channels = self.picture_rgb.shape
        return height, width, channels

    def paint(self, out: Any) -> None:
        """See `ShownFrame`."""
        put(self.picture_rgb, out)

    def kept(self) -> FrameRGB:
        """See `ShownFrame`."""
        if self._plain is None or self._plain.width * self._plain.height < LEAST_PIXELS:
            return np.ascontiguousarray(self.picture_rgb)
        return YuvFrame(self._plain, self.orientation)
