"""Reading that passes over what is not asked for, against reading all of a file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import VideoError
from aucli.video.random_access import DecodingOrder
from aucli.video.seeking import SeekingSource, plan_decoding
from tests.builders.media import (
    IRREGULAR,
    Decoded,
    MadeVideo,
    cut_off,
    damage,
    hide_beginning,
    read_number,
    write_joined,
)
from tests.builders.reading import read_all

CLOSED = {"bf": "3", "g": "10"}
X264_OPEN = {"bf": "3", "g": "10", "x264-params": "open-gop=1:scenecut=0"}
X265_OPEN = {"x265-params": "keyint=10:min-keyint=10:open-gop=1:bframes=4"}

# name: (recipe, whether packets may be passed over there)
FILMS: dict[str, tuple[MadeVideo, bool]] = {
    "closed.mp4": (MadeVideo(options=CLOSED), True),
    "late_with_sound.mkv": (MadeVideo(options=CLOSED, start_s=1.5, audio=True), True),
    "open.mkv": (MadeVideo(options=X264_OPEN), True),
    "open.mp4": (MadeVideo(options=X264_OPEN), True),
    "vfr.mp4": (MadeVideo(options=CLOSED, ticks=IRREGULAR), True),
    "vfr.mkv": (MadeVideo(options=X264_OPEN, ticks=IRREGULAR), True),
    "closed.ts": (MadeVideo(options=CLOSED), True),
    "open.ts": (MadeVideo(options=X264_OPEN), True),
    "turned.mp4": (MadeVideo(options=CLOSED, rotation_ccw_deg=90), True),
    "intra_refresh.mp4": (MadeVideo(options={"x264-params": "intra-refresh=1:keyint=10"}), False),
    "hevc.mp4": (MadeVideo(codec="libx265", options=X265_OPEN), True),
    "hevc.mkv": (MadeVideo(codec="libx265", options={"x265-params": "keyint=10:temporal-layers=3:bframes=4"}), True),
    "mpeg2.ts": (MadeVideo(codec="mpeg2video", options={"bf": "2", "g": "9"}), True),
    "mpeg4.mp4": (MadeVideo(codec="mpeg4", options={"bf": "2", "g": "9"}), True),
    "mpeg4.avi": (MadeVideo(codec="mpeg4", options={"g": "9"}), True),
    "mjpeg.avi": (MadeVideo(codec="mjpeg", pix_fmt="yuvj420p"), True),
    "vp8.webm": (MadeVideo(codec="libvpx", options={"g": "10"}), True),
    "vp9.webm": (MadeVideo(codec="libvpx-vp9", options={"g": "10", "auto-alt-ref": "1", "lag-in-frames": "8"}), True),
    "av1.mp4": (MadeVideo(codec="libsvtav1", options={"g": "10"}), True),
    "ffv1.mkv": (MadeVideo(codec="ffv1"), False),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Decoded]]:
    """A film of `FILMS` and all that is in it."""
    folder = tmp_path_factory.mktemp("films")

    @functools.cache
    def made(name: str) -> tuple[Path, Decoded]:
        path = FILMS[name][0].write(folder / name)
        return path, read_all(path)[1]

    return made


class Counter:
    """Counts the frames that are decoded while passing over others; nothing else may decode any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        decode = SeekingSource._decode

        def count(source: SeekingSource, container: Any, stream: Any) -> Iterator[tuple[int, Any]]:
            for one in decode(source, container, stream):
                self.n += 1
                yield one

        monkeypatch.setattr(SeekingSource, "_decode", count)
        monkeypatch.setattr("aucli.video.decoders.decode_tolerantly", None)


def choose(everything: Decoded, start_s: float | None, end_s: float | None, every_s: float | None) -> list[int]:
    """The slow obvious version of the choice."""
    numbers: list[int] = []
    latest = -1
    for n, time_s in enumerate(everything.time_s.tolist()):
        since_s = time_s - (start_s or 0) + 1e-6
        if since_s < 0 and start_s is not None:
            continue
        if end_s is not None and time_s > end_s - 1e-6:
            break
        if every_s is not None:
            if since_s // every_s <= latest:
                continue
            latest = int(since_s // every_s)
        numbers.append(n)
    return numbers


@pytest.mark.parametrize("name", list(FILMS))
@settings(max_examples=4, deadline=None)
@given(
    start_s=st.none() | st.integers(0, 40).map(lambda n: n / 25),
    length_s=st.none() | st.integers(1, 30).map(lambda n: n / 25),
    every_s=st.none() | st.integers(2, 25).map(lambda n: n / 25),
    first_frame=st.integers(0, 39),
    batch_size=st.integers(1, 9),
)
def test_frames_are_those_of_a_full_read(
    film: Callable[[str], tuple[Path, Decoded]],
    name: str,
    start_s: float | None,
    length_s: float | None,
    every_s: float | None,
    first_frame: int,
    batch_size: int,
) -> None:
    path, everything = film(name)
    end_s = None if length_s is None else (start_s or 0) + length_s
    options = {"start_s": start_s, "end_s": end_s, "every_s": every_s, "first_frame": first_frame}
    slow, plain = read_all(path, batch_size=batch_size, seek=False, **options)
    reader, found = read_all(path, batch_size=batch_size, **options)
    chosen = choose(everything, start_s, end_s, every_s)
    assert found.timestamps == plain.timestamps == [n for n in chosen if n >= first_frame]
    assert found.time_s.tolist() == everything.time_s[found.timestamps].tolist()
    for n, picture in zip(found.timestamps, found.frames_rgb, strict=True):
        np.testing.assert_array_equal(picture, everything.frames_rgb[n], err_msg=f"frame {n}")
    told = (reader.n_frames, reader.n_failed, reader.n_hidden, reader.broken, reader.decoder)
    assert reader.notes == slow.notes
    assert told == (slow.n_frames, slow.n_failed, slow.n_hidden, slow.broken, slow.decoder)


@pytest.mark.parametrize("name", [name for name, (_, may_seek) in FILMS.items() if may_seek])
def test_only_what_is_needed_is_decoded(
    film: Callable[[str], tuple[Path, Decoded]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, everything = film(name)
    last = len(everything.timestamps) - 1
    counter = Counter(monkeypatch)
    reader, found = read_all(path, first_frame=last)
    assert found.timestamps == [last]
    assert counter.n < 26  # an open group begins a key frame earlier, AV1 and HEVC lay out theirs themselves
    assert reader.notes == ()


def test_what_an_edit_list_hides_has_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hide_beginning(MadeVideo(options={"g": "10", "bf": "0"}).write(tmp_path / "a.mp4"), 3 * 512)
    Counter(monkeypatch)
    reader, found = read_all(path, first_frame=20)
    assert [read_number(picture) for picture in found.frames_rgb] == list(range(23, 40))
    assert reader.n_hidden == 3
    assert found.timestamps == list(range(20, 37))


def test_joined_recordings_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = MadeVideo(options=CLOSED).write(tmp_path / "part.ts")
    path = write_joined([part, part], tmp_path / "a.ts")
    counter = Counter(monkeypatch)
    reader, found = read_all(path, start_s=70 / 25)
    assert (reader.n_frames, reader.n_joints) == (80, 1)
    assert found.timestamps == list(range(70, 80))
    assert [read_number(picture) for picture in found.frames_rgb] == list(range(30, 40))
    assert counter.n <= 13


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Films whose packets are framed by their container, and one whose are not, each with B-frames."""
    folder = tmp_path_factory.mktemp("films")
    recipe = MadeVideo(options={"g": "10", "bf": "2", "sc_threshold": "0"}, grain=True)
    films = {name: recipe.write(folder / name).read_bytes() for name in ("a.mp4", "a.mkv", "a.ts", "a.avi")}
    return lambda name: films[name]


@settings(max_examples=10, derandomize=True, deadline=None)
@given(
    name=st.sampled_from(["a.mp4", "a.mkv", "a.ts", "a.avi"]),
    place=st.floats(0.1, 0.9),
    share=st.sampled_from([0.001, 0.01, 0.04]),
    seed=st.integers(0, 99),
    start_s=st.none() | st.floats(0.1, 1.4),
    every_s=st.none() | st.floats(0.05, 0.5),
)
def test_a_part_of_a_damaged_film_leaves_out_what_the_whole_leaves_out(
    intact: Callable[[str], bytes],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    place: float,
    share: float,
    seed: int,
    start_s: float | None,
    every_s: float | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(intact(name))
    damage(path, start=place, share=share, seed=seed)
    try:
        whole, rows = read_all(path, leave_out_damaged=True)
    except VideoError:
        return  # its header was hit
    times = dict(zip(rows.timestamps, rows.time_s.tolist(), strict=True))
    pictures = dict(zip(rows.timestamps, rows.frames_rgb, strict=True))
    reader, found = read_all(path, leave_out_damaged=True, start_s=start_s, every_s=every_s)
    for n, time_s, picture in zip(found.timestamps, found.time_s.tolist(), found.frames_rgb, strict=True):
        assert times[n] == time_s
        np.testing.assert_array_equal(picture, pictures[n])
    if every_s is None:
        assert found.timestamps == [n for n, time_s in times.items() if time_s >= (start_s or 0)]
    assert _members(reader.losses.damaged) <= _members(whole.losses.damaged)
    assert len(_members(reader.losses.damaged)) == reader.losses.n_damaged
    if not reader.is_as_announced and every_s:
        assert "was decoded from its beginning, which takes longer: " in reader.notes[-1]


def _members(ranges: tuple[str, ...]) -> set[int]:
    return {n for part in ranges for n in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}


def test_where_numbers_need_all_frames_it_is_said(tmp_path: Path) -> None:
    path = cut_off(MadeVideo(options={"g": "10"}, grain=True).write(tmp_path / "a.mkv"), 0.7)
    reader, found = read_all(path, start_s=0.4)
    assert found.timestamps[0] == 10
    assert "was decoded from its beginning, which takes longer: it is damaged or not whole" in reader.notes
    reader, found = read_all(path, first_frame=10)
    assert found.timestamps[0] == 10
    assert reader.notes == read_all(path)[0].notes


def test_nothing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = MadeVideo(options=CLOSED).write(tmp_path / "a.mp4")
    counter = Counter(monkeypatch)
    for options in ({"start_s": 9.0}, {"first_frame": 99}):
        reader, found = read_all(path, **options)
        assert (found.timestamps, reader.n_frames, reader.n_failed) == ([], 40, 0)
    assert counter.n == 2


ORDERS = st.lists(st.integers(0, 60), min_size=1, max_size=24, unique=True)


@given(shown=ORDERS, data=st.data())
def test_a_plan_holds_all_that_a_frame_may_need(shown: list[int], data: st.DataObject) -> None:
    n = len(shown)
    flags = st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)
    begins, is_unneeded, is_wanted = data.draw(flags), data.draw(flags), data.draw(flags)
    begins[0] = True
    timestamps = np.sort(shown)
    order = DecodingOrder(np.array(shown), np.zeros(n, np.bool_), begins, is_unneeded & ~begins)
    plan = plan_decoding(order, timestamps, is_wanted)
    for at in range(n):
        if not is_wanted[timestamps.searchsorted(shown[at])]:
            continue
        needed = at
        while needed and not (begins[needed] and shown[needed] <= shown[at]):
            needed -= 1
            assert plan.is_decoded[needed] or order.is_unneeded[needed]
            assert not plan.begins[needed + 1]
    assert set(np.flatnonzero(plan.begins)) <= set(np.flatnonzero(begins))
