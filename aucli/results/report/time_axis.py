"""The axis of a timeline: where it has ticks, and what is written at them."""

from __future__ import annotations

from typing import Final

import numpy as np

CLOCK_EXPRESSION: Final = (
    "(datum.value >= 3600 ? floor(datum.value / 3600) + ':' : '')"
    " + (datum.value >= 3600 && floor(datum.value / 60) % 60 < 10 ? '0' : '') + floor(datum.value / 60) % 60"
    " + ':' + (datum.value % 60 < 10 ? '0' : '') + floor(datum.value % 60)"
)
"""In Vega's language: ``datum.value`` seconds as ``3:05`` or ``1:02:09``."""


def time_ticks(begin_s: float, end_s: float) -> list[float]:
    """Round times within a span, 5 to 12 of them where it is not too short.

    >>> time_ticks(0.0, 65.0)
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    """
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
    step = next((step for step in steps if (end_s - begin_s) / step <= 10), (end_s - begin_s) / 10)
    first, last = int(np.ceil(begin_s / step - 1e-9)), int(np.floor(end_s / step + 1e-9))
    return [round(number * step, 6) for number in range(first, last + 1)]
