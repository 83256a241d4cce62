"""Photographs, and folders of numbered pictures, read like videos.

A photograph is one frame at time 0. A folder of numbered pictures (``frame_0001.jpg``, ``frame_0002.jpg`` ...) is a
sequence: the number says when a picture is shown, (number - first number) / rate seconds, so that a number that is
missing leaves its gap.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, VideoError
from aucli.video.display import put
from aucli.video.orientation import UPRIGHT, Orientation
from aucli.video.suffixes import VIDEO_SUFFIXES
from aucli.video.times import Clock
from aucli.video.values import VideoInfo, check_size
from aucli.video.yuv import FrameRGB

if TYPE_CHECKING:
    from PIL import Image

PICTURE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as a picture in a folder. A file that is named is recognised by its content."""

STREAM_SUFFIXES: Final = frozenset({".mjpeg", ".mjpg"})
"""Many JPEG pictures one after the other: a video, though it begins like a photograph."""

DEFAULT_PICTURE_RATE: Final = 25.0
"""Numbered pictures a second unless somebody knows better; FFmpeg takes the same."""

PHOTOGRAPH: Final = "photograph"
NUMBERED: Final = "numbered pictures"

EXIF_TAG: Final = 0x0112
EXIF_ORIENTATIONS: Final = {
    2: Orientation(0, mirrored=True),
    3: Orientation(180),
    4: Orientation(180, mirrored=True),
    5: Orientation(270, mirrored=True),
    6: Orientation(90),
    7: Orientation(90, mirrored=True),
    8: Orientation(270),
}
"""What the EXIF tag Orientation means (CIPA DC-008, section 4.6.4)."""


def is_photograph(path: Path) -> bool:
    """Whether a file is a picture that stands still, judged by its first bytes; False for what cannot be read."""
    if path.suffix.lower() in STREAM_SUFFIXES:
        return False
    try:
        if not path.is_file():  # a pipe would never answer
            return False
        with path.open("rb") as file:
            head = file.read(4096)
    except (OSError, ValueError):
        return False
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"acTL" not in head  # an animated PNG is a video
    if head.startswith(b"BM"):
        return head[6:10] == bytes(4)
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return is_webp or head.startswith((b"\xff\xd8\xff", b"II*\0", b"MM\0*"))


@dataclass(frozen=True)
class NumberedPictures:
    """A sequence of pictures in a folder.

    Attributes:
        paths: in the order of their numbers.
        numbers: of each, rising.
    """

    paths: tuple[Path, ...]
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)


def is_picture_folder(path: Path) -> bool:
    """Whether a folder holds one sequence of numbered pictures, as `numbered_pictures` reads them."""
    return numbered_pictures(path) is not None


def numbered_pictures(folder: Path) -> NumberedPictures | None:
    """Return the sequence that a folder is, or None if it is none.

    It is one if it holds two pictures or more directly, each named by a number with the same text before and behind it
    (``frame_0001.jpg``, ``7.png``), and no video. Other files, hidden ones and folders do not matter.
    """
    found: dict[int, Path] = {}
    frames: set[tuple[str, str]] = set()
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return None
    for path in entries:
        suffix = path.suffix.lower()
        if path.name.startswith(".") or not path.is_file():
            continue
        if suffix in VIDEO_SUFFIXES - PICTURE_SUFFIXES:
            return None
        if suffix not in PICTURE_SUFFIXES:
            continue
        match = re.fullmatch(r"(.*?)(\d+)", path.stem)
        if match is None or int(match[2]) in found:
            return None
        frames.add((match[1], suffix))
        found[int(match[2])] = path
    if len(found) < 2 or len(frames) > 1:
        return None
    numbers = tuple(sorted(found))
    return NumberedPictures(tuple(found[number] for number in numbers), numbers)


class PictureSource:
    """Photographs or numbered pictures, decoded by Pillow, as a source of frames."""

    def __init__(self, path: Path, rate: float | None, stream: int | None = None) -> None:
        import PIL

        if rate is not None and not 0 < rate < float("inf"):
            raise OptionsError(f"`picture_rate` is {rate}; it must be above 0")
        if stream:
            raise VideoError(f"{path}: pictures have one stream, so `stream` goes up to 0, not {stream}")

        self.name = f"pillow {PIL.__version__}"
        self.first_error: str | None = None
        self.path = path
        if path.is_dir():
            sequence = numbered_pictures(path)
            if sequence is None:
                raise VideoError(f"{path}: is a folder, not a video file and not a sequence of numbered pictures")
            self._sequence, self._rate = sequence, rate or DEFAULT_PICTURE_RATE
        else:
            self._sequence, self._rate = NumberedPictures((path,), (0,)), 0.0
        self._rate_is_given = rate is not None
        self.info = self._describe()

    @property
    def clock(self) -> Clock:
        """The numbers' clock."""
        tick_s = 1 / self._rate if self._rate else 0.0
        return Clock(tick_s, self._sequence.numbers[0] * tick_s, self._rate, counts=not self._rate)

    def frames(self) -> Iterator[tuple[int, int, _Picture, bool]]:
        """See `Source`: every picture with its number as timestamp; one that cannot be read is passed over."""
        n = 0
        for number, path in zip(self._sequence.numbers, self._sequence.paths, strict=True):
            try:
                yield n, number, _Picture(read_picture(path)), False
                n += 1
            except VideoError as error:
                self.first_error = self.first_error or f"{path.name}: {str(error).removeprefix(f'{path}: ')}"

    def _describe(self) -> VideoInfo:
        """Read pictures until one can be read.

        Raises:
            VideoError: if none can.
        """
        error: VideoError | None = None
        notes: list[str] = []
        for path in self._sequence.paths:
            try:
                with _opened(path) as image:
                    orientation = _orientation(image)
                    height, width, _ = orientation.shape(image.size[1], image.size[0])
                    codec = (image.format or "").lower()
                    if codec == "tiff" and (n_pages := getattr(image, "n_frames", 1)) > 1:
                        notes.append(f"{path.name} holds {n_pages} pages; the first is read")
                    break
            except VideoError as problem:
                error = error or problem
        else:
            raise error or VideoError(f"{self.path}: holds no picture")
        numbers = self._sequence.numbers
        if self.path.is_dir():
            gaps = numbers[-1] - numbers[0] + 1 - len(numbers)
            rate = f"{self._rate:g} a second" + ("" if self._rate_is_given else " (assumed; `picture_rate` sets it)")
            notes.append(
                f"{len(numbers)} numbered pictures, {self._sequence.paths[0].name} to {self._sequence.paths[-1].name}, "
                f"at {rate}" + (f"; {gaps} numbers between are missing" if gaps else "")
            )
        return VideoInfo(
            path=self.path,
            codec=codec,
            container=NUMBERED if self.path.is_dir() else PHOTOGRAPH,
            width=width,
            height=height,
            fps=self._rate,
            duration_s=(numbers[-1] - numbers[0] + 1) / self._rate if self._rate else None,
            n_frames_header=len(numbers),
            orientation=orientation,
            notes=tuple(notes),
        )


class _Picture:
    """A decoded picture."""

    def __init__(self, picture_rgb: npt.NDArray[np.uint8]) -> None:
        self._picture = picture_rgb
        self.shape = (picture_rgb.shape[0], picture_rgb.shape[1], 3)

    def paint(self, out: Any) -> None:
        """See `ShownFrame`."""
        put(self._picture, out)

    def kept(self) -> FrameRGB:
        """See `ShownFrame`."""
        return self._picture


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """Return a picture as (H, W, 3) uint8 RGB, turned and mirrored as its EXIF data say.

    Grey values of 16 bits lose their lower half; what is transparent shows the colour that is stored there.

    Raises:
        VideoError: if it cannot be read.
    """
    with _opened(path) as image:
        if image.mode == "F":
            raise VideoError(f"{path}: holds floating-point numbers; convert it to a picture of 8 bits first")
        orientation = _orientation(image)
        if image.mode.startswith("I"):
            grey = np.asarray(image).astype(np.int64)
            is_deep = image.mode != "I" or int(grey.max(initial=0)) > 255
            plane = np.clip(grey >> 8 if is_deep else grey, 0, 255).astype(np.uint8)
            picture = np.repeat(plane[..., None], 3, axis=2)
        else:
            picture = np.asarray(image.convert("RGB"))
        return orientation.apply(picture)


def _orientation(image: Image.Image) -> Orientation:
    """Return what the EXIF data say; damaged data say nothing."""
    try:
        return EXIF_ORIENTATIONS.get(image.getexif().get(EXIF_TAG, 1), UPRIGHT)
    except Exception:  # Pillow lets through whatever its parser stumbles over
        return UPRIGHT


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Decode a picture of a sensible size; whatever Pillow raises, also in the block, becomes one line."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and of large pictures
            with Image.open(path) as image:
                check_size(path, *image.size)
                if image.format == "WEBP" and getattr(image, "is_animated", False):
                    raise VideoError(f"{path}: is an animated WebP, which is not read; convert it to a video")
                image.load()  # Pillow turns a TIFF by itself while it loads it
                yield image
    except VideoError:
        raise
    except FileNotFoundError:
        raise VideoError(f"{path}: there is no such file") from None
    except PermissionError:
        raise VideoError(f"{path}: no permission to read it") from None
    except UnidentifiedImageError:
        raise VideoError(f"{path}: is not a picture, or its header is damaged") from None
    except MemoryError:
        raise VideoError(f"{path}: there is not enough memory for this picture") from None
    except Exception as error:  # on damaged data anything can come: OSError, SyntaxError, struct.error, ...
        raise VideoError(
            f"{path}: cannot be read as a picture ({(str(error) or repr(error)).splitlines()[0]})"
        ) from None
