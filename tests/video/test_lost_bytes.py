"""Ogg, ASF and AVI tell which of their bytes are lost: by checksums and numbers, places, and sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.video import asf, ogg, riff
from tests.builders.media import Decoded, MadeVideo, change_packets
from tests.builders.reading import read_all

CODECS = {"a.ogv": "libvpx", "a.wmv": "wmv2", "a.avi": "mjpeg"}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[bytes, Decoded]]:
    """A film of each container, and all that is in it."""
    folder = tmp_path_factory.mktemp("films")
    films = {}
    for name, codec in CODECS.items():
        pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        path = MadeVideo(codec=codec, options={"g": "10"}, pix_fmt=pix_fmt, grain=True).write(folder / name)
        reader, found = read_all(path, leave_out_damaged=True)
        assert (bool(reader.losses), reader.broken, reader.is_as_announced) == (False, None, True)
        assert len(found.timestamps) == 40
        films[name] = path.read_bytes(), found
    return lambda name: films[name]


def _told(path: Path) -> int:
    """Stretches that cannot be read, and bytes that are missing."""
    if path.suffix == ".ogv":
        return len(ogg.broken_stretches(path))
    if path.suffix == ".wmv":
        packets = asf.asf_packets(path)
        assert packets is not None
        return len(asf.broken_stretches(path)) + packets.n_missing
    return riff.missing_bytes(path)


@settings(max_examples=9, derandomize=True, deadline=None)
@given(
    name=st.sampled_from(sorted(CODECS)),
    place=st.floats(0.25, 0.8),
    n_bytes=st.integers(400, 9000),
    is_left_out=st.booleans(),
)
def test_a_hole_is_told(
    intact: Callable[[str], tuple[bytes, Decoded]],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    place: float,
    n_bytes: int,
    is_left_out: bool,
) -> None:
    """Bytes that are left out are told, and of Ogg and ASF zeros too: what is left is as it was, at its time."""
    data, whole = intact(name)
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    assert _told(path) == 0
    at = int(len(data) * place)
    n_bytes = min(n_bytes, len(data) - at)
    path.write_bytes(data[:at] + (b"" if is_left_out else bytes(n_bytes)) + data[at + n_bytes :])
    reader, found = read_all(path, leave_out_damaged=True)
    if is_left_out:
        assert _told(path)
        assert reader.broken is not None
    if name != "a.avi":
        pictures = dict(zip(whole.time_s.round(3).tolist(), whole.frames_rgb, strict=True))
        for time_s, picture in zip(found.time_s.round(3).tolist(), found.frames_rgb, strict=True):
            np.testing.assert_array_equal(picture, pictures[time_s])
        assert len(found.timestamps) == 40 or reader.broken is not None


@given(st.binary(max_size=80))
def test_checksums_of_pages_are_those_of_the_rfc(data: bytes) -> None:
    """The polynomial's remainder, bit by bit."""
    remainder = 0
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x104C11DB7 if remainder & 0x80000000 else 0)
    assert ogg.page_checksum(data) == remainder


def test_an_empty_file_promises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert (ogg.broken_stretches(path), asf.asf_packets(path), riff.missing_bytes(path)) == ([], None, 0)


def test_a_picture_that_is_shown_on_is_no_frame_that_is_missing(tmp_path: Path) -> None:
    """Theora, for one, writes an empty packet for it."""
    whole = MadeVideo(codec="mjpeg", pix_fmt="yuvj420p").write(tmp_path / "whole.nut")
    path = change_packets(whole, tmp_path / "a.nut", lambda number, data: b"" if number % 4 else data)
    reader, found = read_all(path)
    assert found.time_s.round(3).tolist() == [round(n / 25, 3) for n in range(0, 40, 4)]
    assert (bool(reader.losses), reader.broken) == (False, None)
