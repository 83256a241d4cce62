"""One process's studio: from a person, an expression and a set to a finished picture with its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.errors import RigError
from aucli.facs import au_column
from aucli.synth.camera import Camera, look_at
from aucli.synth.degrade import Damage, apply_damage
from aucli.synth.expressions import SYNTH_AUS, Expression, rig_weights, shapes_of_actions, wrinkle_strengths
from aucli.synth.labels import View, au_points, gap_intensity, interocular_px, label, lip_edges, lip_openings
from aucli.synth.lighting import Lighting
from aucli.synth.person import Body, Person, pose
from aucli.synth.renderer import Renderer, Scene
from aucli.synth.rig import Rig, first_of

Float64 = npt.NDArray[np.float64]

_FIVE_POINTS = ((*range(36, 42),), (*range(42, 48),), (30,), (48,), (54,))
# Lids follow the eyes: the rig's shapes eyeLook* at one radian.
_LOOK_PER_RAD = 1.6


@dataclass(frozen=True, eq=False)
class Set:
    """Where a picture is taken: lights, background, lens and its damage.

    Attributes:
        lighting: lights and environment.
        background: (h, w, 3) uint8.
        focal: focal length in half sides of the picture.
        face_share: distance between the eyes as a share of the picture's side, for a frontal face.
        shift: where the face lies off the middle, in sides of the picture (x to the right, y down).
        camera_height_rad: elevation from which the camera looks.
        damage: blur, noise, codec.
    """

    lighting: Lighting
    background: npt.NDArray[np.uint8]
    focal: float
    face_share: float
    shift: tuple[float, float]
    camera_height_rad: float
    damage: Damage


@dataclass(frozen=True, eq=False)
class Shot:
    """A finished picture (S, S, 3) uint8 and its row of the label table, without path, frame, time and unit."""

    rgb: npt.NDArray[np.uint8]
    row: dict[str, Any]


class Studio:
    """Renders people of one rig at one size.

    Args:
        rig: FaceKit's rig.
        size_px: side of the pictures.
        supersampling: samples per pixel along each side.

    Raises:
        RigError: if the rig is not FaceKit's, or lacks a shape.
        RenderError: if there is no OpenGL.
    """

    def __init__(self, rig: Rig, *, size_px: int, supersampling: float) -> None:
        missing = sorted(needed_shapes() - set(rig.expression_names))
        if missing:
            raise RigError(f"the rig lacks the shapes {first_of(missing)}: give all of FaceKit Light")
        self.body = Body(rig)
        self.size_px = size_px
        self._points = au_points(self.body)
        self._lips = lip_edges(rig)
        self._renderer = Renderer(self.body, size_px=size_px, supersampling=supersampling)

    @property
    def description(self) -> str:
        """What draws, as OpenGL names it."""
        return self._renderer.description

    def close(self) -> None:
        """Give the OpenGL context back."""
        self._renderer.close()

    def shoot(
        self,
        person: Person,
        expression: Expression,
        head_rad: tuple[float, float, float],
        gaze_rad: tuple[float, float],
        scenery: Set,
        rng: np.random.Generator,
        *,
        encoded_later: bool = False,
    ) -> Shot:
        """Take one picture.

        Args:
            person: who.
            expression: intensities per side.
            head_rad: yaw, pitch, roll of the head relative to the camera's level.
            gaze_rad: yaw, pitch of the eyes in the head.
            scenery: lights, background, lens, damage.
            rng: draws the noise.
            encoded_later: whether a video encoder will do the codec's damage.
        """
        weights = _with_lids(rig_weights(expression), gaze_rad)
        wrinkles = wrinkle_strengths(expression, person.look.wrinkle_depth, person.look.age)
        rotation = head_rotation(*head_rad)
        posed = pose(person, weights, wrinkles, rotation, gaze_rad)
        camera = _camera(posed.positions[self.body.rig.landmarks68], rotation, scenery)
        drawn = self._renderer.render(Scene(person, posed, scenery.lighting, camera, scenery.background))
        damage = scenery.damage
        if encoded_later:
            damage = Damage(**{**damage.__dict__, "h264_crf": 0, "jpeg_quality": 0})
        rgb = apply_damage(drawn.rgb, damage, rng)
        luma = np.asarray(rgb @ np.array([0.299, 0.587, 0.114]), np.uint8)
        view = View(
            person, posed, camera, self.size_px, drawn.depth, luma, scenery.damage.total_blur_px, scenery.damage.noise
        )
        return Shot(rgb, self._row(view, expression, rotation, gaze_rad, scenery))

    def _row(
        self, view: View, expression: Expression, rotation: Float64, gaze_rad: tuple[float, float], scenery: Set
    ) -> dict[str, Any]:
        landmarks = self.body.rig.landmarks68.astype(np.int64)
        seen, xy = view.seen(landmarks)
        five = np.stack([xy[list(group)].mean(axis=0) for group in _FIVE_POINTS])
        openings = lip_openings(view, self._lips)
        codes = label(view, expression, self._points, openings)
        intensities = {au: expression.intensity(au) for au in SYNTH_AUS}
        intensities[25] = gap_intensity(openings)
        yaw, pitch, roll = angles_deg(view.camera.world_from_camera.T @ rotation)
        look, damage = view.person.look, scenery.damage
        return {
            **{au_column(au): codes[au] for au in SYNTH_AUS},
            **{f"{au_column(au)}_intensity": intensities[au] for au in SYNTH_AUS},
            **{
                f"{au_column(au)}_asymmetry": expression.left.get(au, 0.0) - expression.right.get(au, 0.0)
                for au in SYNTH_AUS
            },
            "landmarks": five.ravel().tolist(),
            "landmarks68": xy.ravel().tolist(),
            "landmarks68_seen": seen.tolist(),
            "interocular_px": interocular_px(xy),
            "yaw_deg": yaw,
            "pitch_deg": pitch,
            "roll_deg": roll,
            "gaze_yaw_deg": float(np.degrees(gaze_rad[0])),
            "gaze_pitch_deg": float(np.degrees(gaze_rad[1])),
            "field_of_view_deg": float(2 * np.degrees(np.arctan(1 / scenery.focal))),
            "distance_cm": float(np.linalg.norm(view.camera.position - view.posed.eye_centres.mean(axis=0))),
            "age": look.age,
            "skin_tone": look.skin_tone,
            "hair": look.hair,
            "beard": look.beard,
            "glasses": look.glasses,
            "headwear": look.headwear,
            "grey": damage.grey,
            "blur_px": damage.total_blur_px,
            "noise": damage.noise,
            "jpeg_quality": damage.jpeg_quality,
            "h264_crf": damage.h264_crf,
        }


def needed_shapes() -> set[str]:
    """Names of all shapes that a rig must have: those of the AUs, and lids that follow the gaze."""
    return shapes_of_actions() | {f"eyeLook{way}_{side}" for way in ("In", "Out", "Up", "Down") for side in ("L", "R")}


def head_rotation(yaw: float, pitch: float, roll: float) -> Float64:
    """Rotation (3, 3) of a head: roll, then pitch (positive looks up), then yaw (positive to its own left)."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    # Clockwise in the picture, seen from the front.
    tilt = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn @ nod @ tilt, np.float64)


def angles_deg(rotation: Float64) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees: the inverse of `head_rotation`."""
    forward = rotation[:, 2]
    pitch = np.arcsin(np.clip(forward[1], -1, 1))
    yaw = np.arctan2(forward[0], forward[2])
    level = head_rotation(float(yaw), float(pitch), 0.0).T @ rotation
    roll = np.arctan2(level[0, 1], level[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def _with_lids(weights: dict[str, float], gaze_rad: tuple[float, float]) -> dict[str, float]:
    """Lids and the skin about the eyes follow the gaze."""
    yaw, pitch = (value * _LOOK_PER_RAD for value in gaze_rad)
    result = dict(weights)
    for side, outwards in (("L", yaw), ("R", -yaw)):
        closed = min(weights.get(f"eyeBlink_{side}", 0.0), 1.0)
        for shape, amount in (
            (f"eyeLookOut_{side}", outwards),
            (f"eyeLookIn_{side}", -outwards),
            (f"eyeLookUp_{side}", pitch),
            (f"eyeLookDown_{side}", -pitch),
        ):
            if amount > 0:
                result[shape] = amount * (1 - closed)
    return result


def _camera(landmarks: npt.NDArray[np.float32], rotation: Float64, scenery: Set) -> Camera:
    """Frame the face: far enough that the eyes lie as far apart in the picture as the set asks."""
    points = landmarks.astype(np.float64)
    eyes = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
    apart_cm = float(np.linalg.norm(eyes[0] - eyes[1]))
    distance = apart_cm * scenery.focal / (2 * scenery.face_share)
    # Middle of the face: between the eyes and the mouth, a little inside the head.
    target = 0.5 * (eyes.mean(axis=0) + points[[48, 54]].mean(axis=0)) - 2.0 * rotation[:, 2]
    width_cm = 2 * distance / scenery.focal
    offset = np.array([-scenery.shift[0], scenery.shift[1], 0.0]) * width_cm
    height = scenery.camera_height_rad
    return look_at(
        target + offset, np.array([0, np.sin(height), np.cos(height)]), distance, roll_rad=0.0, focal=scenery.focal
    )
