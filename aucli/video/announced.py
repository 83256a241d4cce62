"""How long a video is by its header alone: cheap, rough, and no promise."""

from __future__ import annotations

from pathlib import Path

from aucli.errors import VideoError
from aucli.video.container import open_container, promised_frames, video_stream
from aucli.video.pictures import DEFAULT_PICTURE_RATE, is_photograph, numbered_pictures
from aucli.video.times import frame_rate


def announced_frames(
    path: Path, *, stream: int | None = None, picture_rate: float | None = None
) -> tuple[float, float] | None:
    """Say how many frames a header tells of, or its duration lets one expect. No frame is decoded.

    Args:
        path: as for `FrameReader`.
        stream: likewise.
        picture_rate: likewise.

    Returns:
        Frames, 0 where nobody can read the input, and frames a second, 0 for a photograph; None where the header is
        silent.
    """
    try:
        if path.is_dir():
            sequence = numbered_pictures(path)
            return (len(sequence.paths) if sequence else 0), picture_rate or DEFAULT_PICTURE_RATE
        if is_photograph(path):
            return 1, 0.0
        with open_container(path) as container:
            picture = video_stream(path, container, stream)
            fps, n_frames = float(frame_rate(container, picture)), float(promised_frames(container, picture))
            if not n_frames and container.duration is not None:
                n_frames = container.duration / 1e6 * fps
            return (n_frames, fps) if n_frames else None
    except (VideoError, OSError):
        return 0, 0.0
