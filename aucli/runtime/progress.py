"""How far a run has come, as a value for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever draws it.

    Attributes:
        video: label of the video at work.
        video_number: 1-based.
        n_videos: in this run.
        n_frames_done: frames of this video that are through, those of an earlier run included.
        n_frames: frames expected of it; 0 where nobody can tell.
        problem: one line, when the video failed.
    """

    video: str
    video_number: int
    n_videos: int
    n_frames_done: int
    n_frames: int
    problem: str | None = None
