"""How fast `annotate` is, where the time goes, and how much memory it takes.

    python benchmarks/annotate.py VIDEO [--detect-every N] [--runs N] [--loops 10]

Prints frames a second of decoding alone, decoding + detection, and the whole; the share of the whole run's CPU time
that goes into decoding and networks; peak memory for the video and for the video looped; and start-up times. Every
figure of one call is taken on the same machine in the same run, so ratios between them can be trusted where single
figures cannot. The looped video is made by copying packets, so it costs no quality and no codec.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import av
import numpy as np

from aucli.annotation.engine import Engine
from aucli.annotation.finding import SeenFrame, find_faces
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.run import STRETCH_FRAMES, annotate
from aucli.runtime.concurrency import iterate_in_thread
from aucli.video.reader import FrameReader

MEASURE_CHILD = """
import sys
from aucli.annotation.run import annotate
from aucli.annotation.finding import SeenFrame, find_faces
from aucli.annotation.options import AnnotateOptions
annotate(sys.argv[1], sys.argv[2], options=AnnotateOptions(detect_every=int(sys.argv[3]) or None, overwrite=True))
# Not getrusage: its maximum is inherited from the process that started this one.
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024)
"""
FIRST_ROW_CHILD = """
import os, sys
from aucli.annotation.run import annotate
from aucli.annotation.finding import SeenFrame, find_faces
from aucli.annotation.options import AnnotateOptions
def stop(progress):
    os._exit(0)
annotate(sys.argv[1], sys.argv[2], options=AnnotateOptions(overwrite=True), on_progress=stop)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("video", type=Path)
    parser.add_argument("--detect-every", type=int, help="as of `aucli annotate`; default: in windows")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--loops", type=int, default=10)
    arguments = parser.parse_args()
    options = AnnotateOptions(detect_every=arguments.detect_every, overwrite=True)
    engine = Engine(options)
    video = arguments.video
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "t.parquet"
        n_frames = annotate(video, output, options=options).n_frames  # also warms the file cache
        print(f"{video.name}: {n_frames} frames, faces searched: {engine.face_search}, {engine.workers} threads")

        def measure(name: str, run: Callable[[], object]) -> float:
            seconds = []
            for _ in range(arguments.runs):
                start = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - start)
            rate = n_frames / median(seconds)
            print(f"{name:<28}{rate:8.1f} frames/s   (runs: {', '.join(f'{n_frames / s:.0f}' for s in seconds)})")
            return rate

        measure("decode alone", lambda: decode(video))
        measure("decode + detection", lambda: decode_and_detect(video, engine))
        measure("the whole", lambda: annotate(video, output, options=options))
        shares(video, engine, options, output)
        looped = loop(video, Path(folder) / f"looped{video.suffix}", arguments.loops)
        for name, path in (("1x", video), (f"{arguments.loops}x", looped)):
            arguments_of_child = [str(path), str(output), str(arguments.detect_every or 0)]
            told = subprocess.run(
                [sys.executable, "-c", MEASURE_CHILD, *arguments_of_child], capture_output=True, text=True, check=True
            )
            print(f"peak memory at {name:<13}{float(told.stdout):8.0f} MiB")
        start_up("--help", [sys.executable, "-m", "aucli", "--help"], arguments.runs)
        start_up("first row", [sys.executable, "-c", FIRST_ROW_CHILD, str(video), str(output)], arguments.runs)
    engine.close()


def decode(video: Path) -> int:
    """Decode every frame."""
    with FrameReader(video, batch_size=None, whole=False) as reader:
        return sum(len(batch.index) for batch in reader)


def decode_and_detect(video: Path, engine: Engine) -> int:
    """Decode and find faces, with the overlap that `annotate` has."""
    with (
        FrameReader(video, batch_size=None, whole=False) as reader,
        iterate_in_thread(reader, ahead=2) as batches,
    ):
        return sum(1 for _ in find_faces(batches, engine, stretch_frames=STRETCH_FRAMES))


def shares(video: Path, engine: Engine, options: AnnotateOptions, output: Path) -> None:
    """Take the CPU time of each stage alone, and set it against that of the whole run."""
    with FrameReader(video, batch_size=8, whole=False) as reader:
        batches = list(reader)
    frames = [frame for batch in batches for frame in batch.frames_rgb]
    found: list[SeenFrame] = []
    cpu = {"decode": cpu_seconds(lambda: decode(video))}
    cpu["finding faces"] = cpu_seconds(lambda: found.extend(find_faces(batches, engine, stretch_frames=STRETCH_FRAMES)))
    landmarks, last = [], np.zeros((0, 5, 2), np.float32)
    for frame in found:  # frames that were not looked at have the faces of the one before
        last = last if frame.seen is None else frame.seen.faces.landmarks_xy
        landmarks.append(last)

    def read() -> None:
        for frame, points in zip(frames, landmarks, strict=True):
            engine.predictor.predict([frame], np.zeros(len(points), np.intp), points)

    cpu["crops and AU network"] = cpu_seconds(read)
    whole = cpu_seconds(lambda: annotate(video, output, options=options))
    for name, seconds in cpu.items():
        print(
            f"CPU time, {name:<22}{1000 * seconds / len(frames):6.2f} ms a frame, {seconds / whole:6.1%} of the whole"
        )
    print(f"CPU time, the whole             {1000 * whole / len(frames):6.2f} ms a frame")
    print(f"share of decode and networks    {sum(cpu.values()) / whole:6.1%}")


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU time of all threads of this process."""
    start = time.process_time()
    run()
    return time.process_time() - start


def loop(video: Path, target: Path, times: int) -> Path:
    """Copy a video's packets several times over, one after another."""
    with av.open(str(target), "w") as out:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(video)) as source:
                picture = source.streams.video[0]
                stream = stream or out.add_stream_from_template(picture)
                end = offset
                for packet in source.demux(picture):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.stream = stream
                    out.mux(packet)
                offset = end
    return target


def start_up(name: str, command: list[str], runs: int) -> None:
    """Wall time of a process from start to end."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    print(f"start to {name:<19}{median(seconds):8.2f} s")


if __name__ == "__main__":
    main()
