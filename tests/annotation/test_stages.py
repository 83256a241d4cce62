"""Carrying faces between detections: never over frames that do not show them; the same in any batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from aucli.annotation.engine import Engine
from aucli.annotation.finding import find_faces
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.stages import FollowedFrame, follow
from aucli.faces.tracking import Tracker
from aucli.video.values import FrameBatch

N_FRAMES = 21
Frames = npt.NDArray[Any]


@pytest.fixture(scope="module")
def clip(example: Path) -> Frames:
    """Frames of the rendered clip that show one person."""
    with av.open(str(example)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames[:N_FRAMES])[:, :, :320]  # the left one of two people


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(AnnotateOptions(detect_every=10, device="cpu", workers=2))
    yield engine
    engine.close()


def _follow(frames: Sequence[Frames], engine: Engine, batch: int = 8) -> list[FollowedFrame]:
    def batches() -> Iterator[FrameBatch]:
        for first in range(0, len(frames), batch):
            some = frames[first : first + batch]
            index = np.arange(first, first + len(some), dtype=np.int32)
            yield FrameBatch(index, index / 25.0, np.stack(some))

    return list(follow(find_faces(batches(), engine, stretch_frames=1000), Tracker(), engine))


def _counts(followed: list[FollowedFrame]) -> list[int]:
    return [len(frame.tracked.faces) for frame in followed]


def test_no_frames(engine: Engine) -> None:
    assert _follow([], engine) == []


def test_a_still_face_is_carried(clip: Frames, engine: Engine) -> None:
    still = [clip[0]] * N_FRAMES
    followed = _follow(still, engine)
    assert _counts(followed) == [1] * N_FRAMES
    assert [frame.index for frame in followed if frame.tracked.detected.all()] == [0, 10, 20]
    assert {n for frame in followed for n in frame.tracked.tracks.tolist()} == {0}


@pytest.mark.parametrize("filling", ["black", "grey", "slide", "another part of the picture"])
def test_no_face_is_carried_over_frames_that_do_not_show_it(clip: Frames, engine: Engine, filling: str) -> None:
    height, width = clip.shape[1:3]
    insert = {
        "black": np.zeros_like(clip[0]),
        "grey": np.full_like(clip[0], 128),
        "slide": np.kron(np.indices((height // 8, width // 8)).sum(0) % 2, np.full((8, 8), 255)).astype(np.uint8),
        "another part of the picture": np.broadcast_to(clip[0][:1, :1], clip[0].shape),
    }[filling]
    if insert.ndim == 2:
        insert = np.pad(insert, ((0, height % 8), (0, width % 8)))[..., None].repeat(3, axis=2)
    frames = [insert if 12 <= n <= 17 else clip[0] for n in range(N_FRAMES)]
    followed = _follow(frames, engine)
    assert _counts(followed) == [0 if 12 <= n <= 17 else 1 for n in range(N_FRAMES)]
    assert {n for frame in followed for n in frame.tracked.tracks.tolist()} == {0}  # and it is known again


def test_a_face_that_shows_only_between_two_detections_is_found(clip: Frames, engine: Engine) -> None:
    empty = np.broadcast_to(clip[0][:1, :1], clip[0].shape)
    frames = [clip[0] if 13 <= n <= 16 else empty for n in range(N_FRAMES)]
    assert _counts(_follow(frames, engine)) == [1 if 13 <= n <= 16 else 0 for n in range(N_FRAMES)]


def test_batches_change_nothing(clip: Frames, engine: Engine) -> None:
    frames = [np.zeros_like(clip[0]) if n in (4, 5) else clip[n] for n in range(N_FRAMES)]
    one, other = (_follow(frames, engine, batch) for batch in (1, 7))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.tracked.tracks, b.tracked.tracks)
        np.testing.assert_array_equal(a.tracked.detected, b.tracked.detected)
        np.testing.assert_allclose(a.tracked.faces.boxes_xyxy, b.tracked.faces.boxes_xyxy, atol=1e-3)
