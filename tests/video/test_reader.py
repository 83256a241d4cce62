"""The reader against FFmpeg's plain decoding loop, over every kind of file we could make or think of."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.errors import OptionsError, VideoError
from aucli.video.packets import gop_lengths_of, join_segments
from aucli.video.reader import FrameReader, probe
from aucli.video.values import FrameBatch, VideoInfo
from tests.builders.media import (
    Decoded,
    MadeVideo,
    cut_off,
    damage,
    decode_plainly,
    hide_beginning,
    numbered_frame,
    read_number,
    write_growing,
    write_repeated,
    write_sound_only,
    write_without_frames,
)

IRREGULAR = list(np.cumsum([1, 4, 4, 9, 2, 30, 4, 4] * 5))
X265_OPEN_GOP = {"x265-params": "keyint=12:min-keyint=12:open-gop=1:bframes=4"}

# name: (recipe, the decoder that must deliver it)
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
    "vp9.webm": (MadeVideo(codec="libvpx-vp9", options={"auto-alt-ref": "1", "lag-in-frames": "16"}), "decord"),
    "vp9_odd.webm": (MadeVideo(codec="libvpx-vp9", size=(129, 97)), "decord"),
    "vp8.webm": (MadeVideo(codec="libvpx"), "decord"),
    "av1.mp4": (MadeVideo(codec="libsvtav1"), "decord"),
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


def read_all(path: Path, **options: Any) -> tuple[FrameReader, Decoded]:
    """Everything that a reader gives, checked for batch sizes on the way."""
    index: list[int] = []
    time_s: list[float] = []
    frames: list[npt.NDArray[np.uint8]] = []
    with FrameReader(path, **options) as reader:
        for batch in reader:
            assert 1 <= len(batch) <= options.get("batch_size", 32)
            assert isinstance(batch.frames_rgb, np.ndarray)
            index += batch.index.tolist()
            time_s += batch.time_s.tolist()
            frames += list(batch.frames_rgb)
    return reader, Decoded(index, np.array(time_s), frames)


def assert_same_frames(found: Decoded, expected: Decoded, index: list[int]) -> None:
    assert found.timestamps == index
    np.testing.assert_allclose(found.time_s, expected.time_s[index], atol=2e-6)
    for n, picture in zip(index, found.frames_rgb, strict=True):
        assert picture.shape == expected.frames_rgb[n].shape
        np.testing.assert_array_equal(picture, expected.frames_rgb[n], err_msg=f"frame {n}")


# ---- whole files -----------------------------------------------------------------------------------------------


def test_every_frame_once_in_order_with_its_time(made: tuple[Path, MadeVideo, str]) -> None:
    path, recipe, decoder = made
    expected = decode_plainly(path)
    reader, found = read_all(path, batch_size=7)
    assert_same_frames(found, expected, list(range(recipe.n_frames)))
    assert (reader.n_frames, reader.n_failed, reader.broken) == (recipe.n_frames, 0, None)
    assert reader.decoder.startswith(decoder)


def test_frames_show_their_number(made: tuple[Path, MadeVideo, str]) -> None:
    path, recipe, _ = made
    _, found = read_all(path)
    stored = [np.rot90(frame, -(recipe.rotation_ccw_deg // 90)) for frame in found.frames_rgb]
    assert [read_number(frame) for frame in stored] == list(range(recipe.n_frames))


def test_pyav_alone_gives_the_same(made: tuple[Path, MadeVideo, str]) -> None:
    path, recipe, _ = made
    reader, found = read_all(path, decoder="pyav")
    assert_same_frames(found, decode_plainly(path), list(range(recipe.n_frames)))
    assert reader.decoder.startswith("pyav")


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(tmp_path: Path, batch_size: int) -> None:
    path = MadeVideo().write(tmp_path / "a.mp4")
    _, found = read_all(path, batch_size=batch_size)
    assert_same_frames(found, decode_plainly(path), list(range(40)))


def test_shared_footage(shared: Path) -> None:
    # decord alone refuses face_noface.mov; cut at its key frames it reads it. no_face.mp4 has an edit list.
    expected_decoder = {"face_noface.mov": ("decord", 169, 0), "no_face.mp4": ("pyav", 95, 3)}
    for name in ("WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov", "no_face.mp4"):
        path = shared / "videos" / name
        expected = decode_plainly(path)
        reader, found = read_all(path)
        assert_same_frames(found, expected, list(range(len(expected.timestamps))))
        decoder, n_frames, n_failed = expected_decoder.get(name, ("decord", len(expected.timestamps), 0))
        assert reader.decoder.startswith(decoder), name
        assert (reader.n_frames, reader.n_failed, reader.broken) == (n_frames, n_failed, None), name


# ---- time ------------------------------------------------------------------------------------------------------


def test_time_counts_from_the_start_of_the_container(tmp_path: Path) -> None:
    alone = MadeVideo(start_s=3.0).write(tmp_path / "alone.mkv")
    beside_sound = MadeVideo(start_s=1.5, audio=True).write(tmp_path / "beside_sound.mkv")
    assert read_all(alone)[1].time_s[0] == pytest.approx(0.0, abs=1e-3)
    assert read_all(beside_sound)[1].time_s[0] == pytest.approx(1.5, abs=1e-3)


def test_irregular_times_are_kept(tmp_path: Path) -> None:
    path = MadeVideo(ticks=IRREGULAR).write(tmp_path / "a.mp4")
    _, found = read_all(path)
    np.testing.assert_allclose(found.time_s, (np.array(IRREGULAR) - IRREGULAR[0]) / 100, atol=1e-6)


# ---- edit lists, cut and damaged files -------------------------------------------------------------------------


def test_frames_hidden_by_an_edit_list_are_not_given(tmp_path: Path) -> None:
    path = MadeVideo(options={"bf": "2", "g": "40"}).write(tmp_path / "trimmed.mp4")
    hide_beginning(path, ticks=12800 // 25 * 10)
    expected = decode_plainly(path)
    reader, found = read_all(path)
    assert_same_frames(found, expected, list(range(30)))
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(10, 40))
    assert reader.decoder.startswith("pyav")
    assert (reader.n_frames, reader.n_failed, reader.broken) == (30, 10, None)


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


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "libvpx-vp9", "mjpeg", "libsvtav1"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_file_loses_only_what_ffmpeg_loses(tmp_path: Path, codec: str, name: str, seed: int) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = MadeVideo(codec=codec, options={"g": "10"}, pix_fmt=pix_fmt, grain=True).write(tmp_path / name)
    damage(path, start=0.45 + 0.1 * seed, share=0.01 * seed + 0.002, seed=seed)
    expected = decode_plainly(path)
    reader, found = read_all(path)
    assert found.timestamps == list(range(len(expected.timestamps)))
    np.testing.assert_allclose(found.time_s, expected.time_s, atol=2e-6)
    assert reader.n_frames == len(expected.timestamps)


def test_decord_hands_over_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aucli.video.reader.SEGMENT_BYTES_CPU", 128 * 96 * 3 * 10)
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


def test_picture_size_that_changes_is_brought_to_the_first(tmp_path: Path) -> None:
    path = write_growing(tmp_path / "a.webm")
    reader, found = read_all(path)
    assert (reader.n_frames, reader.n_failed, reader.broken) == (40, 0, None)
    assert {frame.shape for frame in found.frames_rgb} == {(96, 128, 3)}
    assert [read_number(frame) for frame in found.frames_rgb[:20]] == list(range(20))
    _, slowly = read_all(path, decoder="pyav")
    for one, other in zip(found.frames_rgb, slowly.frames_rgb, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 2


# ---- cutting a video for decord --------------------------------------------------------------------------------


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
def test_joined_stretches_fit_and_keep_their_borders(gops: list[int], max_frames: int) -> None:
    lengths = join_segments(gops, max_frames)
    if not gops or max(gops) > max_frames:
        assert lengths == []
        return
    assert sum(lengths) == sum(gops)
    assert max(lengths) <= max_frames
    assert set(np.cumsum(lengths)) <= set(np.cumsum(gops))


def test_many_segments_give_the_same_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aucli.video.reader.SEGMENT_BYTES_CPU", 128 * 96 * 3 * 11)
    for name, codec in (("a.mp4", "libx264"), ("b.mkv", "libx265"), ("c.webm", "libvpx-vp9"), ("d.mp4", "mpeg4")):
        options = {"g": "9", "bf": "0" if codec == "mpeg4" else "2"}  # MPEG-4's B-frames lead each key frame
        if codec == "libx265":
            options = {"x265-params": "keyint=9:min-keyint=9:open-gop=0"}
        path = MadeVideo(codec=codec, options=options, ticks=IRREGULAR).write(tmp_path / name)
        reader, found = read_all(path)
        assert_same_frames(found, decode_plainly(path), list(range(40)))
        assert reader.decoder.startswith("decord"), name


def test_far_apart_key_frames_go_to_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = MadeVideo(options={"g": "40"}).write(tmp_path / "a.mp4")
    monkeypatch.setattr("aucli.video.reader.SEGMENT_BYTES_CPU", 128 * 96 * 3 * 39)
    assert read_all(path)[0].decoder.startswith("pyav")
    with pytest.raises(VideoError, match="decord would need too much memory"):
        read_all(path, decoder="decord")


# ---- choosing frames -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def irregular(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decoded]:
    path = MadeVideo(ticks=IRREGULAR, options={"bf": "2"}).write(tmp_path_factory.mktemp("irregular") / "a.mp4")
    return path, decode_plainly(path)


def choose_plainly(time_s: list[float], start: float | None, end: float | None, every: float | None) -> list[int]:
    """The rule, word for word."""
    near = 1e-6
    chosen: set[int] = set()
    inside = [
        n for n, t in enumerate(time_s) if (start is None or t >= start - near) and (end is None or t < end - near)
    ]
    if every is None:
        return inside
    k = 0
    while inside and (start or 0) + k * every <= time_s[inside[-1]] + near:
        chosen.add(next(n for n in inside if time_s[n] >= (start or 0) + k * every - near))
        k += 1
    return sorted(chosen)


seconds = st.one_of(st.none(), st.floats(0.0, 4.0).map(lambda s: round(s, 2)))


@given(start=seconds, end=seconds, every=st.one_of(st.none(), st.sampled_from([0.04, 0.1, 0.25, 0.5, 1.0, 9.0])))
def test_sampling_follows_its_rule(
    irregular: tuple[Path, Decoded], start: float | None, end: float | None, every: float | None
) -> None:
    path, expected = irregular
    if start is not None and end is not None and end <= start:
        with pytest.raises(OptionsError, match="end_s"):
            FrameReader(path, start_s=start, end_s=end)
        return
    _, found = read_all(path, start_s=start, end_s=end, every_s=every)
    assert_same_frames(found, expected, choose_plainly(expected.time_s.tolist(), start, end, every))


@pytest.mark.parametrize("every_s", [None, 0.3])
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_resuming_gives_the_rest_of_a_full_read(
    irregular: tuple[Path, Decoded], every_s: float | None, decoder: str
) -> None:
    path, expected = irregular
    _, whole = read_all(path, every_s=every_s, decoder=decoder)
    for first in (0, 1, 17, 39, 40, 1000):
        _, rest = read_all(path, every_s=every_s, first_frame=first, decoder=decoder)
        assert_same_frames(rest, expected, [n for n in whole.timestamps if n >= first])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"first_frame": -1}, "first_frame is -1"),
        ({"every_s": 0.0}, "every_s is 0.0; it must be above 0"),
        ({"start_s": float("nan")}, "start_s is nan"),
        ({"start_s": 2.0, "end_s": 2.0}, "end_s is 2.0; it must lie after start_s"),
        ({"device": "gpu"}, "device is 'gpu'; allowed are cpu, cuda, cuda:N"),
        ({"decoder": "opencv"}, "decoder is 'opencv'"),
    ],
)
def test_options_that_make_no_sense(irregular: tuple[Path, Decoded], options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message.replace("(", r"\(")):
        FrameReader(irregular[0], **options)


# ---- what a file claims ----------------------------------------------------------------------------------------


def test_probe(tmp_path: Path) -> None:
    path = MadeVideo(rotation_ccw_deg=-90).write(tmp_path / "a.mp4")
    info = probe(path)
    assert info == VideoInfo(
        path=path,
        codec="h264",
        container="mov,mp4,m4a,3gp,3g2,mj2",
        width=96,
        height=128,
        rotation_deg=90,
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
        "folder": (folder, "is a folder, not a video file"),
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


def test_batch_checks_its_shapes() -> None:
    frames = np.stack([numbered_frame(n, 128, 96) for n in range(3)])
    index, time_s = np.arange(3, dtype=np.int32), np.arange(3.0)
    assert len(FrameBatch(index, time_s, frames)) == 3
    with pytest.raises(ValueError, match="time_s"):
        FrameBatch(index, time_s[:2], frames)
    with pytest.raises(ValueError, match="frames_rgb"):
        FrameBatch(index, time_s, frames[:2])
    with pytest.raises(ValueError, match="frames_rgb"):
        FrameBatch(index, time_s, frames[..., 0])


# ---- manners ---------------------------------------------------------------------------------------------------


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_memory_does_not_grow_with_length(tmp_path: Path, decoder: str) -> None:
    once = MadeVideo(options={"g": "20"}, size=(640, 360), grain=True).write(tmp_path / "once.mp4")
    # A consumer that takes its time: decord alone would decode the whole video ahead, 0.7 MB a frame.
    program = (
        "import sys, time, resource\n"
        "from aucli.video.reader import FrameReader\n"
        "for n, batch in enumerate(FrameReader(sys.argv[1], decoder=sys.argv[2], batch_size=8)):\n"
        "    time.sleep(0.02 if n < 60 else 0)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )

    def peak_mb(times: int) -> int:
        path = write_repeated(once, times, tmp_path / f"{times}.mp4")
        command = [sys.executable, "-c", program, str(path), decoder]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak_mb(20) < peak_mb(5) + 60


def test_several_readers_in_threads(tmp_path: Path) -> None:
    path = MadeVideo(options={"bf": "2"}).write(tmp_path / "a.mp4")
    expected = decode_plainly(path)
    with ThreadPoolExecutor(4) as pool:
        for _, found in pool.map(lambda n: read_all(path, batch_size=n), [1, 3, 7, 40]):
            assert_same_frames(found, expected, list(range(40)))


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


def test_playlist_is_not_followed(tmp_path: Path) -> None:
    playlist = tmp_path / "a.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/b.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        probe(playlist)


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
        assert all(batch.frames_rgb.is_cuda for batch in batches)  # type: ignore[union-attr]
        assert [n for batch in batches for n in batch.index] == list(range(40))
        frames = torch.cat([batch.frames_rgb for batch in batches]).cpu().numpy()
        difference = np.abs(frames.astype(int) - np.stack(expected.frames_rgb))
        assert difference.mean() < 4
