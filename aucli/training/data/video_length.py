"""How many frames a video holds, from its header or its packets, without decoding."""

from __future__ import annotations

from pathlib import Path

from aucli.errors import DatasetError


def video_frame_count(path: Path) -> int:
    """Frames of the first video stream, as the container tells.

    A container can promise one or a few frames more than decode, so this is for comparing with label files, not for
    addressing frames.

    Raises:
        DatasetError: if the file cannot be opened or has no video stream.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DatasetError(f"{path} has no video stream")
            stream = container.streams.video[0]
            if stream.frames:
                return int(stream.frames)
            return sum(1 for packet in container.demux(stream) if packet.size)
    except av.error.FFmpegError as error:
        raise DatasetError(f"{path} cannot be opened as a video: {error}") from error
