"""Cut and damaged files: what they hold is given, what is lost is counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.errors import VideoError
from aucli.video.damage import Announced, DamageReach, DecodedFrame, are_many, as_ranges, zero_runs
from aucli.video.decoders import PyAVSource, Source
from aucli.video.reader import FrameReader
from tests.builders.media import (
    MadeVideo,
    cut_off,
    damage,
    decode_plainly,
    flip_bits,
    leave_out_packets,
    overwrite_packet,
    read_number,
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


def numbers_of(path: Path, time_s: npt.NDArray[np.float64]) -> list[int]:
    """Where packets tell, frames keep their numbers whatever does not decode; else they are counted."""
    with FrameReader(path) as reader:
        announced_s = reader.announced_times_s()
    return list(range(len(time_s))) if announced_s is None else np.searchsorted(announced_s, time_s - 1e-6).tolist()


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "libvpx-vp9", "mjpeg", "libsvtav1"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("seed", range(2))
def test_damaged_file_loses_only_what_ffmpeg_loses(
    films: Callable[[str, str], bytes], tmp_path: Path, codec: str, name: str, seed: int
) -> None:
    path = tmp_path / name
    path.write_bytes(films(codec, name))
    damage(path, start=0.45 + 0.1 * seed, share=0.01 * seed + 0.002, seed=seed)
    expected = decode_plainly(path)
    reader, found = read_all(path)
    np.testing.assert_allclose(found.time_s, expected.time_s, atol=2e-6)
    assert reader.n_frames == len(expected.timestamps)
    assert found.timestamps == numbers_of(path, found.time_s)


@pytest.fixture
def decord_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: decord reads ten frames at a time, and PyAV what decord cannot."""

    def sources(reader: FrameReader) -> Iterator[Source]:
        assert reader._scan is not None
        yield from reader._decord_sources(reader._scan)
        yield PyAVSource(reader.info, reader._scan, careful=True)

    monkeypatch.setattr("aucli.video.reader.PIECE_BYTES_CPU", 128 * 96 * 3 * 10)
    monkeypatch.setattr(FrameReader, "_sources", sources)


@pytest.mark.usefixtures("decord_first")
def test_decord_hands_over_in_the_middle(tmp_path: Path) -> None:
    path = MadeVideo(options={"g": "10"}, grain=True, n_frames=60).write(tmp_path / "a.mp4")
    damage(path, start=0.6, share=0.03)
    expected = decode_plainly(path)
    reader, found = read_all(path, batch_size=4)
    assert reader.decoder.startswith("pyav")
    assert found.timestamps == numbers_of(path, found.time_s)
    found.timestamps[:] = range(len(expected.timestamps))
    assert_same_frames(found, expected, list(range(len(expected.timestamps))))
    assert reader.n_failed == 60 - reader.n_frames > 0
    assert reader.broken is not None


@pytest.mark.usefixtures("decord_first")
def test_decoders_that_disagree_end_the_file_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that were given out cannot be called back: a second decoder that times them otherwise ends the reading."""
    plainly = PyAVSource.frames
    monkeypatch.setattr(
        PyAVSource, "frames", lambda self: ((n, timestamp + 1, *more) for n, timestamp, *more in plainly(self))
    )
    path = MadeVideo(options={"g": "10"}, grain=True, n_frames=60).write(tmp_path / "a.mp4")
    damage(path, start=0.6, share=0.03)
    with pytest.raises(VideoError, match=r"a\.mp4: decoders disagree from frame 0 on .*: ffmpeg -i VIDEO "):
        read_all(path)


# ---- pictures that decode damaged ------------------------------------------------------------------------------


def changed_frames(path: Path, whole: Path) -> tuple[FrameReader, set[int], set[int]]:
    """The numbers of the frames that are not those of the whole film, and of those that are told to be damaged."""
    expected = dict(zip(*_timed(whole), strict=True))
    reader, found = read_all(path)
    assert_same_frames(found, decode_plainly(path), list(range(reader.n_frames)))
    changed = {
        number
        for number, time_s, picture in zip(found.timestamps, found.time_s.round(3), found.frames_rgb, strict=True)
        if not np.array_equal(picture, expected[time_s])
    }
    told = {n for part in reader.losses.damaged for n in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
    left, whole_frames = read_all(path, leave_out_damaged=True)
    assert whole_frames.timestamps == [number for number in found.timestamps if number not in told]
    assert left.losses == reader.losses
    return reader, changed, told


def _timed(path: Path) -> tuple[list[float], list[npt.NDArray[np.uint8]]]:
    _, found = read_all(path)
    return found.time_s.round(3).tolist(), found.frames_rgb


GOP = 10


@pytest.mark.parametrize(
    ("codec", "bframes"), [("libx264", "0"), ("libx264", "3"), ("mpeg2video", "2"), ("mpeg4", "0")]
)
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_bit_errors_are_told_with_all_that_they_damage(tmp_path: Path, codec: str, bframes: str, seed: int) -> None:
    options = {"g": str(GOP), "bf": bframes, "sc_threshold": "0"}
    # Large enough that the decoder comes upon something impossible; in a tiny picture it may not.
    recipe = MadeVideo(codec=codec, n_frames=40, size=(320, 240), options=options, grain=True)
    whole = recipe.write(tmp_path / "whole.mkv")
    path = flip_bits(whole, tmp_path / "a.mkv", packet=22 + seed, n_bits=200, seed=seed)
    reader, changed, told = changed_frames(path, whole)
    assert changed
    assert changed <= told
    with av.open(str(whole)) as container:
        keys = [n for n, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    begin, end = max(n for n in keys if n <= 22), min(n for n in [*keys, 40] if n > 24)
    assert told <= set(range(begin - int(bframes), end + int(bframes)))  # the group of pictures that was hit
    assert reader.broken is not None  # more than one frame in a hundred
    assert reader.broken == str(reader.losses)


@pytest.mark.parametrize("share", [0.4, 0.5, 0.7])
@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.ts"), ("libx265", "a.ts"), ("mpeg2video", "a.ts")])
def test_lost_packets_of_a_transport_stream_are_told(tmp_path: Path, codec: str, name: str, share: float) -> None:
    options = {"x265-params": "keyint=10:min-keyint=10:open-gop=0"} if codec == "libx265" else {"g": "10", "bf": "2"}
    whole = MadeVideo(codec=codec, n_frames=60, options=options, grain=True).write(tmp_path / f"whole_{name}")
    data = whole.read_bytes()
    at = int(share * len(data)) // 188 * 188
    path = tmp_path / name
    path.write_bytes(data[:at] + data[at + 3 * 188 :])
    reader, changed, told = changed_frames(path, whole)
    assert changed or reader.n_frames < 60  # a frame that is lost whole is promised by nothing
    assert changed <= told
    assert told
    assert len(told) <= 3 * GOP


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_zeros_where_a_block_was_lost_are_told(tmp_path: Path, codec: str, name: str) -> None:
    if (codec, name) == ("libvpx", "a.mp4"):
        pytest.skip("no MP4 holds VP8")
    options = {"x265-params": "keyint=10:min-keyint=10:open-gop=0"} if codec == "libx265" else {"g": "10", "bf": "0"}
    whole = MadeVideo(codec=codec, n_frames=60, options=options, grain=True).write(tmp_path / f"whole_{name}")
    path = overwrite_packet(whole, tmp_path / name, packet=25, n_bytes=512)
    reader, changed, told = changed_frames(path, whole)
    assert changed or reader.n_failed
    assert changed <= told
    assert told <= set(range(20, 30))


def test_few_damaged_frames_of_a_long_film_do_not_fail_it(tmp_path: Path) -> None:
    whole = MadeVideo(codec="mjpeg", pix_fmt="yuvj420p", n_frames=250).write(tmp_path / "whole.mkv")
    path = flip_bits(whole, tmp_path / "a.mkv", packet=100, n_bits=200, seed=0, skip=0)
    reader, _ = read_all(path)
    assert (reader.n_failed, reader.broken) == (1, None)
    assert str(reader.losses) == "1 of 250 promised frames did not decode"


@pytest.mark.slow
def test_what_is_not_asked_for_does_not_count(tmp_path: Path) -> None:
    options = {"g": "10", "bf": "0"}
    whole = MadeVideo(n_frames=60, size=(320, 240), options=options, grain=True).write(tmp_path / "whole.mkv")
    path = flip_bits(whole, tmp_path / "a.mkv", packet=22, n_bits=200, seed=0)
    assert read_all(path)[0].losses
    for span in ({"end_s": 0.7}, {"start_s": 1.3}):
        reader, _ = read_all(path, **span)
        assert (reader.broken, bool(reader.losses)) == (None, False)
    later, _ = read_all(path, first_frame=40, seek=False)  # a run that goes on tells of the whole film
    assert later.losses == read_all(path)[0].losses


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.mp4"])
def test_a_stream_that_begins_inside_a_group_of_pictures_is_a_failure_like_any_other(tmp_path: Path, name: str) -> None:
    whole = MadeVideo(n_frames=40, options={"g": "30", "bf": "0", "sc_threshold": "0"}).write(
        tmp_path / f"whole_{name}"
    )
    path = leave_out_packets(whole, tmp_path / name, range(1))
    reader, found = read_all(path)
    assert [read_number(frame) for frame in found.frames_rgb] == list(range(30, 40))
    assert reader.n_failed == 29
    assert reader.broken is not None
    assert reader.broken.startswith("29 of 39 promised frames did not decode")


# ---- the rules themselves --------------------------------------------------------------------------------------


NOTHING: Any = None
GROUPS = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12)
"""In the order of decoding: whether a key frame or one that is predicted, and how many B-frames are shown before it."""


def _film(groups: list[tuple[bool, int]]) -> tuple[list[int], list[bool]]:
    """For each packet, in the order of decoding, when its frame is shown, and whether that is a key frame."""
    ranks: list[int] = []
    is_key: list[bool] = []
    for key, n_before in groups:
        first = len(ranks)
        ranks += [first + n_before, *range(first, first + n_before)]
        is_key += [key, *[False] * n_before]
    return ranks, is_key


def _pass_on(
    ranks: list[int], is_key: list[bool], shown: list[int], told: set[int], alone: set[int]
) -> list[DecodedFrame]:
    """Let frames come (packets, in the order in which they are shown); decoders tell of some that they are damaged."""
    announced = Announced(np.array(ranks, np.int64), np.isin(np.arange(len(ranks)), list(alone)), n_ahead=3)
    frames = (DecodedFrame(0, NOTHING, p, is_key=is_key[p] and p not in told, is_damaged=p in told) for p in shown)
    return list(DamageReach(announced).pass_on(frames))


@given(GROUPS, st.data())
def test_damage_reaches_what_is_predicted_from_it(groups: list[tuple[bool, int]], data: st.DataObject) -> None:
    """Told by the decoder or lost in it, damage reaches what is decoded later, up to a key frame; slowly, by pairs."""
    ranks, is_key = _film(groups)
    packets = st.sets(st.integers(0, max(len(ranks) - 1, 0)))
    bad, alone = data.draw(packets) & set(range(len(ranks))), data.draw(packets)
    lost = data.draw(packets) & bad
    shown = sorted(set(range(len(ranks))) - lost, key=lambda p: ranks[p])

    def harms(hit: int, packet: int) -> bool:
        if hit == packet or hit > packet or hit in alone:
            return hit == packet
        for key in range(packet + 1):
            if is_key[key] and key not in bad and ranks[key] <= ranks[packet]:
                is_earlier = hit < key or ranks[hit] < ranks[key]
                if is_earlier:
                    return False
        return True

    given_out = _pass_on(ranks, is_key, shown, bad - lost, alone)
    assert [frame.packet for frame in given_out] == shown
    assert [frame.number for frame in given_out] == sorted(ranks[p] for p in shown)
    damaged = {frame.packet for frame in given_out if frame.is_damaged}
    assert damaged == {packet for packet in shown if any(harms(hit, packet) for hit in bad)}


@given(GROUPS, st.randoms(use_true_random=False))
def test_frames_of_a_healthy_film_may_be_shown_out_of_order(groups: list[tuple[bool, int]], random: Random) -> None:
    """All frames come, and times run back by some frames: nothing is lost, and each is counted."""
    ranks, is_key = _film(groups)
    shown = sorted(range(len(ranks)), key=lambda p: ranks[p] + random.uniform(0, 4))
    given_out = _pass_on(ranks, is_key, shown, set(), set())
    assert [frame.packet for frame in given_out] == shown
    assert not any(frame.is_damaged for frame in given_out)
    assert [frame.number for frame in given_out] == list(range(len(ranks)))


PIECES = st.lists(st.tuples(st.sampled_from([0, 1, 7]), st.integers(0, 200)), max_size=6)


@given(PIECES, st.sampled_from(["h264", "vp9", "wmv2", "rawvideo"]), st.integers(0, 200))
def test_runs_of_zeros(pieces: list[tuple[int, int]], codec: str, n_blocks: int) -> None:
    """By the runs of equal bytes: those of zeros, long enough, by what follows them."""
    data = b"".join(bytes([value]) * n for value, n in pieces)
    runs = [(value, len(list(run))) for value, run in groupby(data)]
    strange, stuffing = [0], [0]
    for (value, n), after in zip(runs, [*(value for value, _ in runs[1:]), None], strict=False):
        if value == 0 and n >= 64 and codec != "rawvideo":
            if codec != "vp9" and after in (None, 1):
                stuffing.append(n)
            elif codec != "wmv2" or n >= n_blocks:
                strange.append(n)
    assert zero_runs(data, codec, n_blocks * 256) == (max(strange), max(stuffing))


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_number_once(numbers: set[int]) -> None:
    parts = [part.split("-") for part in as_ranges(sorted(numbers))]
    assert [n for part in parts for n in range(int(part[0]), int(part[-1]) + 1)] == sorted(numbers)


def test_one_in_a_hundred_is_not_yet_much() -> None:
    assert not are_many(0, 0)
    assert not are_many(1, 99)
    assert are_many(2, 98)
    assert are_many(1, 0)
