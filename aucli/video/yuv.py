"""A decoded frame kept as its decoder left it, made RGB only where somebody looks.

Of most frames no more is needed than windows around known faces and some scattered points. A frame of YUV 4:2:0 takes
half the memory of its RGB, and any part of it can be made RGB alone: FFmpeg converts these frames pixel by pixel, each
with the one chroma value that covers it, so a part has the bytes that it has in the whole picture (tested). FFmpeg
makes these bytes here, too: of parts, and of points laid side by side. What is not of this kind (other formats, odd
heights, pixels that are not square, high dynamic range) is converted whole (`aucli.video.display`).
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import numpy.typing as npt

from aucli.video.orientation import UPRIGHT, Orientation

if TYPE_CHECKING:
    import av
    from PIL import Image

UInt8Array = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

LOCAL_FORMATS: Final = frozenset({"yuv420p", "yuvj420p"})
"""Pixel formats that FFmpeg converts pixel by pixel, if the height is even."""
LEAST_PIXELS: Final = 600_000
"""Smaller frames are made RGB whole: asking for parts costs more than it saves (measured, 640 x 360 and 1280 x 720)."""
BAND_BYTES: Final = 2**20
"""RGB of a part that is shrunk is made in bands of about this size, which stay in the processor's cache."""
WIDTHS_TO: Final = 64
HEIGHTS_TO: Final = 16
"""Parts are converted in sizes that are multiples of these, so that few converters serve all."""
POINTS_PER_ROW: Final = 64
"""Scattered points are laid side by side in a picture of so many 2 x 2 squares across."""
CONVERTERS: Final = 24
"""Most converters that a thread keeps."""

_kept = threading.local()


def convert_graph(
    width: int, height: int, pixel_format: Any, scale: str, to: str, time_base: Fraction | None
) -> tuple[Any, ...]:
    """FFmpeg's conversion: a graph, its source and its sink; one thread, for many frames are converted side by side."""
    import av.filter

    graph = av.filter.Graph()
    if hasattr(graph, "threads"):
        graph.threads = 1  # else each graph starts a thread for every core
    source = graph.add_buffer(width=width, height=height, format=pixel_format, time_base=time_base)
    nodes = [source, graph.add("scale", scale), graph.add("format", to), graph.add("buffersink")]
    for before, after in itertools.pairwise(nodes):
        before.link_to(after)
    graph.configure()
    return graph, source, nodes[-1]


def plane_of(frame: av.VideoFrame, number: int = 0) -> UInt8Array:
    """The bytes of one plane, (rows, bytes of a line, padding included): a view."""
    plane = frame.planes[number]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


class YuvFrame:
    """A frame (H, W, 3) uint8 RGB whose pixels are made when they are asked for. Several threads may ask at once.

    ``frame[top:bottom, left:right]`` gives a part, ``frame[rows, columns]`` points, as of a numpy array with all
    pixels; `numpy.asarray` gives all of them.

    Args:
        frame: decoded, of one of `LOCAL_FORMATS` and of an even height.
        orientation: how it is shown.
    """

    def __init__(self, frame: av.VideoFrame, orientation: Orientation) -> None:
        self._orientation = orientation
        self._size = frame.height, frame.width
        self._marks = frame.format.name, int(frame.colorspace), int(frame.color_range)
        self._planes = [plane_of(frame, number) for number in range(3)]  # views keep the decoder's memory
        self.shape = orientation.shape(*self._size)

    @staticmethod
    def can_hold(frame: av.VideoFrame) -> bool:
        """Whether parts of a frame have the pixels of the whole; its pixels must be square, its range ordinary."""
        return (
            frame.format.name in LOCAL_FORMATS
            and frame.height % 2 == 0
            and all(plane.line_size > 0 for plane in frame.planes)
        )

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it holds."""
        return sum(plane.nbytes for plane in self._planes)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> UInt8Array:
        picture = np.ascontiguousarray(self[:, :])
        return picture if dtype is None else picture.astype(dtype)

    @overload
    def __getitem__(self, which: tuple[slice, slice]) -> UInt8Array: ...
    @overload
    def __getitem__(self, which: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]) -> UInt8Array: ...
    def __getitem__(self, which: tuple[Any, Any]) -> UInt8Array:
        rows, columns = which
        if isinstance(rows, slice):
            top, bottom, _ = rows.indices(self.shape[0])
            left, right, _ = columns.indices(self.shape[1])
            return self._part_rgbx((left, top, right, bottom))[..., :3]
        return self._points(rows, columns)

    def averaged(self, box: Box, k: tuple[int, int]) -> Image.Image:
        """Means over squares of a part, as `aucli.faces.averaging.averaged` makes them of an array.

        Means of Y, U and V, converted then, would be a third of the work and within rounding the same. But that much is
        enough to place windows otherwise: more than one decision in a hundred differed.

        Args:
            box: left, top, right, bottom, px of the frame; black where it reaches beyond the frame.
            k: width and height of the squares, px.

        Returns:
            A picture of mode RGBX.
        """
        from PIL import Image

        left, top, right, bottom = box
        width, height = right - left, bottom - top
        if k == (1, 1):
            means = np.ascontiguousarray(self._padded_rgbx(box))
        else:
            means = np.empty((-(-height // k[1]), -(-width // k[0]), 4), np.uint8)
            step = max(1, BAND_BYTES // (4 * width * k[1]))
            for row in range(0, len(means), step):
                band = left, top + row * k[1], right, min(top + (row + step) * k[1], bottom)
                means[row : row + step] = self._means_of_band(band, k)
        return Image.frombuffer("RGBX", (means.shape[1], means.shape[0]), means, "raw", "RGBX", 0, 1)

    def _means_of_band(self, box: Box, k: tuple[int, int]) -> UInt8Array:
        """The same of a part that is small, (h, w, 4)."""
        from PIL import Image

        left, top, right, bottom = box
        if self._orientation == UPRIGHT and self._is_inside(box):
            lines, first = self._stored_lines(box)
        else:
            lines, first = np.ascontiguousarray(self._padded_rgbx(box)).reshape(bottom - top, -1), 0
        size = lines.shape[1] // 4, len(lines)
        picture = Image.frombuffer("RGBX", size, lines.reshape(-1), "raw", "RGBX", 0, 1)
        return np.asarray(picture.reduce(k, (first, 0, first + right - left, bottom - top)))

    def _is_inside(self, box: Box) -> bool:
        return min(box[:2]) >= 0 and box[2] <= self.shape[1] and box[3] <= self.shape[0]

    def _padded_rgbx(self, box: Box) -> UInt8Array:
        """A part (h, w, 4) that may reach beyond the frame."""
        if self._is_inside(box):
            return self._part_rgbx(box)
        left, top, right, bottom = box
        padded = np.zeros((bottom - top, right - left, 4), np.uint8)
        inside = max(left, 0), max(top, 0), min(right, self.shape[1]), min(bottom, self.shape[0])
        if inside[0] < inside[2] and inside[1] < inside[3]:
            part = self._part_rgbx(inside)
            row, column = inside[1] - top, inside[0] - left
            padded[row : row + part.shape[0], column : column + part.shape[1]] = part
        return padded

    def _part_rgbx(self, box: Box) -> UInt8Array:
        """A part (h, w, 4) of the shown frame that lies inside it; the fourth channel is of no use."""
        left, top, right, bottom = box
        if right <= left or bottom <= top:
            return np.empty((max(0, bottom - top), max(0, right - left), 4), np.uint8)
        first_column, first_row, last_column, last_row = stored = self._stored_box(box)
        lines, first = self._stored_lines(stored)
        width = last_column - first_column
        part = lines[:, 4 * first : 4 * (first + width)].reshape(last_row - first_row, width, 4)
        return self._orientation.apply(part)

    def _stored_box(self, box: Box) -> Box:
        """The part of the stored picture that is shown as a part, which is not empty."""
        left, top, right, bottom = box
        rows, columns = self._stored(np.array([top, bottom - 1]), np.array([left, right - 1]))
        return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1

    def _stored(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Rows and columns of the stored picture that are shown at others."""
        height, width = self._size
        turned = self._orientation.rotation_deg
        if turned == 90:
            rows, columns = height - 1 - columns, rows
        elif turned == 180:
            rows, columns = height - 1 - rows, width - 1 - columns
        elif turned == 270:
            rows, columns = columns, width - 1 - rows
        return rows, width - 1 - columns if self._orientation.mirrored else columns

    def _stored_lines(self, box: Box) -> tuple[UInt8Array, int]:
        """A part of the stored picture that lies inside it.

        Returns:
            Its lines, whole: (h, bytes of a line), RGBX; and the column of them that the part begins with.
        """
        left, top, right, bottom = box
        first_column, n_columns = _grown(left, right, self._size[1], WIDTHS_TO)
        first_row, n_rows = _grown(top, bottom, self._size[0], HEIGHTS_TO)
        planes = [self._planes[0][first_row : first_row + n_rows, first_column : first_column + n_columns]] + [
            plane[first_row // 2 : (first_row + n_rows) // 2, first_column // 2 : (first_column + n_columns + 1) // 2]
            for plane in self._planes[1:]
        ]
        lines = _convert(planes, self._marks)
        return lines[top - first_row : bottom - first_row], left - first_column

    def _points(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> UInt8Array:
        """Points of the shown frame: (..., 3)."""
        y, x = self._stored(rows.ravel(), columns.ravel())
        n = y.size
        if not n:
            return np.empty((*rows.shape, 3), np.uint8)
        n_rows = -(-n // POINTS_PER_ROW)
        cells = [np.zeros(n_rows * POINTS_PER_ROW, np.uint8) for _ in self._planes]
        for number, (plane, cell) in enumerate(zip(self._planes, cells, strict=True)):
            at = y * plane.shape[1] + x if number == 0 else (y >> 1) * plane.shape[1] + (x >> 1)
            plane.reshape(-1).take(at, out=cell[:n], mode="clip")
        luma, *chroma = (cell.reshape(n_rows, POINTS_PER_ROW) for cell in cells)
        lines = _convert([luma, *chroma], self._marks, spread=True)[::2, : 8 * POINTS_PER_ROW]
        points = np.ascontiguousarray(lines.view(np.uint32)[:, ::2]).view(np.uint8).reshape(-1, 4)
        return points[:n, :3].reshape(*rows.shape, 3)


FrameRGB = npt.NDArray[np.uint8] | YuvFrame
"""A frame (H, W, 3) uint8 on the CPU: all of it, or made where it is asked for."""


def _grown(first: int, last: int, length: int, multiple: int) -> tuple[int, int]:
    """Beginning, even, and length of a part of a side that holds first to last and is of one of few lengths."""
    begin = first & ~1
    n = -(-(last - begin) // multiple) * multiple
    if begin + n > length:
        begin = max(0, length - n) & ~1
        n = length - begin
    return begin, n


def _convert(planes: Sequence[UInt8Array], marks: tuple[str, int, int], *, spread: bool = False) -> UInt8Array:
    """Lines (h, bytes of a line) of RGBX, made of Y (h, w), U and V (h / 2, w / 2).

    With `spread`, all three are (h / 2, w / 2), and Y is that of the corner of each 2 x 2 square.
    """
    import av

    height, width = planes[0].shape
    if spread:
        height, width = 2 * height, 2 * width
    name, space, span = marks
    frame = av.VideoFrame(width, height, name)
    frame.colorspace, frame.color_range = space, span
    for number, plane in enumerate(planes):
        memory = plane_of(frame, number)
        if spread and number == 0:
            memory = memory[::2, ::2]
        memory[: plane.shape[0], : plane.shape[1]] = plane
    _, source, sink = _converter(width, height, marks)
    source.push(frame)
    return plane_of(sink.pull())


def _converter(width: int, height: int, marks: tuple[str, int, int]) -> tuple[Any, ...]:
    """This thread's graph for frames of a size; one a kind of colours, for FFmpeg keeps those of the frame before."""
    kept: OrderedDict[tuple[Any, ...], tuple[Any, ...]] | None = getattr(_kept, "converters", None)
    if kept is None:
        kept = _kept.converters = OrderedDict()
    key = (width, height, *marks)
    if key not in kept:
        if len(kept) >= CONVERTERS:
            kept.popitem(last=False)
        scale = f"w={width}:h={height}:flags=bicubic"
        kept[key] = convert_graph(width, height, marks[0], scale, "rgb0", Fraction(1, 1000))
    kept.move_to_end(key)
    return kept[key]
