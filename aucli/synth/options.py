"""What is to be rendered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from aucli.errors import OptionsError

Kind = Literal["pictures", "videos"]

MAX_COUNT: Final = 9_999_999
"""Numbers of pictures and videos have seven digits in their names."""


@dataclass(frozen=True, kw_only=True)
class SynthOptions:
    """What to render.

    Attributes:
        rig: FaceKit's folder of OBJ files, or a packed ``.npz``, or a folder that holds one of them.
        out: folder for the pictures or videos and the label table.
        kind: pictures, or videos.
        count: how many pictures or videos.
        size_px: side of the square frames; even.
        seed: everything follows from it.
        workers: processes; 0 for one per core that it may use.
        pictures_per_person: pictures of one person, each with its own expression, pose, light and lens.
        seconds, fps: length and rate of the videos.
        supersampling: samples per pixel along each side.
    """

    rig: Path
    out: Path
    kind: Kind = "pictures"
    count: int = 1000
    size_px: int = 224
    seed: int = 0
    workers: int = 0
    pictures_per_person: int = 8
    seconds: float = 6.0
    fps: float = 25.0
    supersampling: float = 1.4

    def __post_init__(self) -> None:
        for name, allowed, wanted in (
            ("kind", self.kind in ("pictures", "videos"), "pictures or videos"),
            ("count", 0 <= self.count <= MAX_COUNT, f"0 to {MAX_COUNT}"),
            ("size_px", 64 <= self.size_px <= 1024 and self.size_px % 2 == 0, "an even number from 64 to 1024"),
            ("seed", 0 <= self.seed < 2**63, "0 to 2**63 - 1"),
            ("workers", self.workers >= 0, "0 (one per core that may be used) or more"),
            ("pictures_per_person", self.pictures_per_person >= 1, "1 or more"),
            ("seconds", 0.2 <= self.seconds <= 600, "0.2 to 600"),
            ("fps", 1 <= self.fps <= 120, "1 to 120"),
            ("supersampling", 1 <= self.supersampling <= 4, "1 to 4"),
        ):
            if not allowed:
                raise OptionsError(f"`{name}` is {getattr(self, name)!r}; allowed is {wanted}")
        if self.kind == "videos" and not self.frames_of(0):
            raise OptionsError(f"`seconds` {self.seconds} at `fps` {self.fps} make no whole frame: raise either")

    @property
    def units(self) -> int:
        """How many persons (for pictures) or videos make up the work."""
        per_unit = self.pictures_per_person if self.kind == "pictures" else 1
        return -(-self.count // per_unit)

    def frames_of(self, unit: int) -> int:
        """How many pictures, or frames of a video, one unit holds."""
        if self.kind == "videos":
            return round(self.seconds * self.fps)
        return min(self.pictures_per_person, self.count - unit * self.pictures_per_person)

    @property
    def frames(self) -> int:
        """How many pictures, or frames of all videos, the result holds."""
        return self.count if self.kind == "pictures" else self.count * self.frames_of(0)

    def content(self) -> dict[str, Any]:
        """What the result depends on beside the rig: all options but the folders, the count and the processes."""
        chosen = asdict(self)
        for name in ("rig", "out", "workers", "count"):
            del chosen[name]
        return chosen
