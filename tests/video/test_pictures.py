"""Photographs and folders of numbered pictures, read like videos."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aucli.errors import OptionsError, VideoError
from aucli.video.content import content_digest, content_files, content_fingerprint, content_size
from aucli.video.orientation import Orientation
from aucli.video.pictures import is_photograph, is_picture_folder, numbered_pictures
from aucli.video.reader import FrameReader, probe
from tests.builders.media import MadeVideo, numbered_frame, read_number
from tests.builders.reading import read_all, shapes_of


def write_numbered(folder: Path, numbers: list[int], name: str = "frame_{:04d}.png") -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.fromarray(numbered_frame(number, 128, 96)).save(folder / name.format(number))
    return folder


# ---- photographs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "jpg"])
def test_a_photograph_is_one_frame_at_time_0(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture = numbered_frame(7, 128, 96)
    Image.fromarray(picture).save(path, lossless=True)
    reader, found = read_all(path)
    assert (found.timestamps, found.time_s.tolist()) == ([0], [0.0])
    assert read_number(found.frames_rgb[0]) == 7
    if suffix != "jpg":
        np.testing.assert_array_equal(found.frames_rgb[0], picture)
    assert (reader.info.container, reader.info.codec) == ("photograph", suffix.replace("jpg", "jpeg"))
    assert reader.decoder.startswith("pillow")
    assert (reader.n_frames, reader.n_failed, reader.broken, reader.notes) == (1, 0, None, ())
    assert probe(path) == reader.info


TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("turn", list(TURNS))
def test_exif_orientations(tmp_path: Path, turn: int, suffix: str) -> None:
    upright = Image.fromarray(numbered_frame(5, 128, 96))
    exif = Image.Exif()
    exif[0x0112] = turn
    undo = TURNS[turn]
    stored = upright if undo is None else upright.transpose(undo)
    stored.save(tmp_path / f"a.{suffix}", exif=exif, quality=95, lossless=True)
    reader, found = read_all(tmp_path / f"a.{suffix}")
    assert found.frames_rgb[0].shape == (96, 128, 3) == (reader.info.height, reader.info.width, 3)
    assert read_number(found.frames_rgb[0]) == 5
    assert (reader.info.orientation == Orientation()) == (turn == 1 or suffix == "tiff")  # Pillow turns a TIFF itself


def grey16() -> Image.Image:
    return Image.fromarray((np.arange(256, dtype=np.uint16) * 257).reshape(16, 16))


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (grey16(), "a.png"),
        (grey16(), "a.tiff"),
        (Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)), "a.png"),
        (Image.fromarray(np.arange(256, dtype=np.int32).reshape(16, 16) * 257), "a.tiff"),
        (Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("P"), "a.png"),
        (Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGBA"), "a.png"),
    ],
)
def test_every_depth_gives_the_same_greys(tmp_path: Path, image: Image.Image, name: str) -> None:
    image.save(tmp_path / name)
    picture = read_all(tmp_path / name)[1].frames_rgb[0]
    np.testing.assert_array_equal(picture, np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2))


def test_print_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    red, green, blue = read_all(tmp_path / "a.jpg")[1].frames_rgb[0][8, 8]
    assert red > 200 > 60 > max(green, blue)


def bad_pictures() -> dict[str, bytes]:
    memory = io.BytesIO()
    Image.fromarray(numbered_frame(0, 128, 96)).save(memory, "PNG")
    png = memory.getvalue()
    giant = bytearray(png)
    giant[16:24] = (100_000).to_bytes(4) * 2
    floats, frames = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(floats, "TIFF")
    two = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    two[0].save(frames, "WEBP", save_all=True, append_images=two[1:])
    return {
        "cut off": png[: len(png) // 2],
        "header only": png[:20],
        "giant": bytes(giant),
        "floats": floats.getvalue(),
        "animated": frames.getvalue(),
        "noise": b"\xff\xd8\xff" + np.random.default_rng(0).bytes(3000),
    }


@pytest.mark.parametrize("case", list(bad_pictures()))
def test_a_bad_photograph_gets_one_clear_line(tmp_path: Path, case: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bad_pictures()[case])
    with pytest.raises(VideoError) as caught:
        read_all(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_moving_pictures_are_no_photographs(tmp_path: Path) -> None:
    film = MadeVideo(codec="mjpeg", pix_fmt="yuvj420p", n_frames=3).write(tmp_path / "a.mjpeg")
    frames = [Image.fromarray(numbered_frame(n, 128, 96)) for n in range(3)]
    for name in ("a.png", "a.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        assert not is_photograph(tmp_path / name)
        assert [read_number(frame) for frame in read_all(tmp_path / name)[1].frames_rgb] == [0, 1, 2]
    assert not is_photograph(film)
    assert not is_photograph(tmp_path / "missing.png")
    assert not is_photograph(tmp_path)


# ---- folders of numbered pictures ------------------------------------------------------------------------------


def test_numbered_pictures_are_a_sequence(tmp_path: Path) -> None:
    folder = write_numbered(tmp_path / "film", [8, 9, 10, 11], name="{}.png")  # by number, not by name
    reader, found = read_all(folder, batch_size=3)
    assert [read_number(frame) for frame in found.frames_rgb] == [8, 9, 10, 11]
    np.testing.assert_allclose(found.time_s, np.arange(4) / 25)
    assert (reader.info.container, reader.info.fps, reader.info.n_frames_header) == ("numbered pictures", 25.0, 4)
    assert reader.notes == ("4 numbered pictures, 8.png to 11.png, at 25 a second (assumed; `picture_rate` sets it)",)


def test_numbers_and_the_rate_say_when(tmp_path: Path) -> None:
    folder = write_numbered(tmp_path / "film", [10, 20, 21])
    reader, found = read_all(folder, picture_rate=10.0)
    np.testing.assert_allclose(found.time_s, [0.0, 1.0, 1.1])
    assert found.timestamps == [0, 1, 2]
    assert (reader.n_failed, reader.broken) == (0, None)
    assert reader.notes[0].endswith("at 10 a second; 9 numbers between are missing")
    _, some = read_all(folder, picture_rate=10.0, start_s=0.5, every_s=0.5)
    assert some.timestamps == [1]


def test_a_picture_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    folder = write_numbered(tmp_path / "film", [0, 1, 2])
    (folder / "frame_0000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    reader, found = read_all(folder)
    assert [read_number(frame) for frame in found.frames_rgb] == [1, 2]
    np.testing.assert_allclose(found.time_s, [1 / 25, 2 / 25])
    assert (reader.n_frames, reader.n_failed) == (2, 1)
    assert reader.broken is not None
    assert reader.broken.startswith("1 of 3 promised frames did not decode; the first error: frame_0000.png: ")


def test_pictures_of_several_sizes(tmp_path: Path) -> None:
    folder = write_numbered(tmp_path / "film", [1, 2])
    Image.fromarray(numbered_frame(3, 96, 128)).save(folder / "frame_0003.png")
    assert shapes_of(folder)[1] == [(128, 96), (128, 96), (96, 128)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], False),
        (["1.jpg"], False),  # one picture is a photograph in a folder
        (["1.jpg", "2.jpg"], True),
        (["IMG_001.JPG", "IMG_002.jpg", "notes.txt", ".hidden.jpg"], True),
        (["1.jpg", "2.png"], False),
        (["a1.jpg", "b2.jpg"], False),
        (["1.jpg", "01.jpg"], False),  # which is first?
        (["1.jpg", "2.jpg", "cover.jpg"], False),
        (["1.jpg", "2.jpg", "film.mp4"], False),
        (["1_left.jpg", "2_left.jpg"], False),
    ],
)
def test_which_folders_are_sequences(tmp_path: Path, names: list[str], expected: bool) -> None:
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "deeper").mkdir()
    assert is_picture_folder(tmp_path) == expected


def test_a_folder_that_is_no_sequence(tmp_path: Path) -> None:
    assert numbered_pictures(tmp_path / "missing") is None
    for read in (probe, FrameReader):
        with pytest.raises(VideoError, match="not a sequence of numbered pictures"):
            read(tmp_path)


def test_rates_and_streams_that_make_no_sense(tmp_path: Path) -> None:
    folder = write_numbered(tmp_path / "film", [0, 1])
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(OptionsError, match="picture_rate"):
            FrameReader(folder, picture_rate=rate)
    with pytest.raises(VideoError, match="`stream`"):
        FrameReader(folder, stream=1)
    assert len(read_all(folder, stream=0)[1].frames_rgb) == 2


# ---- the bytes behind an input ---------------------------------------------------------------------------------


def test_content_follows_every_byte_and_name(tmp_path: Path) -> None:
    def write(names: dict[str, bytes]) -> tuple[int, str, str]:
        for path in tmp_path.iterdir():
            path.unlink()
        for name, data in names.items():
            (tmp_path / name).write_bytes(data)
        return content_size(tmp_path), content_digest(tmp_path), content_fingerprint(tmp_path)

    size, digest, mark = write({"1.jpg": b"one", "2.jpg": b"two", "notes.txt": b"x"})
    assert size == 6
    assert content_files(tmp_path) == (tmp_path / "1.jpg", tmp_path / "2.jpg")
    assert (size, digest, mark) == write({"1.jpg": b"one", "2.jpg": b"two"})
    others = [
        {"1.jpg": b"two", "2.jpg": b"one"},
        {"2.jpg": b"one", "3.jpg": b"two"},
        {"1.jpg": b"one", "2.jpg": b"twa"},
    ]
    assert all(not {digest, mark} & set(write(other)) for other in others)
    assert content_size(tmp_path / "1.jpg") == len(b"one")


def test_a_tiff_of_several_pages_says_that_the_first_is_read(tmp_path: Path) -> None:
    pages = [Image.fromarray(numbered_frame(number, 128, 96)) for number in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    reader, found = read_all(tmp_path / "stack.tif")
    assert [read_number(frame) for frame in found.frames_rgb] == [0]
    assert reader.notes == ("stack.tif holds 3 pages; the first is read",)
