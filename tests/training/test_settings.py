from __future__ import annotations

import math

import pytest
from pydantic import Field, ValidationError

from aucli.training.settings import Settings


class Example(Settings):
    rate: float = Field(default=0.5, gt=0)
    name: str = "a"


def test_defaults_are_values_that_compare() -> None:
    assert Example() == Example(rate=0.5, name="a")
    assert Example() != Example(rate=0.25)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"rat": 1.0}, "rat"),
        ({"rate": 0.0}, "rate"),
        ({"rate": math.inf}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"rate": "fast"}, "rate"),
    ],
)
def test_what_is_unknown_or_not_finite_is_refused_by_name(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate(values)
    assert [error["loc"] for error in caught.value.errors()] == [(named,)]


def test_a_checked_value_stays_as_it_was_checked() -> None:
    example = Example()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(example, "rate", -1.0)  # noqa: B010
    assert example.rate == 0.5
