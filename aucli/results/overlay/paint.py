"""Boxes, numbers and bars, drawn into frames.

Text is drawn by Pillow once and kept: a row of a panel, ``AU12 0.93`` with its bar, is a small picture that is looked
up by what it says. A frame then costs a few copies of small arrays.

Colours are Okabe and Ito's (2008), which people with every kind of colour vision tell apart; nothing is said by colour
alone: faces have numbers, and what is not present is also grey, thin and without a full bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.results.overlay.blur import Box

if TYPE_CHECKING:
    from PIL import Image

Rgb = tuple[int, int, int]

FACE_COLOURS: Final[tuple[Rgb, ...]] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
"""Of faces 0, 1, 2 ..., then again from the first."""
GROUND: Final = (16, 18, 22, 176)
"""Behind text: red, green, blue, opacity of 255."""
BRIGHT: Final = (255, 255, 255)
DIM: Final = (158, 162, 168)
TRACK: Final = (70, 74, 82)
DESIGN_PX: Final = 360
"""Height of the frame that the measures below are for; others in proportion."""
TEXT_PX: Final = 13
MIN_TEXT_PX: Final = 10


def colour_of(face: int) -> Rgb:
    """Return the colour of a face."""
    return FACE_COLOURS[face % len(FACE_COLOURS)]


@dataclass(frozen=True)
class AuReading:
    """What one row of a panel says.

    Attributes:
        au: column of the action unit, ``AU12``.
        percent: its probability, 0 to 100.
        threshold_percent: from which it counts as present.
        present: whether it does.
    """

    au: str
    percent: int
    threshold_percent: int
    present: bool


@dataclass(frozen=True, eq=False)
class Patch:
    """A small picture with opacity.

    Attributes:
        light: (H, W, 3) uint16, colour times opacity, 0 to 255.
        keep: (H, W, 1) uint16, 255 minus opacity.
    """

    light: npt.NDArray[np.uint16]
    keep: npt.NDArray[np.uint16]

    @classmethod
    def of(cls, picture: Image.Image) -> Patch:
        """Take an RGBA picture."""
        rgba = np.asarray(picture).astype(np.uint16)
        opacity = rgba[..., 3:]
        return cls((rgba[..., :3] * opacity + 127) // 255, 255 - opacity)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height."""
        return self.light.shape[1], self.light.shape[0]

    def draw(self, frame_rgb: npt.NDArray[np.uint8], x: int, y: int) -> None:
        """Lay it over a frame; what would lie outside is left out."""
        height, width, _ = frame_rgb.shape
        w, h = self.size_wh
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        if left >= right or top >= bottom:
            return
        inside = np.s_[top - y : bottom - y, left - x : right - x]
        under = frame_rgb[top:bottom, left:right].astype(np.uint16)
        under *= self.keep[inside]
        under += 127
        under //= 255
        under += self.light[inside]
        frame_rgb[top:bottom, left:right] = under


class Painter:
    """Draws into frames of one size.

    Args:
        width: of the frames, px.
        height: of the frames, px.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        scale = min(width, height) / DESIGN_PX
        self.text_px = max(round(TEXT_PX * scale), MIN_TEXT_PX)
        unit = self.text_px / TEXT_PX
        self.line_px = max(round(2 * unit), 1)
        self.gap_px = max(round(5 * unit), 2)
        self._row_px = round(17 * unit)
        self._bar_px = round(58 * unit)
        self._bar_thick_px = max(round(7 * unit), 3)
        self._row = lru_cache(maxsize=4096)(self._draw_row)
        self.tag = lru_cache(maxsize=256)(self._draw_tag)
        self._ground = lru_cache(maxsize=256)(self._draw_ground)

    def box(self, frame_rgb: npt.NDArray[np.uint8], box: Box, colour: Rgb, *, broken: bool = False) -> None:
        """Draw a box: a line of its colour on the box's edge, between two thin dark ones; or a broken line alone."""
        x0, y0, x1, y1 = (round(side) for side in box)
        shade_px = max(self.line_px // 2, 1)
        if not broken:
            around = (x0 - shade_px, y0 - shade_px, x1 + shade_px, y1 + shade_px)
            within = (x0 + self.line_px, y0 + self.line_px, x1 - self.line_px, y1 - self.line_px)
            for edge in (around, within):
                self._outline(frame_rgb, edge, shade_px, None)
        self._outline(frame_rgb, (x0, y0, x1, y1), self.line_px, colour, dash_px=5 * self.line_px if broken else 0)

    def panel(self, readings: Sequence[AuReading], colour: Rgb, *, bars: bool) -> Patch:
        """Return a panel with a row for each reading."""
        width, height = self.panel_size(len(readings), bars=bars)
        ground = self._ground(width, height, colour)
        light, keep = ground.light.copy(), ground.keep.copy()
        for number, reading in enumerate(readings):
            row = self._row(reading, colour, bars)
            w, h = row.size_wh
            x, y = self.line_px + self.gap_px, self._pad_px + number * self._row_px
            light[y : y + h, x : x + w], keep[y : y + h, x : x + w] = row.light, row.keep
        return Patch(light, keep)

    def panel_size(self, n_rows: int, *, bars: bool) -> tuple[int, int]:
        """Width and height of a panel."""
        return self.line_px + 2 * self.gap_px + self._row_width(bars), n_rows * self._row_px + 2 * self._pad_px

    @property
    def _pad_px(self) -> int:
        return max(self.gap_px // 2, 1)

    def _row_width(self, bars: bool) -> int:
        bar = self._bar_px + self.gap_px if bars else 0
        return self._label_px + self.gap_px + bar + self._value_px

    def _outline(
        self,
        frame_rgb: npt.NDArray[np.uint8],
        box: tuple[int, int, int, int],
        px: int,
        colour: Rgb | None,
        *,
        dash_px: int = 0,
    ) -> None:
        """Draw the inner edge of a box, in dashes of that length unless 0; darken it where no colour is given."""
        x0, y0, x1, y1 = box
        if x1 - x0 < 2 * px or y1 - y0 < 2 * px:
            return
        sides = [
            *((x0, y0, x1, y0 + px), (x0, y1 - px, x1, y1)),
            *((x0, y0 + px, x0 + px, y1 - px), (x1 - px, y0 + px, x1, y1 - px)),
        ]
        for left, top, right, bottom in _in_dashes(sides, dash_px) if dash_px else sides:
            edge = frame_rgb[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            edge[...] = edge // 2 if colour is None else colour

    @cached_property
    def _font(self) -> Any:
        from PIL import ImageFont

        return ImageFont.load_default(self.text_px)

    @cached_property
    def _digit_px(self) -> int:
        """Width of the widest digit: all take as much, so that numbers stand still while they change."""
        return max(int(np.ceil(self._font.getlength(digit))) for digit in "0123456789")

    @cached_property
    def _value_px(self) -> int:
        return 3 * self._digit_px + int(np.ceil(self._font.getlength(".")))

    @cached_property
    def _label_px(self) -> int:
        return int(np.ceil(self._font.getlength("AU"))) + 2 * self._digit_px + 1

    def _draw_row(self, reading: AuReading, colour: Rgb, bars: bool) -> Patch:
        from PIL import Image, ImageDraw

        width, height = self._row_width(bars), self._row_px
        picture = Image.new("RGBA", (width, height), GROUND)
        draw = ImageDraw.Draw(picture)
        middle = height / 2
        ink = BRIGHT if reading.present else DIM
        letters, digits = reading.au.rstrip("0123456789"), reading.au[len(reading.au.rstrip("0123456789")) :]
        draw.text((0, middle), letters, font=self._font, fill=ink, anchor="lm")
        self._draw_number(draw, digits, int(np.ceil(self._font.getlength(letters))), middle, ink)
        if bars:
            x0, x1 = self._label_px + self.gap_px, self._label_px + self.gap_px + self._bar_px
            y0 = (height - self._bar_thick_px) // 2
            y1 = y0 + self._bar_thick_px
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=(*TRACK, 220))
            full = round(self._bar_px * reading.percent / 100)
            if full:
                draw.rectangle((x0, y0, x0 + full - 1, y1 - 1), fill=(*(colour if reading.present else DIM), 255))
            mark_px = max(self.line_px // 2, 1)
            mark = x0 + min(round(self._bar_px * reading.threshold_percent / 100), self._bar_px - mark_px)
            # Dark at its sides: it has to be seen on a bright bar, too.
            draw.rectangle((mark - mark_px, y0, mark + 2 * mark_px - 1, y1 - 1), fill=(*GROUND[:3], 255))
            draw.rectangle((mark, y0 - mark_px, mark + mark_px - 1, y1 - 1 + mark_px), fill=(*BRIGHT, 255))
        value = f"{reading.percent / 100:.2f}"
        self._draw_number(draw, value, width - self._value_px, middle, ink)
        return Patch.of(picture)

    def _draw_number(self, draw: Any, text: str, x: float, middle: float, ink: Rgb) -> None:
        for character in text:
            if character.isdigit():
                draw.text((x + self._digit_px / 2, middle), character, font=self._font, fill=ink, anchor="mm")
                x += self._digit_px
            else:
                draw.text((x, middle), character, font=self._font, fill=ink, anchor="lm")
                x += int(np.ceil(self._font.getlength(character)))

    def _draw_tag(self, face: int) -> Patch:
        """The number of a face, on its colour."""
        from PIL import Image, ImageDraw

        colour = colour_of(face)
        ink = (0, 0, 0) if colour[0] * 0.299 + colour[1] * 0.587 + colour[2] * 0.114 > 105 else BRIGHT
        height = self._row_px
        width = max(int(np.ceil(self._font.getlength(str(face)))) + 2 * self.gap_px, height)
        picture = Image.new("RGBA", (width, height), (*colour, 255))
        ImageDraw.Draw(picture).text((width / 2, height / 2), str(face), font=self._font, fill=ink, anchor="mm")
        return Patch.of(picture)

    def _draw_ground(self, width: int, height: int, colour: Rgb) -> Patch:
        """A dark panel with a stripe of the face's colour."""
        from PIL import Image, ImageDraw

        picture = Image.new("RGBA", (width, height), GROUND)
        ImageDraw.Draw(picture).rectangle((0, 0, self.line_px - 1, height), fill=(*colour, 255))
        return Patch.of(picture)


def _in_dashes(lines: Sequence[tuple[int, int, int, int]], px: int) -> list[tuple[int, int, int, int]]:
    """Level and upright lines, cut into dashes with as much between them."""
    dashes: list[tuple[int, int, int, int]] = []
    for left, top, right, bottom in lines:
        if right - left >= bottom - top:
            dashes += [(x, top, min(x + px, right), bottom) for x in range(left, right, 2 * px)]
        else:
            dashes += [(left, y, right, min(y + px, bottom)) for y in range(top, bottom, 2 * px)]
    return dashes
