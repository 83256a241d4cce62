"""What the sections of a recipe have in common: small values that are checked when they are made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen value with defaults and bounds. Unknown names, infinities and NaN are refused.

    Raises:
        pydantic.ValidationError: naming each value that is not allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
