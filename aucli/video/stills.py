"""A few frames of a long video, by seeking: the same frames that reading all of it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import VideoError
from aucli.video.container import describe_file, open_container, video_stream
from aucli.video.display import Display, DisplayedFrame
from aucli.video.packets import scan_packets
from aucli.video.pictures import is_photograph
from aucli.video.reader import FrameReader
from aucli.video.times import TIME_TOLERANCE_S, Clock

DECODE_ON_FRAMES: Final = 48
"""A frame that comes so soon after the one before is reached by decoding on: seeking goes back to a key frame."""

Still = tuple[int, npt.NDArray[np.uint8]]


def read_stills(
    path: Path, wanted: Mapping[int, float], *, stream: int | None = None, picture_rate: float | None = None
) -> Iterator[Still]:
    """Read some frames of a video.

    Args:
        path: as for `FrameReader`.
        wanted: number of a frame -> its presentation time in seconds, both as `FrameReader` gives them.
        stream: as for `FrameReader`.
        picture_rate: likewise.

    Yields:
        Number and (H, W, 3) uint8 RGB as displayed, in rising order.

    Raises:
        VideoError: if the video cannot be read, or has another frame, or none, at one of the times.
    """
    waiting = dict(sorted(wanted.items()))
    if waiting and not path.is_dir() and not is_photograph(path):
        for index, picture in _by_seeking(path, dict(waiting), stream):
            del waiting[index]
            yield index, picture
    if waiting:
        yield from _by_reading_on(path, waiting, stream, picture_rate)


def _by_reading_on(
    path: Path, wanted: Mapping[int, float], stream: int | None, picture_rate: float | None
) -> Iterator[Still]:
    """The slow way, true for every file: from the beginning to the last frame that is wanted."""
    first, last = min(wanted), max(wanted)
    n_found = 0
    with FrameReader(
        path, batch_size=None, first_frame=first, seek=False, stream=stream, picture_rate=picture_rate
    ) as reader:
        for batch in reader:
            for index, time_s, picture in zip(
                batch.index.tolist(), batch.time_s.tolist(), batch.frames_rgb, strict=True
            ):
                if index not in wanted:
                    continue
                if abs(time_s - wanted[index]) > TIME_TOLERANCE_S:
                    raise VideoError(f"{path}: frame {index} is shown at {time_s:.3f} s, not at {wanted[index]:.3f} s")
                n_found += 1
                yield index, np.asarray(picture)
            if int(batch.index[-1]) >= last:
                break
    if n_found < len(wanted):
        raise VideoError(f"{path}: {len(wanted) - n_found} of {len(wanted)} frames are not there")


def _by_seeking(path: Path, wanted: Mapping[int, float], number: int | None) -> Iterator[Still]:
    """The fast way, where packets announce every frame. It ends at the first frame that is not what was announced."""
    import av

    with open_container(path) as container:
        info = describe_file(path, container, number)
    scan = scan_packets(info)
    is_plain = len(scan.timestamps) and not (scan.n_joints or scan.n_hidden or scan.ends_early)
    if not is_plain or max(wanted) >= len(scan.timestamps):
        return
    with open_container(path) as container:
        stream = video_stream(path, container, info.stream)
        stream.codec_context.thread_type = "AUTO"
        clock, display = Clock.of(container, stream), Display(path, stream)
        frames: Iterator[Any] | None = None
        at = 0
        for index, time_s in wanted.items():
            timestamp = int(scan.timestamps[index])
            if not clock.agrees(timestamp, time_s):
                return
            try:
                if frames is None or index - at > DECODE_ON_FRAMES:
                    container.seek(timestamp, stream=stream)
                    frames = container.decode(stream)
                shown = _decode_to(frames, timestamp, display)
            except av.error.FFmpegError:
                return
            if shown is None:
                return
            at = index
            yield index, shown.picture_rgb


def _decode_to(frames: Iterator[Any], timestamp: int, display: Display) -> DisplayedFrame | None:
    """The frame of a timestamp; None if the first frame lies behind it, or one on the way is damaged."""
    for frame in frames:
        shown = display.show(frame)  # every frame: it may say how those after it are turned
        if frame.pts is None or frame.pts > timestamp or frame.is_corrupt:
            return None
        if frame.pts == timestamp:
            return shown
    return None
