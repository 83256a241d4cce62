"""High dynamic range becomes what an ordinary screen shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.video.hdr import KNEE, PEAK, WHITE_NITS, ToneMap, hlg_scene, pq_nits, screen_code
from aucli.video.reader import FrameReader
from aucli.video.values import Transfer
from tests.builders.media import MadeVideo
from tests.builders.reading import read_all

HDR: list[Transfer] = ["pq", "hlg"]


def pq_code(nits: float) -> float:
    """SMPTE ST 2084, the other way round."""
    power = (nits / 10_000) ** (2610 / 16384)
    return float(((3424 / 4096 + 2413 / 4096 * 32 * power) / (1 + 2392 / 4096 * 32 * power)) ** (2523 / 4096 * 128))


def hlg_code(nits: float) -> float:
    """Grey on a screen of 1,000 nits: ITU-R BT.2100, OOTF and OETF."""
    scene = (nits / 1000) ** (1 / 1.2)
    if scene <= 1 / 12:
        return float(np.sqrt(3 * scene))
    return float(0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073)


def grey(code: float) -> npt.NDArray[np.uint16]:
    return np.full((1, 1, 3), round(code * 65535), np.uint16)


def test_known_levels() -> None:
    # BT.2408, table 1: reference white is 58 % in PQ and 75 % in HLG; 1,000 nits are 75 % and 100 %.
    assert pq_nits(np.array([0.58]))[0] == pytest.approx(203, abs=3)
    assert pq_nits(np.array([0.0, 1.0])) == pytest.approx([0, 10_000])
    assert pq_nits(np.array([0.7518]))[0] == pytest.approx(1000, rel=0.01)
    assert 1000 * hlg_scene(np.array([0.75, 1.0])) ** 1.2 == pytest.approx([203, 1000], rel=0.01)


@pytest.mark.parametrize("transfer", HDR)
@pytest.mark.parametrize("nits", [0.0, 2.0, 20.0, 60.0, 100.0])
def test_what_is_darker_than_half_the_white_stays_as_bright(transfer: Transfer, nits: float) -> None:
    code = pq_code(nits) if transfer == "pq" else hlg_code(nits)
    expected = 255 * (nits / WHITE_NITS) ** (1 / 2.4)
    shown = ToneMap(transfer)(grey(code))
    assert np.abs(shown - expected).max() <= 1.5


def test_highlights_bend_smoothly_to_white() -> None:
    light = np.linspace(0, PEAK, 2000)
    code = screen_code(light)
    assert (np.diff(code) > 0).all()
    assert code[-1] == pytest.approx(1)
    slope = np.diff(screen_code(np.array([KNEE - 1e-4, KNEE, KNEE + 1e-4])) ** 2.4) / 1e-4
    assert slope == pytest.approx([1, 1], abs=1e-2)


@given(st.sampled_from(HDR), st.lists(st.integers(0, 65535), min_size=2, max_size=2).map(sorted))
def test_brighter_stays_brighter_and_grey_stays_grey(transfer: Transfer, codes: list[int]) -> None:
    tone_map = TONE_MAPS[transfer]
    dark, bright = (tone_map(np.full((1, 1, 3), code, np.uint16)) for code in codes)
    assert (dark <= bright).all()
    assert np.ptp(bright.astype(int)) <= 2


TONE_MAPS = {transfer: ToneMap(transfer) for transfer in HDR}


@pytest.mark.parametrize(("color_trc", "transfer"), [(16, "pq"), (18, "hlg")])
def test_files_are_mapped_and_say_so_once(tmp_path: Path, color_trc: int, transfer: str) -> None:
    marks = {"codec": "libx265", "pix_fmt": "yuv420p10le", "n_frames": 3, "colorspace": 9}
    hdr = MadeVideo(**marks, color_trc=color_trc).write(tmp_path / "hdr.mp4")  # type: ignore[arg-type]
    plain = MadeVideo(**marks).write(tmp_path / "plain.mp4")  # type: ignore[arg-type]
    reader, found = read_all(hdr)
    assert reader.info.transfer == transfer
    assert [note for note in reader.notes if "high dynamic range" in note] == list(reader.notes)
    _, as_sdr = read_all(plain)
    assert np.abs(found.frames_rgb[1].astype(int) - as_sdr.frames_rgb[1]).mean() > 10
    assert found.frames_rgb[1].max() == 255  # the white blocks of the number
    with FrameReader(hdr, decoder="pyav") as again:
        np.testing.assert_array_equal(np.concatenate([b.frames_rgb for b in again]), np.stack(found.frames_rgb))
