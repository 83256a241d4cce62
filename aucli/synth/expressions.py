"""Action units on the rig: which shapes each AU moves, how strongly, and which AUs occur together.

Intensities are those of FACS (Ekman, Friesen and Hager 2002), 0 for absent and 1-5 for A (trace) to E (maximum), here
as real numbers and per side of the face. The mapping starts from FaceKit's own table (see its README) and departs from
it where renders did not show the AU; `docs/synth.md` says where and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.synth.facemap import WRINKLES

Float32 = npt.NDArray[np.float32]
Side = Literal["left", "right"]

SYNTH_AUS: Final = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 18, 20, 23, 24, 25, 26, 28, 43, 45)
"""AUs that are rendered and labelled. AU22 is rendered too, for speech needs it, and has no column of its own."""

# Share of a shape's full motion at intensities 0, A, B, C, D, E: FACS spaces B and C further apart than D and E.
_ACTIVATION: Final = (0.0, 0.12, 0.30, 0.55, 0.80, 1.0)


@dataclass(frozen=True)
class Action:
    """What one AU does to the rig at intensity E.

    Attributes:
        sided: shapes with a left and a right half (named without ``_L`` / ``_R``) -> activation.
        whole: shapes that move both sides -> activation; the mean of the two intensities drives them.
        wrinkles: wrinkle layers -> strength.
    """

    sided: Mapping[str, float] = field(default_factory=dict)
    whole: Mapping[str, float] = field(default_factory=dict)
    wrinkles: Mapping[str, float] = field(default_factory=dict)


ACTIONS: Final[dict[int, Action]] = {
    1: Action({"browInnerUp": 1.25}, {}, {"forehead_inner": 1.0}),
    2: Action({"browOuterUp": 1.0}, {}, {"forehead_outer": 1.0}),
    4: Action({"browDown": 1.15}, {}, {"glabella": 1.0, "nose_root": 0.35}),
    5: Action({"eyeWide": 1.25}),
    6: Action({"cheekSquint": 1.0, "cheekRaiser": 0.5}, {}, {"crows_feet": 1.0, "infraorbital": 0.8, "lower_lid": 0.4}),
    7: Action({"eyeSquint": 1.7, "eyeBlink": 0.16}, {}, {"lower_lid": 0.9, "crows_feet": 0.2}),
    9: Action({"noseSneer": 1.0}, {}, {"nose_side": 1.0, "nose_root": 0.9, "nasolabial": 0.5}),
    10: Action({"mouthUpperUp": 1.1}, {}, {"nasolabial": 0.85}),
    12: Action({"mouthSmile": 0.9}, {}, {"nasolabial": 0.6, "cheek": 0.45}),
    14: Action({"mouthDimple": 1.1}, {}, {"dimple": 0.7}),
    15: Action({"mouthFrown": 1.15}, {}, {"mouth_frown": 0.6}),
    17: Action({}, {"mouthShrugLower": 0.9}, {"chin": 1.0}),
    18: Action({}, {"mouthPucker": 1.0}, {"lip_lines": 0.5}),
    20: Action({"mouthStretch": 0.85, "mouthDimple": 0.65}, {}, {"mouth_stretch": 0.8}),
    22: Action({}, {"mouthFunnel": 0.8}),
    23: Action(
        {"mouthPress": 0.8}, {"mouthPucker": 0.35, "mouthRollUpper": 0.4, "mouthRollLower": 0.45}, {"lip_lines": 0.5}
    ),
    24: Action({"mouthPress": 1.3}, {"mouthRollUpper": 0.2, "mouthRollLower": 0.2}, {"lip_lines": 0.25}),
    25: Action({"mouthLowerDown": 0.4, "mouthUpperUp": 0.1}, {"jawOpen": 0.1}),
    26: Action({}, {"jawOpen": 0.5}),
    28: Action({}, {"mouthRollLower": 0.95, "mouthRollUpper": 0.95, "mouthClose": 0.04}),
    43: Action({"eyeBlink": 1.0}),
    45: Action({"eyeBlink": 1.0}),
}
"""The mapping of AUs to FaceKit's shapes."""


def shapes_of_actions() -> set[str]:
    """Names of all shapes that a rig needs for `ACTIONS`."""
    sided = {f"{shape}_{side}" for action in ACTIONS.values() for shape in action.sided for side in ("L", "R")}
    return sided | {shape for action in ACTIONS.values() for shape in action.whole}


@dataclass(frozen=True)
class Expression:
    """Intensities 0-5 of AUs on either side; AUs not named are 0."""

    left: Mapping[int, float]
    right: Mapping[int, float]

    def intensity(self, au: int) -> float:
        """The stronger side, as FACS scores bilateral AUs."""
        return max(self.left.get(au, 0.0), self.right.get(au, 0.0))

    def without(self, au: int) -> Expression:
        """The same expression lacking one AU."""
        return Expression(
            {key: value for key, value in self.left.items() if key != au},
            {key: value for key, value in self.right.items() if key != au},
        )


def symmetric(intensities: Mapping[int, float]) -> Expression:
    """An expression with the same intensities on both sides."""
    return Expression(dict(intensities), dict(intensities))


def activation(intensity: float) -> float:
    """Share of full motion, 0-1, at a FACS intensity 0-5."""
    return float(np.interp(intensity, range(6), _ACTIVATION))


def rig_weights(expression: Expression) -> dict[str, float]:
    """Activations of the rig's shapes for an expression."""
    weights: dict[str, float] = {}
    for au, action in ACTIONS.items():
        left, right = (activation(side.get(au, 0.0)) for side in (expression.left, expression.right))
        if not left and not right:
            continue
        for shape, gain in action.sided.items():
            weights[f"{shape}_L"] = weights.get(f"{shape}_L", 0.0) + gain * left
            weights[f"{shape}_R"] = weights.get(f"{shape}_R", 0.0) + gain * right
        for shape, gain in action.whole.items():
            weights[shape] = weights.get(shape, 0.0) + gain * 0.5 * (left + right)
    return _reconciled(weights)


def _reconciled(weights: dict[str, float]) -> dict[str, float]:
    """Keep added shapes within what a face can do: lids close once, and closed lids do not squint further."""
    for side in ("L", "R"):
        blink = weights.get(f"eyeBlink_{side}", 0.0)
        if blink:
            blink = min(blink, 1.0)
            weights[f"eyeBlink_{side}"] = blink
            for shape in (f"eyeSquint_{side}", f"eyeWide_{side}"):
                if shape in weights:
                    weights[shape] *= 1 - blink
    return weights


def wrinkle_strengths(expression: Expression, depth: float, age: float) -> tuple[Float32, Float32]:
    """How strongly each wrinkle layer shows on the left and right side.

    Args:
        expression: intensities per side.
        depth: how deeply this person's skin folds, about 0.2-1.3.
        age: 0-1; with age, wrinkles stay when the face rests.

    Returns:
        Two arrays (16,).
    """
    rest = np.full(len(WRINKLES), 0.0, np.float32)
    for name, share in (("nasolabial", 0.55), ("forehead_inner", 0.3), ("forehead_outer", 0.25), ("crows_feet", 0.35)):
        rest[WRINKLES.index(name)] = share * max(age - 0.25, 0.0)
    for name, share in (("eye_bag", 0.6), ("mouth_frown", 0.35), ("glabella", 0.25), ("infraorbital", 0.3)):
        rest[WRINKLES.index(name)] = share * max(age - 0.35, 0.0)
    sides = []
    for intensities in (expression.left, expression.right):
        strength = rest.copy()
        for au, action in ACTIONS.items():
            share = activation(intensities.get(au, 0.0))
            for name, gain in action.wrinkles.items():
                strength[WRINKLES.index(name)] += depth * gain * share
        sides.append(np.minimum(strength, 1.5))
    return sides[0], sides[1]


# Prototypes of emotion and other displays: AU -> (how often it takes part, lowest and highest intensity).
# After Ekman, Friesen and Hager's (2002) emotion prototypes and the pain items of Prkachin and Solomon (2008).
_PROTOTYPES: Final[tuple[tuple[str, dict[int, tuple[float, float, float]]], ...]] = (
    ("happiness", {6: (0.75, 2, 5), 12: (1.0, 2.5, 5), 25: (0.6, 1.5, 5), 26: (0.15, 1, 3), 7: (0.2, 1, 3)}),
    ("polite smile", {12: (1.0, 2, 4.5), 25: (0.3, 1.5, 3), 1: (0.1, 1, 2), 2: (0.1, 1, 2)}),
    ("smile with closed lips", {12: (1.0, 2.5, 5), 6: (0.4, 2, 5), 14: (0.2, 2, 4), 24: (0.15, 3, 5), 17: (0.1, 2, 4)}),
    ("surprise", {1: (0.95, 2, 5), 2: (0.95, 2, 5), 5: (0.8, 2, 5), 25: (0.8, 1, 4), 26: (0.8, 1.5, 5)}),
    ("closed eyes", {43: (1.0, 4, 5), 1: (0.1, 1, 3), 4: (0.2, 1, 4), 12: (0.2, 2, 4), 17: (0.1, 2, 4)}),
    ("question", {2: (1.0, 2.5, 5), 4: (0.3, 1, 4), 5: (0.3, 1.5, 4), 14: (0.15, 2, 4), 17: (0.15, 2, 4)}),
    (
        "fear",
        {
            1: (0.95, 2, 5),
            2: (0.6, 1, 4),
            4: (0.85, 1, 4),
            5: (0.85, 2, 5),
            20: (0.6, 1, 5),
            25: (0.6, 1, 4),
            26: (0.3, 1, 3),
        },
    ),
    (
        "anger",
        {
            4: (1.0, 2, 5),
            5: (0.45, 2, 5),
            7: (0.7, 2, 5),
            23: (0.5, 2.5, 5),
            24: (0.4, 2.5, 5),
            10: (0.15, 1, 3),
            17: (0.3, 2, 5),
        },
    ),
    (
        "sadness",
        {1: (0.9, 1.5, 5), 4: (0.75, 1.5, 5), 15: (0.85, 2, 5), 17: (0.55, 2, 5), 6: (0.1, 1, 3), 43: (0.06, 4, 5)},
    ),
    (
        "crying",
        {
            1: (0.7, 1.5, 5),
            4: (1.0, 2.5, 5),
            6: (0.65, 2, 5),
            7: (0.6, 2, 5),
            9: (0.2, 1.5, 4),
            10: (0.25, 1.5, 4),
            15: (0.6, 2.5, 5),
            17: (0.55, 2.5, 5),
            20: (0.45, 2.5, 5),
            25: (0.6, 1.5, 5),
            26: (0.2, 1, 4),
            43: (0.15, 4, 5),
        },
    ),
    (
        "grimace",
        {
            4: (0.5, 1.5, 5),
            6: (0.3, 2, 4),
            7: (0.6, 2, 5),
            9: (0.3, 2, 5),
            10: (0.35, 2, 5),
            20: (1.0, 3, 5),
            25: (0.85, 2, 5),
        },
    ),
    (
        "disgust",
        {
            9: (0.8, 2.5, 5),
            10: (0.65, 2, 5),
            17: (0.4, 2, 5),
            4: (0.5, 1, 4),
            7: (0.4, 1.5, 4),
            25: (0.3, 1, 3),
            6: (0.2, 1, 3),
            15: (0.15, 2, 4),
        },
    ),
    ("contempt", {14: (0.9, 2.5, 5), 12: (0.2, 1, 3), 10: (0.1, 1, 3)}),
    (
        "pain",
        {
            4: (0.9, 1.5, 5),
            6: (0.7, 2, 5),
            7: (0.6, 2, 5),
            9: (0.5, 2, 5),
            10: (0.5, 1.5, 5),
            25: (0.5, 1, 4),
            43: (0.4, 4, 5),
            20: (0.25, 2, 5),
        },
    ),
    (
        "doubt",
        {
            1: (0.4, 1.5, 4),
            2: (0.5, 1.5, 5),
            4: (0.4, 1, 3),
            17: (0.7, 2.5, 5),
            15: (0.55, 2, 5),
            14: (0.25, 2, 4),
            24: (0.2, 2.5, 4),
        },
    ),
    ("pressed lips", {24: (1.0, 3, 5), 17: (0.3, 2, 4), 14: (0.25, 2, 4), 12: (0.15, 1, 3), 4: (0.2, 1.5, 4)}),
    ("tightened lips", {23: (1.0, 3, 5), 4: (0.35, 1.5, 5), 7: (0.3, 2, 4), 17: (0.2, 2, 4)}),
    ("sucked lips", {28: (1.0, 3, 5), 1: (0.15, 1, 4), 2: (0.15, 1, 4), 4: (0.15, 1, 4), 14: (0.15, 2, 4)}),
    ("wide eyes", {5: (1.0, 3, 5), 1: (0.2, 1.5, 4), 2: (0.3, 2, 5), 4: (0.15, 1.5, 4), 25: (0.15, 1, 3)}),
    ("narrowed eyes", {7: (1.0, 3, 5), 4: (0.4, 1.5, 5), 14: (0.15, 3, 5), 24: (0.15, 3, 5), 23: (0.15, 3, 5)}),
    ("raised chin", {17: (1.0, 3, 5), 15: (0.3, 2.5, 5), 24: (0.2, 3, 5), 14: (0.15, 3, 5)}),
    ("pout", {18: (1.0, 3, 5), 17: (0.35, 2, 4), 4: (0.25, 1.5, 4), 1: (0.15, 1.5, 4), 25: (0.1, 1, 2)}),
)
_PROTOTYPE_WEIGHTS: Final = {
    **{"happiness": 2.0, "smile with closed lips": 1.5, "surprise": 1.5, "question": 2.0, "contempt": 2.0},
    **{"crying": 1.5, "grimace": 2.0, "doubt": 1.5, "tightened lips": 2.5, "pressed lips": 2.0, "wide eyes": 1.5},
    **{"narrowed eyes": 1.5},
}
_SPEECH: Final[dict[int, tuple[float, float, float]]] = {
    25: (0.85, 1.5, 5),
    26: (0.55, 1.5, 5),
    18: (0.28, 2, 5),
    20: (0.2, 2, 5),
    22: (0.2, 1.5, 5),
    10: (0.12, 1.5, 3),
    12: (0.15, 1, 2.5),
    24: (0.1, 2, 4),
    17: (0.1, 2, 4),
    1: (0.12, 1.5, 4),
    2: (0.15, 1.5, 4),
    4: (0.12, 1, 4),
}
# Muscles that pull against each other, or lips that cannot be both parted and pressed: the second yields.
_CONFLICTS: Final = (
    *((24, 25), (24, 26), (28, 25), (28, 26), (28, 24), (28, 23), (28, 18), (28, 10), (28, 20), (23, 26), (24, 23)),
    *((23, 25), (22, 12), (22, 20), (22, 14), (22, 15), (22, 23), (22, 24), (22, 28), (22, 10)),
    *((18, 12), (18, 20), (18, 14), (18, 15), (18, 24), (18, 23), (20, 17), (43, 5), (12, 15), (14, 15), (17, 26)),
)
# AUs that often come on one side only.
_ONE_SIDED: Final = {14: 0.35, 12: 0.07, 2: 0.08, 10: 0.08, 15: 0.06, 20: 0.05, 43: 0.04, 7: 0.04}
_LONE_AUS: Final = tuple(au for au in SYNTH_AUS if au != 45)
# How often lone AUs and rare combinations hold each AU, relative to one that prototypes hold often.
_LONE_WEIGHTS: Final = {
    **{6: 1.5, 7: 2.0, 5: 2.0, 9: 1.5, 10: 2.5, 12: 1.5, 14: 2.0, 15: 2.0, 17: 1.5, 18: 2.0, 20: 1.5},
    **{23: 3.5, 24: 2.5, 26: 1.5, 28: 3.5, 43: 2.5},
}
# Weakly, these cannot be told from the shape of a face, so they are drawn strongly.
_SCARCE: Final = frozenset({6, 9, 12, 14, 15, 17, 18, 20, 23, 24, 28})
_LEAST_SCARCE: Final = 2.5


def sample_aus(rng: np.random.Generator) -> dict[int, float]:
    """Draw a set of AUs with intensities: prototypes, speech, lone AUs, rare combinations, and rest."""
    kind = rng.choice(5, p=(0.48, 0.11, 0.10, 0.23, 0.08))
    if kind == 0:
        _, members = _PROTOTYPES[int(rng.choice(len(_PROTOTYPES), p=_prototype_shares()))]
        aus = _members(rng, members)
    elif kind == 1:
        aus = _members(rng, _SPEECH)
    elif kind == 2:
        au = int(rng.choice(_LONE_AUS, p=_lone_shares()))
        aus = {au: float(rng.uniform(_LEAST_SCARCE if au in _SCARCE else 1.0, 5))}
    elif kind == 3:
        chosen = rng.choice(_LONE_AUS, size=int(rng.integers(2, 7)), replace=False, p=_lone_shares())
        aus = {int(au): float(rng.uniform(_LEAST_SCARCE if au in _SCARCE else 0.8, 5)) for au in chosen}
    else:
        aus = {}
    if 43 in aus:
        aus[43] = float(rng.uniform(4.2, 5)) if rng.random() < 0.85 else float(rng.uniform(1, 4))
    return without_conflicts(aus, rng)


def _prototype_shares() -> npt.NDArray[np.float64]:
    shares = np.array([_PROTOTYPE_WEIGHTS.get(name, 1.0) for name, _ in _PROTOTYPES])
    return np.asarray(shares / shares.sum())


def _lone_shares() -> npt.NDArray[np.float64]:
    shares = np.array([_LONE_WEIGHTS.get(au, 1.0) for au in _LONE_AUS])
    return np.asarray(shares / shares.sum())


def without_conflicts(aus: Mapping[int, float], rng: np.random.Generator) -> dict[int, float]:
    """Drop AUs that cannot occur beside others of the set; which of a pair goes is drawn."""
    kept = dict(aus)
    for first, second in _CONFLICTS:
        if first in kept and second in kept:
            del kept[second if rng.random() < 0.6 else first]
    return kept


def sample_sides(rng: np.random.Generator, aus: Mapping[int, float]) -> Expression:
    """Give each AU a left and a right intensity: about equal, at times lopsided, some on one side only."""
    left, right = {}, {}
    for au, intensity in aus.items():
        spread = 0.3 if rng.random() < 0.12 else 0.06
        shares = np.clip(1 + rng.normal(0, spread, 2), 0.3, 1.15)
        if rng.random() < _ONE_SIDED.get(au, 0.0):
            shares[int(rng.integers(2))] = 0.0
        shares /= shares.max()
        left[au], right[au] = (float(intensity * share) for share in shares)
    return Expression(left, right)


def _members(rng: np.random.Generator, members: Mapping[int, tuple[float, float, float]]) -> dict[int, float]:
    vigour = rng.uniform(0.6, 1.0)
    return {
        au: float(low + (high - low) * vigour * rng.uniform(0.6, 1.0))
        for au, (share, low, high) in members.items()
        if rng.random() < share
    }
