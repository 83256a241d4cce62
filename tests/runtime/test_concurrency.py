"""Overlapping stages: order, bounds, failures, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from aucli.runtime.concurrency import iterate_in_thread, map_ahead


def _decoding_threads() -> int:
    return sum(thread.name == "aucli-decode" for thread in threading.enumerate())


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_results_come_in_order(ahead: int) -> None:
    def slow_when_early(n: int) -> int:
        time.sleep(0.02 if n == 0 else 0.0)
        return n * n

    with ThreadPoolExecutor(4) as pool:
        assert list(map_ahead(pool, slow_when_early, range(10), ahead=ahead)) == [n * n for n in range(10)]
        assert list(map_ahead(pool, slow_when_early, [], ahead=ahead)) == []


def test_work_runs_ahead_only_so_far() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        results = map_ahead(pool, begun.append, range(100), ahead=3)
        next(results)
        time.sleep(0.05)
        assert len(begun) <= 5
        results.close()  # type: ignore[attr-defined]


def test_a_failure_in_a_task_reaches_the_caller() -> None:
    def fail(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n

    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="three"):
        list(map_ahead(pool, fail, range(10), ahead=2))


def test_an_iterable_runs_in_a_thread_and_ends_with_the_block() -> None:
    with iterate_in_thread(range(5), ahead=2) as items:
        assert list(items) == [0, 1, 2, 3, 4]
    with iterate_in_thread(range(0), ahead=2) as nothing:
        assert list(nothing) == []
    assert _decoding_threads() == 0


def test_leaving_early_ends_the_thread() -> None:
    def forever() -> Iterator[int]:
        n = 0
        while True:
            yield (n := n + 1)

    with iterate_in_thread(forever(), ahead=2) as items:
        assert next(items) == 1
    assert _decoding_threads() == 0


def test_a_failure_of_the_iterable_is_raised_where_its_items_are_taken() -> None:
    def breaks() -> Iterator[int]:
        yield 1
        raise OSError("disk gone")

    with iterate_in_thread(breaks(), ahead=2) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="disk gone"):
            next(items)
    assert _decoding_threads() == 0
