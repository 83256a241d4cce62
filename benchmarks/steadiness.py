"""How steady the columns are where nothing changes, and how prompt where something does.

    python benchmarks/steadiness.py PHOTOGRAPHS.parquet [--model M] [--count 36] [--movement pan] [--film VIDEO]

Makes films of single photographs (a table as `aucli.datasets.free.photograph_tables` reads it): the picture pans by
fractions of a pixel, grows by 2 % and is encoded as H.264; nothing in the face moves. Runs the real `annotate` on them
and prints, for each set of options, how often each occurrence column flips, how much the probabilities vary, and how
much the landmarks shake (the movement of the camera is known and taken out), as a share of the distance of the eyes.

With --film, annotates a real film with each set of options and prints how the curves of probability differ from those
of the first set (by default: crops by raw landmarks): by how many frames they are late (peak of the correlation), and
how much of their amplitude is left (slope of one curve on the other, and their standard deviations).
"""

from __future__ import annotations

import argparse
import io
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from aucli.annotation.occurrence import OccurrenceRule
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.run import annotate
from aucli.annotation.table import LANDMARK_COLUMNS
from aucli.datasets.free.photograph_tables import read_photograph_table
from aucli.faces.tracking import TrackedFaces
from aucli.faces.values import Faces
from aucli.models.config import ModelConfig
from aucli.models.zoo import find_model
from aucli.results.read import read_table

N_FRAMES: Final = 100
FPS: Final = 25
PICTURE_PX: Final = 192
"""Height that each photograph is brought to."""
FILM_PX: Final = 320
"""Height and width of the films; the photograph's edges go on outwards."""
ZOOM: Final = 0.02

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Movement:
    """Where the camera looks: film pixels = scale * (picture pixels - centre) + shift."""

    scale: FloatArray
    shift_xy: FloatArray

    @classmethod
    def named(cls, name: str, rng: np.random.Generator) -> Movement:
        """``pan``: a straight line at constant speed; ``sway``: a camera in a hand; ``still``: only the codec works."""
        t = np.arange(N_FRAMES) / FPS
        share = t / t[-1]
        if name == "still":
            return cls(np.ones(N_FRAMES), np.full((N_FRAMES, 2), 0.5))
        if name == "pan":
            angle = rng.uniform(0, 2 * np.pi)
            speed_px = rng.uniform(0.15, 0.6)  # a frame
            line = (np.arange(N_FRAMES) - N_FRAMES / 2)[:, None] * speed_px * np.array([np.cos(angle), np.sin(angle)])
            return cls(1 + ZOOM * share, line)
        phases, periods_s = rng.uniform(0, 2 * np.pi, (2, 2)), np.array([[1.7, 0.9], [2.3, 1.1]])
        waves = np.sin(2 * np.pi * t[:, None, None] / periods_s + phases) * np.array([3.0, 0.8])
        return cls(1 + ZOOM * share, waves.sum(axis=2))

    def to_picture(self, points_xy: FloatArray, centre: float) -> FloatArray:
        """(T, K, 2) points of the film as points of the picture."""
        return (points_xy - centre - self.shift_xy[:, None]) / self.scale[:, None, None] + centre


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--model", default="aunce-small")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--movement", choices=("pan", "sway", "still"), default="pan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crf", type=int, default=23)
    parser.add_argument("--steady", type=float, nargs="+", default=[0.0, AnnotateOptions().steady_crops_s])
    parser.add_argument("--hysteresis", type=float, nargs="+", default=[0.0, AnnotateOptions().hysteresis_logit])
    parser.add_argument("--film", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for films and tables; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        movements = make_films(arguments.photographs, folder, arguments)
        model = find_model(arguments.model).config
        plain: pl.DataFrame | None = None
        for steady_s in arguments.steady:
            options = AnnotateOptions(
                model=arguments.model, steady_crops_s=steady_s, hysteresis_logit=0, overwrite=True
            )
            stills = folder / f"stills-{steady_s:g}.parquet"
            annotate(list(movements), stills, options=options)
            films = films_of(read_table(stills), list(movements))
            report_jitter(films, movements)
            if arguments.film:
                annotate(arguments.film, folder / f"film-{steady_s:g}.parquet", options=options)
                film = read_table(folder / f"film-{steady_s:g}.parquet").filter(pl.col("face") == 0)
                plain = film if plain is None else plain
            for margin in arguments.hysteresis:
                print(f"\n## steady crops {steady_s:g} s, hysteresis {margin:g}\n", flush=True)
                report_stills([decide(one, model, margin) for one in films.values()], model)
                if plain is not None:
                    report_film(decide(film, model, margin), plain, model)


def decide(film: pl.DataFrame, model: ModelConfig, margin: float) -> pl.DataFrame:
    """Occurrence of one face with another margin, as `annotate` decides it from the same probabilities."""
    occurrence = OccurrenceRule(model.thresholds, margin)
    rows = film.select(f"{au}_p" for au in model.au_columns).to_numpy()
    present = [
        occurrence.update(tracked(film, row), time_s, rows[row : row + 1])[0]
        for row, time_s in enumerate(film["time_s"])
    ]
    columns = zip(model.au_columns, np.array(present).T, strict=True)
    return film.with_columns(pl.Series(au, values) for au, values in columns)


def tracked(film: pl.DataFrame, row: int) -> TrackedFaces:
    """One row's face."""
    points = np.array(film.select(LANDMARK_COLUMNS).row(row), np.float32).reshape(1, 5, 2)
    face = Faces(np.zeros((1, 4), np.float32), points, np.ones(1, np.float32))
    return TrackedFaces(face, np.zeros(1, np.int32), np.ones(1, bool))


def make_films(photographs: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Movement]:
    """Write one film per photograph, and say how the camera moved in each."""
    table = read_photograph_table(photographs)
    rng = np.random.default_rng(arguments.seed)
    movements = {}
    for row in sorted(rng.choice(len(table), min(arguments.count, len(table)), replace=False).tolist()):
        movement = Movement.named(arguments.movement, rng)
        path = folder / f"{table.names[row]}.mp4"
        write_film(path, table.jpegs[row], movement, crf=arguments.crf)
        movements[str(path)] = movement
    return movements


def write_film(path: Path, jpeg: bytes, movement: Movement, *, crf: int) -> None:
    """Encode a photograph that moves."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    width = round(picture.width * PICTURE_PX / picture.height)
    pixels = np.asarray(picture.resize((width, PICTURE_PX), Image.Resampling.LANCZOS))
    side = FILM_PX
    left, top = (side - width) // 2, (side - PICTURE_PX) // 2
    canvas = Image.fromarray(
        np.pad(pixels, ((top, side - top - PICTURE_PX), (left, side - left - width), (0, 0)), mode="edge")
    )
    with av.open(str(path), "w") as container:
        # Macroblock trees read memory that libx264 never wrote: the same frames would give other bytes now and then.
        settings = {"crf": str(crf), "preset": "veryfast", "x264-params": "mbtree=0:threads=1"}
        stream: Any = container.add_stream("libx264", rate=Fraction(FPS), options=settings)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for scale, (x, y) in zip(movement.scale, movement.shift_xy, strict=True):
            # Film pixel (u, v) shows the canvas at ((u - c - shift) / scale + c).
            a, c = 1 / scale, side / 2
            coefficients = (a, 0, c - a * (c + x), 0, a, c - a * (c + y))
            moved = canvas.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(moved), format="rgb24")))
        container.mux(stream.encode(None))


def logit(p: FloatArray) -> FloatArray:
    """Log odds."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def films_of(rows: pl.DataFrame, paths: list[str]) -> dict[str, pl.DataFrame]:
    """The rows of each film's face; films on which it was not found on every frame are named and left out."""
    films = {}
    for path in paths:
        film = rows.filter(pl.col("video").cast(pl.String) == path).drop_nulls("face")
        film = film.filter(pl.col("face") == film["face"].mode()[0]) if len(film) else film
        if len(film) == N_FRAMES:
            films[path] = film
        else:
            print(f"{Path(path).stem}: a face on {len(film)} of {N_FRAMES} frames; left out")
    return films


def report_stills(films: list[pl.DataFrame], model: ModelConfig) -> None:
    """Print flips and variance."""
    aus = model.au_columns
    present = np.stack([film.select(aus).to_numpy() for film in films])
    p = np.stack([film.select(f"{au}_p" for au in aus).to_numpy() for film in films]).astype(np.float64)
    n = (present[:, 1:] != present[:, :-1]).sum(axis=1)
    variance, sd = p.var(axis=1).mean(axis=0), logit(p).std(axis=1).mean(axis=0)
    print(f"{len(n)} films; {n.sum()} flips in {n.size * (N_FRAMES - 1)} transitions; ", end="")
    print(f"{(n > 1).sum()} of {n.size} columns flip more than once (at most {n.max()} times)")
    print("| AU | flips | films with more than one | most | present | variance of p | sd of logit |")
    print("|---|---|---|---|---|---|---|")
    for a, au in enumerate(aus):
        print(
            f"| {au} | {n[:, a].sum()} | {(n[:, a] > 1).sum()} | {n[:, a].max()} | {present[:, :, a].mean():.3f} "
            f"| {variance[a]:.5f} | {sd[a]:.3f} |"
        )
    print(f"mean: present {present.mean():.4f}, variance of p {variance.mean():.5f}, sd of logit {sd.mean():.3f}")


def report_jitter(films: dict[str, pl.DataFrame], movements: dict[str, Movement]) -> None:
    """Print how much the landmarks of the table shake in the picture, the camera's movement taken out."""
    parts = []
    for path, film in films.items():
        points = film.select(LANDMARK_COLUMNS).to_numpy().astype(np.float64).reshape(-1, 5, 2)
        parts.append(jitter(movements[path].to_picture(points, FILM_PX / 2)))
    shift, rest = np.mean(parts, axis=0)
    print(f"landmarks as measured: common shift {shift:.2f} %, the rest {rest:.2f} % of the eye distance")


def jitter(points_xy: FloatArray) -> tuple[float, float]:
    """How far (T, 5, 2) points of a face that stands still are from their mean: root mean square in % of the distance
    of the eyes, for the shift of all together and for what is left."""
    eyes = np.linalg.norm((points_xy[:, 1] - points_xy[:, 0]).mean(axis=0))
    off = (points_xy - points_xy.mean(axis=0)) / eyes * 100
    shift = off.mean(axis=1, keepdims=True)
    return tuple(float(np.sqrt((part**2).sum(axis=-1).mean())) for part in (shift, off - shift))  # type: ignore[return-value]


def report_film(film: pl.DataFrame, plain: pl.DataFrame, model: ModelConfig) -> None:
    """Print how far curves of the same frames, in logits, are behind those of the first options, and how much is left
    of their amplitude."""
    both = plain.join(film, on="frame", suffix="_now")
    print("| AU | flips | delay, frames | slope | sd, ratio | present | the same occurrence |")
    print("|---|---|---|---|---|---|---|")
    for au in model.au_columns:
        before, now = (logit(both[name].to_numpy().astype(np.float64)) for name in (f"{au}_p", f"{au}_p_now"))
        delay, slope = delay_and_slope(before, now)
        shown, same = both[f"{au}_now"].to_numpy(), both[au].to_numpy()
        print(
            f"| {au} | {(shown[1:] != shown[:-1]).sum()} | {delay:+.2f} | {slope:.3f} | {now.std() / before.std():.3f} "
            f"| {shown.mean():.3f} | {(shown == same).mean():.3f} |"
        )


def delay_and_slope(before: FloatArray, now: FloatArray) -> tuple[float, float]:
    """How many frames one curve is behind the other (peak of their correlation, by a parabola through three delays),
    and the slope of the first on the second at the nearest whole delay."""
    most = 5
    delays = np.arange(-most, most + 1)
    inner = now[most:-most]
    moved = [before[most - delay : len(before) - most - delay] for delay in delays]
    alike = np.array([np.corrcoef(one, inner)[0, 1] for one in moved])
    peak = int(np.clip(alike.argmax(), 1, 2 * most - 1))
    left, middle, right = alike[peak - 1 : peak + 2]
    cross = np.cov(moved[peak], inner)
    return float(delays[peak] + (left - right) / (2 * (left - 2 * middle + right))), float(cross[0, 1] / cross[0, 0])


if __name__ == "__main__":
    main()
