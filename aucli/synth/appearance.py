"""How a rendered person looks: everything about them that is no expression, drawn at random and wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

_T = TypeVar("_T")
Rgb = tuple[float, float, float]
HairStyle = Literal["bald", "buzz", "short", "swept", "fringe", "bob", "long", "tied", "curly"]
Headwear = Literal["none", "beanie", "cap", "scarf"]
Glasses = Literal["none", "round", "square", "aviator", "sunglasses"]
Beard = Literal["none", "stubble", "moustache", "goatee", "full"]

IDENTITY_MODES: Final = 100
# Albedo of skins from very light to very dark, in sRGB: photographs look lighter, for they are exposed for the face.
_SKIN_SRGB: Final = (
    *((213, 172, 150), (208, 163, 138), (200, 150, 122), (188, 136, 106), (173, 120, 90)),
    *((152, 101, 73), (128, 83, 60), (102, 66, 48), (79, 52, 40), (58, 40, 33)),
)
_HAIR_SRGB: Final = (
    *((22, 18, 17), (38, 28, 24), (60, 42, 32), (92, 64, 44), (128, 92, 58), (176, 138, 88), (206, 176, 126)),
    *((132, 62, 34), (160, 160, 162), (222, 220, 216)),
)
_IRIS_SRGB: Final = (
    (52, 32, 20),
    (80, 50, 28),
    (112, 78, 42),
    (104, 110, 66),
    (110, 130, 120),
    (104, 136, 164),
    (92, 104, 116),
)


@dataclass(frozen=True)
class Appearance:
    """One person's looks. Colours are linear RGB in [0, 1]; lengths cm; shares in [0, 1]."""

    identity: tuple[float, ...]
    age: float
    skin_tone: float
    skin_rgb: Rgb
    redness: float
    blotches: float
    freckles: float
    gloss: float
    roughness: float
    pores: float
    scatter: float
    wrinkle_depth: float
    lip_rgb: Rgb
    lip_gloss: float
    eye_shadow: float
    eye_shadow_rgb: Rgb
    eye_liner: float
    blush: float
    lash_density: float
    brow_rgb: Rgb
    brow_density: float
    brow_thickness_cm: float
    brow_lift_cm: float
    beard: Beard
    beard_rgb: Rgb
    beard_density: float
    hair: HairStyle
    hair_rgb: Rgb
    hair_shine: float
    hairline_cm: float
    headwear: Headwear
    headwear_rgb: Rgb
    glasses: Glasses
    glasses_rgb: Rgb
    lens_tint: float
    iris_rgb: Rgb
    iris_radius_rad: float
    pupil_radius_rad: float
    sclera_rgb: Rgb
    veins: float
    teeth_rgb: Rgb
    mucosa_rgb: Rgb
    clothes_rgb: Rgb
    clothes_stripe_rgb: Rgb
    clothes_stripes: bool
    strokes_seed: int


def linear(srgb: tuple[float, ...] | list[float]) -> Rgb:
    """Linear RGB in [0, 1] of an sRGB colour in 0-255."""
    r, g, b = (float((max(value, 0.0) / 255.0) ** 2.2) for value in srgb)
    return (r, g, b)


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Draw one person. The same generator state gives the same person."""
    age = float(rng.uniform(0, 1) ** 1.3)
    masculine = float(np.clip(rng.normal(0.5, 0.35), 0, 1))
    tone = float(rng.uniform(0, 1))
    skin = _between(_SKIN_SRGB, tone) * rng.uniform(0.95, 1.05) + rng.normal(0, 3.5, 3)
    hair = _hair_colour(rng, tone, age)
    headwear: Headwear = _choose(rng, ("none", "beanie", "cap", "scarf"), (0.84, 0.055, 0.045, 0.06))
    glasses: Glasses = _choose(
        rng, ("none", "round", "square", "aviator", "sunglasses"), (0.72, 0.09, 0.11, 0.05, 0.03)
    )
    made_up = rng.random() < 0.55 * (1 - masculine) + 0.05
    lip_base = skin * np.array([0.92, 0.68, 0.68]) + np.array([4, -2, 0]) + rng.normal(0, 5, 3)
    lipstick = np.array(
        _choose(rng, ((176, 30, 48), (200, 72, 88), (140, 24, 60), (214, 104, 96), (120, 50, 50)), None)
    )
    lip_mix = rng.uniform(0.3, 0.9) if made_up and rng.random() < 0.7 else 0.0
    lips = (1 - lip_mix) * lip_base + lip_mix * lipstick
    brow = np.clip(0.8 * hair + 0.1 * skin - 8 + rng.normal(0, 8, 3), 10, 230)
    beard_rgb = np.clip(0.85 * hair + 0.1 * skin - 10, 8, 225)
    return Appearance(
        identity=_identity(rng),
        age=age,
        skin_tone=tone,
        skin_rgb=linear(skin.tolist()),
        redness=float(rng.beta(2, 3)),
        blotches=float(rng.beta(1.5, 4)),
        freckles=float(rng.uniform(0.2, 1) if rng.random() < 0.18 and tone < 0.6 else 0.0),
        gloss=float(rng.beta(2, 3)),
        roughness=float(rng.uniform(0.42, 0.66)),
        pores=float(rng.uniform(0.3, 1.4)),
        scatter=float(rng.uniform(0.5, 1.0) * (1 - 0.4 * tone)),
        wrinkle_depth=float(np.clip(0.35 + 0.75 * age + rng.normal(0, 0.15), 0.15, 1.3)),
        lip_rgb=linear(lips.tolist()),
        lip_gloss=float(rng.beta(2, 4) + (0.3 if lip_mix else 0.0)),
        eye_shadow=float(rng.uniform(0.2, 0.7)) if made_up and rng.random() < 0.6 else 0.0,
        eye_shadow_rgb=linear(rng.uniform((60, 40, 40), (170, 120, 130)).tolist()),
        eye_liner=float(rng.uniform(0.3, 1.0)) if made_up else float(rng.uniform(0, 0.15)),
        blush=float(rng.uniform(0.2, 0.8)) if made_up else 0.0,
        lash_density=float(rng.uniform(0.6, 1.0)) if made_up else float(rng.uniform(0.15, 0.6)),
        brow_rgb=linear(brow.tolist()),
        brow_density=float(rng.uniform(0.35, 1.0)),
        brow_thickness_cm=float(np.clip(rng.normal(0.62 + 0.2 * masculine, 0.14), 0.3, 1.15)),
        brow_lift_cm=float(rng.normal(-0.28, 0.14)),
        beard=_sample_beard(rng, masculine),
        beard_rgb=linear(beard_rgb.tolist()),
        beard_density=float(rng.uniform(0.4, 1.0)),
        hair=_sample_hair(rng, masculine, age),
        hair_rgb=linear(hair.tolist()),
        hair_shine=float(rng.uniform(0.3, 1.4)),
        hairline_cm=float(rng.normal(-0.2, 0.35) + 1.2 * max(age - 0.6, 0) * masculine),
        headwear=headwear,
        headwear_rgb=linear(rng.uniform(15, 235, 3).tolist()),
        glasses=glasses,
        glasses_rgb=linear((rng.uniform(5, 60, 3) if rng.random() < 0.65 else rng.uniform(60, 210, 3)).tolist()),
        lens_tint=float(rng.uniform(0.75, 0.97)) if glasses == "sunglasses" else float(rng.uniform(0.0, 0.14)),
        iris_rgb=linear(
            (np.array(_IRIS_SRGB)[_iris_index(rng, tone)] * rng.uniform(0.85, 1.2) + rng.normal(0, 3, 3)).tolist()
        ),
        iris_radius_rad=float(rng.uniform(0.40, 0.46)),
        pupil_radius_rad=float(rng.uniform(0.11, 0.24)),
        sclera_rgb=linear((np.array([232, 226, 220]) + rng.normal(0, 6, 3)).tolist()),
        veins=float(rng.beta(1.5, 4)),
        teeth_rgb=linear((np.array([236, 228, 208]) * rng.uniform(0.86, 1.03) + rng.normal(0, 3, 3)).tolist()),
        mucosa_rgb=linear(rng.uniform((150, 62, 60), (190, 92, 88)).tolist()),
        clothes_rgb=linear((rng.uniform(8, 70, 3) if rng.random() < 0.4 else rng.uniform(20, 240, 3)).tolist()),
        clothes_stripe_rgb=linear(rng.uniform(10, 240, 3).tolist()),
        clothes_stripes=bool(rng.random() < 0.2),
        strokes_seed=int(rng.integers(2**31)),
    )


def _between(
    palette: tuple[tuple[int, int, int], ...], position: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    steps = np.array(palette, np.float64)
    at = position * (len(steps) - 1)
    k = min(int(at), len(steps) - 2)
    return np.asarray(steps[k] + (at - k) * (steps[k + 1] - steps[k]))


def _choose(rng: np.random.Generator, options: tuple[_T, ...], shares: tuple[float, ...] | None) -> _T:
    return options[int(rng.choice(len(options), p=shares))]


def _identity(rng: np.random.Generator) -> tuple[float, ...]:
    """PCA coefficients within 2.5 standard deviations: beyond, lids and lips no longer meet."""
    return tuple(np.clip(rng.normal(0, 1.0, IDENTITY_MODES), -2.5, 2.5).tolist())


def _hair_colour(rng: np.random.Generator, tone: float, age: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """sRGB hair colour: darker with darker skin, grey with age, now and then dyed."""
    if rng.random() < 0.04:
        return np.asarray(rng.uniform((60, 20, 20), (230, 120, 200)))
    fair = max(0.0, 1 - 1.6 * tone)
    shares = np.array(
        [1.2, 1.2, 1.0, 0.3 + fair, 0.1 + fair, 0.05 + 0.8 * fair, 0.03 + 0.5 * fair, 0.02 + 0.4 * fair, 0.0, 0.0]
    )
    shares[8:] = 2.5 * max(age - 0.5, 0.0) * np.array([2.0, 1.0])
    colour = np.array(_HAIR_SRGB[int(rng.choice(len(shares), p=shares / shares.sum()))], np.float64)
    return np.asarray(np.clip(colour * rng.uniform(0.8, 1.2) + rng.normal(0, 5, 3), 8, 235))


def _iris_index(rng: np.random.Generator, tone: float) -> int:
    fair = max(0.0, 1 - 2.0 * tone)
    shares = np.array([1.4, 1.2, 0.6, 0.1 + 0.6 * fair, 0.02 + 0.6 * fair, 0.02 + fair, 0.02 + 0.5 * fair])
    return int(rng.choice(len(shares), p=shares / shares.sum()))


def _sample_beard(rng: np.random.Generator, masculine: float) -> Beard:
    if rng.random() > 1.9 * (masculine - 0.3):
        return "none"
    return _choose(rng, ("none", "stubble", "moustache", "goatee", "full"), (0.35, 0.3, 0.07, 0.1, 0.18))


def _sample_hair(rng: np.random.Generator, masculine: float, age: float) -> HairStyle:
    if masculine > 0.5:
        bald = 0.05 + 0.2 * age
        shares = np.array([bald, 0.17, 0.3, 0.2, 0.1, 0.02, 0.03, 0.02, 0.11])
    else:
        shares = np.array([0.01, 0.02, 0.08, 0.1, 0.1, 0.2, 0.26, 0.13, 0.1])
    styles: tuple[HairStyle, ...] = ("bald", "buzz", "short", "swept", "fringe", "bob", "long", "tied", "curly")
    return styles[int(rng.choice(len(styles), p=shares / shares.sum()))]
