"""How far a run has come, as a value for whoever draws it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands. A run goes through items (videos, sequences, folds), and an item through steps (frames).

    Attributes:
        item: name of the item at work; empty where it needs none.
        number: of the item, 1-based.
        n_items: in this run.
        n_failed: items that failed, this one included.
        n_done: steps of this item that are through, those of an earlier run included.
        n_total: steps expected of it; 0 where nobody can tell.
        unit: what a step is: ``frames``, ``faces``, ``pictures``.
        items: what an item is: ``videos``, ``sequences``, ``folds``.
        ended: this is the item's last report.
        kept: an earlier run had finished the item.
        problem: one line, if the item failed, or did not end well.
        note: figures that belong beside the bar.
        share: 0 to 1, how much of the whole run's work is through.
        film_s: seconds of film that went through in this run, over all items; 0 where the items are not films.
        per_s: steps a second in this run, over all items.
        left_s: seconds until the end at this rate; None where nobody can tell.
    """

    item: str = ""
    number: int = 1
    n_items: int = 1
    n_failed: int = 0
    n_done: int = 0
    n_total: int = 0
    unit: str = "frames"
    items: str = "videos"
    ended: bool = False
    kept: bool = False
    problem: str | None = None
    note: str = ""
    share: float = 0.0
    film_s: float = 0.0
    per_s: float = 0.0
    left_s: float | None = None


OnProgress = Callable[[Progress], None]


class Reporter:
    """Turns what a run knows of its items, one after another, into `Progress` for whoever draws it.

    Args:
        on_progress: who draws; None for nobody.
        work: of each item, in any unit (bytes, frames): says which share of the run an item is; 0 for those that an
            earlier run finished.
        unit: what a step is.
        items: what an item is.
        clock: seconds.

    Example:
        >>> reporter = Reporter(print, work=[2.0, 1.0])
        >>> reporter.begin("a.mp4")
        >>> reporter.advance(50, 100)
        >>> reporter.end()
    """

    def __init__(
        self,
        on_progress: OnProgress | None,
        work: Sequence[float],
        *,
        unit: str = "frames",
        items: str = "videos",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_progress, self._work, self._clock = on_progress, work, clock
        self._unit, self._items = unit, items
        self._whole = sum(work)
        self._began_s = clock()
        self._number = self._n_failed = 0
        self._item, self._n_before = "", 0
        self._n_done, self._n_total, self._item_film_s = 0, 0, 0.0
        # Of the items that ended: their work, the part of it that this run did, and this run's steps and film.
        self._through, self._by_now, self._steps, self._film_s = 0.0, 0.0, 0, 0.0

    def begin(self, item: str) -> None:
        """Go to the next item."""
        self._number += 1
        self._item, self._n_before = item, 0
        self._n_done, self._n_total, self._item_film_s = 0, 0, 0.0

    def go_on_from(self, n_before: int) -> None:
        """Say how many steps of the item an earlier run did."""
        self._n_before = self._n_done = n_before

    def advance(self, n_done: int, n_total: int = 0, *, film_s: float = 0.0, note: str = "") -> None:
        """Say how far the item is.

        Args:
            n_done: steps that are through, those of an earlier run included.
            n_total: steps expected of it; 0 where nobody can tell.
            film_s: seconds of film that went through in this run.
            note: figures that belong beside the bar.
        """
        self._n_done, self._n_total, self._item_film_s = n_done, n_total, film_s
        self._report(min(n_done / n_total, 1.0) if n_total else 0.0, note=note)

    def end(self, problem: str | None = None, *, kept: bool = False) -> None:
        """Say that the item is through.

        Args:
            problem: one line, if it failed, or did not end well.
            kept: an earlier run had finished it.
        """
        self._n_failed += problem is not None
        self._report(1.0, ended=True, kept=kept, problem=problem)
        self._through, self._by_now, self._steps, self._film_s = self._standing(1.0)

    def _standing(self, fraction: float) -> tuple[float, float, int, float]:
        """Work through, work of this run, steps and film of this run, with this fraction of the item at work."""
        work = self._work[self._number - 1] * fraction
        steps = self._n_done - self._n_before
        # What an earlier run did, and what failed before anything was done, says nothing about the pace.
        by_now = work * steps / self._n_done if self._n_done else 0.0
        return self._through + work, self._by_now + by_now, self._steps + steps, self._film_s + self._item_film_s

    def _report(self, fraction: float, **more: Any) -> None:
        if self._on_progress is None:
            return
        through, by_now, steps, film_s = self._standing(fraction)
        elapsed_s = self._clock() - self._began_s
        self._on_progress(
            Progress(
                item=self._item,
                number=self._number,
                n_items=len(self._work),
                n_failed=self._n_failed,
                n_done=self._n_done,
                n_total=self._n_total,
                unit=self._unit,
                items=self._items,
                share=min(through / self._whole, 1.0) if self._whole else 0.0,
                film_s=film_s,
                per_s=steps / elapsed_s if elapsed_s > 0 else 0.0,
                left_s=elapsed_s * max(self._whole - through, 0.0) / by_now if by_now else None,
                **more,
            )
        )


class _CallerError(BaseException):
    """An exception of the caller's own `on_progress`: no ``except Exception`` on the way takes it for ours."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def errors_of_the_caller(on_progress: OnProgress | None) -> Iterator[OnProgress | None]:
    """Let an exception of the caller's own function end the run: it is not the fault of the item at work."""

    def report(progress: Progress) -> None:
        assert on_progress is not None
        try:
            on_progress(progress)
        except Exception as error:
            raise _CallerError(error) from error

    try:
        yield report if on_progress else None
    except _CallerError as wrapped:
        raise wrapped.error from None
