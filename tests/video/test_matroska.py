"""A Matroska file that lost its end, told to the byte and by every command alike; and one whose bytes have changed."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from aucli.video.matroska import changed_clusters, missing_bytes
from aucli.video.reader import FrameReader
from tests.builders.media import MadeVideo


def film(path: Path, *, live: bool = False) -> Path:
    """A second of grey frames."""
    with av.open(str(path), "w", format="matroska", options={"live": "1"} if live else {}) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("n_bytes", [0, 1, 7, 200])
def test_missing_bytes_are_counted(tmp_path: Path, n_bytes: int) -> None:
    whole = film(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) - n_bytes])
    assert missing_bytes(tmp_path / "cut.mkv") == n_bytes
    with FrameReader(tmp_path / "cut.mkv", batch_size=None) as reader:
        n_frames = sum(len(batch.index) for batch in reader)
        told = reader.broken
    assert (told is None) == (n_bytes == 0)
    if n_bytes:
        assert f"ends early: {n_bytes} bytes that the header promises are not in the file" in str(told)
        assert n_frames >= 20, "what is there is read"


@pytest.mark.parametrize(
    "content", [b"", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x01\xff", b"RIFF....AVI ", b"\x1a\x45\xdf\xa3\x81\x00none"]
)
def test_what_is_no_matroska_promises_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mkv").write_bytes(content)
    assert missing_bytes(tmp_path / "a.mkv") == 0


def test_a_live_recording_promises_nothing(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.mkv", live=True).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[:-50])
    assert missing_bytes(tmp_path / "cut.mkv") == 0


# ---- checksums -------------------------------------------------------------------------------------------------


def test_a_whole_file_has_no_changed_cluster(tmp_path: Path) -> None:
    assert changed_clusters(film(tmp_path / "a.mkv")) == []
    assert changed_clusters(film(tmp_path / "live.mkv", live=True)) == []
    (tmp_path / "empty.mkv").touch()
    assert changed_clusters(tmp_path / "empty.mkv") == []


def test_every_changed_byte_of_a_picture_is_told(tmp_path: Path) -> None:
    """Also where no decoder would notice."""
    whole = film(tmp_path / "a.mkv").read_bytes()
    begin, end = whole.index(bytes.fromhex("1f43b675")), whole.index(bytes.fromhex("1c53bb6b"))  # of cluster and cues
    path = tmp_path / "b.mkv"
    for at in range(begin + 20, end, 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert changed_clusters(path) == [(begin, end)]


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "mjpeg"])
def test_a_bit_that_no_decoder_misses_is_told_by_the_checksum(tmp_path: Path, codec: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = MadeVideo(codec=codec, n_frames=30, pix_fmt=pix_fmt, grain=True).write(tmp_path / "a.mkv")
    with FrameReader(path) as reader:
        assert sum(len(batch) for batch in reader) == 30
    assert not reader.losses
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with FrameReader(path, leave_out_damaged=True) as reader:
        given = [number for batch in reader for number in batch.index.tolist()]
    assert reader.losses
    assert len(given) == 30 - reader.losses.n_damaged - reader.losses.n_failed


def test_a_file_cut_off_inside_a_cluster_is_no_changed_one(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes()[:-300])
    assert changed_clusters(path) == []
