"""What a run works with: detector, network and the threads that they run in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from aucli.annotation.options import AnnotateOptions
from aucli.annotation.precision import choose_precision
from aucli.faces.appearance import Observation, described
from aucli.faces.detectors import open_detector
from aucli.faces.search import FaceSearch
from aucli.faces.values import Detector, WindowDetector
from aucli.models.predictor import Predictor, open_predictor
from aucli.models.zoo import Model, find_model
from aucli.runtime.device import available_cores, resolve_device


class Engine:
    """Detector, predictor and the threads that they run in.

    Raises:
        OptionsError: if the device cannot be used, or not in the precision that was asked for.
        OptionsError: if there is no model or detector of this name.
        ModelError: if the model is damaged.
        DetectorError: if the detector is damaged.
    """

    def __init__(self, options: AnnotateOptions) -> None:
        self.device = resolve_device(options.device)
        self.model: Model = find_model(options.model)
        self.detect_every = options.detect_every or 1
        self.min_face_px = options.min_face_px
        self.workers = options.workers or (min(8, available_cores()) if self.device == "cpu" else 2)
        chosen = choose_precision(options.precision, model=self.model, device=self.device)
        self.precision = chosen.name
        self.notes = () if chosen.note is None else (chosen.note,)
        asked = None if chosen.name == "float16" else chosen.name
        self.detector: Detector = open_detector(options.detector, device=self.device)
        self.search: FaceSearch | None = None
        if options.detect_every is None and self.device == "cpu" and isinstance(self.detector, WindowDetector):
            self.search = FaceSearch(self.detector, min_face_px=self.min_face_px)
        self.predictor: Predictor = open_predictor(self.model, device=self.device, precision=asked)
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="aucli")

    @property
    def face_search(self) -> str:
        """How faces are searched, for the table's metadata."""
        if self.search is not None:
            return "windows"
        return "every frame" if self.detect_every == 1 else "carried"

    def close(self) -> None:
        """End the threads; work that was not begun is dropped."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def look(self, frames_rgb: Any) -> list[Observation]:
        """Detect and describe the faces of (B, H, W, 3) frames, or of a list of them."""
        found = self.detector.detect(frames_rgb, min_face_px=self.min_face_px)
        return [described(frame, faces) for frame, faces in zip(frames_rgb, found, strict=True)]

    def look_at(self, frame_rgb: Any) -> Observation:
        """The same of one frame (H, W, 3)."""
        (seen,) = self.look([frame_rgb] if self.device == "cpu" else frame_rgb[None])
        return seen
