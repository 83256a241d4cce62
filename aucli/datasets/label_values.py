"""What a label of an action unit can be, the splits, and the arrays they come in; imports numpy alone."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]

PRESENT: Final = 1
"""The AU is there."""
ABSENT: Final = 0
"""The AU is not there."""
MISSING: Final = -1
"""Nobody said whether the AU is there: left out of losses and metrics, for this AU and frame only."""

SplitName = Literal["train", "validation", "test"]
Side = Literal["left", "right"]
