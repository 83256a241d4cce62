"""How a stored picture is turned and mirrored before it is shown."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import av
    import torch


def side_data_of(frame: av.VideoFrame) -> Any:
    """What a frame carries beside its picture.

    Not ``frame.side_data``: that is kept in the frame, and holds the frame, so that every frame would wait for Python's
    collector of garbage in cycles: hundreds of them in memory.
    """
    from av.sidedata import sidedata

    container: Any = sidedata.SideDataContainer  # its stub leaves out what it is made of
    return container(frame)


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture on a screen: mirror it or not, then turn it by quarters.

    Attributes:
        rotation_deg: 0, 90, 180 or 270: how far the picture is turned, clockwise.
        mirrored: whether it is mirrored left to right before that.
    """

    rotation_deg: int = 0
    mirrored: bool = False

    def __post_init__(self) -> None:
        if self.rotation_deg not in (0, 90, 180, 270):
            raise ValueError(f"rotation_deg is {self.rotation_deg}; allowed are 0, 90, 180, 270")

    @staticmethod
    def from_matrix(matrix: Sequence[int]) -> Orientation:
        """Read a display matrix, as ISO 14496-12 and FFmpeg lay it out: ``a b u c d v x y w``.

        The stored point (x, y), y downwards, is shown at (a x + c y, b x + d y). A matrix that turns by other angles
        is taken as the nearest quarter; shares of a pixel and sizes (w) do not matter here.
        """
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        if abs(a) + abs(d) >= abs(b) + abs(c):
            if d < 0:
                return Orientation(180, mirrored=a >= 0)
            return Orientation(0, mirrored=a < 0)
        if b > 0:
            return Orientation(270, mirrored=True) if c > 0 else Orientation(90)
        return Orientation(90, mirrored=True) if c < 0 else Orientation(270)

    @staticmethod
    def of(frame: av.VideoFrame) -> Orientation | None:
        """Read what a decoded frame says, None if nothing: FFmpeg passes a container's matrix on to every frame."""
        try:
            data: Any = side_data_of(frame).get("DISPLAYMATRIX")
        except ValueError:
            # PyAV before 19 gives no side data where any is of a kind that it does not know: EXIF, 3D displays.
            turned_deg = round(-frame.rotation / 90) * 90 % 360
            return Orientation(turned_deg) if turned_deg else None
        return None if data is None else Orientation.from_matrix(struct.unpack("=9i", bytes(data)))

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.rotation_deg in (90, 270)

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return the shown shape (H, W, 3) of a stored picture."""
        return (width, height, 3) if self.swaps_sides else (height, width, 3)

    def apply(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a view of a stored (H, W, 3) picture as it is shown."""
        if self.mirrored:
            picture = picture[:, ::-1]
        return np.rot90(picture, -self.rotation_deg // 90)

    def apply_torch(self, picture: torch.Tensor) -> torch.Tensor:
        """Do the same to a tensor."""
        import torch

        if self.mirrored:
            picture = torch.flip(picture, dims=(1,))
        return torch.rot90(picture, -self.rotation_deg // 90, dims=(0, 1))


UPRIGHT = Orientation()
