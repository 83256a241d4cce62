"""Overlapping stages: bounded, in order, and with every failure reaching the caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

POLL_S: Final = 0.1


def map_ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[R]:
    """Like `map`, in the pool's threads: results in order, at most `ahead` items begun beyond the one taken."""
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


@contextmanager
def iterate_in_thread(items: Iterable[T], *, ahead: int) -> Iterator[Iterator[T]]:
    """Run an iterable in a thread of its own, at most `ahead` items in advance.

    An exception of the iterable is raised where its items are taken. Leaving the block ends the thread, also when not
    all items were taken.
    """
    queue: Queue[tuple[T | None, BaseException | None, bool]] = Queue(maxsize=max(1, ahead))
    stop = Event()

    def put(entry: tuple[T | None, BaseException | None, bool]) -> bool:
        while not stop.is_set():
            try:
                queue.put(entry, timeout=POLL_S)
            except Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put((item, None, False)):
                    return
            put((None, None, True))
        except BaseException as error:  # handed over, whatever it is
            put((None, error, True))

    def consume() -> Iterator[T]:
        while True:
            item, error, end = queue.get()
            if error is not None:
                raise error
            if end:
                return
            yield item  # type: ignore[misc]

    thread = Thread(target=produce, name="aucli-decode", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stop.set()
        thread.join()
