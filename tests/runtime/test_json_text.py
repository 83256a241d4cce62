"""JSON that strict readers take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.runtime.json_text import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def test_what_is_not_known_is_null() -> None:
    value = {"a": float("nan"), "b": [float("inf"), 1.5], "c": (-float("inf"),), "d": {}}
    assert strict_json(value) == '{"a": null, "b": [null, 1.5], "c": [null], "d": {}}'


@given(VALUES)
def test_nothing_in_it_is_outside_of_the_format(value: Any) -> None:
    read = json.loads(strict_json(value), parse_constant=_refuse)
    if "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value):
        assert read == value


def test_what_is_no_json_is_our_own_bug() -> None:
    with pytest.raises(TypeError):
        strict_json({"a": object()})
