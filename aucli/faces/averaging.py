"""Shrinking parts of frames: first means over squares of pixels, against aliasing, then a picture of any size.

Of a frame that lies as its decoder left it (`YuvFrame`) RGB is made of the part alone, band by band; the bytes are
the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aucli.video.yuv import Box, FrameRGB, YuvFrame

if TYPE_CHECKING:
    from PIL import Image

SUPPORT: Final = 0.5
"""A bilinear sample reaches half its own width beyond its place, to both sides."""


def averaged(frame_rgb: FrameRGB, box: Box, k: tuple[int, int]) -> Image.Image:
    """Means over squares of a part of a frame.

    Args:
        frame_rgb: (H, W, 3) uint8.
        box: left, top, right, bottom, px of the frame; black where it reaches beyond the frame.
        k: width and height of the squares, px; at the right and the bottom they may be cut off.

    Returns:
        A picture of ceil(w / k) x ceil(h / k) pixels, of mode RGB or RGBX.
    """
    if isinstance(frame_rgb, YuvFrame):
        return frame_rgb.averaged(box, k)
    from PIL import Image

    left, top, right, bottom = box
    part = frame_rgb[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if part.shape[:2] != (bottom - top, right - left):
        inside = part
        part = np.zeros((bottom - top, right - left, 3), np.uint8)
        row, column = max(0, -top), max(0, -left)
        part[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    picture = Image.fromarray(np.ascontiguousarray(part))
    return picture if k == (1, 1) else picture.reduce(k)


def resized(
    frame_rgb: FrameRGB, part: Box, box: tuple[float, float, float, float], size_wh: tuple[int, int], gap: float
) -> npt.NDArray[np.uint8]:
    """Bring a part of a frame to another size, as Pillow's ``resize`` with ``reducing_gap`` does, bilinearly.

    Args:
        frame_rgb: (H, W, 3) uint8.
        part: left, top, right, bottom, px: nothing outside it is used; black where it reaches beyond the frame.
        box: what is shown: left, top, right, bottom from the part's corner, px.
        size_wh: width and height of the result.
        gap: means over squares bring the part no closer than this many times the size of the result.

    Returns:
        (h, w, 3) uint8; may be a view.
    """
    from PIL import Image

    scale_x, scale_y = (box[2] - box[0]) / size_wh[0], (box[3] - box[1]) / size_wh[1]
    k = int(scale_x / gap) or 1, int(scale_y / gap) or 1
    left, top = max(0, int(box[0] - SUPPORT * scale_x)), max(0, int(box[1] - SUPPORT * scale_y))
    right = min(part[2] - part[0], math.ceil(box[2] + SUPPORT * scale_x))
    bottom = min(part[3] - part[1], math.ceil(box[3] + SUPPORT * scale_y))
    needed = part[0] + left, part[1] + top, part[0] + right, part[1] + bottom
    within = (box[0] - left) / k[0], (box[1] - top) / k[1], (box[2] - left) / k[0], (box[3] - top) / k[1]
    picture = averaged(frame_rgb, needed, k)
    return np.asarray(picture.resize(size_wh, Image.Resampling.BILINEAR, box=within))[..., :3]
