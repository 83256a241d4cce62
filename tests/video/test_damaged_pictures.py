"""Pictures, folders of pictures and playlists, changed: read as far as they go, or refused in one line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from aucli.errors import VideoError
from aucli.video.reader import FrameReader
from tests.builders.damage import CHANGES, Change, damaged, ends_in_one_line

FEW = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLAYLISTS = {
    "m3u8": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4.0,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "ffconcat": b"ffconcat version 1.0\nfile /etc/hostname\nduration 1\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "mpd": b'<?xml version="1.0"?>\n<!-- x -->\n<MPD><Period><BaseURL>/etc/</BaseURL></Period></MPD>\n',
    "pls": b"[playlist]\nFile1=/etc/hostname\nNumberOfEntries=1\nVersion=2\n",
}


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    """A picture of each kind, with what a camera writes beside it."""
    smooth = np.add.outer(np.arange(24), np.arange(32))[..., None] * np.array([1, 2, 3])
    image = Image.fromarray(smooth.astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    made = {}
    for kind in ("jpeg", "png", "webp", "tiff", "bmp"):
        file = io.BytesIO()
        image.save(file, kind, **({} if kind == "bmp" else {"exif": exif.tobytes()}))
        made[kind] = file.getvalue()
    return made


def _read(path: Path) -> None:
    with FrameReader(path) as reader:
        for batch in reader:
            assert batch.frames_rgb.shape[3] == 3


@FEW
@given(st.sampled_from(["jpeg", "png", "webp", "tiff", "bmp"]), CHANGES)
def test_changed_pictures(
    pictures: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, kind: str, changes: list[Change]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"picture.{kind}"
    path.write_bytes(damaged(pictures[kind], changes))
    ends_in_one_line(lambda: _read(path))


@settings(FEW, max_examples=12)
@given(st.sampled_from(["jpeg", "png", "tiff"]), st.integers(0, 2), CHANGES)
def test_a_changed_picture_among_numbered_ones(
    pictures: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, kind: str, number: int, changes: list[Change]
) -> None:
    folder = tmp_path_factory.mktemp("numbered")
    for n in range(3):
        data = pictures[kind]
        (folder / f"{n:03d}.{kind}").write_bytes(damaged(data, changes) if n == number else data)
    ends_in_one_line(lambda: _read(folder))


@settings(FEW, max_examples=30)
@given(st.sampled_from(sorted(PLAYLISTS)), st.sampled_from(["mp4", "m3u8", "jpg", "txt"]), CHANGES)
def test_changed_playlists(
    tmp_path_factory: pytest.TempPathFactory, kind: str, suffix: str, changes: list[Change]
) -> None:
    """Whatever it is called, a playlist leads nowhere, nor does one that was damaged."""
    path = tmp_path_factory.getbasetemp() / f"list.{suffix}"
    path.write_bytes(damaged(PLAYLISTS[kind], changes, marks=b"\n=:<>#"))
    with pytest.raises(VideoError) as caught:
        _read(path)
    assert len(str(caught.value).splitlines()) == 1
