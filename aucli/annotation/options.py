"""What a user can ask of `annotate`, checked in one place before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aucli.errors import OptionsError
from aucli.facs import AU_NAMES
from aucli.models.config import ModelConfig
from aucli.models.zoo import DEFAULT_MODEL
from aucli.runtime.device import check_device_name

PRECISIONS: Final = ("auto", "float32", "int8")


@dataclass(frozen=True, kw_only=True)
class AnnotateOptions:
    """Everything that decides what a run does.

    Attributes:
        model: name of a model in the zoo, or the path of a model folder.
        detector: ``centerface``, an insightface pack, an imported detector, or a path to an SCRFD ``.onnx``.
        detect_every: None: faces are searched in the whole picture a few times a second, and in windows around where
            known faces should be on all frames between. 1: the whole picture on every frame. N: the whole picture on
            every N-th frame at least; in between faces are carried.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``float32`` or ``int8``: the numbers in which the AU network computes, see
            `aucli.annotation.precision.choose_precision`. The table's metadata has which it was.
        batch_size: frames decoded at once; None chooses for the device. Never changes the values.
        every_s: take one frame every so many seconds; None takes all.
        start_s: first presentation time to annotate, in seconds.
        end_s: presentation time to stop before, in seconds.
        max_faces: most faces in one frame: those already followed, then the largest.
        min_face_px: width of the smallest face that must be found, in pixels of the frame; None chooses by the frame.
        thresholds: AU number -> probability at and above which it counts as present, instead of the model's own;
            the key 0 stands for all AUs.
        hysteresis_logit: how far apart, in logits of the probability, an AU begins and ends on film, so that a face
            near a threshold does not flicker: half of it above the threshold, half below. 0: the threshold alone.
        steady_crops_s: for how many seconds (a time constant) crops are held against the shaking of landmarks; the
            landmarks of the table stay as measured. 0: each frame's crop is cut by its own landmarks alone.
        stream: number of the video stream to take, 0-based; None: the one marked as default, else the largest picture.
        picture_rate: pictures a second of a folder of numbered pictures; None: 25.
        workers: threads that detect and predict; None: one per core, at most 8.
        overwrite: do these videos anew instead of going on with what is there; other videos' rows stay in the table,
            unless it was made with other options.
        root: folder that the names of the videos in the table are relative to; None: as typed.

    Raises:
        OptionsError: for a value out of range, or values that contradict each other.
    """

    model: str = DEFAULT_MODEL
    detector: str = "centerface"
    detect_every: int | None = None
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    every_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    max_faces: int | None = None
    min_face_px: int | None = None
    thresholds: Mapping[int, float] = field(default_factory=dict)
    hysteresis_logit: float = 1.2
    steady_crops_s: float = 2.0
    stream: int | None = None
    picture_rate: float | None = None
    workers: int | None = None
    overwrite: bool = False
    root: Path | None = None

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("detect_every", self.detect_every, 1, 1000),
            ("batch_size", self.batch_size, 1, 4096),
            ("max_faces", self.max_faces, 1, 1000),
            ("min_face_px", self.min_face_px, 8, 10_000),
            ("stream", self.stream, 0, 1000),
            ("workers", self.workers, 1, 256),
        ):
            if value is not None and not low <= value <= high:
                raise OptionsError(f"`{name}` is {value}; allowed is {low} to {high}")
        if self.every_s is not None and not 0 < self.every_s <= 86_400:
            raise OptionsError(f"`every_s` is {self.every_s}; allowed is more than 0 and at most 86400 seconds")
        if self.start_s is not None and not 0 <= self.start_s < float("inf"):
            raise OptionsError(f"`start_s` is {self.start_s}; allowed is 0 seconds or more")
        if self.end_s is not None and not (self.start_s or 0.0) < self.end_s < float("inf"):
            raise OptionsError(f"`end_s` is {self.end_s}; allowed is more than `start_s` ({self.start_s or 0.0:g})")
        if self.picture_rate is not None and not 0 < self.picture_rate <= 10_000:
            raise OptionsError(f"`picture_rate` is {self.picture_rate}; allowed is more than 0 and at most 10000")
        for name, number, most in (
            ("hysteresis_logit", self.hysteresis_logit, 10),
            ("steady_crops_s", self.steady_crops_s, 10),
        ):
            if not 0 <= number <= most:
                raise OptionsError(f"`{name}` is {number}; allowed is 0 to {most}")
        for au, threshold in self.thresholds.items():
            if au != 0 and au not in AU_NAMES:
                raise OptionsError(f"`thresholds` names AU {au}; known are {', '.join(map(str, AU_NAMES))}")
            if not 0.0 < threshold < 1.0:
                raise OptionsError(f"`thresholds` holds {threshold}; allowed is between 0 and 1")
        if self.precision not in PRECISIONS:
            raise OptionsError(f"`precision` is {self.precision!r}; allowed are {', '.join(PRECISIONS)}")
        check_device_name(self.device)

    def thresholds_for(self, model: ModelConfig) -> tuple[float, ...]:
        """Return the threshold of each of a model's AUs.

        Raises:
            OptionsError: if a threshold was given for an AU that the model does not know.
        """
        if unknown := [au for au in self.thresholds if au != 0 and au not in model.aus]:
            known = ", ".join(map(str, model.aus))
            raise OptionsError(f"`thresholds` names AU {unknown[0]}; {model.name} does not know it, it knows {known}")
        every = self.thresholds.get(0)
        own = model.thresholds if every is None else (every,) * len(model.aus)
        return tuple(self.thresholds.get(au, threshold) for au, threshold in zip(model.aus, own, strict=True))

    def deciding(self) -> dict[str, Any]:
        """Return the options that decide the table's values; model, detector and thresholds are recorded apart."""
        return {
            "detect_every": self.detect_every,
            "every_s": self.every_s,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "max_faces": self.max_faces,
            "min_face_px": self.min_face_px,
            "stream": self.stream,
            "picture_rate": self.picture_rate,
            "hysteresis_logit": self.hysteresis_logit,
            "steady_crops_s": self.steady_crops_s,
        }
