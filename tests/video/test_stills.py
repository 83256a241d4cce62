"""A few frames of a video by seeking, against reading all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aucli.errors import VideoError
from aucli.video import stills
from aucli.video.display import Display
from aucli.video.reader import FrameReader
from aucli.video.stills import read_stills
from tests.builders.media import IRREGULAR, MadeVideo, cut_off, read_number, write_joined

WANTED = (0, 1, 7, 20, 119)


def times_of(path: Path) -> dict[int, float]:
    with FrameReader(path) as reader:
        return {int(i): float(t) for batch in reader for i, t in zip(batch.index, batch.time_s, strict=True)}


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("plain.mp4", MadeVideo(n_frames=120, options={"g": "12", "bf": "3"})),
        ("open.mp4", MadeVideo(n_frames=120, options={"x264-params": "open-gop=1:keyint=12:bframes=3"})),
        ("late.mkv", MadeVideo(n_frames=120, start_s=3.2, audio=True)),
        ("turned.mp4", MadeVideo(n_frames=120, rotation_ccw_deg=90)),
        ("stream.ts", MadeVideo(codec="mpeg2video", n_frames=120)),
        ("raw.h264", MadeVideo(n_frames=120)),
        ("vp9.webm", MadeVideo(codec="libvpx-vp9", n_frames=120, options={"g": "30", "deadline": "realtime"})),
    ],
)
def test_the_frames_are_those_of_a_full_read(tmp_path: Path, name: str, video: MadeVideo) -> None:
    path = video.write(tmp_path / name)
    with FrameReader(path) as reader:
        everything = {
            int(i): (float(t), f) for b in reader for i, t, f in zip(b.index, b.time_s, b.frames_rgb, strict=True)
        }
    got = list(read_stills(path, {k: everything[k][0] for k in reversed(WANTED)}))
    assert [index for index, _ in got] == list(WANTED)
    for index, picture in got:
        np.testing.assert_array_equal(picture, everything[index][1])


def test_seeking_does_not_decode_what_lies_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = MadeVideo(n_frames=400, options={"g": "10"}).write(tmp_path / "v.mp4")
    wanted = {k: times_of(path)[k] for k in (3, 390)}
    decoded: list[int] = []
    show = Display.show

    def counted(self: Display, frame: Any) -> Any:
        decoded.append(frame.pts)
        return show(self, frame)

    monkeypatch.setattr(Display, "show", counted)
    monkeypatch.setattr(stills, "FrameReader", None)  # the slow way would fail
    assert [read_number(picture) for _, picture in read_stills(path, wanted)] == [3, 390]
    assert len(decoded) < 40


def test_variable_frame_rates_joined_and_damaged_films(tmp_path: Path) -> None:
    irregular = MadeVideo(ticks=IRREGULAR).write(tmp_path / "i.mp4")
    part = MadeVideo(codec="mpeg2video").write(tmp_path / "p.ts")
    joined = write_joined([part, part], tmp_path / "j.ts")
    short = cut_off(MadeVideo(n_frames=120, grain=True).write(tmp_path / "c.mkv"), 0.5)
    for path in (irregular, joined, short):
        times = times_of(path)
        wanted = {k: times[k] for k in (0, max(times) // 2, max(times))}
        assert [index for index, _ in read_stills(path, wanted)] == list(wanted)


def test_another_film_under_the_name_is_refused(tmp_path: Path) -> None:
    path = MadeVideo().write(tmp_path / "v.mp4")
    assert list(read_stills(path, {})) == []
    with pytest.raises(VideoError, match=r"frame 3 is shown at 0\.120 s, not at 0\.500 s"):
        list(read_stills(path, {3: 0.5}))
    with pytest.raises(VideoError, match="1 of 1 frames are not there"):
        list(read_stills(path, {99: 4.0}))
