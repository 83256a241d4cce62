"""A Matroska file that lost its end: told to the byte, and by every command alike."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from aucli.video.matroska import missing_bytes
from aucli.video.reader import FrameReader


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
