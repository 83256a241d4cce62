"""Draw docs/example.jpg: some frames of the clip with what `aucli annotate` found, and the probabilities over time.

aucli annotate examples/clip.mp4 -o aus.parquet
python examples/make_picture.py examples/clip.mp4 aus.parquet docs/example.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
import polars as pl
from PIL import Image, ImageDraw, ImageFont

import aucli
from aucli.facs import AU_NAMES

COLOURS = ("#e03131", "#1c7ed6", "#2f9e44", "#f08c00")
SHOWN = 3
CURVE_HEIGHT = 46


def main(video: Path, table: Path, picture: Path) -> None:
    """Draw frames above, one row of curves per action unit below."""
    rows = aucli.read(table)
    aus = aucli.read_metadata(table)["aus"]
    with av.open(str(video)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    chosen = [round((k + 0.5) * len(frames) / SHOWN) for k in range(SHOWN)]
    width = sum(frames[k].width for k in chosen)
    height = frames[0].height
    sheet = Image.new("RGB", (width, height + CURVE_HEIGHT * len(aus) + 8), "white")
    for n, k in enumerate(chosen):
        sheet.paste(with_faces(frames[k].copy(), rows.filter(pl.col("frame") == k)), (n * frames[k].width, 0))
    draw = ImageDraw.Draw(sheet)
    for n, au in enumerate(aus):
        curves(draw, rows, au, top=height + 6 + n * CURVE_HEIGHT, width=width, n_frames=len(frames), marks=chosen)
    sheet.save(picture, quality=85)


def with_faces(frame: Image.Image, faces: pl.DataFrame) -> Image.Image:
    """Draw boxes and landmarks."""
    draw = ImageDraw.Draw(frame)
    for face in faces.drop_nulls("face").iter_rows(named=True):
        colour = COLOURS[face["face"] % len(COLOURS)]
        draw.rectangle((face["x"], face["y"], face["x"] + face["w"], face["y"] + face["h"]), outline=colour, width=2)
        for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"):
            x, y = face[f"{point}_x"], face[f"{point}_y"]
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        draw.text((face["x"], face["y"] - 14), f"face {face['face']}", fill=colour, font=ImageFont.load_default(12))
    return frame


def curves(
    draw: ImageDraw.ImageDraw, rows: pl.DataFrame, au: str, *, top: int, width: int, n_frames: int, marks: list[int]
) -> None:
    """Draw one action unit's probability over time, a curve per face."""
    left, bottom, scale = 190, top + CURVE_HEIGHT - 8, CURVE_HEIGHT - 12
    draw.text((8, top + 8), f"{au} {AU_NAMES[int(au[2:])]}", fill="black", font=ImageFont.load_default(13))
    draw.line((left, bottom, width - 8, bottom), fill="#ced4da")

    def x(frame: int) -> float:
        return left + (width - 8 - left) * frame / max(1, n_frames - 1)

    for mark in marks:
        draw.line((x(mark), bottom - scale, x(mark), bottom), fill="#dee2e6")
    for (face,), track in rows.drop_nulls("face").group_by("face", maintain_order=True):
        points = [(x(frame), bottom - scale * p) for frame, p in track.select("frame", f"{au}_p").iter_rows()]
        draw.line(points, fill=COLOURS[int(str(face)) % len(COLOURS)], width=2)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
