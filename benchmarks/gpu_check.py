"""Whether the GPU gives what the CPU gives, and how fast: one command for whoever has a GPU.

    python benchmarks/gpu_check.py [--device cuda:0] [--video FILM ...] [--frames N]

Needs the installed package, its extra ``gpu``, and nothing else: films are made of `examples/clip.mp4`. Prints one
verdict a line, then figures; the exit status is 0 if every verdict is "right", 1 if one is "WRONG", 2 where there is
no GPU that can be used (one line says what is missing). ``--device cpu`` sets the CPU beside itself: it tries the
comparisons, not a GPU.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl

import aucli
from aucli.annotation.options import AnnotateOptions
from aucli.faces.detectors import open_detector
from aucli.faces.values import Faces, intersection_over_union
from aucli.models.predictor import open_predictor
from aucli.models.zoo import find_model
from aucli.runtime.device import gpu_problem, resolve_device
from aucli.video.reader import FrameReader

CLIP = Path(__file__).parents[1] / "examples" / "clip.mp4"
CODECS = {"h264": "libx264", "hevc": "libx265"}
"""What is given to NVDEC, by the encoder that makes it (the CPU decodes VP9, which may change its size)."""

GREY_LEVELS, SHARE_BEYOND = 2, 0.001
"""Pixels may be so far off, and so large a share further (edges, where the colour planes are enlarged otherwise)."""
EYE_DISTANCES, LOST = 0.02, 0.005
"""Landmarks may be so far off on average; so large a share of faces may be lost or invented."""
PROBABILITY, DECISIONS = 0.01, 0.005
"""Probabilities may be so far off on average; so large a share of decisions may differ."""

Check = Callable[[], tuple[bool, str]]
"""Whether it is right, and the figures."""


@dataclass(frozen=True)
class Verdict:
    """One comparison: its name, whether it is right, and the figures."""

    name: str
    right: bool
    figures: str

    def __str__(self) -> str:
        return f"{'right' if self.right else 'WRONG'}  {self.name:<34}{self.figures}"


def main() -> int:
    """Run all checks; see above for the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to try the comparisons")
    parser.add_argument("--video", type=Path, nargs="*", default=[], help="films of yours to compare as well")
    parser.add_argument("--frames", type=int, default=600, help="frames of each film whose speed is measured")
    arguments = parser.parse_args()
    if arguments.device != "cpu" and (problem := gpu_problem()):
        print(f"no GPU was tried: {problem}")
        return 2
    device = resolve_device(arguments.device)
    print(f"{describe(device)}\naucli {aucli.__version__}, PyAV {av.__version__}, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder:
        films = {f"clip, {name}": encode(CLIP, Path(folder) / f"{name}.mp4", codec) for name, codec in CODECS.items()}
        films |= {video.name: video for video in arguments.video}
        verdicts = []
        for verdict in verdicts_on(films, device):
            print(verdict, flush=True)
            verdicts.append(verdict)
        for line in figures(device, Path(folder), arguments.frames):
            print(line, flush=True)
    return 0 if all(verdict.right for verdict in verdicts) else 1


def verdicts_on(films: dict[str, Path], device: str) -> Iterator[Verdict]:
    """Compare stage by stage, then whole tables; a stage that fails is a verdict and does not end the others."""
    checks: dict[str, Check] = {f"frames: {name}": partial(same_frames, film, device) for name, film in films.items()}
    checks |= {"detector": partial(same_faces, device), "network": partial(same_probabilities, device)}
    checks |= {f"table: {name}": partial(same_table, film, device) for name, film in films.items()}
    for name, check in checks.items():
        try:
            right, found = check()
            yield Verdict(name, right, found)
        except Exception as error:  # whatever a driver, a codec or a library does is what this asks for
            first_line = (str(error).splitlines() or [""])[0]
            yield Verdict(name, False, f"{type(error).__name__}: {first_line}")


def same_frames(film: Path, device: str) -> tuple[bool, str]:
    """Frames that the GPU decodes have the CPU's numbers and times, and its pixels within `GREY_LEVELS`."""
    n, beyond, largest, n_values = 0, 0, 0, 0
    with FrameReader(film, batch_size=8) as host, FrameReader(film, device=device, batch_size=8) as other:
        for expected, found in zip(host, other, strict=True):
            if not (np.array_equal(expected.index, found.index) and np.array_equal(expected.time_s, found.time_s)):
                return False, f"numbers or times differ from frame {n} on"
            difference = np.abs(np.asarray(expected.frames_rgb, np.int16) - to_numpy(found.frames_rgb))
            beyond += int((difference > GREY_LEVELS).sum())
            largest = max(largest, int(difference.max()))
            n, n_values = n + len(expected), n_values + difference.size
    by_gpu = device == "cpu" or "cuda" in other.decoder
    figures = f"{n} by {other.decoder}: {beyond / n_values:.3%} beyond {GREY_LEVELS} grey levels, at most {largest}"
    return by_gpu and beyond <= SHARE_BEYOND * n_values, figures


def same_faces(device: str) -> tuple[bool, str]:
    """The detector on the same pixels: faces lost or invented, distance of landmarks in eye distances."""
    frames = frames_of_clip()
    expected = open_detector(None).detect(frames)
    found = open_detector(None, device=device).detect(to_device(frames, device))
    n_faces = sum(map(len, expected))
    pairs = [pair for a, b in zip(expected, found, strict=True) for pair in matched(a, b)]
    unmatched = sum(map(len, expected)) + sum(map(len, found)) - 2 * len(pairs)
    off = float(np.mean([distance_in_eye_distances(a, b) for a, b in pairs])) if pairs else float("inf")
    figures = f"{n_faces} faces, {unmatched} lost or invented, landmarks {off:.2%} of the eye distance off"
    return unmatched <= LOST * n_faces and off <= EYE_DISTANCES, figures


def same_probabilities(device: str) -> tuple[bool, str]:
    """The network in half precision beside the CPU's in float32, on the same pixels and landmarks."""
    frames, model = frames_of_clip(), find_model(AnnotateOptions().model)
    faces = open_detector(None).detect(frames)
    frame_of_face = np.repeat(np.arange(len(frames)), [len(one) for one in faces])
    landmarks = np.concatenate([one.landmarks_xy for one in faces])
    expected = open_predictor(model).predict(list(frames), frame_of_face, landmarks)
    found = open_predictor(model, device=device).predict(list(to_device(frames, device)), frame_of_face, landmarks)
    off = np.abs(expected - found)
    thresholds = np.array(AnnotateOptions().thresholds_for(model.config), np.float32)
    flips = float(np.mean((expected >= thresholds) != (found >= thresholds)))
    figures = f"{len(off)} faces, off by {off.mean():.4f} on average, {off.max():.3f} at most, decisions {flips:.2%}"
    return off.mean() <= PROBABILITY and flips <= DECISIONS, figures


def same_table(film: Path, device: str) -> tuple[bool, str]:
    """The whole table: same rows, decisions that differ; the CPU searches every frame whole, as a GPU does."""
    with tempfile.TemporaryDirectory() as folder:
        host, other = (
            annotated([film], Path(folder) / f"{n}.parquet", device=where, detect_every=1)
            for n, where in enumerate(("cpu", device))
        )
    keys = ["frame", "face"]
    decisions = [name for name, kind in host.schema.items() if name.startswith("AU") and kind == pl.Boolean]
    both = host.select(*keys, *decisions).join(other.select(*keys, *decisions), on=keys, suffix="_other")
    n_rows = max(len(host), len(other))
    flips = both.select(
        pl.concat_list([(pl.col(name) != pl.col(f"{name}_other")).cast(pl.Int64) for name in decisions]).list.sum()
    ).to_series()
    share = float(flips.sum()) / max(1, len(both) * len(decisions))
    lone = (n_rows - len(both)) / max(1, n_rows)
    figures = f"{len(host)} rows, {len(other)} on {device}; {lone:.2%} without partner, {share:.2%} of decisions differ"
    return lone <= LOST and share <= DECISIONS, figures


def figures(device: str, folder: Path, n_frames: int) -> Iterator[str]:
    """Frames a second of `annotate` at 1920x1080, one film and four, and the memory that it took."""
    films = [encode(CLIP, folder / f"hd_{n}.mp4", "libx264", (1920, 1080), n_frames) for n in range(4)]
    annotated(films[:1], folder / "warm.parquet", device=device)
    for count in (1, 4):
        start = time.perf_counter()
        annotated(films[:count], folder / f"{count}.parquet", device=device)
        rate = count * n_frames / (time.perf_counter() - start)
        yield f"1920x1080, films in one call: {count}   {rate:8.1f} frames/s"
    yield f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB on the host at its peak" + (
        "" if device == "cpu" else f", {gpu_memory_mib(device):.0f} MiB in use on the GPU at the end"
    )


def annotated(films: list[Path], output: Path, *, device: str, detect_every: int | None = None) -> pl.DataFrame:
    """Annotate and read the table; a film that failed is an error."""
    options = AnnotateOptions(device=device, detect_every=detect_every, overwrite=True)
    outcome = aucli.annotate(films, output, options=options)
    if outcome.failures:
        raise RuntimeError("; ".join(f"{name}: {why}" for name, why in outcome.failures.items()))
    return aucli.read(output)


def encode(source: Path, target: Path, codec: str, size: tuple[int, int] | None = None, n_frames: int = 0) -> Path:
    """Encode a film anew: by another codec, at another size, or played over and over until it has `n_frames`."""
    options = {"g": "50"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {"preset": "veryfast"})
    with av.open(str(target), "w") as out:
        stream: Any = None
        n = 0
        while stream is None or n < n_frames:
            with av.open(str(source)) as container:
                for frame in container.decode(video=0):
                    if stream is None:
                        stream = out.add_stream(codec, rate=25, options=options)
                        stream.width, stream.height = size or (frame.width, frame.height)
                        stream.pix_fmt = "yuv420p"
                    if n_frames and n >= n_frames:
                        break
                    shown = frame.reformat(stream.width, stream.height, "yuv420p")
                    shown.pts, shown.time_base = n, Fraction(1, 25)
                    out.mux(stream.encode(shown))
                    n += 1
        out.mux(stream.encode(None))
    return target


def frames_of_clip(count: int = 40) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The first frames of the clip, decoded on the CPU: (count, H, W, 3) RGB."""
    with FrameReader(CLIP, batch_size=count) as reader:
        return np.asarray(next(iter(reader)).frames_rgb)


def to_device(frames: np.ndarray[Any, np.dtype[np.uint8]], device: str) -> Any:
    """The same frames where a stage expects them."""
    if device == "cpu":
        return frames
    import torch

    return torch.from_numpy(frames).to(device)


def to_numpy(frames: Any) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Frames of either kind, as numbers whose differences do not run over."""
    return np.asarray(frames if isinstance(frames, np.ndarray) else frames.cpu().numpy(), np.int16)


def matched(a: Faces, b: Faces) -> list[tuple[Any, Any]]:
    """Landmarks (5, 2) of faces that overlap by half, each the other's nearest."""
    if not len(a) or not len(b):
        return []
    overlap = intersection_over_union(a.boxes_xyxy, b.boxes_xyxy)
    nearest = overlap.argmax(axis=1)
    return [
        (a.landmarks_xy[i], b.landmarks_xy[j])
        for i, j in enumerate(nearest)
        if overlap[i, j] >= 0.5 and overlap[:, j].argmax() == i
    ]


def distance_in_eye_distances(a: Any, b: Any) -> float:
    """Mean distance of two faces' landmarks, over the first one's interocular distance."""
    return float(np.linalg.norm(a - b, axis=1).mean() / max(1e-6, np.linalg.norm(a[0] - a[1])))


def describe(device: str) -> str:
    """What the GPU is called, and what its memory is."""
    if device == "cpu":
        return f"the CPU ({os.cpu_count()} cores) beside itself: this tries the comparisons, no GPU"
    import torch

    card = torch.cuda.get_device_properties(device)
    return f"{card.name}, {card.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}, torch {torch.__version__}"


def gpu_memory_mib(device: str) -> float:
    """Memory in use on the GPU, by whatever library took it."""
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return float((total - free) / 2**20)


if __name__ == "__main__":
    sys.exit(main())
