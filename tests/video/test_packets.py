"""Where a video is cut for decord."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.errors import VideoError
from aucli.video.packets import gop_lengths_of, join_pieces
from tests.builders.media import (
    IRREGULAR,
    MadeVideo,
    decode_plainly,
)
from tests.builders.reading import assert_same_frames, read_all


@pytest.mark.parametrize(
    ("timestamps", "keys", "lengths"),
    [
        ([], [], []),
        ([0], [0], [1]),
        ([0, 1, 2, 3], [0, 2], [2, 2]),
        ([0, 2, 1, 3, 5, 4], [0, 3], [3, 3]),
        ([0, 2, 1, 5, 3, 4, 6], [0, 3], [7]),  # 3 and 4 lead the key frame 5: an open group
        ([0, 3, 2, 4], [0, 2], [4]),  # key frame shown before its predecessor
        ([0, 1, 2], [1], []),
        ([1, 0, 2], [0], []),
    ],
)
def test_where_a_video_may_be_cut(timestamps: list[int], keys: list[int], lengths: list[int]) -> None:
    is_key = np.zeros(len(timestamps), dtype=bool)
    is_key[keys] = True
    assert gop_lengths_of(np.array(timestamps, dtype=np.int64), is_key) == lengths


@given(st.lists(st.integers(1, 12), max_size=20), st.integers(1, 30))
def test_joined_groups_of_pictures_fit_and_keep_their_borders(gops: list[int], max_frames: int) -> None:
    lengths = join_pieces(gops, max_frames)
    if not gops or max(gops) > max_frames:
        assert lengths == []
        return
    assert sum(lengths) == sum(gops)
    assert max(lengths) <= max_frames
    assert set(np.cumsum(lengths)) <= set(np.cumsum(gops))


def test_many_pieces_give_the_same_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aucli.video.reader.PIECE_BYTES_CPU", 128 * 96 * 3 * 11)
    for name, codec in (("a.mp4", "libx264"), ("b.mkv", "libx265"), ("c.webm", "libvpx"), ("d.mp4", "mpeg4")):
        options = {"g": "9", "bf": "0" if codec == "mpeg4" else "2"}  # MPEG-4's B-frames lead each key frame
        if codec == "libx265":
            options = {"x265-params": "keyint=9:min-keyint=9:open-gop=0"}
        path = MadeVideo(codec=codec, options=options, ticks=IRREGULAR).write(tmp_path / name)
        reader, found = read_all(path, decoder="decord")
        assert_same_frames(found, decode_plainly(path), list(range(40)))
        assert reader.decoder.startswith("decord"), name


def test_far_apart_key_frames_are_not_for_decord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = MadeVideo(options={"g": "40"}).write(tmp_path / "a.mp4")
    monkeypatch.setattr("aucli.video.reader.PIECE_BYTES_CPU", 128 * 96 * 3 * 39)
    with pytest.raises(VideoError, match="decord would need too much memory"):
        read_all(path, decoder="decord")
