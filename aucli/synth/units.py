"""Units of work: some pictures of one person, or one video; each follows from its own seed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from aucli.facs import au_column
from aucli.runtime.files import whole_or_nothing
from aucli.synth.appearance import sample_appearance
from aucli.synth.backgrounds import half_means_linear, sample_background
from aucli.synth.degrade import sample_damage
from aucli.synth.expressions import sample_aus, sample_sides
from aucli.synth.labels import PRESENT, UNKNOWN
from aucli.synth.lighting import sample_lighting
from aucli.synth.motion import sample_gaze, sample_head_pose, sample_performance
from aucli.synth.person import Person
from aucli.synth.studio import Set, Studio

if TYPE_CHECKING:
    from aucli.synth.options import SynthOptions

_UNITS_PER_FOLDER = 200
_JPEG_QUALITY = 93
_VIDEO_CRF = 18


def sample_set(rng: np.random.Generator) -> Set:
    """Draw lights, background, lens and damage."""
    background = sample_background(rng)
    field_of_view = rng.uniform(12, 55)
    return Set(
        lighting=sample_lighting(rng, half_means_linear(background)),
        background=background,
        focal=float(1 / np.tan(np.radians(field_of_view) / 2)),
        face_share=float(np.exp(rng.uniform(np.log(0.15), np.log(0.30)))),
        shift=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
        camera_height_rad=float(np.clip(rng.normal(0.03, 0.1), -0.4, 0.4)),
        damage=sample_damage(rng),
    )


def render_pictures(studio: Studio, options: SynthOptions, unit: int) -> list[dict[str, Any]]:
    """Render the pictures of one person; returns their rows."""
    rng = np.random.default_rng([options.seed, unit])
    person = Person.of(studio.body, sample_appearance(rng))
    first = unit * options.pictures_per_person
    rows = []
    for number in range(first, first + options.frames_of(unit)):
        expression = sample_sides(rng, sample_aus(rng))
        shot = studio.shoot(person, expression, sample_head_pose(rng), sample_gaze(rng), sample_set(rng), rng)
        # One frame does not tell closed eyes from a blink.
        if shot.row[au_column(43)] != 0:
            shot.row[au_column(45)] = UNKNOWN
        path = _path(options.out, "pictures", unit, f"{number:07d}.jpg")
        Image.fromarray(shot.rgb).save(path, quality=_JPEG_QUALITY)
        rows.append(_row(options, path, unit, frame=0, time_s=0.0, row=shot.row))
    return rows


def render_video(studio: Studio, options: SynthOptions, unit: int) -> list[dict[str, Any]]:
    """Render one video; returns a row per frame."""
    rng = np.random.default_rng([options.seed, unit])
    person = Person.of(studio.body, sample_appearance(rng))
    scenery = sample_set(rng)
    performance = sample_performance(rng, options.seconds)
    path = _path(options.out, "videos", unit, f"{unit:07d}.mp4")
    rows = []
    with VideoFile(
        path, (options.size_px, options.size_px), options.fps, scenery.damage.h264_crf or _VIDEO_CRF
    ) as video:
        for frame in range(options.frames_of(unit)):
            time_s = frame / options.fps
            yaw, pitch, roll = performance.head.at(time_s)
            shot = studio.shoot(
                person,
                performance.expression(time_s),
                (yaw, pitch, roll),
                performance.gaze_rad(time_s),
                scenery,
                rng,
                encoded_later=True,
            )
            blink_or_closed(shot.row)
            video.write(shot.rgb)
            rows.append(_row(options, path, unit, frame=frame, time_s=time_s, row=shot.row))
    return rows


def blink_or_closed(row: dict[str, Any]) -> None:
    """While the eyes are closed by one of AU43 and AU45, a frame says nothing about the other."""
    for one, other in ((43, 45), (45, 43)):
        if row[au_column(one)] == PRESENT and row[au_column(other)] != PRESENT:
            row[au_column(other)] = UNKNOWN


class VideoFile:
    """An H.264 file that appears under its name when it is whole.

    Args:
        path: the file to write, ``.mp4``.
        size_wh: width and height of the frames, both even.
        fps: frames per second.
        crf: libx264's constant rate factor: 18 is nearly lossless, 40 is poor.
        preset: libx264's preset.
    """

    def __init__(self, path: Path, size_wh: tuple[int, int], fps: float, crf: int, *, preset: str = "veryfast") -> None:
        self._stack = ExitStack()
        temporary = self._stack.enter_context(whole_or_nothing(path))
        self._container = av.open(str(temporary), "w", format="mp4")
        # Macroblock trees read memory that libx264 never wrote: the same frames would give other bytes now and then.
        settings = {"crf": str(crf), "preset": preset, "mbtree": "0"}
        stream = self._container.add_stream("libx264", rate=_rate(fps), options=settings)
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        # One thread: the bytes then do not depend on the machine's number of CPUs.
        stream.thread_count = 1
        self._stream = stream

    def write(self, frame_rgb: npt.NDArray[np.uint8]) -> None:
        """Append a frame (H, W, 3)."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(frame_rgb, "rgb24")))

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if error is not None:
                raise error


def _rate(fps: float) -> Any:
    from fractions import Fraction

    return Fraction(fps).limit_denominator(1001)


def _path(out: Path, kind: str, unit: int, name: str) -> Path:
    path = out / kind / f"{unit // _UNITS_PER_FOLDER:05d}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _row(
    options: SynthOptions, path: Path, unit: int, *, frame: int, time_s: float, row: dict[str, Any]
) -> dict[str, Any]:
    place = path.relative_to(options.out).as_posix()
    return {"path": place, "frame": frame, "time_s": time_s, "person": unit, "seed": options.seed, **row}
