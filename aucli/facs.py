"""Facial action units (AUs): their names, and the sets that the benchmarks code.

Numbers and names follow the Facial Action Coding System (Ekman, Friesen and Hager, 2002).
"""

from __future__ import annotations

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

BP4D_AUS: Final = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The 12 AUs of BP4D and BP4D+ (Zhang et al. 2014, as evaluated since JAA-Net)."""
DISFA_AUS: Final = (1, 2, 4, 6, 9, 12, 25, 26)
"""The 8 AUs of DISFA that are evaluated (Mavadati et al. 2013 coded 12)."""
GFT_AUS: Final = (1, 2, 4, 6, 10, 12, 14, 15, 23, 24)
"""The 10 AUs of GFT (Girard et al. 2017)."""
AFFWILD2_AUS: Final = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
"""The 12 AUs of Aff-Wild2 (ABAW challenges since 2021)."""


def au_column(au: int) -> str:
    """Return the table's name for an AU: ``au_column(4) == "AU04"``.

    Raises:
        ValueError: if the number is not a FACS action unit of `AU_NAMES`.
    """
    if au not in AU_NAMES:
        raise ValueError(f"{au} is not an action unit; known are {', '.join(map(str, AU_NAMES))}")
    return f"AU{au:02d}"
