"""Which frames are asked for, and how they are gathered into batches on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aucli.errors import OptionsError
from aucli.video.display import ShownFrame
from aucli.video.times import TIME_TOLERANCE_S
from aucli.video.values import FrameBatch


@dataclass
class FrameSelection:
    """Which frames are asked for. Must be shown every frame, in order.

    With ``every_s=1``, frames at 0.0 0.4 0.8 1.2 1.6 2.0 2.4 give 0.0, 1.2, 2.0.
    """

    start_s: float | None
    end_s: float | None
    every_s: float | None
    _next_multiple: int = 0

    def __post_init__(self) -> None:
        for name in ("start_s", "end_s", "every_s"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise OptionsError(f"`{name}` is {value}; it must be a finite number of seconds")
        if self.every_s is not None and self.every_s <= 0:
            raise OptionsError(f"`every_s` is {self.every_s}; it must be above 0")
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise OptionsError(f"`end_s` is {self.end_s}; it must lie after `start_s`, which is {self.start_s}")

    @property
    def is_sparse(self) -> bool:
        """Whether frames are left out before others that are asked for."""
        return self.every_s is not None or (self.start_s or 0.0) > 0

    def is_past(self, time_s: float) -> bool:
        """Whether this frame and all after it come too late."""
        return self.end_s is not None and time_s > self.end_s - TIME_TOLERANCE_S

    def wants(self, time_s: float) -> bool:
        """Whether this frame is asked for."""
        if self.start_s is not None and time_s < self.start_s - TIME_TOLERANCE_S:
            return False
        if self.every_s is not None:
            multiple = math.floor((time_s - (self.start_s or 0.0) + TIME_TOLERANCE_S) / self.every_s)
            if multiple < self._next_multiple:
                return False
            self._next_multiple = multiple + 1
        return True


@dataclass(frozen=True)
class FrameDevice:
    """Where frames shall lie: the CPU (index None) or a CUDA device."""

    index: int | None

    @staticmethod
    def parse(name: str) -> FrameDevice:
        """Read ``cpu``, ``cuda`` or ``cuda:N``."""
        kind, _, number = name.partition(":")
        if name == "cpu":
            return FrameDevice(None)
        if kind == "cuda" and (number.isdecimal() or name == "cuda"):
            return FrameDevice(int(number or 0))
        raise OptionsError(f"`device` is {name!r}; allowed are cpu, cuda, cuda:N")

    @property
    def is_cuda(self) -> bool:
        """Whether frames lie on a GPU."""
        return self.index is not None

    def empty(self, shape: tuple[int, ...]) -> Any:
        """Uninitialised uint8 memory: numpy on the CPU, torch on a GPU."""
        if self.index is None:
            return np.empty(shape, dtype=np.uint8)
        import torch

        return torch.empty(shape, dtype=torch.uint8, device=torch.device("cuda", self.index))


class BatchBuffer:
    """Frames on their way into a `FrameBatch`; each is decoded straight into its place.

    Args:
        size: most frames of a batch.
        device: where they shall lie.
        whole: False: frames on the CPU stay as their decoder left them, where their RGB can be made part by part.
    """

    def __init__(self, size: int, device: FrameDevice, *, whole: bool = True) -> None:
        self._size = size
        self._device = device
        self._whole = whole or device.is_cuda
        self._start()

    def _start(self) -> None:
        self._index: list[int] = []
        self._time_s: list[float] = []
        self._shape: tuple[int, int, int] | None = None
        self._frames: Any = None

    def __len__(self) -> int:
        return len(self._index)

    @property
    def is_full(self) -> bool:
        """Whether no further frame fits."""
        return len(self) == self._size

    def takes(self, frame: ShownFrame) -> bool:
        """Whether a frame has the size of those that are in."""
        return self._shape is None or self._shape == frame.shape

    def add(self, index: int, time_s: float, frame: ShownFrame) -> None:
        """Paint a frame into the next place."""
        if self._shape is None:
            self._shape = frame.shape
            self._frames = self._device.empty((self._size, *frame.shape)) if self._whole else []
        if self._whole:
            frame.paint(self._frames[len(self)])
        else:
            self._frames.append(frame.kept())
        self._index.append(index)
        self._time_s.append(time_s)

    def take(self) -> FrameBatch:
        """Hand out what was gathered and begin anew."""
        batch = FrameBatch(
            np.array(self._index, dtype=np.int32), np.array(self._time_s, dtype=np.float64), self._frames[: len(self)]
        )
        self._start()
        return batch
