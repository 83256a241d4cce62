"""Stills for the page: faces cut out of their frames, and one frame with everybody's number."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aucli.results.report.peaks import Box, Overview, Peak
from aucli.results.report.study import StudyFilm
from aucli.video.stills import read_stills

if TYPE_CHECKING:
    from PIL import Image

FACE_MARGIN: Final = 1.5
"""Side of the square around a face, in sides of its box: brows, chin and hair are in it."""
JPEG_QUALITY: Final = 78


@dataclass(frozen=True)
class Sizes:
    """How large pictures are, in pixels.

    Attributes:
        still: side of a face.
        overview: width of a whole frame at most.
    """

    still: int
    overview: int


@dataclass(frozen=True)
class FilmPictures:
    """The pictures of a film as data URLs.

    Attributes:
        stills: number of a peak -> picture.
        overview: picture, empty without one.
        overview_px: its width and height: the page keeps room for it before the browser has read it.
    """

    stills: Mapping[int, str]
    overview: str = ""
    overview_px: tuple[int, int] = (0, 0)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.stills) + bool(self.overview)

    @property
    def size_bytes(self) -> int:
        """What they add to the page."""
        return len(self.overview) + sum(map(len, self.stills.values()))


def take_pictures(
    path: Path, film: StudyFilm, peaks: Sequence[Peak], overview: Overview | None, sizes: Sizes
) -> FilmPictures:
    """Read the frames of a film that its part of the page shows, and make pictures of them.

    Args:
        path: of the film.
        film: its numbers.
        peaks: faces to show.
        overview: frame to show whole.
        sizes: of the pictures.

    Raises:
        VideoError: if the film cannot be read, or its frames are not where the table has them.
    """
    wanted = {peak.frame: peak.time_s for peak in peaks}
    if overview is not None:
        wanted[overview.frame] = overview.time_s
    record, options = film.record, film.run.facts.get("options", {})
    stream = record.stream if record and record.n_streams > 1 else None
    stills: dict[int, str] = {}
    whole, whole_px = "", (0, 0)
    for index, frame_rgb in read_stills(path, wanted, stream=stream, picture_rate=options.get("picture_rate")):
        for peak in peaks:
            if peak.frame == index:
                stills[peak.number] = _as_url(_cut_face(frame_rgb, peak.box, sizes.still))
        if overview is not None and overview.frame == index:
            picture = _with_numbers(frame_rgb, overview.boxes, sizes.overview)
            whole, whole_px = _as_url(picture), picture.size
    return FilmPictures(stills, whole, whole_px)


def _cut_face(frame_rgb: npt.NDArray[np.uint8], box: Box, side_px: int) -> Image.Image:
    """A square around a face; what lies outside the frame is grey."""
    from PIL import Image

    side = max(FACE_MARGIN * max(box[2] - box[0], box[3] - box[1]), 8.0)
    left, top = (box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2
    picture = Image.fromarray(frame_rgb)
    whole = Image.new("RGB", (round(side), round(side)), (128, 128, 128))
    whole.paste(picture, (-round(left), -round(top)))
    # A small face is not enlarged beyond twice its size: a reader shall see how little there was to see.
    side_px = min(side_px, 2 * round(side))
    return whole.resize((side_px, side_px), Image.Resampling.LANCZOS)


def _with_numbers(frame_rgb: npt.NDArray[np.uint8], boxes: Mapping[int, Box], width_px: int) -> Image.Image:
    """The frame with a box and the number of each face."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(frame_rgb)
    scale = min(1.0, width_px / picture.width)
    picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15)
    for face, box in sorted(boxes.items()):
        x0, y0, x1, y1 = (round(edge * scale) for edge in box)
        draw.rectangle((x0, y0, max(x1, x0), max(y1, y0)), outline=(0, 0, 0), width=3)
        draw.rectangle((x0 + 1, y0 + 1, max(x1 - 1, x0 + 1), max(y1 - 1, y0 + 1)), outline=(255, 255, 255), width=1)
        text = str(face)
        width = draw.textlength(text, font) + 8
        corner = (min(max(x0, 0), picture.width - width), max(y0 - 20, 0))
        draw.rectangle((*corner, corner[0] + width, corner[1] + 20), fill=(0, 0, 0))
        draw.text((corner[0] + 4, corner[1] + 1), text, fill=(255, 255, 255), font=font)
    return picture


def _as_url(picture: Image.Image) -> str:
    memory = io.BytesIO()
    picture.save(memory, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(memory.getvalue()).decode()}"
