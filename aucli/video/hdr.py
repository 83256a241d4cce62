"""High dynamic range to what an ordinary screen shows.

PQ (SMPTE ST 2084) and HLG (ITU-R BT.2100) code brightness up to 1,000 nits and more, over the colours of BT.2020. Taken
as ordinary RGB they look grey and flat, unlike anything that a face detector or a model has seen.

The way back: code -> light in nits -> share of the reference white of 203 nits (ITU-R BT.2408) -> colours of BT.709 ->
a curve that leaves what is darker than half of that white as it is and bends the highlights below 1 -> code for a
screen of gamma 2.4 (ITU-R BT.1886).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.video.values import Transfer

Float32Array = npt.NDArray[np.float32]

WHITE_NITS: Final = 203.0
"""BT.2408: how bright paper-white is in high dynamic range."""
PEAK: Final = 1000.0 / WHITE_NITS
"""The brightest light that is told apart from brighter ones, in units of the white."""
KNEE: Final = 0.5
"""Light up to here is left alone: skin lies below."""

BT2020_TO_BT709: Final = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Linear RGB to linear RGB: ITU-R BT.2087-0, section 3."""
BT2020_LUMA: Final = np.array([0.2627, 0.6780, 0.0593], np.float32)

CODE_STEPS: Final = 4095
"""Steps of light in the last table."""
BAND_ROWS: Final = 64
"""Rows mapped at a time, so that what lies between stays in the processor's cache."""


def pq_nits(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the light of PQ codes (0 to 1) in nits: the EOTF of SMPTE ST 2084."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = np.power(code, 1 / m2)
    return np.asarray(10_000 * np.power(np.maximum(root - c1, 0) / (c2 - c3 * root), 1 / m1))


def hlg_scene(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the scene light (0 to 1) of HLG codes: the inverse OETF of BT.2100, table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def screen_code(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the code (0 to 1) of light in units of the white, highlights bent below 1.

    Above the knee k the curve is k + u / (1 + s u) with u = x - k: it goes on with slope 1, and s is such that the
    peak becomes 1.
    """
    span, room = PEAK - KNEE, 1 - KNEE
    bend = (span / room - 1) / span
    above = np.clip(light - KNEE, 0, span)
    bent = np.minimum(light, KNEE) + above / (1 + bend * above)
    return np.power(np.clip(bent, 0, 1), 1 / 2.4)


class ToneMap:
    """Turns RGB pictures of 16 bits in PQ or HLG into ordinary ones of 8 bits."""

    def __init__(self, transfer: Transfer) -> None:
        self.transfer = transfer
        code = np.arange(2**16) / (2**16 - 1)
        light = pq_nits(code) / WHITE_NITS if transfer == "pq" else hlg_scene(code)
        self._light = np.minimum(light, PEAK).astype(np.float32)
        # The last table is read at the square root of the light: fine steps where it is dark.
        steps = (np.arange(CODE_STEPS + 1) / CODE_STEPS) ** 2 * PEAK
        self._code = np.rint(255 * screen_code(steps)).astype(np.uint8)

    def __call__(self, codes_rgb: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
        """Map (H, W, 3) uint16 to (H, W, 3) uint8."""
        picture = np.empty(codes_rgb.shape, np.uint8)
        for top in range(0, len(codes_rgb), BAND_ROWS):
            picture[top : top + BAND_ROWS] = self._map(codes_rgb[top : top + BAND_ROWS])
        return picture

    def _map(self, codes_rgb: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
        light = self._light[codes_rgb]
        if self.transfer == "hlg":
            # BT.2100's OOTF for a screen of 1,000 nits: brightness with exponent 1.2, colours kept.
            light *= (PEAK * np.power(light @ BT2020_LUMA, np.float32(0.2)))[..., None]
        light = np.clip(light @ BT2020_TO_BT709.T, 0, PEAK)
        steps = np.sqrt(light * np.float32(1 / PEAK)) * np.float32(CODE_STEPS) + np.float32(0.5)
        return np.asarray(self._code[steps.astype(np.uint16)])
