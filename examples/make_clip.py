"""Make ``clip.mp4`` and its truth ``clip.parquet``: two rendered people in a video call, eight seconds.

    python examples/make_clip.py --rig facekit.npz

The people, what they do and when are written below; the same rig gives the same labels everywhere, and the same bytes
of video on the same machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from aucli.synth.appearance import Appearance, linear, sample_appearance
from aucli.synth.degrade import Damage
from aucli.synth.expressions import Expression, symmetric
from aucli.synth.lighting import Lighting
from aucli.synth.motion import Event, Performance, Sway, blink
from aucli.synth.person import Person
from aucli.synth.rig import load_rig
from aucli.synth.studio import Set, Studio
from aucli.synth.table import SCHEMA
from aucli.synth.units import VideoFile, blink_or_closed

TILE_PX: Final = 320
FPS: Final = 25.0
SECONDS: Final = 8.0
CRF: Final = 25
SEEDS: Final = (61, 53)
NAME: Final = "clip.mp4"
HERE: Final = Path(__file__).resolve().parent


def _event(start_s: float, onset_s: float, apex_s: float, offset_s: float, aus: dict[int, float]) -> Event:
    return Event(start_s, onset_s, apex_s, offset_s, symmetric(aus))


def people() -> tuple[Appearance, Appearance]:
    """The two callers: people of chosen seeds, plainly dressed."""
    left, right = (sample_appearance(np.random.default_rng(seed)) for seed in SEEDS)
    left = dataclasses.replace(
        left,
        identity=sample_appearance(np.random.default_rng(21)).identity,
        skin_rgb=linear((136, 95, 74)),
        lip_rgb=linear((128, 76, 68)),
        lip_gloss=0.25,
        gloss=0.2,
        clothes_rgb=(0.05, 0.09, 0.16),
        clothes_stripes=False,
    )
    return left, dataclasses.replace(right, clothes_rgb=(0.10, 0.16, 0.12), clothes_stripes=False)


def performances() -> tuple[Performance, Performance]:
    """Joy, surprise and anger on the left; sadness, disgust and a lopsided smile on the right; both blink."""
    left = (
        _event(0.6, 0.5, 1.1, 0.7, {6: 3.5, 12: 4.2, 25: 3.0}),
        _event(3.3, 0.3, 0.8, 0.5, {1: 4.5, 2: 4.5, 5: 4.0, 25: 3.0, 26: 3.5}),
        _event(5.4, 0.5, 1.0, 0.6, {4: 4.8, 7: 4.0, 24: 4.0}),
        *(blink(start_s, 0.32) for start_s in (0.2, 2.95, 4.98, 7.55)),
    )
    one_sided = Expression({14: 4.5, 12: 1.5}, {})
    right = (
        _event(0.9, 0.6, 1.2, 0.6, {1: 4.2, 4: 2.5, 15: 4.5, 17: 3.0}),
        _event(3.7, 0.4, 0.9, 0.5, {9: 4.0, 10: 3.5, 4: 2.0}),
        Event(5.9, 0.5, 1.0, 0.5, one_sided),
        *(blink(start_s, 0.3) for start_s in (0.5, 3.4, 5.6, 7.6)),
    )
    slow = ((0.10, 0.04), (0.05, 0.02), (0.03, 0.01))
    still = ((0.012, 0.0), (0.008, 0.0))
    sways = [
        Sway(
            (yaw, 0.02, roll),
            slow,
            ((0.13, 0.31), (0.17, 0.37), (0.11, 0.23)),
            ((phase, 0.4), (1.1, phase), (2.0, 0.3)),
        )
        for yaw, roll, phase in ((0.10, 0.02, 0.0), (-0.10, -0.03, 1.7))
    ]
    gaze = Sway((0.0, -0.02), still, ((0.4, 0.9), (0.3, 0.8)), ((0.0, 0.0), (1.0, 0.0)))
    return (
        Performance(left, sways[0], gaze, ((2.6, 0.16, 0.02), (3.2, 0.0, -0.02), (7.3, -0.12, 0.0))),
        Performance(right, sways[1], gaze, ((0.7, 0.0, -0.14), (3.1, -0.14, 0.0), (5.7, 0.0, 0.0))),
    )


def sets() -> tuple[Set, Set]:
    """Two rooms: a window from the left before a warm wall, and a lamp from the right before a cool one."""
    return (
        _room(key=(-0.55, 0.45, 0.75), warm=0.10, wall=(150, 134, 118)),
        _room(key=(0.6, 0.4, 0.75), warm=-0.06, wall=(112, 124, 138)),
    )


def _room(key: tuple[float, float, float], warm: float, wall: tuple[int, int, int]) -> Set:
    directions = np.array([key, (-key[0], 0.2, 0.8), (-key[0], 0.5, -0.8)], np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    tint = np.array([1 + warm, 1.0, 1 - warm], np.float32)
    rgb = np.array([1.55, 0.5, 0.7], np.float32)[:, None] * tint
    harmonics = np.zeros((9, 3), np.float32)
    harmonics[:4] = np.array([[0.42], [0.12], [0.08], [0.1 * np.sign(key[0])]]) * tint
    axis = np.linspace(0, 1, 96)
    shade = 0.75 + 0.35 * (axis[None] if key[0] > 0 else 1 - axis[None]) - 0.15 * axis[:, None]
    background = np.clip(shade[..., None] * np.array(wall), 0, 255).astype(np.uint8)
    return Set(
        lighting=Lighting(directions, rgb, harmonics, shadow_softness=0.014, exposure=0.8),
        background=background,
        focal=4.2,
        face_share=0.20,
        shift=(0.0, 0.03),
        camera_height_rad=0.03,
        damage=Damage(blur_px=0.35, noise=1.2, noise_colour=0.3),
    )


def frames(studio: Studio, callers: list[Person]) -> Iterator[tuple[npt.NDArray[np.uint8], list[dict[str, Any]]]]:
    """Every frame (320, 640, 3) with its two rows of the truth table."""
    rng = np.random.default_rng(1)
    for frame in range(round(SECONDS * FPS)):
        time_s = frame / FPS
        tiles, rows = [], []
        for face, (person, performance, scenery) in enumerate(zip(callers, performances(), sets(), strict=True)):
            yaw, pitch, roll = performance.head.at(time_s)
            expression, gaze = performance.expression(time_s), performance.gaze_rad(time_s)
            shot = studio.shoot(person, expression, (yaw, pitch, roll), gaze, scenery, rng)
            blink_or_closed(shot.row)
            for name in ("landmarks", "landmarks68"):
                points = np.array(shot.row[name]).reshape(-1, 2) + np.array([face * TILE_PX, 0])
                shot.row[name] = points.ravel().tolist()
            tiles.append(shot.rgb)
            rows.append(
                {"path": NAME, "frame": frame, "time_s": time_s, "person": face, "seed": SEEDS[face], **shot.row}
            )
        yield np.concatenate(tiles, axis=1), rows


def main(
    rig: Annotated[Path, typer.Option(help="facekit.npz, or FaceKit's folder of OBJ files.")],
    out: Annotated[Path, typer.Option(help="Folder for clip.mp4 and clip.parquet.")] = HERE,
) -> None:
    """Render the example clip and its truth table."""
    studio = Studio(load_rig(rig), size_px=TILE_PX, supersampling=2.0)
    callers = [Person.of(studio.body, look) for look in people()]
    table: list[dict[str, Any]] = []
    with VideoFile(out / NAME, (2 * TILE_PX, TILE_PX), FPS, CRF, preset="slow") as video:
        for picture, rows in frames(studio, callers):
            video.write(picture)
            table += rows
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), out / "clip.parquet", compression="zstd")


if __name__ == "__main__":
    typer.run(main)
