"""Searching between two whole pictures: as if every frame were searched whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import aucli.faces.search as search_room
from aucli.faces.appearance import Observation
from aucli.faces.centerface import CenterFace, centerface_path
from aucli.faces.search import FaceSearch, Sighting
from aucli.faces.values import START_SCORE, intersection_over_union
from aucli.video.yuv import FrameRGB

N_BETWEEN = 7
Frames = npt.NDArray[Any]
Film = Sequence[Frames] | Frames


class CountingSearch(FaceSearch):
    """Counts whole pictures."""

    whole = 0

    def search(self, frame_rgb: FrameRGB) -> Sighting:
        self.whole += 1
        return super().search(frame_rgb)


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace(centerface_path())


@pytest.fixture(scope="module")
def clip(example: Path) -> list[Frames]:
    """Frames of the rendered clip, of two people."""
    with av.open(str(example)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 30)]


def _between(frames: Film, detector: CenterFace) -> tuple[list[Observation], int]:
    """What is found in all frames but the first and the last, and how many of them were searched whole."""
    search, frames = CountingSearch(detector), list(frames)
    before, after = search.search(frames[0]), search.search(frames[-1])
    found = search.search_run(before, frames[1:-1], after.after(before))
    return found[:-1], search.whole - 2


def _assert_as_whole(found: Sequence[Observation], frames: Film, detector: CenterFace) -> None:
    """The same sure faces as a search through every whole frame finds."""
    for one, frame in zip(found, frames, strict=True):
        (whole,) = detector.detect(frame[None])
        whole = whole[whole.scores >= START_SCORE]
        here = one.faces[one.faces.scores >= START_SCORE]
        overlaps = intersection_over_union(whole.boxes_xyxy, here.boxes_xyxy)
        assert overlaps.shape == (len(whole), len(whole))
        assert (overlaps.max(axis=1, initial=0.0) > 0.6).all()


def test_nothing_lies_between(clip: list[Frames], detector: CenterFace) -> None:
    assert _between(clip[:2], detector) == ([], 0)


def test_frames_without_anybody(clip: list[Frames], detector: CenterFace) -> None:
    found, whole = _between([np.full_like(clip[0], 90)] * (N_BETWEEN + 2), detector)
    assert [len(one.faces) for one in found] == [0] * N_BETWEEN
    assert whole == 0


def test_people_who_stay_are_found_in_windows(clip: list[Frames], detector: CenterFace) -> None:
    found, whole = _between(clip[: N_BETWEEN + 2], detector)
    _assert_as_whole(found, clip[1 : N_BETWEEN + 1], detector)
    assert whole == 0
    assert len({one.faces.landmarks_xy.tobytes() for one in found}) == N_BETWEEN  # each from its own pixels


def test_who_comes_is_found_on_the_frame_of_coming(clip: list[Frames], detector: CenterFace) -> None:
    alone = np.stack(clip)
    alone[:, :, 320:] = 110
    frames = [*alone[:4], *clip[4 : N_BETWEEN + 2]]
    found, whole = _between(frames, detector)
    assert [len(one.faces) for one in found] == [1, 1, 1, 2, 2, 2, 2]
    assert 1 <= whole < N_BETWEEN
    _assert_as_whole(found[::-1], frames[-2:0:-1], detector)


@pytest.mark.parametrize("filling", ["grey", "another picture"])
def test_an_insert_is_searched_whole(clip: list[Frames], detector: CenterFace, filling: str) -> None:
    insert = np.full_like(clip[0], 128) if filling == "grey" else clip[0][:, ::-1] // 2
    frames = [insert if 3 <= n <= 5 else clip[n] for n in range(N_BETWEEN + 2)]
    found, _ = _between(frames, detector)
    _assert_as_whole(found, frames[1:-1], detector)


def test_a_face_that_jumps_is_found(clip: list[Frames], detector: CenterFace) -> None:
    frames = [np.roll(clip[0], 60 * (n >= 5), axis=1) for n in range(N_BETWEEN + 2)]
    found, _ = _between(frames, detector)
    _assert_as_whole(found, frames[1:-1], detector)


def test_frames_of_another_size_are_searched_whole(clip: list[Frames], detector: CenterFace) -> None:
    frames = [clip[n] if n < 4 else np.repeat(np.repeat(clip[n], 2, axis=0), 2, axis=1) for n in range(N_BETWEEN + 2)]
    found, _ = _between(frames, detector)
    _assert_as_whole(found, frames[1:-1], detector)


def test_a_crowd_is_searched_whole(clip: list[Frames], detector: CenterFace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_room, "WINDOW_COST", 4.0)  # of two people that is a crowd
    found, whole = _between(clip[:4], detector)
    assert whole == 2
    for one, frame in zip(found, clip[1:3], strict=True):
        (alone,) = detector.detect(frame[None])
        np.testing.assert_array_equal(one.faces.landmarks_xy, alone.landmarks_xy)


def test_a_still_face_does_not_tremble(clip: list[Frames], detector: CenterFace) -> None:
    found, _ = _between([clip[0]] * (N_BETWEEN + 2), detector)
    for one in found[1:]:
        np.testing.assert_array_equal(one.faces.landmarks_xy, found[0].faces.landmarks_xy)
