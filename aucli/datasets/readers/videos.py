"""What a reader needs to know of a video before anything is decoded."""

from __future__ import annotations

from pathlib import Path

from aucli.datasets.report import Findings
from aucli.errors import VideoError
from aucli.video.reader import probe


def frames_in_header(video: Path, where: str, findings: Findings) -> int | None:
    """Frames that a video's header promises; None, and a warning, for a video that cannot be opened.

    A header can promise a frame or two more than decode, so this is for comparing with label files only.
    """
    try:
        return probe(video).n_frames_header
    except VideoError as error:
        findings.warn("video cannot be opened", "dropped", 1, "sequence", where, str(error))
        return None
