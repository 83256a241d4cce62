"""JSON that every reader takes: the format has no NaN and no infinity, though Python writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def strict_json(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON; a number that is not finite becomes null: it is not known.

    Raises:
        TypeError: if something in it is no text, number, truth value, list or mapping.
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
