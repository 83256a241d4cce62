"""What a video file claims about itself, and some of its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aucli.errors import VideoError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class VideoInfo:
    """What a file claims about itself: header, packets and the first frame.

    Attributes:
        path: the file.
        codec: FFmpeg's name of the decoder, e.g. ``h264``.
        container: FFmpeg's name of the container, e.g. ``mov,mp4,m4a,3gp,3g2,mj2``.
        width: of the frames as they are handed out: rotation applied, pixels as stored (frames with non-square
            pixels are not stretched).
        height: likewise.
        rotation_deg: 0, 90, 180 or 270: how far a player turns the stored picture, clockwise.
        fps: average frames per second; 0 where the file does not tell.
        duration_s: None where the file does not tell.
        n_frames_header: frames that the header promises; counted packets where the header is silent.
    """

    path: Path
    codec: str
    container: str
    width: int
    height: int
    rotation_deg: int
    fps: float
    duration_s: float | None
    n_frames_header: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise VideoError(f"{self.path}: frames of {self.width} x {self.height} pixels cannot be read")
        if self.rotation_deg not in (0, 90, 180, 270):
            raise ValueError(f"rotation_deg is {self.rotation_deg}; allowed are 0, 90, 180, 270")


@dataclass(frozen=True)
class FrameBatch:
    """Some frames of one video, in presentation order.

    Attributes:
        index: (B,) int32, 0-based number of each frame among all frames that the file decodes to.
        time_s: (B,) float64, seconds: the frame's own timestamp minus the container's start time.
        frames_rgb: (B, H, W, 3) uint8, rotation applied: a numpy array on the CPU, a torch tensor on a GPU.
    """

    index: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    frames_rgb: npt.NDArray[np.uint8] | torch.Tensor

    def __post_init__(self) -> None:
        n = len(self.index)
        if self.index.shape != (n,) or self.time_s.shape != (n,):
            raise ValueError(f"index is {self.index.shape} and time_s {self.time_s.shape}; expected ({n},) twice")
        shape = tuple(self.frames_rgb.shape)
        if len(shape) != 4 or shape[0] != n or shape[3] != 3:
            raise ValueError(f"frames_rgb is {shape}; expected ({n}, H, W, 3)")

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        span = f"{self.time_s[0]:.3f}-{self.time_s[-1]:.3f} s" if len(self) else "empty"
        return f"FrameBatch({tuple(self.frames_rgb.shape)}, {span})"
