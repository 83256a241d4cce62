"""SCRFD through insightface: the only file that knows insightface."""

from __future__ import annotations

import contextlib
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import DetectorError, OptionsError
from aucli.faces.values import KEEP_SCORE, Faces, ceil_to_stride, working_scale
from aucli.runtime.files import sha256_file
from aucli.runtime.onnx import import_onnxruntime, open_session

INSIGHTFACE_LICENCE: Final = "insightface's weights: non-commercial research only"

INSIGHTFACE_PACKS: Final = ("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2")


def insightface_folder() -> Path:
    """Return where insightface keeps its packs."""
    return Path("~/.insightface/models").expanduser()


def insightface_problem() -> str | None:
    """Say why insightface cannot be used here and what to do about it; None if it can."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        return (
            f"OpenCV, which insightface needs, does not import ({error}); on a server without graphics libraries: "
            "apt-get install libgl1 libglib2.0-0, or replace opencv-python by opencv-python-headless; "
            "the default detector (centerface) needs neither"
        )
    try:
        import_onnxruntime()  # before insightface imports it
        import insightface  # noqa: F401
    except ImportError as error:
        return f"insightface does not import ({error}); pip install insightface, or use centerface"
    return None


def check_pack(name: str) -> None:
    """Make sure that a pack can be pulled, before anybody is asked anything.

    Raises:
        OptionsError: if the name is not a pack's.
        DetectorError: if insightface does not import.
    """
    if name not in INSIGHTFACE_PACKS:
        raise OptionsError(f"unknown pack {name!r}; insightface offers {', '.join(INSIGHTFACE_PACKS)}")
    if problem := insightface_problem():
        raise DetectorError(problem)


def pull_pack(name: str) -> Path:
    """Download an insightface pack with insightface's own downloader.

    Raises:
        OptionsError: if the name is not a pack's.
        DetectorError: if insightface does not import, or the download fails.
    """
    check_pack(name)
    from insightface.utils.storage import ensure_available

    try:
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it does; standard output is for results
            return Path(ensure_available("models", name, root=str(insightface_folder().parent)))
    except Exception as error:  # the downloader raises whatever its HTTP library does
        (insightface_folder() / f"{name}.zip").unlink(missing_ok=True)
        raise DetectorError(
            f"{name} could not be downloaded ({type(error).__name__}: {error}); without a network, copy its .onnx here "
            "from another machine and run: aucli models import FILE.onnx"
        ) from error


class Scrfd:
    """An SCRFD detector through insightface."""

    def __init__(self, path: Path, *, name: str, device: str = "cpu", threads: int = 1) -> None:
        if problem := insightface_problem():
            raise DetectorError(problem)
        from insightface.model_zoo.scrfd import SCRFD

        self.name = f"scrfd:{name if Path(name).suffix == '' else Path(name).stem}"
        self._path = path
        session = open_session(path, device=device, threads=threads, error=DetectorError)
        n_outputs, shape = len(session.get_outputs()), session.get_inputs()[0].shape
        if n_outputs not in (9, 15) or len(shape) != 4:
            raise DetectorError(
                f"{path} is not an SCRFD detector with landmarks: it has {n_outputs} outputs instead of 9 or 15; "
                "give the det_*.onnx or scrfd_*_kps.onnx of an insightface pack"
            )
        self._scrfd = SCRFD(model_file=str(path), session=session)
        self._scrfd.det_thresh = KEEP_SCORE
        fixed = [side for side in shape[2:] if isinstance(side, int) and side > 0]
        self._fixed_wh = (fixed[1], fixed[0]) if len(fixed) == 2 else None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights' file."""
        return sha256_file(self._path)

    def detect(self, frames_rgb: Any, *, min_face_px: int | None = None) -> list[Faces]:
        """See `Detector.detect`. insightface takes frames from the host, so GPU frames are copied there."""
        if not len(frames_rgb):
            return []
        frames = frames_rgb if isinstance(frames_rgb, np.ndarray | list) else frames_rgb.cpu().numpy()
        height, width = frames[0].shape[:2]
        scale = working_scale(width, height, min_face_px)
        size_wh = self._fixed_wh or (ceil_to_stride(width * scale), ceil_to_stride(height * scale))
        return [self._detect_one(np.asarray(frame), size_wh) for frame in frames]

    def _detect_one(self, frame_rgb: npt.NDArray[np.uint8], size_wh: tuple[int, int]) -> Faces:
        frame_bgr = np.ascontiguousarray(frame_rgb[:, :, ::-1])  # insightface expects OpenCV's order
        boxes_and_scores, landmarks = self._scrfd.detect(frame_bgr, input_size=size_wh)
        return Faces(
            boxes_and_scores[:, :4].astype(np.float32),
            landmarks.reshape(-1, 5, 2).astype(np.float32),
            boxes_and_scores[:, 4].astype(np.float32),
        )
