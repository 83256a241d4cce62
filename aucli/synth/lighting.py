"""Lights: three directional ones, the first with a shadow, and an environment in spherical harmonics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lighting:
    """How a scene is lit.

    Attributes:
        directions: (3, 3) float32 unit vectors towards the lights.
        rgb: (3, 3) float32 linear colours; a light that is off is black.
        harmonics: (9, 3) float32 irradiance of the environment, order 1, y, z, x, xy, yz, 3zz-1, xz, xx-yy.
        shadow_softness: radius of the shadow's edge as a share of the shadow map.
        exposure: factor before the film curve.
    """

    directions: Float32
    rgb: Float32
    harmonics: Float32
    shadow_softness: float
    exposure: float

    @property
    def count(self) -> int:
        """How many lights are on; those that are off come last."""
        return int(np.count_nonzero(self.rgb.max(axis=1) > 0))


def studio() -> Lighting:
    """A plain, bright, slightly sideways light: for contact sheets and tests."""
    directions = np.array([[0.45, 0.5, 0.8], [-0.7, 0.25, 0.5], [0.3, 0.6, -0.7]], np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rgb = np.array([[1.9, 1.85, 1.8], [0.55, 0.57, 0.6], [0.35, 0.35, 0.35]], np.float32)
    harmonics = np.zeros((9, 3), np.float32)
    harmonics[0] = 0.38
    harmonics[1] = 0.12
    harmonics[2] = 0.08
    return Lighting(directions, rgb, harmonics, shadow_softness=0.006, exposure=0.72)


def sample_lighting(rng: np.random.Generator, surround_rgb: tuple[Float32, Float32]) -> Lighting:
    """Draw a light set-up: soft or hard, from the front, the side, above or behind, warm or cold.

    Args:
        rng: source of all draws.
        surround_rgb: linear colours (3,) of the background's upper and lower half, which tint the environment.
    """
    hardness = rng.beta(1.6, 1.6)
    key = _direction(rng.normal(0, 0.75), rng.normal(0.45, 0.3))
    fill = _direction(rng.uniform(-1.6, 1.6), rng.uniform(-0.2, 0.5))
    back = _direction(np.pi + rng.uniform(-1.0, 1.0), rng.uniform(0.0, 0.9))
    key_power = 0.5 + 2.3 * hardness
    rgb = np.stack(
        [
            key_power * _warmth(rng),
            rng.uniform(0, 0.7) * _warmth(rng),
            (rng.random() < 0.4) * rng.uniform(0.3, 2.2) * _warmth(rng),
        ]
    )
    upper, lower = (0.5 + 0.5 * colour / max(float(colour.mean()), 1e-3) for colour in surround_rgb)
    ambient = rng.uniform(0.25, 0.75) * (1.25 - 0.8 * hardness)
    harmonics = np.zeros((9, 3))
    harmonics[0] = ambient * 0.5 * (upper + lower) * _warmth(rng)
    harmonics[1] = harmonics[0] * (0.3 * (upper - lower) + rng.uniform(-0.1, 0.45))
    harmonics[2] = harmonics[0] * rng.uniform(-0.25, 0.4)
    harmonics[3] = harmonics[0] * rng.uniform(-0.45, 0.45)
    harmonics[4:] = harmonics[0] * rng.normal(0, 0.06, (5, 1))
    total = float(rgb[0].mean() * max(key[2], 0.2) + 0.5 * rgb[1].mean() + harmonics[0].mean())
    exposure = 1.45 / total * float(np.exp(rng.normal(0, 0.28)))
    return Lighting(
        directions=np.stack([key, fill, back]).astype(np.float32),
        rgb=rgb.astype(np.float32),
        harmonics=harmonics.astype(np.float32),
        shadow_softness=float(rng.uniform(0.002, 0.02)),
        exposure=exposure,
    )


def _direction(yaw_rad: float, pitch_rad: float) -> npt.NDArray[np.float64]:
    pitch = float(np.clip(pitch_rad, -0.5, 1.25))
    return np.array([np.sin(yaw_rad) * np.cos(pitch), np.sin(pitch), np.cos(yaw_rad) * np.cos(pitch)])


def _warmth(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Colour of a light between candle and sky, mean 1."""
    warm = rng.normal(0.0, 0.5)
    colour = np.exp(np.array([0.16, 0.0, -0.2]) * warm + rng.normal(0, 0.02, 3))
    return np.asarray(colour / colour.mean())
