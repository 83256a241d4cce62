"""Landmarks held steady over time, for crops: a face whose landmarks shake keeps a crop that does not.

A detector's landmarks shake by 1 to 3 % of the distance of the eyes, mostly all five together, slowly while the face
moves over the detector's grid of cells, and an AU network answers to the shaking of its crop. A filter over the
landmarks alone cannot tell shaking from movement and would be late. So the picture is asked: the part of the face from
brows to nose is compared with what it looked like in the frames before, both laid upright by the landmarks. What is
displaced there is the landmarks' doing, whatever the face or the camera did, and is made up for (registration by
gradients, Lucas and Kanade 1981, for shift, size and roll).

What is made up for is an offset from the measured landmarks, never a place of its own, so a face that moves is not
late. The offset fades, within seconds while it is no larger than the noise of landmarks, and the faster the larger it
grows: a head that turns soon has the crop of its landmarks. Only frames of the past count, by their times. The first
frame of a face, a photograph, and what looks unlike the frames before have the landmarks that were measured.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.alignment import ARCFACE_TEMPLATE_112
from aucli.faces.cells import pixels_at
from aucli.faces.tracking import TrackedFaces
from aucli.video.yuv import YuvFrame

NOISE: Final = 0.03
"""An offset of this size, in distances of the eyes (of roll and size: in radians and logarithm), fades twice as fast as
a small one; at twice this size it is seventeen times as fast."""
MOST: Final = 0.08
"""No offset is larger."""
UNLIKE: Final = 0.8
"""A patch that is this unlike the frames before (root mean square, of patches with standard deviation 1) is not
compared: the correlation is below 0.7."""
BELIEVED: Final = np.float32(0.7)
"""Share of a displacement that is made up for at once: what is measured between two frames is itself not exact. The
memory stays where it is, so the rest follows with the next frames."""
RENEWED_S: Final = 0.4
"""Time constant of the memory of what a face looks like."""
FORGET_S: Final = 0.5
"""A face that was not seen for longer begins anew, as after a cut."""
POINTS: Final = 24
"""Points of the patch, across and down."""

FloatArray = npt.NDArray[np.float32]

_FIVE: Final = [complex(x, y) for x, y in ARCFACE_TEMPLATE_112.tolist()]
_MIDDLE, _EYES = sum(_FIVE) / 5, abs(_FIVE[1] - _FIVE[0])
_TEMPLATE: Final = [(point - _MIDDLE) / _EYES for point in _FIVE]
"""The upright face: points x + iy from the landmarks' mean, in distances of the eyes. As complex numbers a similarity
transform is one product and one sum."""
_SPREAD: Final = sum(abs(point) ** 2 for point in _TEMPLATE)
_WIDE, _HIGH = 2.2, 1.6
"""The patch, in distances of the eyes, about the point between them: brows, eyes, nose. The mouth moves too much."""
_STEP_X, _STEP_Y = _WIDE / POINTS, _HIGH / POINTS
_BETWEEN: Final = (_TEMPLATE[0] + _TEMPLATE[1]) / 2
_GRID: Final = np.stack(
    [
        np.tile(_BETWEEN.real + ((np.arange(POINTS) + 0.5) / POINTS - 0.5) * _WIDE, (POINTS, 1)).ravel(),
        np.tile(_BETWEEN.imag + ((np.arange(POINTS)[:, None] + 0.5) / POINTS - 0.5) * _HIGH, (1, POINTS)).ravel(),
        np.ones(POINTS**2),
    ]
)
_X, _Y = (_GRID[axis].reshape(POINTS, POINTS)[1:-1, 1:-1].astype(np.float32) for axis in (0, 1))
"""Where the patch's inner points lie: only there a slope is known from both sides."""
_DAMPING: Final = 1e-3 * np.eye(4, dtype=np.float32)


@dataclass
class _Held:
    """One face.

    Attributes:
        shift: offset of the steady landmarks from the measured ones, in the face's own axes and distances of the eyes.
        turn: the same of size (logarithm, real part) and roll (radians, imaginary part).
        patch: (576,) float32, what the face looked like, laid upright by the steady landmarks.
        time_s: of the last frame.
        shot: likewise.
    """

    shift: complex
    turn: complex
    patch: FloatArray
    time_s: float
    shot: int


class SteadyLandmarks:
    """Holds the landmarks of every face steady. Feed the frames in order of time.

    Args:
        time_constant_s: in which small offsets fade to 1 / e; 0 gives landmarks back as they are.
    """

    def __init__(self, time_constant_s: float) -> None:
        self._time_constant_s = time_constant_s
        self._held: dict[int, _Held] = {}

    def update(self, frame_rgb: Any, tracked: TrackedFaces, time_s: float) -> FloatArray:
        """Return steady landmarks, (F, 5, 2) pixels, of the next frame's faces.

        Args:
            frame_rgb: (H, W, 3) uint8, numpy or torch (of which only the pixels needed are copied).
            tracked: F faces.
            time_s: presentation time, later than that of the frame before.
        """
        measured = tracked.faces.landmarks_xy
        if not self._time_constant_s:
            return measured
        steady = measured.copy()
        for face, number in enumerate(tracked.tracks.tolist()):
            pose = _Pose.of(measured[face])
            held = self._held.get(number)
            if held is None or held.shot != tracked.shot or time_s - held.time_s > FORGET_S:
                self._held[number] = _Held(0j, 0j, _patch(frame_rgb, pose), time_s, tracked.shot)
                continue
            self._go_on(held, frame_rgb, pose, time_s)
            if held.shift or held.turn:
                steady[face] = pose.moved(held.shift, held.turn, measured[face])
        if len(self._held) > len(tracked.tracks):
            self._held = {number: one for number, one in self._held.items() if time_s - one.time_s <= FORGET_S}
        return steady

    def _go_on(self, held: _Held, frame_rgb: Any, pose: _Pose, time_s: float) -> None:
        """Bring what is known of a face to the next frame."""
        elapsed_s, held.time_s = time_s - held.time_s, time_s
        now = _patch(frame_rgb, pose.offset(held.shift, held.turn))
        slopes, displaced = _displacement(held.patch, now)
        displaced *= BELIEVED
        there = now + displaced @ slopes
        apart = held.patch - there
        if float(np.vdot(apart, apart)) > UNLIKE**2 * apart.size:
            held.shift = held.turn = 0j
            held.patch = _patch(frame_rgb, pose)
            return
        dx, dy, size, roll = displaced.tolist()
        shift, turn = held.shift + complex(dx, dy), held.turn + complex(size, roll)
        held.shift = _faded(shift, elapsed_s / self._time_constant_s)
        held.turn = _faded(turn, elapsed_s / self._time_constant_s)
        # The memory lies where the steady landmarks are now: it takes part in the fading.
        back, turned_back = held.shift - shift, held.turn - turn
        faded = np.array([back.real, back.imag, turned_back.real, turned_back.imag], np.float32)
        held.patch = held.patch - (1.0 - math.exp(-elapsed_s / RENEWED_S)) * apart + faded @ slopes

    def state(self) -> list[dict[str, Any]]:
        """Everything needed to go on later, as plain JSON values."""
        return [
            {
                "number": number,
                "shift": [one.shift.real, one.shift.imag],
                "turn": [one.turn.real, one.turn.imag],
                "patch": base64.b64encode(one.patch.astype("<f4").tobytes()).decode("ascii"),
                "time_s": one.time_s,
                "shot": one.shot,
            }
            for number, one in sorted(self._held.items())
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what `state` returned."""
        self._held = {
            known["number"]: _Held(
                complex(*known["shift"]),
                complex(*known["turn"]),
                np.frombuffer(base64.b64decode(known["patch"]), "<f4").astype(np.float32),
                known["time_s"],
                known["shot"],
            )
            for known in state
        }


@dataclass(frozen=True)
class _Pose:
    """Where a face is: ``middle + along * point`` for points of the upright face."""

    middle: complex
    along: complex

    @classmethod
    def of(cls, landmarks_xy: FloatArray) -> _Pose:
        """By least squares from (5, 2) landmarks."""
        points = [complex(x, y) for x, y in landmarks_xy.tolist()]
        middle = sum(points) / 5
        along = sum(of.conjugate() * (point - middle) for of, point in zip(_TEMPLATE, points, strict=True)) / _SPREAD
        return cls(middle, along)

    def offset(self, shift: complex, turn: complex) -> _Pose:
        """Moved along the face's own axes, and grown and rolled about its middle."""
        return _Pose(self.middle + self.along * shift, self.along * (1.0 + turn))

    def moved(self, shift: complex, turn: complex, landmarks_xy: FloatArray) -> list[tuple[float, float]]:
        """The landmarks of this pose with the same offset."""
        to = self.middle + self.along * shift
        points = [to + (1.0 + turn) * (complex(x, y) - self.middle) for x, y in landmarks_xy.tolist()]
        return [(point.real, point.imag) for point in points]


def _patch(frame_rgb: Any, pose: _Pose) -> FloatArray:
    """The face from brows to nose, upright, row by row (576,): green, of mean 0 and standard deviation 1 (less where
    there is next to no contrast)."""
    a, b = pose.along, pose.middle
    xy = np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]) @ _GRID
    height, width = frame_rgb.shape[:2]
    columns, rows = np.minimum(np.maximum(xy, 0.0), [[width - 1], [height - 1]]).astype(np.intp)
    if isinstance(frame_rgb, YuvFrame):
        green = frame_rgb[rows, columns][..., 1].astype(np.float32)
    else:
        green = pixels_at(frame_rgb[..., 1], rows, columns).astype(np.float32)
    green -= green.sum() / green.size
    return np.asarray(green / (math.sqrt(float(np.vdot(green, green)) / green.size) + 4.0), np.float32)


def _displacement(before: FloatArray, now: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far the landmarks would have to move for two patches to agree, by least squares.

    Returns:
        (4, 576) slopes of the patch along shift in x and y, growth and roll, 0 at its edge; and (4,) the displacement.
    """
    both = (before + now).reshape(POINTS, POINTS)
    along_x = (both[1:-1, 2:] - both[1:-1, :-2]) * np.float32(0.25 / _STEP_X)
    along_y = (both[2:, 1:-1] - both[:-2, 1:-1]) * np.float32(0.25 / _STEP_Y)
    slopes = np.zeros((4, POINTS, POINTS), np.float32)
    inner = slopes[:, 1:-1, 1:-1]
    inner[0], inner[1] = along_x, along_y
    inner[2] = along_x * _X + along_y * _Y
    inner[3] = along_y * _X - along_x * _Y
    flat = slopes.reshape(4, -1)
    return flat, np.asarray(np.linalg.solve(flat @ flat.T + _DAMPING, flat @ (before - now)), np.float32)


def _faded(offset: complex, time_constants: float) -> complex:
    """An offset after some time: the larger, the faster it fades."""
    size = abs(offset)
    if size > MOST:
        offset, size = offset * (MOST / size), MOST
    return offset * math.exp(-time_constants * (1.0 + (size / NOISE) ** 4))
