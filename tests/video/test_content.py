"""What a file's bytes are known by, and files that change while they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aucli.errors import VideoError
from aucli.runtime.fingerprint import BLOCK_BYTES, N_BLOCKS
from aucli.video.content import CHANGED, GONE, ContentWatch, content_digest, content_fingerprint


def watched(path: Path) -> ContentWatch:
    digest = content_digest(path)
    return ContentWatch(path, content_fingerprint(path), lambda: digest)


def test_a_file_that_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"film")
    watch = watched(path)
    for at_end in (False, True, False):
        watch.check(at_end=at_end)


@pytest.mark.parametrize("at_end", [False, True])
def test_a_file_that_is_touched_or_renamed_and_brought_back_is_the_same(tmp_path: Path, at_end: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"film")
    watch = watched(path)
    os.utime(path, (0, 0))
    watch.check(at_end=at_end)
    path.rename(tmp_path / "b")
    with pytest.raises(VideoError, match=GONE):
        watch.check(at_end=at_end)
    (tmp_path / "b").rename(path)
    watch.check(at_end=at_end)


@pytest.mark.parametrize("at_end", [False, True])
def test_bytes_between_the_blocks_of_a_fingerprint_count_too(tmp_path: Path, at_end: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(2 * N_BLOCKS * BLOCK_BYTES))
    watch, fingerprint = watched(path), content_fingerprint(path)
    with path.open("r+b") as file:
        file.seek(BLOCK_BYTES + 1000)
        file.write(b"x")
    assert content_fingerprint(path) == fingerprint
    with pytest.raises(VideoError, match=CHANGED):
        watch.check(at_end=at_end)


def test_another_file_in_its_place(tmp_path: Path) -> None:
    path, other, same = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    for file, data in ((path, b"film"), (other, b"flim"), (same, b"film")):
        file.write_bytes(data)
    watch = watched(path)
    same.replace(path)
    watch.check()
    other.replace(path)
    with pytest.raises(VideoError, match=CHANGED):
        watch.check()


def test_a_picture_more_in_a_folder(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"picture")
    watch = watched(tmp_path)
    watch.check(at_end=True)
    (tmp_path / "3.png").write_bytes(b"picture")
    with pytest.raises(VideoError, match=CHANGED):
        watch.check()
