"""What a video file claims about itself, and some of its frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.errors import VideoError
from aucli.video.orientation import UPRIGHT, Orientation

MAX_PIXELS: Final = 2**27
"""Pixels of the largest frame that is read, 134 million (16K video has 132): 400 MB as RGB."""

Transfer = Literal["sdr", "pq", "hlg"]
"""How brightness is coded: as on ordinary screens, or as in high dynamic range (SMPTE ST 2084, BT.2100 HLG)."""


@dataclass(frozen=True)
class VideoInfo:
    """What a file claims about itself: header, packets and the first frame.

    Attributes:
        path: the file, or the folder of numbered pictures.
        codec: FFmpeg's name of the decoder, e.g. ``h264``; the format of a picture, e.g. ``jpeg``.
        container: FFmpeg's name of the container, e.g. ``mov,mp4,m4a,3gp,3g2,mj2``; ``photograph``; or
            ``numbered pictures``.
        width: of the first frame as displayed and handed out: pixels made square, turned and mirrored. Later frames
            may have another size.
        height: likewise.
        orientation: how a player turns and mirrors the stored picture.
        pixel_aspect: width of a stored pixel over its height. The stored height is kept and the width scaled.
        transfer: ``pq`` and ``hlg`` are tone-mapped to what an ordinary screen shows.
        fps: average frames per second; 0 where the file does not tell.
        duration_s: None where the file does not tell.
        n_frames_header: frames that the header promises; counted packets where the header is silent.
        stream: number of the video stream among the file's video streams, 0-based.
        n_streams: video streams in the file; attached pictures such as covers do not count.
        notes: what a user should know of how the file is read, one sentence each.
    """

    path: Path
    codec: str
    container: str
    width: int
    height: int
    fps: float
    duration_s: float | None
    n_frames_header: int
    orientation: Orientation = UPRIGHT
    pixel_aspect: Fraction = Fraction(1)
    transfer: Transfer = "sdr"
    stream: int = 0
    n_streams: int = 1
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_size(self.path, self.width, self.height)

    @property
    def is_avi(self) -> bool:
        """Whether the container is AVI, which counts slots and knows no presentation times."""
        return self.container == "avi"

    @property
    def is_mp4(self) -> bool:
        """Whether the container is of the family of MP4 and QuickTime."""
        return self.container.startswith("mov,mp4")

    @property
    def is_matroska(self) -> bool:
        """Whether the container is Matroska or WebM."""
        return self.container.startswith("matroska,webm")

    @property
    def is_stored_as_shown(self) -> bool:
        """Whether a decoder's plain RGB needs no more than turning and mirroring."""
        return self.pixel_aspect == 1 and self.transfer == "sdr"


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse pictures without an area, and those that no memory is large enough for.

    Raises:
        VideoError: if a picture of this size is not read.
    """
    if width < 1 or height < 1:
        raise VideoError(f"{path}: frames of {width} x {height} pixels cannot be read")
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"{path}: frames of {width} x {height} pixels are too large "
            f"(at most {MAX_PIXELS // 10**6} million pixels are read); scale it down first"
        )


@dataclass(frozen=True)
class FrameBatch:
    """Some frames of one video, in presentation order, all of one size.

    Attributes:
        index: (B,) int32, 0-based number of each frame among all frames that the file decodes to.
        time_s: (B,) float64, seconds: the frame's own timestamp minus the container's start time; never falls.
        frames_rgb: (B, H, W, 3) uint8, as displayed: a numpy array on the CPU, a torch tensor on a GPU; of a reader
            that need not give them whole, a list of B frames (H, W, 3).
    """

    index: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    frames_rgb: Any

    def __post_init__(self) -> None:
        n = len(self.index)
        if self.index.shape != (n,) or self.time_s.shape != (n,):
            raise ValueError(f"index is {self.index.shape} and time_s {self.time_s.shape}; expected ({n},) twice")
        frames = self.frames_rgb
        shape = (len(frames), *frames[0].shape) if isinstance(frames, list) else tuple(frames.shape)
        if len(shape) != 4 or shape[0] != n or shape[3] != 3:
            raise ValueError(f"frames_rgb is {shape}; expected ({n}, H, W, 3)")

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        span = f"{self.time_s[0]:.3f}-{self.time_s[-1]:.3f} s" if len(self) else "empty"
        shape = (len(self), *self.frames_rgb[0].shape) if len(self) else (0,)
        return f"FrameBatch({shape}, {span})"
