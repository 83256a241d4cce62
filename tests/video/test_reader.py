"""The reader against FFmpeg's plain decoding loop, over every kind of file we could make or think of."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aucli.errors import VideoError
from aucli.video.reader import FrameReader
from tests.builders.media import (
    IRREGULAR,
    MadeVideo,
    damage,
    decode_plainly,
    read_number,
    write_repeated,
)
from tests.builders.reading import assert_same_frames, read_all

X265_OPEN_GOP = {"x265-params": "keyint=12:min-keyint=12:open-gop=1:bframes=4"}

# name: (recipe, decord where it can be trusted with it)
MATRIX: dict[str, tuple[MadeVideo, str]] = {
    "h264.mp4": (MadeVideo(), "decord"),
    "h264_bframes.mp4": (MadeVideo(options={"bf": "3", "g": "15"}), "decord"),
    "h264_opengop.mkv": (MadeVideo(options={"bf": "3", "g": "10", "x264-params": "open-gop=1"}), "decord"),
    "h264_intra.mov": (MadeVideo(options={"g": "1"}), "decord"),
    "h264_vfr.mp4": (MadeVideo(ticks=IRREGULAR, options={"bf": "2"}), "decord"),
    "h264_vfr.mkv": (MadeVideo(ticks=IRREGULAR, options={"bf": "2"}), "decord"),
    "h264_late.mp4": (MadeVideo(start_s=3.0), "decord"),
    "h264_late_with_sound.mp4": (MadeVideo(start_s=1.5, audio=True), "decord"),
    "h264_late_with_sound.mkv": (MadeVideo(start_s=1.5, audio=True), "decord"),
    "h264_odd.mp4": (MadeVideo(size=(129, 97), pix_fmt="yuv444p"), "decord"),
    "h264_narrow.mp4": (MadeVideo(size=(98, 34)), "decord"),
    "h264_10bit.mp4": (MadeVideo(pix_fmt="yuv420p10le"), "pyav"),
    "h264_422.mp4": (MadeVideo(pix_fmt="yuv422p"), "decord"),
    "h264_full_range.mp4": (MadeVideo(pix_fmt="yuvj420p", color_range=2), "decord"),
    "h264_bt709.mp4": (MadeVideo(color_range=1, colorspace=1), "decord"),
    "h264_rot90.mp4": (MadeVideo(rotation_ccw_deg=90), "decord"),
    "h264_rot180.mov": (MadeVideo(rotation_ccw_deg=180), "decord"),
    "h264_rot270.mp4": (MadeVideo(rotation_ccw_deg=-90), "decord"),
    "h264_one_frame.mp4": (MadeVideo(n_frames=1), "decord"),
    "h264.avi": (MadeVideo(options={"bf": "0"}), "pyav"),
    "h264.ts": (MadeVideo(options={"bf": "3"}), "pyav"),
    "hevc.mp4": (MadeVideo(codec="libx265"), "decord"),
    "hevc_opengop.mkv": (MadeVideo(codec="libx265", options=X265_OPEN_GOP), "decord"),
    "hevc_vfr.mov": (MadeVideo(codec="libx265", ticks=IRREGULAR), "decord"),
    "hevc_rot90.mov": (MadeVideo(codec="libx265", rotation_ccw_deg=90), "decord"),
    "mpeg4.mp4": (MadeVideo(codec="mpeg4", options={"bf": "2"}), "decord"),
    "mpeg4.avi": (MadeVideo(codec="mpeg4"), "pyav"),
    "vp9.webm": (MadeVideo(codec="libvpx-vp9", options={"auto-alt-ref": "1", "lag-in-frames": "16"}), "pyav"),
    "vp9_odd.webm": (MadeVideo(codec="libvpx-vp9", size=(129, 97)), "pyav"),
    "vp8.webm": (MadeVideo(codec="libvpx"), "decord"),
    "av1.mp4": (MadeVideo(codec="libsvtav1"), "pyav"),
    "mjpeg.avi": (MadeVideo(codec="mjpeg", pix_fmt="yuvj420p"), "pyav"),
    "mjpeg.mov": (MadeVideo(codec="mjpeg", pix_fmt="yuvj420p"), "decord"),
}


@pytest.fixture(scope="session", params=list(MATRIX))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MadeVideo, str]:
    recipe, decoder = MATRIX[request.param]
    path = tmp_path_factory.mktemp("made") / request.param
    try:
        return recipe.write(path), recipe, decoder
    except Exception as error:
        pytest.fail(f"{request.param} cannot be made: {error!r}")


def test_every_frame_once_in_order_with_its_time(made: tuple[Path, MadeVideo, str]) -> None:
    path, recipe, _ = made
    expected = decode_plainly(path)
    reader, found = read_all(path, batch_size=7)
    assert_same_frames(found, expected, list(range(recipe.n_frames)))
    assert (reader.n_frames, reader.broken, bool(reader.losses)) == (recipe.n_frames, None, False)
    assert reader.decoder.startswith("pyav")


def test_frames_show_their_number(made: tuple[Path, MadeVideo, str]) -> None:
    path, recipe, _ = made
    _, found = read_all(path)
    stored = [np.rot90(frame, -(recipe.rotation_ccw_deg // 90)) for frame in found.frames_rgb]
    assert [read_number(frame) for frame in stored] == list(range(recipe.n_frames))


def test_decord_gives_the_same_or_is_not_asked(made: tuple[Path, MadeVideo, str]) -> None:
    path, recipe, decoder = made
    if decoder != "decord":
        with pytest.raises(VideoError, match="can be decoded"):
            read_all(path, decoder="decord")
        return
    reader, found = read_all(path, decoder="decord")
    assert_same_frames(found, decode_plainly(path), list(range(recipe.n_frames)))
    assert reader.decoder.startswith("decord")


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(tmp_path: Path, batch_size: int) -> None:
    path = MadeVideo().write(tmp_path / "a.mp4")
    _, found = read_all(path, batch_size=batch_size)
    assert_same_frames(found, decode_plainly(path), list(range(40)))


@pytest.mark.slow
def test_shared_footage(shared: Path) -> None:
    # decord alone refuses face_noface.mov; cut at its key frames it reads it.
    # no_face.mp4 promises 98 frames; its edit list hides the first 3.
    known = {"face_noface.mov": (169, 0), "no_face.mp4": (95, 3)}
    for name in ("WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov", "no_face.mp4"):
        path = shared / "videos" / name
        expected = decode_plainly(path)
        reader, found = read_all(path)
        assert_same_frames(found, expected, list(range(len(expected.timestamps))))
        n_frames, n_hidden = known.get(name, (len(expected.timestamps), 0))
        assert (reader.n_frames, reader.n_hidden, reader.broken) == (n_frames, n_hidden, None), name
        assert not reader.losses, name
        if not n_hidden:
            by_decord, found = read_all(path, decoder="decord")
            assert_same_frames(found, expected, list(range(len(expected.timestamps))))
            assert by_decord.decoder.startswith("decord"), name


def test_nothing_is_printed_and_torch_stays_out(tmp_path: Path) -> None:
    fine = MadeVideo().write(tmp_path / "fine.mp4")
    bad = damage(MadeVideo(options={"g": "10"}).write(tmp_path / "bad.mp4"), start=0.4, share=0.1)
    program = (
        "import sys\n"
        "from aucli.video.reader import FrameReader\n"
        f"for path in {[str(fine), str(bad)]}:\n"
        "    assert sum(len(batch) for batch in FrameReader(path)) > 0\n"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules\n"
        "libraries = open('/proc/self/maps').read() if sys.platform == 'linux' else ''\n"
        "assert 'libcublas' not in libraries\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    recipe = MadeVideo(options={"g": "20", "preset": "ultrafast"}, size=(640, 360), grain=True)
    once = recipe.write(tmp_path / "once.mp4")
    films = [str(write_repeated(once, times, tmp_path / f"{times}.mp4")) for times in (4, 8)]
    # A consumer that takes its time: decord alone would decode the whole video ahead, 0.7 MB a frame.
    program = (
        "import sys, time, resource\n"
        "from aucli.video.reader import FrameReader\n"
        "for film in sys.argv[2:]:\n"
        "    for batch in FrameReader(film, decoder=sys.argv[1], batch_size=8):\n"
        "        time.sleep(0.02)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    for decoder in ("decord", "pyav"):
        command = [sys.executable, "-c", program, decoder, *films]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak_of_short_mb, peak_mb = map(int, done.stdout.split())
        assert peak_mb < peak_of_short_mb + 60  # 160 frames more would be 110 MB


def test_several_readers_in_threads(tmp_path: Path) -> None:
    path = MadeVideo(options={"bf": "2"}).write(tmp_path / "a.mp4")
    expected = decode_plainly(path)
    with ThreadPoolExecutor(4) as pool:
        for _, found in pool.map(lambda n: read_all(path, batch_size=n), [1, 3, 7, 40]):
            assert_same_frames(found, expected, list(range(40)))


@pytest.mark.gpu
def test_gpu_gives_the_frames_of_the_cpu(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    for recipe in (MadeVideo(size=(256, 192)), MadeVideo(size=(256, 192), rotation_ccw_deg=-90)):
        path = recipe.write(tmp_path / "a.mp4")
        expected = decode_plainly(path)
        with FrameReader(path, device="cuda", batch_size=7) as reader:
            batches = list(reader)
        assert all(batch.frames_rgb.is_cuda for batch in batches)
        assert [n for batch in batches for n in batch.index] == list(range(40))
        frames = torch.cat([batch.frames_rgb for batch in batches]).cpu().numpy()
        difference = np.abs(frames.astype(int) - np.stack(expected.frames_rgb))
        assert difference.mean() < 4
