"""What the stages remember from frame to frame: all that a run that was cut off needs to go on with the same values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aucli.annotation.occurrence import OccurrenceRule
from aucli.faces.steadying import SteadyLandmarks
from aucli.faces.tracking import Tracker


@dataclass(frozen=True)
class Memory:
    """The stages that know more than one frame."""

    tracker: Tracker
    steady: SteadyLandmarks
    occurrence: OccurrenceRule

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as plain JSON values."""
        return {
            "tracker": self.tracker.state(),
            "steady": self.steady.state(),
            "occurrence": self.occurrence.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.tracker.restore(state["tracker"])
        self.steady.restore(state["steady"])
        self.occurrence.restore(state["occurrence"])
