"""Draw the contact sheets of docs/synth.md: every AU alone on two people, and random pictures with their codes.

    python examples/make_sheets.py --rig facekit.npz

Look at them after every change of the renderer or of the mapping from AUs to shapes.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import typer
from PIL import Image, ImageDraw, ImageFont

from aucli.facs import AU_NAMES, au_column
from aucli.synth.appearance import Appearance, linear, sample_appearance
from aucli.synth.degrade import Damage
from aucli.synth.expressions import SYNTH_AUS, symmetric
from aucli.synth.generation import generate
from aucli.synth.labels import PRESENT
from aucli.synth.lighting import studio as studio_light
from aucli.synth.options import SynthOptions
from aucli.synth.person import Person
from aucli.synth.rig import load_rig
from aucli.synth.studio import Set, Studio

TILE_PX: Final = 200
INTENSITY: Final = 4.5
HEADING_PX: Final = 17
SHOWN_AUS: Final = tuple(au for au in SYNTH_AUS if au != 45)
DOCS: Final = Path(__file__).resolve().parent.parent / "docs"


def people() -> tuple[Appearance, Appearance]:
    """Two people of chosen seeds, with nothing on their faces; the first has a deeply folding skin."""
    first, second = (sample_appearance(np.random.default_rng(seed)) for seed in (21, 44))
    bare = {"glasses": "none", "headwear": "none", "beard": "none"}
    dark = {"hair_rgb": linear((34, 27, 24)), "brow_rgb": linear((34, 27, 24))}
    tone = {"skin_rgb": linear((134, 92, 70)), "lip_rgb": linear((132, 78, 70))}
    first = dataclasses.replace(first, **bare, **dark, **tone, hair="buzz", wrinkle_depth=1.1, age=0.55)
    tone = {"skin_rgb": linear((205, 158, 134)), "lip_rgb": linear((192, 116, 108))}
    return first, dataclasses.replace(second, **bare, **tone, hair="short", wrinkle_depth=0.5, age=0.1)


def portrait() -> Set:
    """A plain set: even light from the left, a grey wall, the face filling the picture."""
    return Set(
        lighting=studio_light(),
        background=np.full((4, 4, 3), 205, np.uint8),
        focal=5.0,
        face_share=0.32,
        shift=(0.0, 0.02),
        camera_height_rad=0.0,
        damage=Damage(),
    )


def sheet_of_aus(studio: Studio, looks: tuple[Appearance, ...], *, columns: int) -> Image.Image:
    """The face at rest and every AU alone, on each person."""
    persons = [Person.of(studio.body, look) for look in looks]
    rng = np.random.default_rng(0)
    cells = []
    for au in (None, *SHOWN_AUS):
        expression = symmetric({} if au is None else {au: INTENSITY})
        shots = [
            studio.shoot(person, expression, (0.0, 0.0, 0.0), (0.0, 0.0), portrait(), rng).rgb for person in persons
        ]
        cells.append(("at rest" if au is None else f"AU{au} {AU_NAMES[au]}", np.concatenate(shots, axis=1)))
    return tiled(cells, columns=columns)


def tiled(cells: list[tuple[str, npt.NDArray[np.uint8]]], *, columns: int) -> Image.Image:
    """Pictures of one size in rows, each under its heading."""
    height, width = cells[0][1].shape[:2]
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + HEADING_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for number, (heading, picture) in enumerate(cells):
        x, y = number % columns * width, number // columns * (height + HEADING_PX)
        draw.text((x + 4, y), heading, fill="black", font=font)
        sheet.paste(Image.fromarray(picture), (x, y + HEADING_PX))
    return sheet


def sheet_of_people(rig: Path, *, count: int, columns: int, seed: int, tile_px: int) -> Image.Image:
    """The first pictures of a run, one per person, with those AUs that are coded as present."""
    with tempfile.TemporaryDirectory() as folder:
        options = SynthOptions(rig=rig, out=Path(folder), count=count, seed=seed, pictures_per_person=1, workers=2)
        rows = pq.read_table(generate(options).table).to_pylist()
        cells = []
        for row in rows:
            codes = " ".join(str(au) for au in SYNTH_AUS if row[au_column(au)] == PRESENT)
            picture = Image.open(Path(folder) / row["path"]).resize((tile_px, tile_px), Image.Resampling.LANCZOS)
            cells.append((codes, np.asarray(picture)))
    return tiled(cells, columns=columns)


def main(
    rig: Annotated[Path, typer.Option(help="facekit.npz, or FaceKit's folder of OBJ files.")],
    out: Annotated[Path, typer.Option(help="Folder for synth-aus.jpg and synth-people.jpg.")] = DOCS,
    suffix: Annotated[str, typer.Option(help="Kind of picture: .jpg or .png.")] = ".jpg",
    seed: Annotated[int, typer.Option(help="Of the random pictures.")] = 1,
) -> None:
    """Draw both sheets."""
    studio = Studio(load_rig(rig), size_px=TILE_PX, supersampling=2.0)
    sheet_of_aus(studio, people(), columns=3).save(out / f"synth-aus{suffix}", quality=78)
    studio.close()
    sheet_of_people(rig, count=45, columns=9, seed=seed, tile_px=168).save(out / f"synth-people{suffix}", quality=78)


if __name__ == "__main__":
    typer.run(main)
