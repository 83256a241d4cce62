"""Calls in a process of their own: what they say, and that they end."""

from __future__ import annotations

import time

import pytest

from aucli.errors import ModelError
from aucli.runtime import child


def spin() -> None:
    while True:
        pass


def wait_for_ever() -> None:
    while True:
        time.sleep(60)


def refuse(reason: str) -> None:
    raise ModelError(reason)


def call(function: str, *arguments: str) -> None:
    child.call_apart(f"{__name__}:{function}", *arguments, what="the model", error=ModelError)


def test_a_call_that_ends_well_says_nothing() -> None:
    child.call_apart("gc:collect", what="the model", error=ModelError)


def test_what_the_function_says_is_what_is_said() -> None:
    with pytest.raises(ModelError, match=r"^its outputs are wrong$"):
        call("refuse", "its outputs are wrong")


def test_work_without_end_is_stopped_by_its_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resource")
    monkeypatch.setattr(child, "CPU_LIMIT_S", 1)
    with pytest.raises(ModelError, match=r"the model worked for more than 1 s of CPU time"):
        call("spin")


def test_waiting_without_end_is_stopped_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "CLOCK_LIMIT_S", 1)
    with pytest.raises(ModelError, match=r"the model did not end within .* busy"):
        call("wait_for_ever")
