"""When frames are shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.video.times import NO_TIMESTAMP, Clock
from tests.builders.media import (
    IRREGULAR,
    MadeVideo,
    decode_plainly,
    destroy_chunk,
    hide_beginning,
    read_number,
    show_only,
    write_joined,
)
from tests.builders.reading import assert_same_frames, read_all


def test_time_counts_from_the_start_of_the_container(tmp_path: Path) -> None:
    alone = MadeVideo(start_s=3.0).write(tmp_path / "alone.mkv")
    beside_sound = MadeVideo(start_s=1.5, audio=True).write(tmp_path / "beside_sound.mkv")
    assert read_all(alone)[1].time_s[0] == pytest.approx(0.0, abs=1e-3)
    assert read_all(beside_sound)[1].time_s[0] == pytest.approx(1.5, abs=1e-3)


def test_irregular_times_are_kept(tmp_path: Path) -> None:
    path = MadeVideo(ticks=IRREGULAR).write(tmp_path / "a.mp4")
    _, found = read_all(path)
    np.testing.assert_allclose(found.time_s, (np.array(IRREGULAR) - IRREGULAR[0]) / 100, atol=1e-6)


@pytest.mark.parametrize("name", ["a.h264", "a.h265", "a.m2v", "a.m4v", "a.ivf", "a.y4m"])
def test_raw_streams_run_at_their_own_rate(tmp_path: Path, name: str) -> None:
    codec = {"h264": "libx264", "h265": "libx265", "m2v": "mpeg2video", "m4v": "mpeg4", "ivf": "libvpx"}
    recipe = MadeVideo(codec=codec.get(name[2:], "wrapped_avframe"), fps=50, n_frames=12, options={"bf": "0"})
    reader, found = read_all(recipe.write(tmp_path / name))
    np.testing.assert_allclose(found.time_s, np.arange(12) / 50, atol=1e-9)
    assert (reader.info.fps, reader.notes) == (50.0, ())


def test_a_stream_without_any_rate_says_what_is_assumed(tmp_path: Path) -> None:
    path = MadeVideo(codec="mjpeg", pix_fmt="yuvj420p", n_frames=5).write(tmp_path / "a.mjpeg")
    reader, found = read_all(path)
    np.testing.assert_allclose(found.time_s, np.arange(5) / 25, atol=1e-9)
    assert reader.notes == ("has no times and no frame rate; 25 frames a second are assumed",)


@pytest.mark.parametrize(("suffix", "audio"), [("ts", False), ("ts", True), ("vob", False)])
@pytest.mark.parametrize("starts_s", [[0, 0, 0], [0, 500, 3], [500, 0]])
def test_recordings_joined_by_cat_go_on_where_the_one_before_ended(
    tmp_path: Path, suffix: str, audio: bool, starts_s: list[float]
) -> None:
    codec = "libx264" if suffix == "ts" else "mpeg2video"
    parts = [
        MadeVideo(codec=codec, n_frames=20, start_s=start, options={"bf": "2"}, audio=audio and not start).write(
            tmp_path / f"{n}.{suffix}"
        )
        for n, start in enumerate(starts_s)
    ]
    reader, found = read_all(write_joined(parts, tmp_path / f"all.{suffix}"), batch_size=7)
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(20)) * len(parts)
    np.testing.assert_allclose(np.diff(found.time_s), 1 / 25, atol=1e-4)
    assert (reader.n_failed, reader.broken) == (0, None)
    notes = " ".join(reader.notes)
    assert ("timestamps jump ahead by over 10 s once" in notes) == (500 in starts_s[1:])
    n_anew = sum(later <= earlier for earlier, later in itertools.pairwise(starts_s))
    assert f"timestamps begin anew {'once' if n_anew == 1 else f'{n_anew} times'}" in notes


def test_a_pause_within_a_recording_is_kept(tmp_path: Path) -> None:
    ticks = [4 * n + (0 if n < 10 else 800) for n in range(20)]  # 8 s: below FFmpeg's limit of 10 s
    path = MadeVideo(ticks=ticks, n_frames=20).write(tmp_path / "a.ts")
    reader, found = read_all(path)
    np.testing.assert_allclose(found.time_s, (np.array(ticks)) / 100, atol=1e-4)
    assert reader.notes == ()


def test_matroska_joined_by_cat(tmp_path: Path) -> None:
    once = MadeVideo(n_frames=20, options={"bf": "2"}).write(tmp_path / "a.mkv")
    _, found = read_all(write_joined([once, once], tmp_path / "b.mkv"))
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(20)) * 2
    np.testing.assert_allclose(found.time_s, np.arange(40) / 25, atol=1.1e-3)


@pytest.mark.parametrize(("codec", "bframes"), [("libx264", "3"), ("mpeg4", "2")])
def test_an_avi_with_frames_out_of_order_is_shown_slot_by_slot(tmp_path: Path, codec: str, bframes: str) -> None:
    path = MadeVideo(codec=codec, n_frames=20, options={"bf": bframes}).write(tmp_path / "a.avi")
    reader, found = read_all(path)
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(20))
    np.testing.assert_allclose(np.diff(found.time_s), 1 / 25, atol=1e-9)
    with av.open(str(path)) as container:  # as FFmpeg: the first frame is shown when the decoder gives it out
        container.streams.video[0].codec_context.thread_count = 1
        first = next(container.decode(video=0))
    assert first.dts is not None
    assert found.time_s[0] == pytest.approx(first.dts / 25)
    assert (reader.notes, reader.broken, bool(reader.losses)) == ((), None, False)


@pytest.mark.parametrize(("codec", "bframes"), [("libx264", "2"), ("libx264", "0"), ("mpeg4", "0")])
def test_an_avi_with_frames_in_every_second_slot(tmp_path: Path, codec: str, bframes: str) -> None:
    recipe = MadeVideo(codec=codec, n_frames=20, fps=50, ticks=range(0, 40, 2), options={"bf": bframes})
    reader, found = read_all(recipe.write(tmp_path / "a.avi"))
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(20))
    np.testing.assert_allclose(np.diff(found.time_s), 1 / 25, atol=1e-9)
    assert (reader.info.fps, reader.notes, bool(reader.losses)) == (25.0, (), False)


@pytest.mark.skipif(not hasattr(av.stream.Stream, "index_entries"), reason="PyAV before 17")
@pytest.mark.parametrize(("codec", "bframes"), [("libx264", "2"), ("libx264", "0"), ("mjpeg", "0")])
def test_a_destroyed_frame_of_an_avi_is_missing_and_the_others_keep_their_times(
    tmp_path: Path, codec: str, bframes: str
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {"bf": bframes, "g": "10", "sc_threshold": "0"}
    path = MadeVideo(codec=codec, n_frames=30, options=options, pix_fmt=pix_fmt).write(tmp_path / "a.avi")
    _, whole = read_all(path)
    destroy_chunk(path, 15)
    reader, found = read_all(path)
    shown = [read_number(frame) for frame in found.frames_rgb]
    assert (reader.n_failed, len(shown)) == (1, 29)
    # What was predicted from it is damaged; of a film of key frames nothing is.
    told = {n for part in reader.losses.damaged for n in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
    assert told <= set(range(15 - 2 * int(bframes), 19))
    assert bool(told) == (codec != "mjpeg")
    numbers = {shown[n]: found.time_s[n] for n in range(29) if n not in told}
    assert set(numbers) >= set(range(15 - 2 * int(bframes))) | set(range(20, 30))
    assert all(time_s == pytest.approx(whole.time_s[number]) for number, time_s in numbers.items())


def test_frames_hidden_by_an_edit_list_are_not_given(tmp_path: Path) -> None:
    path = MadeVideo(options={"bf": "2", "g": "40"}).write(tmp_path / "trimmed.mp4")
    hide_beginning(path, ticks=12800 // 25 * 10)
    expected = decode_plainly(path)
    reader, found = read_all(path)
    assert_same_frames(found, expected, list(range(30)))
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(10, 40))
    assert reader.decoder.startswith("pyav")
    assert (reader.n_frames, reader.n_hidden, reader.n_failed, reader.broken) == (30, 10, 0, None)


@pytest.mark.parametrize(("first", "last"), [(0, 24), (25, 39), (13, 21)])
def test_hidden_heads_and_tails_are_no_missing_frames(tmp_path: Path, first: int, last: int) -> None:
    path = MadeVideo(options={"bf": "0", "g": "10"}).write(tmp_path / "trimmed.mp4")
    show_only(path, start_ticks=12800 // 25 * first, duration_ms=40 * (last - first + 1))
    reader, found = read_all(path)
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(first, last + 1))
    np.testing.assert_allclose(found.time_s, np.arange(last - first + 1) / 25, atol=1e-6)
    assert (reader.n_failed, reader.broken, reader.info.n_frames_header) == (0, None, last - first + 1)
    assert reader.n_hidden == 40 - (last - first + 1)


def test_a_trimmed_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    options = {"movflags": "faststart"}
    path = MadeVideo(options={"bf": "0", "g": "10"}, container_options=options, grain=True).write(tmp_path / "a.mp4")
    show_only(path, start_ticks=12800 // 25 * 15, duration_ms=40 * 25)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.7)])
    reader, found = read_all(path)
    assert read_number(found.frames_rgb[0]) == 15
    assert reader.broken is not None
    assert reader.n_failed > 0


# ---- the clock itself ------------------------------------------------------------------------------------------


def test_no_frames() -> None:
    assert Clock(0.01, 0.0, 25.0, counts=False).seconds(5) == pytest.approx(0.05)


clocks: list[Callable[[], Clock]] = [
    lambda: Clock(0.001, 0.0, 25.0, counts=False),
    lambda: Clock(0.001, -3.0, 0.0, counts=False),
    lambda: Clock(0.0, 0.0, 30.0, counts=True),
]


@given(
    st.sampled_from(clocks),
    st.lists(st.one_of(st.just(NO_TIMESTAMP), st.integers(-1000, 10_000)), min_size=2, max_size=40),
)
def test_time_never_runs_back_whatever_the_timestamps(make: Callable[[], Clock], timestamps: list[int]) -> None:
    clock = make()
    times = [clock.seconds(timestamp) for timestamp in timestamps]
    assert (np.diff(times) > 0).all()


@given(st.lists(st.integers(0, 10_000), min_size=1, unique=True).map(sorted))
def test_good_timestamps_are_left_alone(timestamps: list[int]) -> None:
    clock = Clock(0.001, 0.5, 25.0, counts=False)
    assert [clock.seconds(t) for t in timestamps] == [t * 0.001 - 0.5 for t in timestamps]


# ---- frames without times --------------------------------------------------------------------------------------


def write_early(path: Path, *, first_ms: int, bframes: str = "0") -> Path:
    """A Matroska file of 40 frames at 25 a second that begins before 0: Matroska leaves negative times out.

    Its header says 100 frames a second, since that is the clock of the encoder.
    """
    plain = MadeVideo(options={"bf": bframes}).write(path.with_name("plain.mp4"))
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(plain)) as source, av.open(str(path), "w", options=options) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        assert stream.time_base is not None
        shift = round(first_ms / 1000 / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                target.mux(packet)
    return path


@pytest.mark.parametrize(("first_ms", "bframes"), [(-40, "0"), (-400, "0"), (-400, "2"), (-1200, "2")])
def test_frames_before_the_first_time_are_counted_back_from_it(tmp_path: Path, first_ms: int, bframes: str) -> None:
    path = write_early(tmp_path / "early.mkv", first_ms=first_ms, bframes=bframes)
    n_before = sum(frame.pts is None and frame.dts is None for frame in decode_plainly_av(path))
    assert n_before >= 1
    reader, found = read_all(path, batch_size=7)
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(40))
    np.testing.assert_allclose(found.time_s, np.arange(40) / 25, atol=1e-6)
    assert found.time_s[0] == 0
    have = "1 frame has" if n_before == 1 else f"{n_before} frames have"
    assert reader.notes[0].startswith(f"{have} no time in the file")
    assert (reader.n_failed, reader.broken) == (0, None)


def decode_plainly_av(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_a_file_with_times_says_nothing_of_them(tmp_path: Path) -> None:
    reader, _ = read_all(write_early(tmp_path / "early.mkv", first_ms=0))
    assert reader.notes == ()


@given(
    n_before=st.integers(0, 50),
    n_after=st.integers(1, 50),
    first=st.integers(-500, 10_000),
    start_s=st.floats(-2.0, 20.0),
    fps=st.sampled_from([1.0, 24000 / 1001, 25.0, 240.0]),
)
def test_leading_frames_are_one_step_apart_and_begin_no_earlier_than_0(
    n_before: int, n_after: int, first: int, start_s: float, fps: float
) -> None:
    clock = Clock(0.001, start_s, fps, counts=False)
    clock.count_back(n_before, first)
    stamped = [first + round(1000 * n / fps) for n in range(n_after)]
    times = np.array([clock.seconds(t) for t in [NO_TIMESTAMP] * n_before + stamped])
    known_s = np.array(stamped) * 0.001
    np.testing.assert_allclose(times[n_before:], known_s - clock.start_s, atol=1e-9)  # known times keep their distances
    np.testing.assert_allclose(np.diff(times[: n_before + 1]), 1 / fps, atol=1e-9)
    assert clock.start_s <= start_s
    if n_before:
        assert times[0] >= 0
        assert clock.start_s == start_s or times[0] == 0
    assert len(clock.notes) == bool(n_before)


def test_times_that_do_not_rise_are_said() -> None:
    clock = Clock(0.001, 0.0, 25.0, counts=False)
    assert [clock.seconds(t) for t in (0, 40, 40, 120)] == pytest.approx([0.0, 0.04, 0.041, 0.12])
    assert clock.notes == ("1 frame has a time that is not after the frame before; it is put just after it",)


@given(st.integers(0, 2**61), st.lists(st.integers(0, 10_000), min_size=1, unique=True).map(sorted))
def test_timestamps_that_are_too_large_for_seconds_keep_their_distances(origin: int, timestamps: list[int]) -> None:
    small, large = Clock(1 / 30, 0.0, 30.0, counts=False), Clock(1 / 30, 0.0, 30.0, counts=False, origin=origin)
    assert [large.seconds(t + origin) for t in timestamps] == [small.seconds(t) for t in timestamps]
    assert large.agrees(timestamps[0] + origin, timestamps[0] / 30)
    assert large.start_s == pytest.approx(origin / 30)
