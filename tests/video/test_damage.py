"""Cut and damaged files: what they hold is given, what is lost is counted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aucli.errors import VideoError
from aucli.video.decoders import PyAVSource
from tests.builders.media import (
    MadeVideo,
    cut_off,
    damage,
    decode_plainly,
)
from tests.builders.reading import assert_same_frames, read_all


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_cut_off_file_gives_what_it_holds(tmp_path: Path, name: str, share: float) -> None:
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    path = MadeVideo(options={"g": "12", "bf": "0"}, container_options=options, grain=True).write(tmp_path / name)
    cut_off(path, share)
    expected = decode_plainly(path)
    reader, found = read_all(path)
    n_frames = len(expected.timestamps)
    assert 0 < n_frames < 40
    assert found.timestamps == list(range(n_frames))
    # Of the last frame only a part may be there; what is made of the rest depends on the number of threads.
    found.frames_rgb[-1] = expected.frames_rgb[-1]
    assert_same_frames(found, expected, list(range(n_frames)))
    if name != "a.ts":  # whose header promises nothing
        assert reader.broken is not None
    if name == "a.mp4":
        assert reader.n_failed == 40 - reader.n_frames


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], bytes]:
    """The content of a film by encoder and file name, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("films")

    @functools.cache
    def film(codec: str, name: str) -> bytes:
        pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        made = MadeVideo(codec=codec, options={"g": "10"}, pix_fmt=pix_fmt, grain=True)
        return made.write(folder / f"{codec}-{name}").read_bytes()

    return film


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "libvpx-vp9", "mjpeg", "libsvtav1"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_file_loses_only_what_ffmpeg_loses(
    films: Callable[[str, str], bytes], tmp_path: Path, codec: str, name: str, seed: int
) -> None:
    path = tmp_path / name
    path.write_bytes(films(codec, name))
    damage(path, start=0.45 + 0.1 * seed, share=0.01 * seed + 0.002, seed=seed)
    expected = decode_plainly(path)
    reader, found = read_all(path)
    assert found.timestamps == list(range(len(expected.timestamps)))
    np.testing.assert_allclose(found.time_s, expected.time_s, atol=2e-6)
    assert reader.n_frames == len(expected.timestamps)


def test_decord_hands_over_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aucli.video.reader.PIECE_BYTES_CPU", 128 * 96 * 3 * 10)
    path = MadeVideo(options={"g": "10"}, grain=True, n_frames=60).write(tmp_path / "a.mp4")
    damage(path, start=0.6, share=0.03)
    reader, found = read_all(path, batch_size=4)
    alone, found_alone = read_all(path, batch_size=4, decoder="decord")
    assert alone.decoder.startswith("decord")
    assert 20 <= alone.n_frames < reader.n_frames < 60
    assert alone.broken is not None
    assert reader.broken is not None
    assert reader.decoder.startswith("pyav")
    assert reader.n_failed == 60 - reader.n_frames
    for before, after in zip(found_alone.frames_rgb[:20], found.frames_rgb, strict=False):
        np.testing.assert_array_equal(before, after)


def test_decoders_that_disagree_end_the_file_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that were given out cannot be called back: a second decoder that times them otherwise ends the reading."""
    monkeypatch.setattr("aucli.video.reader.PIECE_BYTES_CPU", 128 * 96 * 3 * 10)
    plainly = PyAVSource.frames
    monkeypatch.setattr(
        PyAVSource, "frames", lambda self: ((timestamp + 1, frame) for timestamp, frame in plainly(self))
    )
    path = MadeVideo(options={"g": "10"}, grain=True, n_frames=60).write(tmp_path / "a.mp4")
    damage(path, start=0.6, share=0.03)
    with pytest.raises(VideoError, match=r"a\.mp4: decoders disagree from frame 0 on .*: ffmpeg -i VIDEO "):
        read_all(path)
