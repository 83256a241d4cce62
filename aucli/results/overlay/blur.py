"""Faces made unrecognisable: which places of a frame, and how.

A place is averaged in cells a quarter of the face's size, so that some four by four colours are all that is left of it:
what is averaged away cannot be computed back, as it can from a blur alone. The cells are drawn with soft edges.

A detector loses a face for a moment, and finds one late when it comes into the picture. So a face's place stays hidden
for `HOLD_S` after it was last found and before it is found again, and grows meanwhile, since the face may move.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aucli.results.overlay.film import FilmRows

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

HOLD_S: Final = 1.0
"""How long a place stays hidden where its face is not found. Longer gaps are people who left, or who need a look."""
GROWTH_PER_S: Final = 0.5
"""By which share of its size a place grows on every side in a second without its face."""
CELLS: Final = 4
"""Cells across a face. With 7 by 10, people who are known well are still recognised (Sinha et al., 2006, result 1)."""
MIN_CELL_PX: Final = 4
HALF_WIDTHS: Final = 0.80
HALF_HEIGHTS: Final = 0.90
"""Half axes of the hidden ellipse, in widths and heights of the box: its corners lie well inside, and so do ears and
hair."""
EDGE: Final = 0.12
"""Share of the ellipse's half axes over which it fades into the picture."""
ELLIPSE_PX: Final = 1024
"""Side of the ellipse as it is kept."""
STEPS_OF_CELL: Final = 40
"""Large cells are drawn in so many steps from one to the next: no step is more than some levels of 255, and every pixel
by itself takes twice the time."""


@dataclass(frozen=True)
class HiddenPlaces:
    """What is hidden in one frame.

    Attributes:
        boxes: of faces found in this frame.
        held: of faces that were found shortly before or after it only.
    """

    boxes: tuple[Box, ...]
    held: tuple[Box, ...]


class Hiding:
    """Says which places of each frame are hidden.

    Args:
        rows: of the film.
        faces: numbers of the people to hide.
    """

    def __init__(self, rows: FilmRows, faces: Sequence[int]) -> None:
        self._seen: dict[int, tuple[list[float], npt.NDArray[np.float64]]] = {}
        for face in faces:
            its = rows.face == face
            self._seen[face] = (rows.time_s[its].tolist(), rows.boxes_xyxy[its])

    def at(self, time_s: float, found: dict[int, Box]) -> HiddenPlaces:
        """Return the places of the frame at this time.

        Args:
            time_s: presentation time.
            found: boxes of the faces found in the frame, by number.
        """
        boxes: list[Box] = []
        held: list[Box] = []
        for face, (times, its_boxes) in self._seen.items():
            if face in found:
                boxes.append(found[face])
            elif (place := _held_place(times, its_boxes, time_s)) is not None:
                held.append(place)
        return HiddenPlaces(tuple(boxes), tuple(held))


def _held_place(times: list[float], boxes: npt.NDArray[np.float64], time_s: float) -> Box | None:
    """Everywhere that a face can be that was found before and after this time, if that is not too long ago or ahead."""
    after = bisect_left(times, time_s)
    near = [k for k in (after - 1, after) if 0 <= k < len(times) and abs(times[k] - time_s) <= HOLD_S]
    if not near:
        return None
    grown = []
    for k in near:
        x0, y0, x1, y1 = boxes[k]
        margin = GROWTH_PER_S * abs(times[k] - time_s) * np.array([x1 - x0, y1 - y0])
        grown.append((x0 - margin[0], y0 - margin[1], x1 + margin[0], y1 + margin[1]))
    low, high = np.min(grown, axis=0), np.max(grown, axis=0)
    return float(low[0]), float(low[1]), float(high[2]), float(high[3])


def hide(frame_rgb: npt.NDArray[np.uint8], box: Box) -> None:
    """Make what is in a box, and around it, unrecognisable.

    Args:
        frame_rgb: (H, W, 3), changed in place.
        box: of the face; a larger one has larger cells.
    """
    from PIL import Image

    height, width, _ = frame_rgb.shape
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half_w, half_h = HALF_WIDTHS * (box[2] - box[0]), HALF_HEIGHTS * (box[3] - box[1])
    x0, x1 = int(np.floor(centre_x - half_w)), int(np.ceil(centre_x + half_w))
    y0, y1 = int(np.floor(centre_y - half_h)), int(np.ceil(centre_y + half_h))
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if left >= right or top >= bottom:
        return
    region = np.ascontiguousarray(frame_rgb[top:bottom, left:right])
    cell_px = max(min(box[2] - box[0], box[3] - box[1]) / CELLS, MIN_CELL_PX)
    picture = Image.fromarray(region)
    blurred = _in_cells(picture, cell_px)
    per_x, per_y = ELLIPSE_PX / (x1 - x0), ELLIPSE_PX / (y1 - y0)
    seen = (left - x0) * per_x, (top - y0) * per_y, (right - x0) * per_x, (bottom - y0) * per_y
    picture.paste(blurred, mask=_ellipse().resize(picture.size, Image.Resampling.NEAREST, box=seen))
    frame_rgb[top:bottom, left:right] = np.asarray(picture)


def hide_all(frame_rgb: npt.NDArray[np.uint8]) -> None:
    """Make a whole frame unrecognisable, in place: nobody knows where its faces are."""
    from PIL import Image

    height, width, _ = frame_rgb.shape
    # A face that fills the frame has four cells, too; smaller ones have fewer.
    frame_rgb[...] = np.asarray(_in_cells(Image.fromarray(frame_rgb), max(min(height, width) / CELLS, MIN_CELL_PX)))


def _in_cells(picture: Image.Image, cell_px: float) -> Image.Image:
    from PIL import Image

    cells = (max(1, round(picture.width / cell_px)), max(1, round(picture.height / cell_px)))
    step_px = max(1, int(cell_px / STEPS_OF_CELL))
    steps = -(-picture.width // step_px), -(-picture.height // step_px)
    smooth = picture.resize(cells, Image.Resampling.BOX).resize(steps, Image.Resampling.BICUBIC)
    return smooth if step_px == 1 else smooth.resize(picture.size, Image.Resampling.NEAREST)


@cache
def _ellipse() -> Image.Image:
    """255 inside, falling to 0 at the edge; stretched to the size of a place when it is used."""
    from PIL import Image

    at = (np.arange(ELLIPSE_PX) + 0.5) / ELLIPSE_PX * 2 - 1
    radius = np.sqrt(at[None, :] ** 2 + at[:, None] ** 2)
    return Image.fromarray((255 * np.clip((1 - radius) / EDGE, 0, 1)).astype(np.uint8))
