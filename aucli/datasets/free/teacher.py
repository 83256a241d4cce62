"""The teacher: MediaPipe's face landmarker, asked once about each photograph, for labels only.

It gives 478 points, 52 blendshapes and the turn of the head. Blendshape scores are no probabilities and their scales
differ widely, so they become labels only by way of codes by eye: see `aucli.datasets.free.teacher_labels`.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from aucli.errors import DatasetError
from aucli.runtime.device import available_cores
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.packages import require

POINTS: Final = 478
SIDE_PX: Final = 480
"""Longer side of what the landmarker is shown, border included."""
BORDERS: Final = (1 / 3, 1 / 6, 2 / 3, 0.0)
"""Borders around a picture, in its longer sides, until a face is found: faces fill photographs, detectors need room."""
MIN_CONFIDENCE: Final = 0.2


@dataclass(frozen=True)
class TeacherAnswers:
    """What the landmarker sees in N photographs; NaN where it finds no face.

    Attributes:
        blendshape_names: (52,) as the model calls them; none where no face at all was found.
        blendshapes: (N, 52) float32 scores, 0 to 1.
        points: (N, 478, 3) float32: x, y in pixels of the photograph, depth at the same scale.
        turns: (N, 2) float32, yaw and pitch of the head in degrees.
    """

    blendshape_names: tuple[str, ...]
    blendshapes: npt.NDArray[np.float32]
    points: npt.NDArray[np.float32]
    turns: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.blendshapes)

    def __getitem__(self, rows: npt.NDArray[Any]) -> TeacherAnswers:
        """Choose photographs by indices or a boolean mask."""
        return TeacherAnswers(self.blendshape_names, self.blendshapes[rows], self.points[rows], self.turns[rows])

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """(N,) where there is a face."""
        found: npt.NDArray[np.bool_] = np.isfinite(self.turns[:, 0])
        return found

    @classmethod
    def join(cls, parts: Sequence[TeacherAnswers]) -> Self:
        """Put answers about several tables together; there is one at least."""
        names = max((part.blendshape_names for part in parts), key=len)
        if any(part.blendshape_names not in (names, ()) for part in parts):
            raise DatasetError("answers of different landmarkers cannot be joined")
        none = np.full((1, len(names)), np.nan, np.float32)
        return cls(
            names,
            np.concatenate([p.blendshapes if p.blendshape_names else none.repeat(len(p), axis=0) for p in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.turns for part in parts]),
        )

    def save(self, path: Path) -> None:
        """Write one ``.npz`` file, whole or not at all."""
        columns: dict[str, Any] = {name: np.asarray(value) for name, value in self.__dict__.items()}
        with whole_or_nothing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **columns)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DatasetError: if the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                columns = {name: file[name] for name in cls.__dataclass_fields__}
        except (OSError, KeyError, ValueError) as error:
            raise DatasetError(f"{path} is damaged ({error}); remove it, and it is made again") from error
        return cls(**{**columns, "blendshape_names": tuple(columns["blendshape_names"].tolist())})


def require_teacher() -> None:
    """Make sure that the landmarker's package is there.

    Raises:
        MissingPackageError: naming the command that installs it.
    """
    require("mediapipe", for_="the option teacher", install='pip install "aucli[teacher]"')


def ask_teacher(
    model: Path, jpegs: Sequence[bytes], *, workers: int | None = None, report: Callable[[str], None] = lambda _: None
) -> TeacherAnswers:
    """Show the landmarker photographs of single faces.

    Args:
        model: MediaPipe's ``face_landmarker.task``, with blendshapes.
        jpegs: the photographs, as files.
        workers: threads, each with a landmarker of its own; None for one per CPU. Changes no answer.
        report: called with a line of text now and then.

    Raises:
        DatasetError: if the file is no such model, or a photograph cannot be read.
        MissingPackageError: if mediapipe is not installed.
    """
    require_teacher()
    own = threading.local()
    answers: list[_Answer | None] = []
    with ExitStack() as opened:  # closed here: left to the end of the process, the library fails in closing them

        def ask(jpeg: bytes) -> _Answer | None:
            if not hasattr(own, "landmarker"):
                own.landmarker = _Landmarker(model)
                opened.callback(own.landmarker.close)
            answer: _Answer | None = own.landmarker.look(read_rgb(jpeg))
            return answer

        with ThreadPoolExecutor(workers or available_cores(), thread_name_prefix="aucli-teacher") as pool:
            for answer in pool.map(ask, jpegs):
                answers.append(answer)
                if len(answers) % 1000 == 0 or len(answers) == len(jpegs):
                    report(f"{len(answers)} of {len(jpegs)} photographs shown to the teacher")
    names = next((tuple(answer.scores) for answer in answers if answer is not None), ())
    blendshapes = np.full((len(jpegs), len(names)), np.nan, np.float32)
    points = np.full((len(jpegs), POINTS, 3), np.nan, np.float32)
    turns = np.full((len(jpegs), 2), np.nan, np.float32)
    for row, answer in enumerate(answers):
        if answer is not None:
            blendshapes[row] = [answer.scores[name] for name in names]
            points[row], turns[row] = answer.points, answer.turns
    return TeacherAnswers(names, blendshapes, points, turns)


def read_rgb(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """Decode a photograph: (H, W, 3), three equal channels where it is grey.

    Raises:
        DatasetError: if it is none.
    """
    from PIL import Image

    try:
        return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    except OSError as error:
        raise DatasetError(f"a photograph cannot be decoded: {error}") from error


@dataclass(frozen=True)
class _Answer:
    """About one face: scores by name of the blendshape, (478, 3) points, yaw and pitch."""

    scores: dict[str, float]
    points: npt.NDArray[np.float32]
    turns: tuple[float, float]


class _Landmarker:
    """MediaPipe behind one door."""

    def __init__(self, model: Path) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=1,
            min_face_detection_confidence=MIN_CONFIDENCE,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:160]
            raise DatasetError(f"{model} is not MediaPipe's face landmarker ({reason})") from error

    def close(self) -> None:
        """Give the landmarker's memory back."""
        self._landmarker.close()

    def look(self, picture_rgb: npt.NDArray[np.uint8]) -> _Answer | None:
        """What is seen in a picture (H, W, 3); None without a face."""
        import mediapipe
        from PIL import Image

        longer = max(picture_rgb.shape[:2])
        for share in BORDERS:
            border = round(longer * share)
            padded = np.pad(picture_rgb, ((border, border), (border, border), (0, 0)), mode="edge")
            height, width = padded.shape[:2]
            scale = SIDE_PX / max(height, width)
            size = round(width * scale), round(height * scale)
            shown = np.ascontiguousarray(Image.fromarray(padded).resize(size, Image.Resampling.BICUBIC))
            found = self._landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=shown))
            if found.face_blendshapes:
                scores = {one.category_name: one.score for one in found.face_blendshapes[0]}
                unit = np.array([width, height, width])
                points = np.array([(p.x, p.y, p.z) for p in found.face_landmarks[0]]) * unit - [border, border, 0]
                matrix = np.asarray(found.facial_transformation_matrixes[0])[:3, :3]
                yaw = math.degrees(math.atan2(matrix[0, 2], matrix[2, 2]))
                pitch = math.degrees(math.asin(min(max(-matrix[1, 2], -1.0), 1.0)))
                return _Answer(scores, points.astype(np.float32), (yaw, pitch))
        return None
