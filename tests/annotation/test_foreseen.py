"""The work of a run is foreseen in frames, whatever the bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aucli.annotation import foreseen
from aucli.annotation.foreseen import foreseen_work
from aucli.annotation.options import AnnotateOptions
from tests.builders.media import MadeVideo


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    """Small and large ones, in containers that count frames and in those that only tell a duration."""
    made = [
        MadeVideo(n_frames=50).write(tmp_path / "plain.mp4"),
        MadeVideo(n_frames=50, grain=True, options={"crf": "1"}).write(tmp_path / "grainy.mp4"),
        MadeVideo(n_frames=50).write(tmp_path / "plain.mkv"),
        MadeVideo(n_frames=50, codec="mpeg4").write(tmp_path / "plain.avi"),
    ]
    assert made[1].stat().st_size > 10 * made[0].stat().st_size
    return made


def test_no_videos() -> None:
    assert foreseen_work([], AnnotateOptions()) == []


def test_videos_of_equal_length_are_equal_work_whatever_their_bytes(videos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(videos[1].read_bytes()[:5000])
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    others = [tmp_path / name for name in ("broken.mp4", "a.png", "gone.mp4")]
    assert foreseen_work([*videos, *others], AnnotateOptions()) == pytest.approx([50] * 4 + [0, 1, 0], abs=1)
    assert foreseen_work(videos, AnnotateOptions(start_s=0.5, every_s=0.1)) == pytest.approx([15] * 4, abs=1)


def test_of_too_many_videos_some_are_opened_and_the_others_go_by_bytes(
    videos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseen, "MOST_OPENED", 2)
    first, second, third, fourth = foreseen_work(videos, AnnotateOptions())
    assert [first, third] == pytest.approx([50, 50], abs=1)
    sizes = [video.stat().st_size for video in videos]
    assert second == pytest.approx((first + third) * sizes[1] / (sizes[0] + sizes[2]))
    assert fourth > 0
