"""The eight ways to show a stored picture."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from aucli.video.orientation import UPRIGHT, Orientation
from aucli.video.reader import FrameReader
from tests.builders.media import MadeVideo, decode_plainly, set_display_matrix
from tests.builders.reading import read_all

# The matrices that keep the axes or swap them.
MATRICES = [
    *itertools.product((-1, 1), (0,), (0,), (-1, 1)),
    *itertools.product((0,), (-1, 1), (-1, 1), (0,)),
]


def show_plainly(picture: npt.NDArray[np.uint8], a: int, b: int, c: int, d: int) -> npt.NDArray[np.uint8]:
    """Move every pixel to where the matrix sends it."""
    height, width = picture.shape[:2]
    places = {(x, y): (a * x + c * y, b * x + d * y) for x in range(width) for y in range(height)}
    left, top = (min(place[k] for place in places.values()) for k in (0, 1))
    shown = np.zeros((width, height, 3) if b else picture.shape, np.uint8)
    for (x, y), (to_x, to_y) in places.items():
        shown[to_y - top, to_x - left] = picture[y, x]
    return shown


def full_matrix(a: int, b: int, c: int, d: int) -> list[int]:
    return [a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30]


@pytest.mark.parametrize("matrix", MATRICES)
def test_every_matrix_moves_every_pixel_to_its_place(matrix: tuple[int, int, int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 3, 3), dtype=np.uint8)
    orientation = Orientation.from_matrix(full_matrix(*matrix))
    expected = show_plainly(picture, *matrix)
    np.testing.assert_array_equal(orientation.apply(picture), expected)
    assert orientation.shape(4, 3) == expected.shape


def test_other_angles_are_taken_as_the_nearest_quarter() -> None:
    for angle in range(-44, 45, 4):
        turn = np.deg2rad(90 + angle)
        cos, sin = round(65536 * np.cos(turn)), round(65536 * np.sin(turn))
        assert Orientation.from_matrix([cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30]) == Orientation(90)
    assert Orientation.from_matrix([0] * 9) == UPRIGHT


@pytest.mark.slow
def test_torch_agrees() -> None:
    torch = pytest.importorskip("torch")
    picture = np.random.default_rng(0).integers(0, 256, (4, 3, 3), dtype=np.uint8)
    for matrix in MATRICES:
        orientation = Orientation.from_matrix(full_matrix(*matrix))
        found = orientation.apply_torch(torch.from_numpy(picture)).numpy()
        np.testing.assert_array_equal(found, orientation.apply(picture))


def test_only_quarters() -> None:
    with pytest.raises(ValueError, match="rotation_deg is 45"):
        Orientation(45)


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_files_are_shown_as_their_matrix_says(tmp_path: Path, matrix: tuple[int, int, int, int], decoder: str) -> None:
    path = MadeVideo(n_frames=2, size=(64, 48)).write(tmp_path / "a.mp4")
    stored = decode_plainly(path).frames_rgb[1]
    set_display_matrix(path, *matrix)
    reader, found = read_all(path, decoder=decoder)
    assert reader.decoder.startswith(decoder)
    np.testing.assert_array_equal(found.frames_rgb[1], show_plainly(stored, *matrix))
    assert (reader.info.height, reader.info.width) == found.frames_rgb[1].shape[:2]


def test_pixel_aspect_and_rotation_together(tmp_path: Path) -> None:
    from fractions import Fraction

    path = MadeVideo(n_frames=2, size=(64, 48), pixel_aspect=Fraction(3, 2)).write(tmp_path / "a.mp4")
    wide = read_all(path)[1].frames_rgb[1]
    assert wide.shape == (48, 96, 3)
    set_display_matrix(path, 0, 1, -1, 0)
    reader, found = read_all(path)
    np.testing.assert_array_equal(found.frames_rgb[1], np.rot90(wide, -1))
    assert (reader.info.width, reader.info.height, reader.info.orientation) == (48, 96, Orientation(90))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_of_a_camera_film_say_how_they_are_turned(tmp_path: Path, orientation: int) -> None:
    """Cameras write EXIF into every picture of an MJPEG film: of a kind that PyAV before 19 does not know."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "maker"
    left_dark = Image.fromarray(np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], 48, 0).repeat(3, 2))
    file = io.BytesIO()
    left_dark.save(file, "JPEG", exif=exif)
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(3):
            packet = av.Packet(file.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            container.mux(packet)
    with FrameReader(tmp_path / "a.avi") as reader:
        frames = np.concatenate([batch.frames_rgb for batch in reader]).astype(int)
    assert len(frames) == 3
    # Where FFmpeg (from 8 on) makes a display matrix of it, the film is shown turned as the photograph would be.
    turned = reader.info.orientation.rotation_deg
    assert turned in (0, {1: 0, 3: 180, 6: 90, 8: 270}[orientation])
    upright = np.asarray(Image.open(io.BytesIO(file.getvalue()))).astype(int)
    assert np.abs(frames[0] - np.rot90(upright, -turned // 90)).mean() < 4
