"""Facial action units (AUs): their numbers and names.

Numbers and names follow the Facial Action Coding System (Ekman, Friesen and Hager, 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

AU_NAMES: Final[dict[int, str]] = {
    1: "Inner brow raiser",
    2: "Outer brow raiser",
    4: "Brow lowerer",
    5: "Upper lid raiser",
    6: "Cheek raiser",
    7: "Lid tightener",
    9: "Nose wrinkler",
    10: "Upper lip raiser",
    11: "Nasolabial deepener",
    12: "Lip corner puller",
    13: "Sharp lip puller",
    14: "Dimpler",
    15: "Lip corner depressor",
    16: "Lower lip depressor",
    17: "Chin raiser",
    18: "Lip pucker",
    20: "Lip stretcher",
    22: "Lip funneler",
    23: "Lip tightener",
    24: "Lip pressor",
    25: "Lips part",
    26: "Jaw drop",
    27: "Mouth stretch",
    28: "Lip suck",
    43: "Eyes closed",
    45: "Blink",
}


def au_column(au: int) -> str:
    """Return the table's name for an AU: ``au_column(4) == "AU04"``.

    Raises:
        ValueError: if the number is not a FACS action unit of `AU_NAMES`.
    """
    if au not in AU_NAMES:
        raise ValueError(f"{au} is not an action unit; known are {', '.join(map(str, AU_NAMES))}")
    return f"AU{au:02d}"


def listed_aus(aus: Sequence[int]) -> str:
    """Numbers of action units as a sentence lists them: ``1, 2, 12``."""
    return ", ".join(map(str, aus))
