"""Whether an action unit is present: a threshold with hysteresis (a margin), so that a face near it does not flicker.

An action unit that was absent begins when its probability reaches the threshold by half the margin, and one that was
present ends when it falls below it by half the margin; both measured in logits, ln(p / (1 - p)), in which noise is much
the same at every probability. Where nothing is known of the frames before (the first of a face, after a cut, after half
a second without it) the threshold itself decides, so a photograph is judged as it always was. Both sides of the
threshold get the same: a margin below it alone would call more frames present than the threshold was chosen to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aucli.annotation.table import AnnotatedFrames
from aucli.faces.steadying import FORGET_S
from aucli.faces.tracking import TrackedFaces

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Shown:
    """What one face showed last: (A,) present, and when and in which shot."""

    present: BoolArray
    time_s: float
    shot: int


class OccurrenceRule:
    """Decides for every face which action units are present. Feed the frames in order of time.

    Args:
        thresholds: per AU, the probability (0 to 1) at and above which it counts as present.
        margin_logit: how far apart beginning and end are, in logits; 0: the threshold alone decides.
    """

    def __init__(self, thresholds: Sequence[float], margin_logit: float) -> None:
        self._limits = np.asarray(thresholds, np.float32)
        self._begins = shifted(self._limits, margin_logit / 2)
        self._ends = shifted(self._limits, -margin_logit / 2)
        self._shown: dict[int, _Shown] = {}

    def decide(self, frames: AnnotatedFrames) -> BoolArray:
        """Return (F, A), what all faces of the next frames show, in the order of their probabilities."""
        present = np.zeros(frames.probabilities.shape, bool)
        begin = 0
        for tracked, time_s in zip(frames.tracked, frames.time_s, strict=True):
            end = begin + len(tracked.faces)
            present[begin:end] = self.update(tracked, float(time_s), frames.probabilities[begin:end])
            begin = end
        return present

    def update(self, tracked: TrackedFaces, time_s: float, probabilities: npt.NDArray[np.float32]) -> BoolArray:
        """Return (F, A): what the next frame's faces show.

        Args:
            tracked: F faces.
            time_s: presentation time, later than that of the frame before.
            probabilities: (F, A) float32.
        """
        present: BoolArray = np.array(probabilities >= self._limits)
        for face, number in enumerate(tracked.tracks.tolist()):
            before = self._shown.get(number)
            if before is not None and before.shot == tracked.shot and time_s - before.time_s <= FORGET_S:
                present[face] = probabilities[face] >= np.where(before.present, self._ends, self._begins)
            self._shown[number] = _Shown(present[face], time_s, tracked.shot)
        if len(self._shown) > len(tracked.tracks):
            self._shown = {n: one for n, one in self._shown.items() if time_s - one.time_s <= FORGET_S}
        return present

    def state(self) -> list[dict[str, Any]]:
        """Everything needed to go on later, as plain JSON values."""
        return [
            {"number": number, "present": one.present.tolist(), "time_s": one.time_s, "shot": one.shot}
            for number, one in sorted(self._shown.items())
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what `state` returned."""
        self._shown = {
            known["number"]: _Shown(np.array(known["present"], bool), known["time_s"], known["shot"]) for known in state
        }


def shifted(probabilities: npt.NDArray[np.float32], logits: float) -> npt.NDArray[np.float32]:
    """Move probabilities, above 0 and below 1, by so many logits; by 0 they stay what they are, to the last bit."""
    if not logits:
        return probabilities
    odds = np.exp(logits) * probabilities.astype(np.float64) / (1.0 - probabilities.astype(np.float64))
    return np.asarray(odds / (1.0 + odds), np.float32)
