"""Measure the sharpness of faces that were blurred by known amounts, and of small ones: what the page's limit means.

    python benchmarks/sharpness.py film.mp4 photograph.jpg ... [--every 90]

Frames are blurred before the crop is cut. An amount is the deviation of the blur along an axis, in pixels of the
bundled model's crop: of a Gaussian; of a disc, as a lens out of focus draws; of FFmpeg's ``gblur`` as it is if not told
else, an exponential; of a line, as of movement. Small faces are sharp ones in a frame that was shrunk.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image
from scipy.signal import fftconvolve

from aucli.faces.alignment import crop_faces, similarity_from_landmarks
from aucli.faces.crop_quality import crop_quality
from aucli.faces.detectors import open_detector
from aucli.models.zoo import find_model
from aucli.results.report.distrust import LIMITS
from aucli.video.reader import FrameReader

SIGMAS_PX = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
EYES_PX = (10, 14, 18, 25, 32)

Frame = npt.NDArray[np.uint8]
Kernel = npt.NDArray[np.float64]


def main() -> None:
    """Read the films, blur the faces, print their sharpness."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=90, help="take every N-th frame")
    given = parser.parse_args()
    spec, detector = find_model("aunce-small").config.crop, open_detector("centerface")
    least = next(limit.value for limit in LIMITS if limit.column == "sharpness")
    found: list[tuple[str, float, float]] = []

    def measure(kind: str, amount: float, frame_rgb: Frame, landmarks_xy: Kernel) -> None:
        sharpness, _ = crop_quality(crop_faces(frame_rgb, landmarks_xy[None], spec), spec)
        found.append((kind, amount, float(sharpness[0])))

    for frame_rgb in frames_of(given.films, given.every):
        for landmarks_xy in detector.detect(frame_rgb[None])[0].landmarks_xy.astype(np.float64):
            (to_crop,) = similarity_from_landmarks(landmarks_xy[None], spec.template_xy())
            eyes_px = float(np.hypot(*(landmarks_xy[1] - landmarks_xy[0])))
            measure("as it is", 0.0, frame_rgb, landmarks_xy)
            for sigma_px in SIGMAS_PX:
                for kind, kernel in kernels(sigma_px / float(np.hypot(*to_crop[:, 0]))).items():
                    measure(kind, sigma_px, blurred(frame_rgb, kernel), landmarks_xy)
            for wanted_px in EYES_PX:
                if (scale := wanted_px / eyes_px) < 1:
                    size = round(frame_rgb.shape[1] * scale), round(frame_rgb.shape[0] * scale)
                    small = np.asarray(Image.fromarray(frame_rgb).resize(size, Image.Resampling.BOX))
                    measure("eyes so many px apart", float(wanted_px), small, landmarks_xy * scale)
    sharpness = pl.col("sharpness")
    table = (
        pl.DataFrame(found, schema=["kind", "amount", "sharpness"], orient="row")
        .group_by("kind", "amount", maintain_order=True)
        .agg(
            sharpness.min().alias("least"),
            sharpness.median().alias("median"),
            sharpness.max().alias("most"),
            (sharpness < least).mean().alias(f"below {least}"),
            pl.len().alias("faces"),
        )
        .sort("kind", "amount")
    )
    with pl.Config(tbl_rows=-1, tbl_hide_column_data_types=True, float_precision=3):
        print(table)


def frames_of(films: list[Path], every: int) -> Iterator[Frame]:
    """Every so many frames of each."""
    for film in films:
        with FrameReader(film, batch_size=None) as reader:
            for batch in reader:
                for index, frame_rgb in zip(batch.index.tolist(), np.asarray(batch.frames_rgb), strict=True):
                    if index % every == 0:
                        yield frame_rgb.copy()


def kernels(sigma_px: float) -> dict[str, Kernel]:
    """Kernels of this deviation along an axis; of a line along x."""
    reach = int(6 * sigma_px) + 2
    x = np.arange(-reach, reach + 1)
    bell = np.exp(-(x**2) / (2 * sigma_px**2))
    tent = np.exp(-np.abs(x) * 2**0.5 / sigma_px)
    disc = np.clip(2 * sigma_px + 0.5 - np.hypot(*np.meshgrid(x, x)), 0, 1)  # a disc's deviation is half its radius
    line = np.clip(3**0.5 * sigma_px + 0.5 - np.abs(x), 0, 1)[None]  # a line's is its length over the root of 12
    made = {"Gaussian": np.outer(bell, bell), "disc": disc, "gblur": np.outer(tent, tent), "line": line}
    return {kind: kernel / kernel.sum() for kind, kernel in made.items()}


def blurred(frame_rgb: Frame, kernel: Kernel) -> Frame:
    """A frame by a kernel; its edges go on."""
    pad = [(side // 2, side // 2) for side in kernel.shape]
    channels = [
        fftconvolve(np.pad(frame_rgb[..., at].astype(np.float64), pad, mode="edge"), kernel, mode="valid")
        for at in range(3)
    ]
    return np.asarray(np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255), np.uint8)


if __name__ == "__main__":
    main()
