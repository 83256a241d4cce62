"""Parts of a decoded frame, made RGB alone, against the whole frame made RGB."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.faces.averaging import averaged
from aucli.video import display
from aucli.video.orientation import UPRIGHT, Orientation
from aucli.video.reader import FrameReader
from aucli.video.yuv import YuvFrame, plane_of
from tests.builders.media import MadeVideo, convert_plainly

UInt8Array = npt.NDArray[np.uint8]

KINDS = [
    ("yuv420p", 2, 0, (100, 60)),
    ("yuv420p", 1, 1, (161, 82)),  # BT.709; an odd width
    ("yuv420p", 9, 2, (64, 48)),  # BT.2020, full range
    ("yuvj420p", 5, 2, (90, 34)),
]
ORIENTATIONS = [Orientation(turn, mirrored) for turn in (0, 90, 180, 270) for mirrored in (False, True)]


@cache
def noise(kind: int) -> tuple[av.VideoFrame, UInt8Array]:
    """A frame of noise, and its RGB as FFmpeg makes it of the whole."""
    name, space, span, (width, height) = KINDS[kind]
    frame = av.VideoFrame(width, height, name)
    frame.colorspace, frame.color_range = space, span
    rng = np.random.default_rng(kind)
    for number in range(3):
        memory = plane_of(frame, number)
        memory[:] = rng.integers(0, 256, memory.shape, np.uint8)
    return frame, convert_plainly(frame)


@given(
    kind=st.integers(0, len(KINDS) - 1),
    orientation=st.sampled_from(ORIENTATIONS),
    sides=st.tuples(*[st.floats(-0.2, 1.2)] * 4),
    k=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    points=st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)), max_size=70),
)
@settings(max_examples=60, deadline=None)
def test_parts_points_and_means_are_those_of_the_whole_frame(
    kind: int,
    orientation: Orientation,
    sides: tuple[float, ...],
    k: tuple[int, int],
    points: list[tuple[float, float]],
) -> None:
    frame, stored = noise(kind)
    whole = np.ascontiguousarray(orientation.apply(stored))
    part = YuvFrame(frame, orientation)
    assert part.shape == whole.shape
    height, width, _ = whole.shape
    left, right = sorted(int(side * width) for side in sides[:2])
    top, bottom = sorted(int(side * height) for side in sides[2:])
    rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
    np.testing.assert_array_equal(part[rows, columns], whole[rows, columns])
    at = np.array([(y * height, x * width) for y, x in points], int).reshape(-1, 2).T
    np.testing.assert_array_equal(part[at[0], at[1]], whole[at[0], at[1]])
    if left < right and top < bottom:
        box = left, top, right, bottom
        np.testing.assert_array_equal(np.asarray(averaged(part, box, k))[..., :3], np.asarray(averaged(whole, box, k)))


def test_a_frame_is_an_array_where_one_is_asked_for() -> None:
    frame, whole = noise(0)
    part = YuvFrame(frame, UPRIGHT)
    np.testing.assert_array_equal(np.asarray(part), whole)
    assert len(part) == len(whole)
    assert part.nbytes < whole.nbytes


@pytest.mark.parametrize(
    ("made", "is_kept"),
    [
        (MadeVideo(n_frames=3), True),
        (MadeVideo(n_frames=3, rotation_ccw_deg=90), True),
        (MadeVideo(n_frames=3, pix_fmt="yuv444p"), False),
        (MadeVideo(n_frames=3, pixel_aspect=Fraction(4, 3)), False),
        (MadeVideo(n_frames=3, color_trc=16), False),  # high dynamic range
    ],
)
def test_a_reader_that_need_not_give_frames_whole_gives_the_same_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: MadeVideo, is_kept: bool
) -> None:
    path = made.write(tmp_path / "a.mp4")
    with FrameReader(path) as reader:
        (whole,) = reader
    for least, kept in ((0, is_kept), (10**6, False)):
        monkeypatch.setattr(display, "LEAST_PIXELS", least)
        with FrameReader(path, whole=False) as reader:
            (batch,) = reader
        assert [isinstance(frame, YuvFrame) for frame in batch.frames_rgb] == [kept] * 3
        for frame, expected in zip(batch.frames_rgb, whole.frames_rgb, strict=True):
            np.testing.assert_array_equal(np.asarray(frame), expected)
