"""Frames as a player shows them: square pixels, every size as it is, FFmpeg's own colours."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aucli.video.display import plausible_aspect, shown_width
from aucli.video.reader import FrameReader, probe
from aucli.video.shapes import messages
from tests.builders.media import MadeVideo, append, decode_plainly, read_number, write_growing, write_joined
from tests.builders.reading import read_all, shapes_of

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg command")


# ---- pixels that are not square --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "aspect", "shown"),
    [
        (720, Fraction(64, 45), 1024),  # PAL 16:9
        (720, Fraction(16, 15), 768),  # PAL 4:3
        (720, Fraction(8, 9), 640),  # NTSC 4:3: the height is kept, the width shrinks
        (1440, Fraction(4, 3), 1920),  # HDV
        (640, Fraction(1), 640),
        (3, Fraction(1, 10), 1),
    ],
)
def test_the_height_is_kept(width: int, aspect: Fraction, shown: int) -> None:
    assert shown_width(width, aspect) == shown


@pytest.mark.parametrize("aspect", [None, Fraction(0), Fraction(-1), Fraction(1, 11), Fraction(4000)])
def test_pixels_that_cannot_be_meant_are_taken_as_square(aspect: Fraction | None) -> None:
    assert plausible_aspect(aspect) == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.vob", "a.ts", "a.avi", "a.mov"])
def test_pixels_are_made_square(tmp_path: Path, name: str) -> None:
    codec = {".vob": "mpeg2video", ".avi": "mpeg4"}.get(name[1:], "libx264")
    recipe = MadeVideo(codec=codec, n_frames=3, size=(180, 144), pixel_aspect=Fraction(64, 45))
    path = recipe.write(tmp_path / name)
    reader, found = read_all(path)
    info = probe(path)
    assert (info.width, info.height, info.pixel_aspect) == (256, 144, Fraction(64, 45))
    assert [frame.shape for frame in found.frames_rgb] == [(144, 256, 3)] * 3
    assert reader.decoder.startswith("pyav")
    stored = decode_plainly(path).frames_rgb[1]
    columns = ((np.arange(256) + 0.5) * 180 / 256).astype(int)
    assert np.abs(found.frames_rgb[1].astype(int) - stored[:, columns]).mean() < 8


# ---- sizes that change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.webm", "a.ts"])
def test_a_picture_whose_size_changes_is_shown_as_it_is(tmp_path: Path, name: str) -> None:
    path = write_growing(tmp_path / name)
    reader, found = read_all(path, batch_size=7)
    sizes = [frame.shape for frame in found.frames_rgb]
    assert sizes == [(96, 128, 3)] * 20 + [(144, 192, 3)] * 20
    assert [read_number(frame) for frame in found.frames_rgb] == [*range(20), *range(20)]
    assert (reader.n_failed, reader.broken) == (0, None)
    assert "the picture changes its size: 128x96, 192x144 from frame 20" in reader.notes[-1]
    plain = decode_plainly(path).frames_rgb
    n_dropped = 40 - len(plain)  # FFmpeg's decoder of MPEG-2 drops the frame that waits when the size changes
    assert n_dropped in (0, 1)
    frames = [*found.frames_rgb[: 20 - n_dropped], *found.frames_rgb[20:]]
    for frame, as_plain in zip(frames, plain, strict=True):
        np.testing.assert_array_equal(frame, as_plain)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_pixels_that_change_their_shape_on_the_way(tmp_path: Path, codec: str) -> None:
    # A broadcast that goes from 4:3 to 16:9 and back; the decoder reads ahead of the frames that it hands out.
    parts = [
        MadeVideo(codec=codec, n_frames=20, size=(180, 144), pixel_aspect=aspect, options={"bf": "2"}).write(
            tmp_path / f"{n}.ts"
        )
        for n, aspect in enumerate([Fraction(16, 15), Fraction(64, 45), Fraction(16, 15)])
    ]
    _, sizes = shapes_of(write_joined(parts, tmp_path / "a.ts"))
    assert sizes == [(192, 144)] * 20 + [(256, 144)] * 20 + [(192, 144)] * 20


def test_a_video_turned_on_the_way(tmp_path: Path) -> None:
    wide = MadeVideo(codec="libvpx", n_frames=10).write(tmp_path / "wide.webm")
    tall = MadeVideo(codec="libvpx", n_frames=10, size=(96, 128)).write(tmp_path / "tall.webm")
    _, sizes = shapes_of(append(append(wide, tall, tmp_path / "a.webm"), wide, tmp_path / "b.webm"), batch_size=64)
    assert sizes == [(128, 96)] * 10 + [(96, 128)] * 10 + [(128, 96)] * 10


def test_batches_end_where_the_size_changes(tmp_path: Path) -> None:
    path = write_growing(tmp_path / "a.webm")
    with FrameReader(path, batch_size=12) as reader:
        assert [batch.index.tolist() for batch in reader] == [
            list(range(12)), list(range(12, 20)), list(range(20, 32)), list(range(32, 40)),
        ]  # fmt: skip


def test_messages_of_a_stream() -> None:
    assert {kind for kind, _ in messages(b"")} == set()
    assert {kind for kind, _ in messages(b"\x2f\x02ab\x80")} == {47}
    assert {kind for kind, _ in messages(b"\x05\x01x\xff\x01\x00\x2f\x00\x80")} == {5, 256, 47}
    assert {kind for kind, _ in messages(b"\x05\xff")} == set()


# ---- colours ---------------------------------------------------------------------------------------------------


def by_command(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """What ``ffmpeg -pix_fmt rgb24`` makes of a file."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, *shape)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("pix_fmt", "colorspace", "color_range"),  # BT.709: 1; BT.601 of PAL 5, of NTSC 6; BT.2020: 9; limited 1, full 2
    [
        ("yuv420p", None, None),
        ("yuv420p", 1, 1),
        ("yuv420p", 5, None),
        ("yuv420p", 6, 2),
        ("yuv420p", 9, 1),
        ("yuv420p10le", None, None),
        ("yuv420p10le", 1, 1),
        ("yuv420p10le", 9, 2),
        ("yuv444p", 1, None),
        ("yuvj420p", None, None),
        ("yuvj420p", 1, 2),
    ],
)
def test_colours_are_those_of_ffmpeg(
    tmp_path: Path, pix_fmt: str, colorspace: int | None, color_range: int | None
) -> None:
    recipe = MadeVideo(n_frames=2, pix_fmt=pix_fmt, colorspace=colorspace, color_range=color_range)
    path = recipe.write(tmp_path / "a.mp4")
    expected = by_command(path, (96, 128, 3))
    for decoder in ("auto", "pyav"):
        found = np.stack(read_all(path, decoder=decoder)[1].frames_rgb)
        # The command may be of another version than the library.
        difference = np.abs(found.astype(int) - expected)
        assert difference.mean() < 0.5
        assert difference.max() <= 4


@needs_ffmpeg
def test_the_matrix_that_a_file_names_matters(tmp_path: Path) -> None:
    frames: list[Any] = []
    for colorspace in (1, 6):
        path = MadeVideo(n_frames=1, colorspace=colorspace).write(tmp_path / f"{colorspace}.mp4")
        frames.append(read_all(path)[1].frames_rgb[0].astype(int))
    assert np.abs(frames[0] - frames[1]).mean() > 3
