"""When to stop: after some epochs without a better score on the validation subjects; the best weights are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn


class EarlyStopping:
    """The scores of the epochs so far, and the weights of the best one.

    Args:
        patience: epochs without a better mean ROC-AUC after which training ends; 0 never ends it and keeps no weights.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.scores: list[tuple[float, float]] = []
        """Mean ROC-AUC and mean F1 of each epoch; NaN where they are not defined."""
        self.best: dict[str, Tensor] | None = None
        """Weights of the best epoch, on the CPU."""

    def add(self, auc: float, f1: float, network: nn.Module) -> None:
        """Take an epoch's scores, and the network's weights if they are the best so far."""
        self.scores.append((auc, f1))
        if self.patience and self._epochs_since_best() == 0:
            self.best = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}

    @property
    def has_stopped(self) -> bool:
        """Whether so many epochs brought nothing better that training ends."""
        since = self._epochs_since_best()
        return bool(self.patience) and since is not None and since >= self.patience

    def _epochs_since_best(self) -> int | None:
        """None as long as no score is defined."""
        aucs = np.array([auc for auc, _ in self.scores])
        return len(aucs) - 1 - int(np.nanargmax(aucs)) if np.isfinite(aucs).any() else None

    def last_defined(self) -> tuple[float, float] | tuple[None, None]:
        """AUC and F1 of the last epoch, None where they are not defined."""
        if not self.scores or not np.isfinite(self.scores[-1][0]):
            return None, None
        return self.scores[-1]

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"scores": self.scores, "best": self.best}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take what `state` gave."""
        self.scores, self.best = [tuple(pair) for pair in state["scores"]], state["best"]
