"""What a file claims about itself, and files that are not videos."""

from __future__ import annotations

import os
import re
from pathlib import Path

import av
import numpy as np
import pytest

from aucli.errors import OptionsError, VideoError
from aucli.video.orientation import Orientation
from aucli.video.reader import FrameReader, probe
from aucli.video.selection import FrameDevice
from aucli.video.values import VideoInfo, check_size
from tests.builders.media import (
    MadeVideo,
    cut_off,
    numbered_frame,
    write_sound_only,
    write_streams,
    write_without_frames,
)
from tests.builders.reading import read_all


def test_probe(tmp_path: Path) -> None:
    path = MadeVideo(rotation_ccw_deg=-90).write(tmp_path / "a.mp4")
    info = probe(path)
    assert info == VideoInfo(
        path=path,
        codec="h264",
        container="mov,mp4,m4a,3gp,3g2,mj2",
        width=96,
        height=128,
        orientation=Orientation(90),
        fps=25.0,
        duration_s=1.6,
        n_frames_header=40,
    )


def test_probe_counts_packets_where_the_header_is_silent(tmp_path: Path) -> None:
    assert probe(MadeVideo(codec="libvpx-vp9").write(tmp_path / "a.webm")).n_frames_header == 40


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    text = folder / "text.mp4"
    text.write_text("This is not a video.\n" * 50)
    empty = folder / "empty.mp4"
    empty.touch()
    headless = cut_off(MadeVideo().write(folder / "headless.mp4"), 0.5)  # the index comes last: lost
    return {
        "missing": (folder / "missing.mp4", "there is no such file"),
        "folder": (folder, "is a folder, not a video file and not a sequence of numbered pictures"),
        "text": (text, "is not a video"),
        "empty": (empty, "is empty"),
        "headless": (headless, "header is damaged or cut off"),
        "sound": (write_sound_only(folder / "sound.m4a"), "holds no video, only audio"),
        "no frames": (write_without_frames(folder / "zero.mp4"), "no frame|no video|not a video"),
    }


@pytest.mark.parametrize("case", ["missing", "folder", "text", "empty", "headless", "sound", "no frames"])
def test_bad_file_gets_one_clear_line(tmp_path: Path, case: str) -> None:
    path, message = bad_files(tmp_path)[case]
    for read in (probe, FrameReader):
        with pytest.raises(VideoError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(tmp_path: Path) -> None:
    path = MadeVideo().write(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(VideoError, match="no permission"):
        probe(path)


def test_strange_names(tmp_path: Path) -> None:
    for name in ("a:b.mp4", "größe 1%d.mp4", "-x.mp4", "[1] {2} 'q'.mp4"):
        reader, _ = read_all(MadeVideo(n_frames=3).write(tmp_path / "plain.mp4").rename(tmp_path / name))
        assert reader.n_frames == 3


def test_titles_that_are_not_utf8_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "titled.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "TITLE"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"TITLE", b"caf\xe9\xff"))
    assert len(read_all(path)[1].frames_rgb) == 1


# ---- playlists, hostile headers --------------------------------------------------------------------------------

PLAYLISTS = {
    "HLS or m3u": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nb.mp4\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile b.mp4\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n",
    "DASH": '<?xml version="1.0"?>\n<!-- x -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>\n',
    "XSPF": "<playlist><trackList/></playlist>",
}


@pytest.mark.parametrize("kind", list(PLAYLISTS))
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8"])
def test_playlists_are_refused(tmp_path: Path, kind: str, suffix: str) -> None:
    MadeVideo(n_frames=3).write(tmp_path / "b.mp4")
    path = tmp_path / f"a{suffix}"
    path.write_text(PLAYLISTS[kind])
    for read in (probe, FrameReader):
        with pytest.raises(VideoError, match="is a playlist") as caught:
            read(path)
        assert f"({kind})" in str(caught.value)


def test_no_format_that_reads_other_files_is_tried(tmp_path: Path) -> None:
    # FFmpeg finds the m3u8 of a live stream also behind text that our own look at the first bytes does not know.
    MadeVideo(n_frames=3).write(tmp_path / "b.ts")
    path = tmp_path / "a.m3u8"
    path.write_text("\v#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nb.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match=r"playlist|not a video"):
        probe(path)
    numbered = tmp_path / "p%d.dpx"
    numbered.write_bytes(b"SDPX" + bytes(3000))
    with pytest.raises(VideoError):
        probe(numbered)


def test_a_header_that_promises_a_giant_picture_is_refused_at_once(tmp_path: Path) -> None:
    path = MadeVideo(codec="mjpeg", pix_fmt="yuvj420p", n_frames=2).write(tmp_path / "a.mjpeg")
    data = path.read_bytes()
    for at in [match.start() for match in re.finditer(rb"\xff\xc0\x00\x11\x08", data)]:
        data = data[: at + 5] + b"\xff\xf0\xff\xf0" + data[at + 9 :]
    path.write_bytes(data)
    for read in (probe, FrameReader):
        with pytest.raises(VideoError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(VideoError, match="are too large"):
        check_size(path, 100_000, 100_000)


def test_no_memory_is_an_error_of_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(device: FrameDevice, shape: tuple[int, ...]) -> None:
        raise MemoryError

    path = MadeVideo(n_frames=2).write(tmp_path / "a.mp4")
    monkeypatch.setattr(FrameDevice, "empty", empty)
    with pytest.raises(VideoError, match="not enough memory"), FrameReader(path) as reader:
        list(reader)


# ---- several streams -------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Path:
    first = MadeVideo(n_frames=10).write(tmp_path / "first.mp4")
    second = MadeVideo(n_frames=20, size=(96, 64), codec="mpeg4").write(tmp_path / "second.mp4")
    return write_streams([first, second], tmp_path / "two.mkv")


def test_the_choice_among_streams_is_said(two: Path) -> None:
    reader, found = read_all(two)
    assert len(found.frames_rgb) == 10
    assert (reader.info.stream, reader.info.n_streams) == (0, 2)
    assert reader.notes == ("holds 2 video streams; number 0 is read, `stream` takes 1: mpeg4 96x64",)


@pytest.mark.parametrize("number", [0, 1])
def test_a_stream_can_be_chosen(two: Path, number: int) -> None:
    reader, found = read_all(two, stream=number)
    assert len(found.frames_rgb) == (10, 20)[number]
    assert found.frames_rgb[0].shape == ((96, 128, 3), (64, 96, 3))[number]
    assert (reader.info.stream, reader.notes, reader.n_failed) == (number, (), 0)
    assert probe(two, stream=number) == reader.info


def test_a_stream_that_is_not_there(two: Path) -> None:
    with pytest.raises(VideoError, match="holds 2 video streams, so `stream` goes up to 1, not 2"):
        FrameReader(two, stream=2)
    with pytest.raises(OptionsError, match="`stream` is -1"):
        FrameReader(two, stream=-1)


def test_covers_are_no_streams(tmp_path: Path) -> None:
    film = MadeVideo(n_frames=10).write(tmp_path / "film.mp4")
    path = write_streams([film], tmp_path / "a.mp4", cover=numbered_frame(0, 640, 480))
    reader, found = read_all(path)
    assert len(found.frames_rgb) == 10
    assert (reader.info.width, reader.info.n_streams, reader.notes) == (128, 1, ())


@pytest.mark.parametrize(
    ("tag", "color_trc", "refused"), [(b"dvh1", None, True), (b"dvh1", 16, False), (b"hev1", None, False)]
)
def test_dolby_vision_without_an_ordinary_picture_is_refused(
    tmp_path: Path, tag: bytes, color_trc: int | None, refused: bool
) -> None:
    made = MadeVideo(codec="libx265", pix_fmt="yuv420p10le", n_frames=3, color_trc=color_trc).write(tmp_path / "a.mp4")
    (sample_entry,) = (name for name in (b"hev1", b"hvc1") if made.read_bytes().count(name) == 1)
    made.write_bytes(made.read_bytes().replace(sample_entry, tag))
    if refused:
        with pytest.raises(VideoError, match=r"Dolby Vision without an ordinary picture .*export it as SDR or HDR10"):
            probe(made)
    else:
        assert probe(made).codec == "hevc"
