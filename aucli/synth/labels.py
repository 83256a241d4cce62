"""Labels that can be seen: which AUs a coder could tell in one rendered picture.

The rule. An AU of the expression is taken away and the face is compared with what it would be without it: how far do
those points move that the AU moves most, in the picture, and as a share of the distance between the eyes?

* present (1): intensity at least B (2.0; for closed eyes C, 3.0), and the seen points move by at least 1 pixel (more in
  a blurred picture) and by at least 2.5 % of the distance between the eyes; with less, the renders at the limit did not
  show it to eyes that do not know the face at rest;
* absent (0): not in the expression (below 0.25), and at least 40 % of the AU's points on one side can be seen;
* unknown (-1): everything else: too weak, too small, hidden by hair, glasses, hat or the head itself, too dark, or
  masked by another AU.

AU25 is what it looks like, whatever muscle parts the lips: it is measured as the gap between them. A single frame
cannot tell a blink (45) from closed eyes (43): in a picture AU45 of a closed eye is unknown, and in a video each of
the two is unknown while the other is present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.synth.camera import Camera
from aucli.synth.expressions import ACTIONS, SYNTH_AUS, Expression, rig_weights, symmetric
from aucli.synth.person import INNER_LIPS, Body, Person, Posed, lip_gap_cm
from aucli.synth.rig import FACEKIT_RANGES

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

PRESENT: Final = 1
ABSENT: Final = 0
UNKNOWN: Final = -1

MIN_INTENSITY: Final = 2.0
MIN_INTENSITY_CLOSED_EYES: Final = 3.0
MAX_INTENSITY_ABSENT: Final = 0.25
MIN_MOTION_PX: Final = 1.0
MIN_MOTION_INTEROCULAR: Final = 0.025
MIN_SHARE_SEEN: Final = 0.4
MIN_GAP_PRESENT_CM: Final = 0.2
MAX_GAP_ABSENT_CM: Final = 0.05
DARKEST_LEVEL: Final = 20.0
BRIGHTEST_LEVEL: Final = 250.0
# A point counts as seen if nothing lies more than this before it.
_DEPTH_TOLERANCE_CM: Final = 0.35
_LIP_TOLERANCE_CM: Final = 0.02
# Gap between the lips (cm) at the intensities 0 and A to E of AU25.
_GAP_OF_INTENSITY: Final = (0.0, 0.1, 0.3, 0.7, 1.3, 2.2)
# Least z of a unit normal that counts as facing forward.
_FORWARD: Final = 0.25
_CLOSED_EYES: Final = (43, 45)


@dataclass(frozen=True, eq=False)
class AuPoints:
    """Vertices that show an AU, for the left and the right side of the face, of those in the narrow face."""

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]


def au_points(body: Body) -> dict[int, AuPoints]:
    """Those vertices that an AU moves by at least 0.4 of its largest motion, and that face forward with and without it.

    The inner sides of lips and lids are left out, and what an AU itself turns inwards, as AU28 does with the red of the
    lips: whether they can be seen says nothing about whether the AU can.
    """
    first, last = FACEKIT_RANGES["narrow_face"]
    rest = body.rig.neutral
    x, resting = rest[first:last, 0], body.face_topology.normals(rest)[first:last, 2] > _FORWARD
    points = {}
    for au in ACTIONS:
        offsets = body.rig.offsets(rig_weights(symmetric({au: 5.0})))
        motion = np.linalg.norm(offsets[first:last], axis=1)
        motion[~(resting & (body.face_topology.normals(rest + offsets)[first:last, 2] > _FORWARD))] = 0.0
        moved = motion > 0.4 * motion.max()
        points[au] = AuPoints(np.flatnonzero(moved & (x >= 0)), np.flatnonzero(moved & (x <= 0)))
    return points


@dataclass(frozen=True, eq=False)
class View:
    """One picture's geometry, in which labels are looked up.

    Attributes:
        person, posed, camera: what was rendered.
        size_px: side of the picture.
        depth: depth buffer at any square size.
        luma: (size, size) uint8 brightness of the final picture.
        blur_px: standard deviation of the picture's blur.
    """

    person: Person
    posed: Posed
    camera: Camera
    size_px: int
    depth: Float32
    luma: npt.NDArray[np.uint8]
    blur_px: float

    @cached_property
    def narrow_seen(self) -> npt.NDArray[np.bool_]:
        """Which vertices of the narrow face can be seen."""
        return self.seen(np.arange(*FACEKIT_RANGES["narrow_face"]))[0]

    @cached_property
    def lip_gap_cm(self) -> float:
        """How far the inner lips stand apart, cm."""
        return lip_gap_cm(self.person.body, self.posed.positions, self.posed.head_from_rest[:3, 1])

    def seen(self, vertices: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], Float64]:
        """Which vertices can be seen (N,), and where they lie (N, 2) in pixels."""
        positions = self.posed.positions[vertices].astype(np.float64)
        towards = self.camera.position - positions
        facing = np.einsum("vi,vi->v", towards, self.posed.normals[vertices]) / np.linalg.norm(towards, axis=1)
        xy, behind_cm = self._behind_cm(positions)
        inside = ((xy >= 0) & (xy < self.size_px)).all(axis=1)
        pixel = np.clip(np.floor(xy), 0, self.size_px - 1).astype(int)
        level = self.luma[pixel[:, 1], pixel[:, 0]]
        readable = (level > DARKEST_LEVEL) & (level < BRIGHTEST_LEVEL)
        return inside & (facing > 0.12) & (behind_cm < _DEPTH_TOLERANCE_CM) & readable, xy

    @cached_property
    def lip_gap_seen_px(self) -> float:
        """How much of the gap between the lips is seen, pixels: from above, the upper lip hides it."""
        pairs = self.posed.positions[self.person.body.rig.landmarks68[np.array(INNER_LIPS)]].astype(np.float64)
        upper, lower = pairs[:, 0], pairs[:, 1]
        between = [upper + share * (lower - upper) for share in np.linspace(0.1, 0.9, 9)]
        xy, behind_cm = self._behind_cm(np.concatenate(between))
        height_px = np.linalg.norm(xy[:3] - xy[-3:], axis=1).mean() / 0.8
        return float(height_px * (behind_cm < _LIP_TOLERANCE_CM).mean())

    def _behind_cm(self, positions: Float64) -> tuple[Float64, Float64]:
        """Where points (N, 3) lie in the picture (N, 2), and how far behind what is drawn there (N,)."""
        xy, depth = self.camera.project(positions, self.size_px)
        side = len(self.depth)
        column, row = np.clip(np.floor(xy * side / self.size_px).astype(int), 0, side - 1).T
        return xy, self.camera.distance_cm(depth) - self.camera.distance_cm(self.depth[row, column])


def interocular_px(landmarks_xy: Float64) -> float:
    """Distance between the eyes' centres, from 68 landmarks (68, 2)."""
    return float(np.linalg.norm(landmarks_xy[36:42].mean(axis=0) - landmarks_xy[42:48].mean(axis=0)))


def frontal_interocular_px(view: View) -> float:
    """The same as if the head were turned to the front, so that a profile does not make motions look large."""
    landmarks = view.posed.positions[view.person.body.rig.landmarks68].astype(np.float64)
    centres = np.stack([landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)])
    distance = np.linalg.norm(centres.mean(axis=0) - view.camera.position)
    return float(np.linalg.norm(centres[0] - centres[1]) * view.camera.focal * view.size_px / 2 / distance)


def gap_intensity(gap_cm: float) -> float:
    """Intensity 0-5 of AU25 for a gap between the lips."""
    return float(np.interp(gap_cm, _GAP_OF_INTENSITY, range(6)))


def label(view: View, expression: Expression, points: Mapping[int, AuPoints]) -> dict[int, int]:
    """Occurrence of every AU in one picture: 1, 0 or -1 by the rule at the head of this file."""
    unit_px = frontal_interocular_px(view)
    needed_px = max(MIN_MOTION_PX, 1.2 * view.blur_px, MIN_MOTION_INTEROCULAR * unit_px)
    codes: dict[int, int] = {}
    for au in SYNTH_AUS:
        if au == 25:
            codes[au] = _code_lips(view, points[au])
            continue
        intensity = expression.intensity(au)
        if intensity < MAX_INTENSITY_ABSENT:
            codes[au] = ABSENT if _region_seen(view, points[au]) else UNKNOWN
            continue
        least = MIN_INTENSITY_CLOSED_EYES if au in _CLOSED_EYES else MIN_INTENSITY
        shown = intensity >= least and _seen_motion_px(view, expression, au, points[au]) >= needed_px
        codes[au] = PRESENT if shown else UNKNOWN
    return codes


def _region_seen(view: View, points: AuPoints) -> bool:
    return any(view.narrow_seen[side].mean() >= MIN_SHARE_SEEN for side in (points.left, points.right) if len(side))


def _seen_motion_px(view: View, expression: Expression, au: int, points: AuPoints) -> float:
    """Median motion, in pixels, of the AU's seen points, on that side where it is larger; 0 where too few are seen."""
    offsets = view.person.body.rig.offsets
    with_au, without = rig_weights(expression), rig_weights(expression.without(au))
    delta = offsets({shape: with_au.get(shape, 0.0) - without.get(shape, 0.0) for shape in {*with_au, *without}})
    delta = delta[: len(view.narrow_seen)]
    delta = delta @ view.posed.head_from_rest[:3, :3].T.astype(np.float32)
    motions = [0.0]
    for side in (points.left, points.right):
        shown = side[view.narrow_seen[side]]
        if len(side) and len(shown) >= MIN_SHARE_SEEN * len(side):
            positions = view.posed.positions[shown]
            after, before = (view.camera.project(p, view.size_px)[0] for p in (positions, positions - delta[shown]))
            motions.append(float(np.median(np.linalg.norm(after - before, axis=1))))
    return max(motions)


def _code_lips(view: View, points: AuPoints) -> int:
    gap = view.lip_gap_cm
    if not _region_seen(view, points):
        return UNKNOWN
    if gap <= MAX_GAP_ABSENT_CM:
        return ABSENT
    needed_px = max(1.3 * MIN_MOTION_PX, 1.2 * view.blur_px)
    return PRESENT if gap >= MIN_GAP_PRESENT_CM and view.lip_gap_seen_px >= needed_px else UNKNOWN
