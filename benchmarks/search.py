"""What searching in windows around known faces costs and changes, against searching every frame whole.

    python benchmarks/search.py [VIDEOS ...] [--photos genki.parquet] [--renders FOLDER] [--films 10] [--skip speed]

All figures of one call are taken in one run; CPU time is that of the whole process, so that ratios hold on a machine
that others use too.

- speed: CPU time a frame of finding and following faces, in made films of 1 and 5 of the example clip's people.
- VIDEOS: faces lost and invented, how far landmarks lie apart, action units decided otherwise, CPU time of `annotate`.
- --photos: made films with cuts, crossings and absences (`benchmarks/people.py`): faces lost and invented, numbers that
  two people shared or one person had two of; how late newcomers are found; and how much landmarks shake in films of
  photographs that stand still and pan (`benchmarks/steadiness.py`).
- --renders: a folder of ``aucli synth --kind videos``: how far landmarks lie from the truth.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
import people
import polars as pl
import steadiness
from PIL import Image

from aucli.annotation.engine import Engine
from aucli.annotation.finding import find_faces
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.run import annotate
from aucli.annotation.stages import follow
from aucli.faces.tracking import TrackedFaces, Tracker
from aucli.faces.values import intersection_over_union
from aucli.results.read import read_table
from aucli.video.reader import FrameReader
from aucli.video.values import FrameBatch

EXAMPLE: Final = Path(__file__).resolve().parents[1] / "examples" / "clip.mp4"
SIZES: Final = ((640, 360), (1280, 720), (1920, 1080))
SAME: Final = 0.4
"""Two boxes that overlap by this are one face."""
JITTER_FRAMES: Final = 48

Frames = npt.NDArray[np.uint8]


@dataclass
class Engines:
    """The two ways of searching, with one thread each: CPU time is what is compared."""

    every_frame: Engine
    windows: Engine

    @classmethod
    def open(cls) -> Engines:
        return cls(*(Engine(AnnotateOptions(detect_every=n, device="cpu", workers=1)) for n in (1, None)))


@dataclass
class Agreement:
    """Faces of one way set against those of the other."""

    faces: int = 0
    lost: int = 0
    invented: int = 0
    apart: float = 0.0

    def add(self, whole: TrackedFaces, windows: TrackedFaces) -> None:
        overlaps = intersection_over_union(whole.faces.boxes_xyxy, windows.faces.boxes_xyxy)
        pairs = [(int(row), int(overlaps[row].argmax())) for row in np.flatnonzero((overlaps >= SAME).any(axis=1))]
        self.faces += len(whole.faces)
        self.lost += len(whole.faces) - len(pairs)
        self.invented += len(windows.faces) - len({column for _, column in pairs})
        for row, column in pairs:
            a, b = whole.faces.landmarks_xy[row], windows.faces.landmarks_xy[column]
            self.apart += float(np.linalg.norm(a - b, axis=1).mean() / max(np.linalg.norm(a[1] - a[0]), 1.0))

    def __str__(self) -> str:
        n = max(self.faces, 1)
        return (
            f"{self.faces} faces, {self.lost} lost ({self.lost / n:.2%}), {self.invented} invented "
            f"({self.invented / n:.2%}), landmarks {self.apart / n:.1%} of the eye distance apart"
        )


def cpu_s() -> float:
    """CPU time of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def track(batches: Iterable[FrameBatch], engine: Engine) -> list[TrackedFaces]:
    """Faces and numbers of a film."""
    return [frame.tracked for frame in follow(find_faces(batches, engine, stretch_frames=1000), Tracker(), engine)]


def batch_of(frames: Sequence[Frames], time_s: Sequence[float] | None = None) -> list[FrameBatch]:
    """Frames as one batch, 25 a second."""
    index = np.arange(len(frames), dtype=np.int32)
    return [FrameBatch(index, index / 25.0 if time_s is None else np.array(time_s), np.stack(frames))]


def decoded(path: Path, most: int = 10**9) -> list[Frames]:
    """The first frames of a film."""
    with av.open(str(path)) as container:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in islice(container.decode(video=0), most)
        ]


def report_speed(engines: Engines, n_frames: int = 33) -> None:
    """People of the example clip, side by side in frames of several sizes, drifting."""
    clip = decoded(EXAMPLE, n_frames)
    for (width, height), n_people in ((size, n) for size in SIZES for n in (1, 5)):
        side = width // 6
        frames = []
        for t, picture in enumerate(clip):
            frame = np.full((height, width, 3), 110, np.uint8)
            tiles = [picture[20:340, :320], picture[20:340, 320:]]
            for n in range(n_people):
                tile = Image.fromarray(tiles[n % 2]).resize((side, side))
                left = width // 12 + n * side + round(side / 20 * np.sin(t / 9 + n))
                frame[height // 4 : height // 4 + side, left : left + side] = np.asarray(tile)
            frames.append(frame)
        batches = batch_of(frames)
        spent = []
        for engine in (engines.every_frame, engines.windows):
            track(batch_of(frames[:2]), engine)
            start = cpu_s()
            found = track(batches, engine)
            spent.append(1000 * (cpu_s() - start) / n_frames)
        n_found = np.mean([len(one.faces) for one in found])
        print(
            f"{width} x {height}, {n_people} people ({n_found:.1f} found): {spent[0]:.1f} ms a frame searched whole, "
            f"{spent[1]:.1f} in windows, {spent[0] / spent[1]:.1f} times less",
            flush=True,
        )


def report_videos(videos: Sequence[Path], engines: Engines) -> None:
    """Real films: faces, and the whole table."""
    for video in videos:
        agreement = Agreement()
        with FrameReader(video, batch_size=8) as reader:
            batches = list(reader)
        for whole, windows in zip(
            *(track(batches, one) for one in (engines.every_frame, engines.windows)), strict=True
        ):
            agreement.add(whole, windows)
        del batches
        with tempfile.TemporaryDirectory() as folder:
            tables, spent = [], []
            for detect_every in (1, None):
                path, start = Path(folder) / f"{detect_every}.parquet", cpu_s()
                outcome = annotate(video, path, options=AnnotateOptions(detect_every=detect_every, device="cpu"))
                spent.append(1000 * (cpu_s() - start) / max(outcome.n_frames, 1))
                tables.append(read_table(path).drop_nulls("face"))
        aus = [name for name in tables[0].columns if name.startswith("AU") and name[2:].isdigit()]
        both = tables[0].join(tables[1], on=["frame", "face"], suffix="_now")
        other = sum(int((both[au] != both[f"{au}_now"]).sum()) for au in aus)
        share = other / max(len(both) * len(aus), 1)
        print(f"{video.name}: {agreement}; {share:.2%} of {len(both) * len(aus)} decisions differ; annotate ", end="")
        print(f"{spent[0]:.1f} ms of CPU time a frame searched whole, {spent[1]:.1f} in windows", flush=True)


def report_made_films(photos: Path, engines: Engines, n_films: int) -> None:
    """Cuts, crossings, absences of photographed people."""
    sitters = people.of_photographs(photos, "judge", 100)
    total = Agreement()
    for name, make in people.KINDS.items():
        rng = np.random.default_rng([0, list(people.KINDS).index(name)])
        kind = Agreement()
        wrong = np.zeros((2, 2), int)
        for _ in range(n_films):
            chosen = rng.choice(len(sitters), people.PEOPLE_OF_A_FILM, replace=False)
            film = make(rng, *(sitters[n] for n in chosen))
            batches = batch_of(film.frames, film.time_s)
            ways = [track(batches, engine) for engine in (engines.every_frame, engines.windows)]
            for whole, windows in zip(*ways, strict=True):
                kind.add(whole, windows)
                total.add(whole, windows)
            for way, engine in enumerate((engines.every_frame, engines.windows)):
                wrong[way] += people.judge(people.number_people(film, engine)[0])
        print(f"{name}: {kind}; number shared {wrong[0, 0]} -> {wrong[1, 0]}, split {wrong[0, 1]} -> {wrong[1, 1]}")
    print(f"all made films: {total}", flush=True)
    report_newcomers(sitters, engines, n_films)


def report_newcomers(sitters: Sequence[people.Sitter], engines: Engines, n_films: int) -> None:
    """Somebody sits beside somebody from one frame to the next; how many frames later is there a face?"""
    rng = np.random.default_rng(1)
    late: list[int] = []
    for _ in range(4 * n_films):
        a, b = (sitters[n] for n in rng.choice(len(sitters), 2, replace=False))
        of_a, of_b = people.shots(rng, [a, b], other=False)
        comes = int(rng.integers(2, 18))
        empty = np.full((people.TILE_PX, people.TILE_PX, 3), 110, np.uint8)
        frames = [np.concatenate([of_a(), of_b() if n >= comes else empty], axis=1) for n in range(25)]
        first = []
        for engine in (engines.every_frame, engines.windows):
            with_two = [n for n, one in enumerate(track(batch_of(frames), engine)) if len(one.faces) > 1]
            first.append(with_two[0] if with_two else len(frames))
        late.append(first[1] - first[0])
    print(
        f"newcomers: {len(late)}, found {np.mean(late):+.2f} frames later on average, {max(late)} at most", flush=True
    )


def report_jitter(photos: Path, engines: Engines, n_films: int) -> None:
    """Photographs that stand still and pan: how far landmarks are from their mean in the photograph."""
    for kind in ("still", "pan"):
        with tempfile.TemporaryDirectory() as folder:
            drawn = argparse.Namespace(seed=3, count=n_films, movement=kind, crf=23)
            movements = steadiness.make_films(photos, Path(folder), drawn)
            films = {path: decoded(Path(path), JITTER_FRAMES) for path in movements}
        for name, engine in (("whole", engines.every_frame), ("windows", engines.windows)):
            parts = []
            for path, movement in movements.items():
                found = track(batch_of(films[path]), engine)
                if all(len(one.faces) == 1 for one in found):
                    points = np.array([one.faces.landmarks_xy[0] for one in found], np.float64)
                    moved = steadiness.Movement(movement.scale[: len(found)], movement.shift_xy[: len(found)])
                    parts.append(steadiness.jitter(moved.to_picture(points, steadiness.FILM_PX / 2)))
            shift, rest = np.mean(parts, axis=0)
            print(f"{kind}, {name}: {len(parts)} films, common shift {shift:.2f} %, the rest {rest:.2f} %", flush=True)


def report_errors(renders: Path, engines: Engines) -> None:
    """Landmarks against the truth, close up as rendered and at half the size in a frame of 640 x 360."""
    labels = pl.read_parquet(renders / "labels.parquet")
    films: dict[str, tuple[list[Frames], npt.NDArray[np.float64]]] = {}
    for (path,), rows in labels.sort("path", "frame").group_by("path", maintain_order=True):
        truth = np.array(rows["landmarks"].to_list(), np.float64).reshape(-1, 5, 2)
        films[str(path)] = decoded(renders / str(path)), truth
    for view, make in (("close", lambda film: film), ("from afar", from_afar)):
        shown = [make(film) for film in films.values()]
        for name, engine in (("whole", engines.every_frame), ("windows", engines.windows)):
            figures = np.mean([errors(track(batch_of(frames), engine), truth) for frames, truth in shown], axis=0)
            print(
                f"renders {view}, {name}: {figures[0]:.2f} % of the eye distance off, {figures[1]:.2f} % without what "
                f"a film's landmarks are off on average, {figures[2]:.2f} % from frame to frame",
                flush=True,
            )


def from_afar(film: tuple[list[Frames], npt.NDArray[np.float64]]) -> tuple[list[Frames], npt.NDArray[np.float64]]:
    """The same film small in a large frame."""
    side, (left, top) = 220, (200, 70)
    frames = []
    for picture in film[0]:
        frame = np.full((360, 640, 3), 110, np.uint8)
        small = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        frame[top : top + side, left : left + side] = np.asarray(small)
        frames.append(frame)
    return frames, film[1] * side / len(film[0][0]) + np.array([left, top])


def errors(found: Sequence[TrackedFaces], truth: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Root mean squares in % of the eye distance: of landmarks less the truth; the same less its mean over the film;
    and of its change from one frame to the next, over the square root of 2."""
    off = np.array(
        [
            (one.faces.landmarks_xy[0] - true) / np.linalg.norm(true[1] - true[0])
            for one, true in zip(found, truth, strict=True)
            if len(one.faces)
        ]
    )

    def size(values: Any) -> float:
        return 100 * float(np.sqrt((values**2).sum(axis=-1).mean()))

    return size(off), size(off - off.mean(axis=0)), size(np.diff(off, axis=0)) / np.sqrt(2)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--renders", type=Path)
    parser.add_argument("--films", type=int, default=10, help="made films of each kind")
    parser.add_argument("--skip", action="append", default=[], choices=("speed", "made", "jitter"))
    arguments = parser.parse_args()
    engines = Engines.open()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if "speed" not in arguments.skip:
        report_speed(engines)
    report_videos(arguments.videos, engines)
    if arguments.photos and "made" not in arguments.skip:
        report_made_films(arguments.photos, engines, arguments.films)
    if arguments.photos and "jitter" not in arguments.skip:
        report_jitter(arguments.photos, engines, arguments.films)
    if arguments.renders:
        report_errors(arguments.renders, engines)


if __name__ == "__main__":
    main()
