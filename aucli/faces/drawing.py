"""A face drawn with a few lines: something to try networks on where no photograph is at hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIZE_PX = 256


def draw_face(*, light: float = 1.0) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Draw a face from the front.

    Args:
        light: 0 to 1, brightness of the picture.

    Returns:
        The picture, (256, 256, 3) uint8 RGB, and its landmarks, (5, 2) float32 pixels: left eye, right eye, nose tip,
        left and right mouth corner, as seen in the picture.
    """
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (SIZE_PX, SIZE_PX), (90, 110, 130))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 20, 196, 230), fill=(224, 182, 152))  # the head
    draw.pieslice((56, 12, 200, 150), 180, 360, fill=(70, 48, 36))  # hair
    draw.ellipse((68, 46, 188, 170), fill=(224, 182, 152))  # the forehead under it
    for x in (100, 156):
        draw.arc((x - 20, 84, x + 20, 108), 200, 340, fill=(70, 48, 36), width=5)  # brow
        draw.ellipse((x - 14, 103, x + 14, 119), fill=(250, 248, 244))
        draw.ellipse((x - 7, 104, x + 7, 118), fill=(60, 40, 30))  # iris
    draw.polygon(((128, 112), (118, 152), (138, 152)), fill=(206, 160, 132))  # nose
    draw.arc((100, 150, 156, 192), 20, 160, fill=(160, 70, 70), width=7)  # a smiling mouth
    frame_rgb = (np.asarray(picture, np.float32) * light).astype(np.uint8)
    landmarks_xy = np.array([[100, 111], [156, 111], [128, 150], [104, 182], [152, 182]], np.float32)
    return frame_rgb, landmarks_xy
