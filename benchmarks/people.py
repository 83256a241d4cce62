"""Count wrong numbers of people on made films: cuts, exchanged seats, crossings, absences, samples taken seldom.

    python benchmarks/people.py --photos faces.parquet --films rendered/ --half judge

The films are put together from photographs (a Parquet file with the column `jpeg`; with the column `identity`, several
of one person) and from films that show one person each. A shot has a camera of its own (frame, light, colour), every
frame trembles, flickers and is compressed. They go through the real detector, the real tracker and the real rules of
carrying; no file is written. `--half` takes one half of the people; the scores that appearance gives were fitted on
pairs of people from both halves.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from aucli.annotation.engine import Engine
from aucli.annotation.finding import find_faces
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.stages import FollowedFrame, follow
from aucli.faces.tracking import Tracker
from aucli.video.values import FrameBatch

TILE_PX = 200
SHOT_FRAMES = 6
FPS = 25.0
PICTURES_OF_A_FILM = 8
PEOPLE_OF_A_FILM = 4
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sitter:
    """One person and pictures of them, each (S, S, 3)."""

    name: str
    pictures: Sequence[Picture]


@dataclass
class Film:
    """Frames (H, W, 3), their times, and who is where: per frame, person -> centre of the tile or head, x and y."""

    frames: list[Picture]
    time_s: list[float]
    people: list[dict[str, tuple[float, float]]]

    @classmethod
    def empty(cls) -> Film:
        return cls([], [], [])

    def add(self, frame: Picture, people: dict[str, tuple[float, float]], step_s: float = 1 / FPS) -> None:
        self.frames.append(frame)
        self.time_s.append(self.time_s[-1] + step_s if self.time_s else 0.0)
        self.people.append(people)


MakeFilm = Callable[..., Film]
"""Takes a random generator and `PEOPLE_OF_A_FILM` people."""


class Camera:
    """Frames of one shot: a fixed piece, light and colour; trembling, flicker and compression from frame to frame."""

    def __init__(self, rng: np.random.Generator, *, other: bool) -> None:
        self.rng = rng
        self.zoom = rng.uniform(0.8, 1.0) if other else 0.94
        self.shift = rng.uniform(-0.5, 0.5, 2) if other else np.zeros(2)
        self.gain = rng.uniform(0.85, 1.15) * rng.uniform(0.96, 1.04, 3) if other else np.ones(3)
        self.gamma = rng.uniform(0.85, 1.18) if other else 1.0

    def frame(self, picture: Picture) -> Picture:
        side = len(picture)
        room = (1 - self.zoom) * side / 2
        middle = side / 2 + self.shift * room + self.rng.normal(0, 0.5, 2)
        half = self.zoom * side / 2 - 2
        left, top, right, bottom = np.clip([*(middle - half), *(middle + half)], 0, side).tolist()
        tile = np.asarray(
            Image.fromarray(picture).resize(
                (TILE_PX, TILE_PX), Image.Resampling.BILINEAR, box=(left, top, right, bottom)
            )
        )
        light = self.gain * self.rng.uniform(0.93, 1.07)
        lit = 255 * (np.clip(tile * light, 0, 255) / 255) ** self.gamma
        buffer = io.BytesIO()
        Image.fromarray(lit.astype(np.uint8)).save(buffer, "jpeg", quality=int(self.rng.integers(45, 85)))
        return np.asarray(Image.open(buffer))


def shots(rng: np.random.Generator, sitters: Sequence[Sitter], *, other: bool) -> list[Callable[[], Picture]]:
    """A source of frames for each person, from one of their pictures."""

    def source(sitter: Sitter) -> Callable[[], Picture]:
        camera = Camera(rng, other=other)
        picture = sitter.pictures[int(rng.integers(len(sitter.pictures)))]
        return lambda: camera.frame(picture)

    return [source(sitter) for sitter in sitters]


def add_shot(film: Film, rng: np.random.Generator, seats: Sequence[Sitter | None], *, other: bool = True) -> None:
    """A shot of people side by side; a seat may be empty."""
    taken = {seat: sitter for seat, sitter in enumerate(seats) if sitter is not None}
    sources = dict(zip(taken, shots(rng, list(taken.values()), other=other), strict=True))
    places = {sitter.name: (TILE_PX * (seat + 0.5), TILE_PX / 2) for seat, sitter in taken.items()}
    empty = np.full((TILE_PX, TILE_PX, 3), 110, np.uint8)
    for _ in range(SHOT_FRAMES):
        tiles = [sources[seat]() if seat in taken else empty for seat in range(len(seats))]
        film.add(np.concatenate(tiles, axis=1), places)


def add_empty(film: Film, seconds: float, value: int = 110) -> None:
    """Frames without anybody: the first and the last of that time."""
    for step_s in (1 / FPS, seconds):
        film.add(np.full_like(film.frames[0], value), {}, step_s)


def cut_to_another(rng: np.random.Generator, a: Sitter, b: Sitter, *_: Sitter) -> Film:
    """A, then B in the same place."""
    film = Film.empty()
    add_shot(film, rng, [a])
    add_shot(film, rng, [b])
    return film


def cut_to_the_same(rng: np.random.Generator, a: Sitter, *_: Sitter) -> Film:
    """A, then A by another camera."""
    return cut_to_another(rng, a, a)


def to_and_fro(rng: np.random.Generator, a: Sitter, b: Sitter, *_: Sitter) -> Film:
    """A, B, A, B."""
    film = Film.empty()
    for who in (a, b, a, b):
        add_shot(film, rng, [who])
    return film


def places_after_a_cut(before: str, after: str) -> MakeFilm:
    """People side by side, each a letter, - for an empty seat; then, by a cut, others or the same in other places."""

    def make(rng: np.random.Generator, *people: Sitter) -> Film:
        film = Film.empty()
        for letters in (before, after):
            add_shot(film, rng, [None if letter == "-" else people["ABCD".index(letter)] for letter in letters])
        return film

    return make


def _head() -> npt.NDArray[np.float64]:
    """An oval that is laid over a tile: (S, S, 1), 1 inside."""
    y, x = (np.mgrid[:TILE_PX, :TILE_PX] + 0.5) / TILE_PX - 0.5
    return np.asarray(np.clip((0.47 - np.hypot(x * 1.15, y)) * 40, 0, 1)[..., None])


def on_one_wall(rng: np.random.Generator, a: Sitter, b: Sitter, *_: Sitter) -> Film:
    """Heads on a plain wall: A, then, by a cut, B in the same place; only the head changes."""
    film, wall = Film.empty(), rng.integers(60, 200, 3)
    for who in (a, b):
        (source,) = shots(rng, [who], other=False)
        for _frame in range(SHOT_FRAMES):
            frame = np.empty((TILE_PX, 2 * TILE_PX, 3))
            frame[:] = wall
            part = frame[:, TILE_PX // 2 : TILE_PX // 2 + TILE_PX]
            part += _head() * (source() - part)
            film.add(frame.astype(np.uint8), {who.name: (TILE_PX, TILE_PX / 2)})
    return film


def crossing(rng: np.random.Generator, a: Sitter, b: Sitter, *_: Sitter) -> Film:
    """Two heads on a plain wall cross, A in front of B."""
    film, wall, n = Film.empty(), rng.integers(60, 200, 3), 40
    of_a, of_b = shots(rng, [a, b], other=False)
    for t in range(n):
        frame = np.empty((TILE_PX, 3 * TILE_PX, 3))
        frame[:] = wall
        lefts = {b.name: 2 * TILE_PX * (1 - t / (n - 1)), a.name: 2 * TILE_PX * t / (n - 1)}
        for who, source in ((b, of_b), (a, of_a)):
            left = round(lefts[who.name])
            part = frame[:, left : left + TILE_PX]
            part += _head() * (source() - part)
        hidden = abs(lefts[a.name] - lefts[b.name]) < 0.55 * TILE_PX
        film.add(
            frame.astype(np.uint8),
            {k: (v + TILE_PX / 2, TILE_PX / 2) for k, v in lefts.items() if k == a.name or not hidden},
        )
    return film


def absence(seconds: float, *, another: bool) -> MakeFilm:
    """A, nobody for some seconds, then A or B."""

    def make(rng: np.random.Generator, a: Sitter, b: Sitter, *_: Sitter) -> Film:
        film = Film.empty()
        add_shot(film, rng, [a])
        add_empty(film, seconds)
        add_shot(film, rng, [b if another else a])
        return film

    return make


def samples(step_s: float) -> MakeFilm:
    """One person before one camera, a frame every few seconds: another picture each time, where there are several."""

    def make(rng: np.random.Generator, a: Sitter, *_: Sitter) -> Film:
        film, camera = Film.empty(), Camera(rng, other=False)
        for n in range(8):
            film.add(camera.frame(a.pictures[n % len(a.pictures)]), {a.name: (TILE_PX / 2, TILE_PX / 2)}, step_s)
        return film

    return make


def samples_of_two(rng: np.random.Generator, a: Sitter, b: Sitter, *_: Sitter) -> Film:
    """A call in speaker view, a frame every 4 s: A A B B A A B B."""
    film = Film.empty()
    for who in (a, b, a, b):
        (source,) = shots(rng, [who], other=False)
        for _frame in range(2):
            film.add(source(), {who.name: (TILE_PX / 2, TILE_PX / 2)}, 4.0)
    return film


KINDS: dict[str, MakeFilm] = {
    "cut to another person": cut_to_another,
    "cut to another on one wall": on_one_wall,
    "cut to the same person": cut_to_the_same,
    "cuts A B A B": to_and_fro,
    "seats exchanged by a cut": places_after_a_cut("AB", "BA"),
    "the same seats after a cut": places_after_a_cut("AB", "AB"),
    "three seats changed by a cut": places_after_a_cut("ABC", "CAB"),
    "cut from two to one of them": places_after_a_cut("AB", "B-"),
    "cut from one to two": places_after_a_cut("A-", "BA"),
    "cut to one of two and another": places_after_a_cut("AB", "CA"),
    "cut to two others": places_after_a_cut("AB", "CD"),
    "crossing": crossing,
    "absent 2 s, returns": absence(2.0, another=False),
    "absent 60 s, returns": absence(60.0, another=False),
    "absent 2 s, another comes": absence(2.0, another=True),
    "a sample every 4 s": samples(4.0),
    "a sample every 60 s": samples(60.0),
    "speaker view, every 4 s": samples_of_two,
}


def number_people(film: Film, engine: Engine) -> tuple[dict[str, Counter[int]], int]:
    """Run a film; return how often each person had each number, and how many faces were missed."""
    batch = FrameBatch(
        np.arange(len(film.frames), dtype=np.int32), np.array(film.time_s, np.float64), np.stack(film.frames)
    )
    followed: Iterator[FollowedFrame] = follow(find_faces([batch], engine, stretch_frames=10**6), Tracker(), engine)
    numbers: dict[str, Counter[int]] = defaultdict(Counter)
    missed = 0
    for frame, people in zip(followed, film.people, strict=True):
        boxes = frame.tracked.faces.boxes_xyxy
        for name, place in people.items():
            apart = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(place)).max(axis=1)
            near = int(apart.argmin()) if len(apart) else -1
            if near < 0 or apart[near] > 0.3 * TILE_PX:
                missed += 1
            else:
                numbers[name][int(frame.tracked.tracks[near])] += 1
    return numbers, missed


def judge(numbers: dict[str, Counter[int]]) -> tuple[bool, bool]:
    """Whether two people shared a number, and whether one person had several."""
    owners: Counter[int] = Counter(number for counts in numbers.values() for number in counts)
    return any(n > 1 for n in owners.values()), any(len(counts) > 1 for counts in numbers.values())


def of_photographs(path: Path, half: str, most: int, side_px: int = 192) -> list[Sitter]:
    """People of one half, in the order of their names."""
    table = pl.read_parquet(path)
    key = "identity" if "identity" in table.columns else "name"
    counts = table.group_by(key).len().sort(key)
    if key == "identity":
        counts = counts.filter((pl.col("len") >= 2) & (pl.col("len") <= 8))
    names = counts[key].to_list()[0 if half == "choose" else 1 :: 2][:most]
    found: dict[str, list[Picture]] = defaultdict(list)
    for name, jpeg in table.filter(pl.col(key).is_in(names)).sort("name").select(key, "jpeg").iter_rows():
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        side = max(picture.size)
        square = Image.new("RGB", (side, side), (110, 110, 110))
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        found[name].append(np.asarray(square.resize((side_px, side_px))))
    return [Sitter(name, found[name]) for name in names]


def of_films(folder: Path, half: str, most: int) -> list[Sitter]:
    """People of one half, one a film."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix in (".mp4", ".mov", ".mkv", ".webm", ".avi"))
    sitters = []
    for path in paths[0 if half == "choose" else 1 :: 2][:most]:
        with av.open(str(path)) as container:
            frames = [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
        pictures = []
        for n in np.linspace(0, len(frames) - 1, PICTURES_OF_A_FILM).astype(int):
            picture, side = frames[n], min(frames[n].size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            pictures.append(np.asarray(picture.crop((left, top, left + side, top + side))))
        sitters.append(Sitter(str(path), pictures))
    return sitters


def pair_rates(sitters: Sequence[Sitter], engine: Engine, rng: np.random.Generator) -> None:
    """How often the score alone errs, over all pairs of people; and for one person by two cameras."""
    from aucli.faces import tracking
    from aucli.faces.appearance import Features, same_person_scores

    features: list[list[Features]] = [[], []]
    for sitter in sitters:
        seen = []
        for source in shots(rng, [sitter, sitter], other=True):
            found = engine.look(source()[None])[0]
            if len(found.faces) and found.faces.scores[0] >= 0.5:
                seen.append(Features.of(found.appearances[[0]]))
        if len(seen) == 2:
            features[0].append(seen[0])
            features[1].append(seen[1])
    first, second = Features.join(features[0]), Features.join(features[1])
    rows = [same_person_scores(one, second)[0, :, 0] for one in features[0]]
    scores = np.stack(rows)
    same, others = np.diagonal(scores), scores[~np.eye(len(scores), dtype=bool)]
    print(f"pairs of {len(first.skin)} people, each by two cameras")
    for name in ("SCORE_IN_PLACE", "SCORE_BACK_IN_PLACE", "SCORE_ANYWHERE"):
        limit = getattr(tracking, name)
        print(
            f"  {name:<20} {limit:>5.1f}: two people taken for one {np.mean(others >= limit):8.3%}, "
            f"one person for two {np.mean(same < limit):8.2%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--films", type=Path, action="append", default=[])
    parser.add_argument("--half", choices=("choose", "judge"), default="judge")
    parser.add_argument("--people", type=int, default=100, help="at most, of each source")
    parser.add_argument("--sequences", type=int, default=40, help="of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind; may be given again")
    parser.add_argument("--detect-every", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", action="store_true", help="also compare every person with every other")
    arguments = parser.parse_args()
    engine = Engine(AnnotateOptions(device="cpu", detect_every=arguments.detect_every))
    sources = [(path, of_photographs(path, arguments.half, arguments.people)) for path in arguments.photos]
    sources += [(path, of_films(path, arguments.half, arguments.people)) for path in arguments.films]
    for path, sitters in sources:
        print(f"{path.name}: {len(sitters)} people, half {arguments.half}, {arguments.sequences} films of each kind")
        print(f"{'':<30}{'number shared':>16}{'number split':>16}{'faces missed':>16}")
        for name in arguments.kind or KINDS:
            rng = np.random.default_rng([arguments.seed, list(KINDS).index(name)])
            shared = split = missed = faces = 0
            for _ in range(arguments.sequences):
                people = rng.choice(len(sitters), PEOPLE_OF_A_FILM, replace=False)
                film = KINDS[name](rng, *(sitters[n] for n in people))
                numbers, n_missed = number_people(film, engine)
                was_shared, was_split = judge(numbers)
                shared, split, missed = shared + was_shared, split + was_split, missed + n_missed
                faces += sum(map(len, film.people))
            n = arguments.sequences
            print(f"{name:<30}{shared / n:>15.1%} {split / n:>15.1%} {missed / faces:>15.1%}", flush=True)
        if arguments.pairs:
            pair_rates(sitters, engine, np.random.default_rng(arguments.seed))
    engine.close()


if __name__ == "__main__":
    main()
