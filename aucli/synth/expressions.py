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
"""AUs that are rendered and labelled."""

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
    7: Action({"eyeSquint": 1.25}, {}, {"lower_lid": 0.9, "crows_feet": 0.2}),
    9: Action({"noseSneer": 1.0}, {}, {"nose_side": 1.0, "nose_root": 0.9, "nasolabial": 0.5}),
    10: Action({"mouthUpperUp": 1.1}, {}, {"nasolabial": 0.85}),
    12: Action({"mouthSmile": 0.9}, {}, {"nasolabial": 0.6, "cheek": 0.45}),
    14: Action({"mouthDimple": 1.1}, {}, {"dimple": 1.0}),
    15: Action({"mouthFrown": 1.15}, {}, {"mouth_frown": 0.9}),
    17: Action({}, {"mouthShrugLower": 0.9}, {"chin": 1.0}),
    18: Action({}, {"mouthPucker": 1.0}, {"lip_lines": 0.8}),
    20: Action({"mouthStretch": 1.0}, {}, {"mouth_stretch": 0.8}),
    23: Action({"mouthPress": 0.45}, {"mouthPucker": 0.22, "mouthRollUpper": 0.18, "mouthRollLower": 0.22}, {"lip_lines": 0.9}),
    24: Action({"mouthPress": 1.2}, {"mouthRollUpper": 0.12, "mouthRollLower": 0.12}, {"lip_lines": 0.25}),
    25: Action({"mouthLowerDown": 0.7, "mouthUpperUp": 0.12}, {"jawOpen": 0.05}),
    26: Action({}, {"jawOpen": 0.5}),
    28: Action({}, {"mouthRollLower": 0.9, "mouthRollUpper": 0.9, "jawOpen": 0.06}),
    43: Action({"eyeBlink": 1.0}),
    45: Action({"eyeBlink": 1.0}),
}
"""The mapping of AUs to FaceKit's shapes."""


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
