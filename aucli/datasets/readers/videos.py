"""What a reader needs to know of a video before anything is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aucli.datasets.report import Findings
from aucli.errors import VideoError
from aucli.human_codes.pairing import FilmFrames
from aucli.video.reader import FrameReader, probe


def frames_in_header(video: Path, where: str, findings: Findings) -> int | None:
    """Frames that a video's header promises; None, and a warning, for a video that cannot be opened.

    A header can promise a frame or two more than decode, so this is for comparing with label files only.
    """
    try:
        return probe(video).n_frames_header
    except VideoError as error:
        findings.warn("video cannot be opened", "dropped", 1, "sequence", where, str(error))
        return None


def film_frames(video: Path, name: str) -> FilmFrames:
    """Number and time of every frame of a video; decoded only where packets do not tell.

    Raises:
        VideoError: if the video cannot be opened, or none of its frames decodes.
    """
    with FrameReader(video) as reader:
        time_s = reader.announced_times_s()
        if time_s is not None:
            return FilmFrames(name, np.arange(len(time_s), dtype=np.int64), time_s)
        batches = [(batch.index, batch.time_s) for batch in reader]
    return FilmFrames(
        name,
        np.concatenate([index for index, _ in batches]).astype(np.int64),
        np.concatenate([time_s for _, time_s in batches]),
    )
