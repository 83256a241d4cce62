"""Which frames are given, and in what batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.errors import OptionsError
from aucli.video.reader import FrameReader
from aucli.video.values import FrameBatch
from tests.builders.media import (
    IRREGULAR,
    Decoded,
    MadeVideo,
    decode_plainly,
    numbered_frame,
)
from tests.builders.reading import assert_same_frames, read_all


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


@pytest.mark.slow
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
        ({"batch_size": 0}, "`batch_size` is 0; it must be at least 1"),
        ({"first_frame": -1}, "`first_frame` is -1"),
        ({"every_s": 0.0}, "`every_s` is 0.0; it must be above 0"),
        ({"start_s": float("nan")}, "`start_s` is nan"),
        ({"start_s": 2.0, "end_s": 2.0}, "`end_s` is 2.0; it must lie after `start_s`"),
        ({"device": "gpu"}, "`device` is 'gpu'; allowed are cpu, cuda, cuda:N"),
        ({"decoder": "opencv"}, "`decoder` is 'opencv'"),
    ],
)
def test_options_that_make_no_sense(irregular: tuple[Path, Decoded], options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message.replace("(", r"\(")):
        FrameReader(irregular[0], **options)


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
