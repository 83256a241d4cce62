"""What frames leave behind when they are let go."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from aucli.video.reader import FrameReader
from tests.builders.media import MadeVideo


@pytest.mark.parametrize("turn_deg", [0, 90])
def test_frames_are_freed_at_once_not_by_the_collector_of_garbage(tmp_path: Path, turn_deg: int) -> None:
    """Cycles would keep a film's decoded frames in memory, hundreds at a time."""
    path = MadeVideo(n_frames=12, rotation_ccw_deg=turn_deg).write(tmp_path / "a.mp4")
    gc.collect()
    gc.disable()
    try:
        with FrameReader(path, batch_size=1) as reader:
            for batch in reader:
                last = weakref.ref(batch.frames_rgb)
        del batch
        assert last() is None
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [one for one in gc.garbage if type(one).__module__.startswith("av.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
