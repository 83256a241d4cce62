"""What cameras, lenses and codecs do to a picture, last in the chain."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Damage:
    """One draw of damage, kept constant through a video.

    Attributes:
        blur_px: standard deviation of the lens blur.
        motion_px, motion_rad: length and direction of the camera's shake.
        coarse: share of the resolution that a zoomed or low-resolution camera leaves, in (0, 1].
        noise: standard deviation of the sensor's noise in grey levels.
        noise_colour: 0 for grey noise, 1 for independent colours.
        gain: (3,) white balance.
        gamma, contrast: tone.
        vignette: darkening of the corners, 0-1.
        grey: whether colour is dropped.
        jpeg_quality: 0 for none.
        h264_crf: 0 for none.
    """

    blur_px: float = 0.0
    motion_px: float = 0.0
    motion_rad: float = 0.0
    coarse: float = 1.0
    noise: float = 0.0
    noise_colour: float = 0.0
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    vignette: float = 0.0
    grey: bool = False
    jpeg_quality: int = 0
    h264_crf: int = 0

    @property
    def total_blur_px(self) -> float:
        """Standard deviation of everything that blurs, including lost resolution and what compression flattens."""
        lost = 0.45 * (1 / self.coarse - 1)
        # By eye: at the worst settings that are drawn, blocks hide as much as a blur of 2.2 and 1 px.
        h264 = 0.16 * max(self.h264_crf - 26, 0)
        jpeg = 0.07 * max(40 - self.jpeg_quality, 0) if self.jpeg_quality else 0.0
        return float(np.sqrt(self.blur_px**2 + (0.29 * self.motion_px) ** 2 + lost**2 + h264**2 + jpeg**2))


def sample_damage(rng: np.random.Generator) -> Damage:
    """Draw damage: most pictures are good, some are bad in one way, few in many."""
    codec = rng.choice(3, p=(0.35, 0.45, 0.20))
    gain = np.exp(rng.normal(0, 0.05, 3)) if rng.random() < 0.6 else np.ones(3)
    return Damage(
        blur_px=float(rng.gamma(1.2, 0.5)) if rng.random() < 0.5 else 0.0,
        motion_px=float(rng.uniform(1, 6)) if rng.random() < 0.1 else 0.0,
        motion_rad=float(rng.uniform(0, np.pi)),
        coarse=float(rng.uniform(0.3, 0.9)) if rng.random() < 0.25 else 1.0,
        noise=float(rng.gamma(1.5, 2.5)) if rng.random() < 0.6 else 0.0,
        noise_colour=float(rng.random()),
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        gamma=float(np.exp(rng.normal(0, 0.13))),
        contrast=float(np.exp(rng.normal(0, 0.1))),
        vignette=float(rng.uniform(0, 0.5)) if rng.random() < 0.3 else 0.0,
        grey=bool(rng.random() < 0.15),
        jpeg_quality=int(rng.integers(25, 95)) if codec == 1 else 0,
        h264_crf=int(rng.integers(20, 40)) if codec == 2 else 0,
    )


def apply_damage(picture: UInt8, damage: Damage, rng: np.random.Generator) -> UInt8:
    """Damage one picture (H, W, 3) uint8; the draws are the noise only."""
    image = Image.fromarray(picture)
    height, width = picture.shape[:2]
    if damage.blur_px > 0.2:
        image = image.filter(ImageFilter.GaussianBlur(damage.blur_px))
    if damage.motion_px >= 1:
        image = _shaken(image, damage.motion_px, damage.motion_rad)
    if damage.coarse < 1:
        small = (max(round(width * damage.coarse), 8), max(round(height * damage.coarse), 8))
        image = image.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BICUBIC)
    levels: npt.NDArray[np.floating[Any]] = _toned(np.asarray(image, np.float32), damage)
    if damage.noise:
        grey = rng.standard_normal((height, width, 1), np.float32)
        colour = rng.standard_normal((height, width, 3), np.float32)
        share = damage.noise_colour
        # Shot noise: more in the light, but visible in the dark as well.
        strength = damage.noise * (0.5 + 0.5 * np.sqrt(np.clip(levels, 0, 255) / 255))
        levels = levels + strength * ((1 - share) * grey + share * colour)
    if damage.grey:
        levels = np.repeat(levels @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=-1)
    damaged: UInt8 = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    if damage.jpeg_quality:
        damaged = _through_jpeg(damaged, damage.jpeg_quality)
    if damage.h264_crf:
        damaged = _through_h264(damaged, damage.h264_crf)
    return damaged


def _toned(levels: npt.NDArray[np.floating[Any]], damage: Damage) -> npt.NDArray[np.floating[Any]]:
    unit = np.clip(levels * np.array(damage.gain, np.float32) / 255, 0, 1) ** np.float32(damage.gamma)
    unit = (unit - 0.45) * damage.contrast + 0.45
    if damage.vignette:
        axis = np.linspace(-1, 1, levels.shape[0], dtype=np.float32)
        unit = unit * (1 - damage.vignette * 0.5 * (axis[:, None] ** 2 + axis[None] ** 2))[..., None]
    return np.asarray(unit * 255, np.float32)


def _shaken(image: Image.Image, length_px: float, direction_rad: float) -> Image.Image:
    """Mean of shifted copies along a line."""
    picture = np.asarray(image, np.float32)
    steps = int(np.ceil(length_px)) + 1
    total = np.zeros_like(picture)
    for step in np.linspace(-0.5, 0.5, steps):
        dx, dy = (round(float(step * length_px * f(direction_rad))) for f in (np.cos, np.sin))
        padded = np.pad(picture, ((abs(dy), abs(dy)), (abs(dx), abs(dx)), (0, 0)), mode="edge")
        y, x = abs(dy) + dy, abs(dx) + dx
        total += padded[y : y + picture.shape[0], x : x + picture.shape[1]]
    return Image.fromarray(np.asarray(total / steps + 0.5, np.uint8))


def _through_jpeg(picture: UInt8, quality: int) -> UInt8:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _through_h264(picture: UInt8, crf: int) -> UInt8:
    """Encode and decode one picture as a video of one frame."""
    buffer = io.BytesIO()
    height, width = picture.shape[:2]
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width - width % 2, height - height % 2, "yuv420p"
        stream.thread_count = 1
        container.mux(
            stream.encode(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[: stream.height, : stream.width]), "rgb24")
            )
        )
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as reader:
        decoded = next(reader.decode(video=0)).to_ndarray(format="rgb24")
    result = picture.copy()
    result[: decoded.shape[0], : decoded.shape[1]] = decoded
    return result
