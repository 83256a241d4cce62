"""What an overlay costs: processor time of its parts, and of the whole.

    python benchmarks/overlay.py film.mp4 aus.parquet

Processor time of this process, all threads together: other work on the machine changes it little, wall time a lot.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aucli.results.overlay.film import find_annotated_film
from aucli.results.overlay.run import Drawing, OverlayOptions, OverlayOutcome, overlay
from aucli.video.reader import FrameReader
from aucli.video.writer import FilmWriter


def cpu_s() -> float:
    """Processor time of this process until now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, work: Callable[[], Any], n_frames: int) -> float:
    """Run something, print and return its processor time a frame in ms."""
    before_s, wall_s = cpu_s(), time.monotonic()
    work()
    each_ms = 1000 * (cpu_s() - before_s) / n_frames
    print(
        f"{name:34} {each_ms:7.2f} ms of processor time a frame; {n_frames / (time.monotonic() - wall_s):6.1f} frames/s"
    )
    return each_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("table", type=Path)
    given = parser.parse_args()
    film = find_annotated_film(given.table, given.video)
    frames: list[tuple[int, float, Any]] = []

    def decode() -> None:
        with FrameReader(given.video, batch_size=None) as reader:
            frames.extend(
                (int(i), float(t), np.array(f))
                for b in reader
                for i, t, f in zip(b.index, b.time_s, b.frames_rgb, strict=True)
            )

    def draw(options: OverlayOptions) -> None:
        drawing = Drawing(film, options, OverlayOutcome(given.video, film.label))
        for index, time_s, frame_rgb in frames:
            drawing.draw(index, time_s, frame_rgb)

    with FrameReader(given.video) as reader:
        info = reader.info

    with tempfile.TemporaryDirectory() as folder:

        def encode() -> None:
            with FilmWriter(Path(folder) / "e.mp4", "mp4", info, with_sound=True) as writer:
                for _, time_s, frame_rgb in frames:
                    writer.write(frame_rgb, time_s)
                writer.finish()

        n_frames = film.record.n_frames
        print(f"{info.width} x {info.height}, {n_frames} frames, {info.fps:.3f} frames/s")
        measured("read", decode, n_frames)
        measured("draw", lambda: draw(OverlayOptions()), n_frames)
        measured("hide and draw", lambda: draw(OverlayOptions(anonymise=True)), n_frames)
        measured("encode", encode, n_frames)
        frames.clear()
        each_ms = measured("the whole", lambda: overlay(given.video, given.table, Path(folder) / "o.mp4"), n_frames)
        options = OverlayOptions(anonymise=True)
        measured(
            "the whole, anonymised",
            lambda: overlay(given.video, given.table, Path(folder) / "a.mp4", options=options),
            n_frames,
        )
        rate = 2000 / each_ms
        print(f"two cores at work all the time would give {rate:.0f} frames/s: {rate / info.fps:.1f} x real time")


if __name__ == "__main__":
    main()
