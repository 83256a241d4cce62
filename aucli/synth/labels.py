"""Labels that can be seen: which AUs a coder could tell in one rendered picture of a person never seen at rest.

The rule. An AU of the expression is taken away and the face is compared with what it would be without it: how far do
those points move that the AU moves most, in the picture, and as a share of the distance between the eyes?

* present (1): intensity at least B (2.0; for closed eyes C, 3.0), and the seen points move by at least 1.5 pixels
  (more in a blurred or noisy picture) and by at least the share of the distance between the eyes in
  `MIN_MOTION_INTEROCULAR`, from which on it was seen in renders without the resting face beside them;
* absent (0): not in the expression (below 0.25), at least 40 % of the AU's points on one side can be seen, and an AU of
  intensity D would have moved them far enough in pixels to be seen;
* unknown (-1): everything else: too weak, too small, hidden by hair, glasses, hat or the head itself, too dark, or
  masked by another AU.

AU25 is what it looks like, whatever muscle parts the lips and however far they stand apart at rest: it is measured as
the opening between the lips' edges in the picture, along the lips' own curve. Lips that are tightened (23), pressed
(24) or sucked in (28) are told by their meeting: these are present only where AU25 is absent. Whether lips that funnel
(22, which has no column) also pucker (18) is unknown.

A single frame cannot tell a blink (45) from closed eyes (43): in a picture AU45 of a closed eye is unknown, and in a
video each of the two is unknown while the other is present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.synth.camera import Camera
from aucli.synth.expressions import ACTIONS, SYNTH_AUS, Expression, rig_weights, symmetric
from aucli.synth.person import Body, Person, Posed
from aucli.synth.rig import FACEKIT_RANGES, Rig

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

PRESENT: Final = 1
ABSENT: Final = 0
UNKNOWN: Final = -1

MIN_INTENSITY: Final = 2.0
MIN_INTENSITY_CLOSED_EYES: Final = 3.0
MAX_INTENSITY_ABSENT: Final = 0.25
INTENSITY_MISSED: Final = 4.0
"""Intensity at which an AU would have to be visible for its absence to be told."""
MIN_MOTION_PX: Final = 1.5
MIN_MOTION_BLURS: Final = 2.0
MIN_MOTION_PX_PER_NOISE: Final = 0.04
"""What a standard deviation of the noise of one grey level adds to the motion that is needed, px."""
MIN_MOTION_INTEROCULAR: Final[Mapping[int, float]] = {
    **{1: 0.046, 2: 0.046, 4: 0.04, 5: 0.025, 6: 0.055, 7: 0.032, 9: 0.045, 10: 0.045, 12: 0.07, 14: 0.045},
    **{15: 0.035, 17: 0.05, 18: 0.036, 20: 0.055, 23: 0.045, 24: 0.045, 26: 0.05, 28: 0.045, 43: 0.04, 45: 0.04},
}
MIN_SHARE_SEEN: Final = 0.4
MIN_OPENING_PX: Final = 1.0
MIN_OPENING_BLURS: Final = 1.2
MIN_OPENING_PRESENT: Final = 0.015
"""Opening of the parted lips (in at least three of seven columns), as a share of the distance between the eyes."""
MAX_OPENING_ABSENT: Final = 0.003
"""Opening of closed lips (largest along the mouth, in the picture and from straight ahead), as the same share."""
OPENING_MISSED: Final = 0.045
"""Opening that would have to be visible for closed lips to be told: AU25 at intensity B."""
DARKEST_LEVEL: Final = 20.0
DARKEST_NOISES: Final = 3.0
BRIGHTEST_LEVEL: Final = 250.0
# A point counts as seen if nothing lies more than this before it.
_DEPTH_TOLERANCE_CM: Final = 0.35
# Gap between the lips (cm) at the intensities 0 and A to E of AU25.
_GAP_OF_INTENSITY: Final = (0.0, 0.1, 0.3, 0.7, 1.3, 2.2)
# Least z of a unit normal that counts as facing forward.
_FORWARD: Final = 0.25
_INTEROCULAR_CM: Final = 6.5
# Where along the mouth the opening is measured: x of the neutral face, cm, and half the width of a column there.
_LIP_COLUMNS_CM: Final = (-1.2, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2)
_LIP_COLUMN_HALF_CM: Final = 0.25
_CLOSED_EYES: Final = (43, 45)
# Lips that are tightened, pressed or sucked in are told by their meeting.
_CLOSED_LIPS: Final = (23, 24, 28)


@dataclass(frozen=True, eq=False)
class AuPoints:
    """Vertices of the narrow face that show an AU, for the left and the right side of the face.

    Attributes:
        left, right: vertices (N,), (M,).
        left_cm, right_cm: where the AU alone takes them at intensity D, (N, 3), (M, 3) in head space.
    """

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    left_cm: Float32
    right_cm: Float32


@dataclass(frozen=True, eq=False)
class LipEdges:
    """Vertices of the upper and the lower lip, inner sides included, in columns along the mouth."""

    columns: tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]


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
        left, right = np.flatnonzero(moved & (x >= 0)), np.flatnonzero(moved & (x <= 0))
        weaker = body.rig.offsets(rig_weights(symmetric({au: INTENSITY_MISSED})))
        points[au] = AuPoints(left, right, weaker[left], weaker[right])
    return points


def lip_edges(rig: Rig) -> LipEdges:
    """The lips of the narrow face: the lower one goes with the jaw, the upper one stays."""
    first, last = FACEKIT_RANGES["narrow_face"]
    x, y, z = (rig.neutral[first:last] - rig.neutral[rig.landmarks68[[62, 66]]].mean(axis=0)).T
    down = -rig.expressions[rig.expression_index["jawOpen"], first:last, 1].astype(np.float32)
    with_jaw = down / down.max()
    lips = (np.abs(y) < 1.2) & (z > -0.75)
    columns = []
    for middle in _LIP_COLUMNS_CM:
        column = lips & (np.abs(x - middle) <= _LIP_COLUMN_HALF_CM)
        columns.append((np.flatnonzero(column & (with_jaw < 0.35)), np.flatnonzero(column & (with_jaw > 0.65))))
    return LipEdges(tuple(columns))


@dataclass(frozen=True, eq=False)
class View:
    """One picture's geometry, in which labels are looked up.

    Attributes:
        person, posed, camera: what was rendered.
        size_px: side of the picture.
        depth: depth buffer at any square size.
        luma: (size, size) uint8 brightness of the final picture.
        blur_px: standard deviation of the picture's blur.
        noise: standard deviation of its noise, levels.
    """

    person: Person
    posed: Posed
    camera: Camera
    size_px: int
    depth: Float32
    luma: npt.NDArray[np.uint8]
    blur_px: float
    noise: float

    @cached_property
    def narrow_seen(self) -> npt.NDArray[np.bool_]:
        """Which vertices of the narrow face can be seen."""
        return self.seen(np.arange(*FACEKIT_RANGES["narrow_face"]))[0]

    def seen(self, vertices: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], Float64]:
        """Which vertices can be seen (N,), and where they lie (N, 2) in pixels."""
        positions = self.posed.positions[vertices].astype(np.float64)
        towards = self.camera.position - positions
        facing = np.einsum("vi,vi->v", towards, self.posed.normals[vertices]) / np.linalg.norm(towards, axis=1)
        xy, behind_cm = self._behind_cm(positions)
        inside = ((xy >= 0) & (xy < self.size_px)).all(axis=1)
        pixel = np.clip(np.floor(xy), 0, self.size_px - 1).astype(int)
        level = self.luma[pixel[:, 1], pixel[:, 0]]
        readable = (level > max(DARKEST_LEVEL, DARKEST_NOISES * self.noise)) & (level < BRIGHTEST_LEVEL)
        return inside & (facing > 0.12) & (behind_cm < _DEPTH_TOLERANCE_CM) & readable, xy

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


@dataclass(frozen=True, eq=False)
class LipOpenings:
    """How far the upper lip's lower edge stands above the lower lip's upper edge, in columns along the mouth.

    Negative where one lip covers the other; shares of the distance between the eyes, along the head's own height.

    Attributes:
        seen: (7,) in the picture.
        frontal: (7,) as if seen from straight ahead.
    """

    seen: Float64
    frontal: Float64


def lip_openings(view: View, edges: LipEdges) -> LipOpenings:
    """Measure the opening of the mouth."""
    positions = view.posed.positions
    across, up = view.posed.head_from_rest[:3, 0], view.posed.head_from_rest[:3, 1]
    ahead = positions @ np.stack([across, up], axis=1)
    lips = np.concatenate([lip for column in edges.columns for lip in column])
    middle = positions[lips].mean(axis=0)
    ends = view.camera.project(np.stack([middle, middle + up]), view.size_px)[0]
    y_axis = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    x_axis = np.array([-y_axis[1], y_axis[0]])
    shown = np.zeros((len(positions), 2))
    shown[lips] = view.camera.project(positions[lips], view.size_px)[0] @ np.stack([x_axis, y_axis], axis=1)
    seen, frontal = _gaps(shown, edges), _gaps(ahead, edges)
    left, right = view.posed.eye_centres
    apart_cm = np.linalg.norm(left - right)
    return LipOpenings(seen / frontal_interocular_px(view), frontal / apart_cm)


def _gaps(points: npt.NDArray[np.floating[Any]], edges: LipEdges) -> Float64:
    """Height of the gap between the lips in each column, (7,), of points (V, 2): across and up.

    Each lip is straightened along its own curve first: a smile bends the lips so much that, across the width of a
    column, the lower lip's high end reaches over the upper lip's low end although the teeth are seen between them.
    """
    lips = [np.unique(np.concatenate(lip)) for lip in zip(*edges.columns, strict=True)]
    curves = [np.polynomial.Polynomial.fit(points[lip, 0], points[lip, 1], 2) for lip in lips]
    gaps = []
    for column in edges.columns:
        middle = points[np.concatenate(column), 0].mean()
        upper, lower = (
            points[lip, 1] - curve(points[lip, 0]) + curve(middle) for lip, curve in zip(column, curves, strict=True)
        )
        gaps.append(upper.min() - lower.max())
    return np.array(gaps)


def gap_intensity(openings: LipOpenings) -> float:
    """Intensity 0-5 of AU25, whichever way the head is turned."""
    return float(np.interp(_third_widest(openings.frontal) * _INTEROCULAR_CM, _GAP_OF_INTENSITY, range(6)))


def _third_widest(columns: Float64) -> float:
    """What the lips open by over nearly half of the mouth: a smile shows teeth in its middle only."""
    return float(np.sort(columns)[-3])


def label(view: View, expression: Expression, points: Mapping[int, AuPoints], openings: LipOpenings) -> dict[int, int]:
    """Occurrence of every AU in one picture: 1, 0 or -1 by the rule at the head of this file.

    Args:
        view: the picture.
        expression: intensities per side.
        points: of `au_points`.
        openings: of `lip_openings`.
    """
    unit_px = frontal_interocular_px(view)
    least_px = max(MIN_MOTION_PX, MIN_MOTION_BLURS * view.blur_px) + MIN_MOTION_PX_PER_NOISE * view.noise
    codes: dict[int, int] = {}
    for au in SYNTH_AUS:
        if au == 25:
            codes[au] = _code_lips(view, points[au], openings, unit_px, least_px)
            continue
        intensity = expression.intensity(au)
        if intensity < MAX_INTENSITY_ABSENT:
            missed = _seen_motion_px(view, points[au], points[au].left_cm, points[au].right_cm)
            codes[au] = ABSENT if missed >= least_px else UNKNOWN
            continue
        least = MIN_INTENSITY_CLOSED_EYES if au in _CLOSED_EYES else MIN_INTENSITY
        needed_px = max(least_px, MIN_MOTION_INTEROCULAR[au] * unit_px)
        shown = intensity >= least and _contribution_px(view, expression, au, points[au]) >= needed_px
        codes[au] = PRESENT if shown else UNKNOWN
    # Lips that funnel are rounded, too: whether they also pucker, a picture does not tell.
    if expression.intensity(22) >= MAX_INTENSITY_ABSENT:
        codes[18] = UNKNOWN
    for au in _CLOSED_LIPS:
        if codes[au] == PRESENT and codes[25] != ABSENT:
            codes[au] = UNKNOWN
    return codes


def _contribution_px(view: View, expression: Expression, au: int, points: AuPoints) -> float:
    """How far the AU has moved its seen points in the picture, beside all other AUs of the expression."""
    offsets = view.person.body.rig.offsets
    with_au, without = rig_weights(expression), rig_weights(expression.without(au))
    delta = offsets({shape: with_au.get(shape, 0.0) - without.get(shape, 0.0) for shape in {*with_au, *without}})
    return _seen_motion_px(view, points, delta[points.left], delta[points.right])


def _seen_motion_px(view: View, points: AuPoints, left_cm: Float32, right_cm: Float32) -> float:
    """Median motion, in pixels, of the AU's seen points, on that side where it is larger; 0 where too few are seen.

    Args:
        view: the picture, with the motion in it or without.
        points: of the AU.
        left_cm, right_cm: their motions (N, 3), (M, 3) in head space.
    """
    to_world = view.posed.head_from_rest[:3, :3].T.astype(np.float32)
    motions = [0.0]
    for side, moved_cm in ((points.left, left_cm), (points.right, right_cm)):
        shown = view.narrow_seen[side]
        if len(side) and shown.mean() >= MIN_SHARE_SEEN:
            positions = view.posed.positions[side[shown]]
            before = positions - moved_cm[shown] @ to_world
            moved = view.camera.project(positions, view.size_px)[0] - view.camera.project(before, view.size_px)[0]
            motions.append(float(np.median(np.linalg.norm(moved, axis=1))))
    return max(motions)


def _code_lips(view: View, points: AuPoints, openings: LipOpenings, unit_px: float, least_px: float) -> int:
    if not any(view.narrow_seen[side].mean() >= MIN_SHARE_SEEN for side in (points.left, points.right)):
        return UNKNOWN
    opening = _third_widest(openings.seen)
    if opening >= MIN_OPENING_PRESENT and opening * unit_px >= max(MIN_OPENING_PX, MIN_OPENING_BLURS * view.blur_px):
        return PRESENT
    # Lips that only look closed, from above, may be parted.
    widest = max(openings.seen.max(), openings.frontal.max())
    return ABSENT if widest <= MAX_OPENING_ABSENT and OPENING_MISSED * unit_px >= least_px else UNKNOWN
