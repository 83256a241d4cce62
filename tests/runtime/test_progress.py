from __future__ import annotations

import pytest

from aucli.runtime.progress import Progress, Reporter


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_run_without_items_reports_nothing(clock: Clock) -> None:
    seen: list[Progress] = []
    Reporter(seen.append, [], clock=clock)
    assert seen == []


def test_speed_and_time_left_are_those_of_the_whole_run(clock: Clock) -> None:
    """Three videos of 100, 100 and 200 MB at 10 MB a second: 40 s in all."""
    seen: list[Progress] = []
    reporter = Reporter(seen.append, [100, 100, 200], clock=clock)
    for name, n_frames, takes_s in (("a", 250, 10.0), ("b", 250, 10.0), ("c", 500, 20.0)):
        reporter.begin(name)
        for part in (0.5, 1.0):
            clock.now_s += takes_s / 2
            reporter.advance(int(n_frames * part), n_frames, film_s=n_frames * part / 25)
        reporter.end()
    assert [(p.item, p.number, p.n_items) for p in seen[::3]] == [("a", 1, 3), ("b", 2, 3), ("c", 3, 3)]
    assert [p.ended for p in seen] == [False, False, True] * 3
    for p in seen:
        through_s = {"a": 0.0, "b": 10.0, "c": 20.0}[p.item] + p.n_done / 25
        assert p.per_s == pytest.approx(25)
        assert p.share == pytest.approx(through_s / 40)
        assert p.left_s == pytest.approx(40 - through_s)
        assert p.film_s == pytest.approx(through_s)


def test_what_an_earlier_run_did_counts_as_done_but_not_as_pace(clock: Clock) -> None:
    """900 of 1,000 frames lie there: the 50 of this run take 5 s, so the other 50 take 5 s more."""
    seen: list[Progress] = []
    reporter = Reporter(seen.append, [0, 70], clock=clock)
    reporter.begin("finished")
    reporter.end(kept=True)
    reporter.begin("half")
    reporter.go_on_from(900)
    clock.now_s = 5.0
    reporter.advance(950, 1000)
    assert (seen[0].kept, seen[0].left_s, seen[0].per_s) == (True, None, 0.0)
    assert seen[1].share == pytest.approx(0.95)
    assert seen[1].per_s == pytest.approx(10)
    assert seen[1].left_s == pytest.approx(5)


def test_an_item_that_fails_at_once_is_counted_and_slows_nothing(clock: Clock) -> None:
    seen: list[Progress] = []
    reporter = Reporter(seen.append, [50, 50, 50], clock=clock)
    reporter.begin("broken")
    reporter.end("is not a video")
    reporter.begin("good")
    clock.now_s = 10.0
    reporter.advance(100, 100)
    reporter.end()
    assert (seen[0].n_failed, seen[0].problem, seen[0].left_s) == (1, "is not a video", None)
    assert (seen[-1].n_failed, seen[-1].problem) == (1, None)
    assert seen[-1].left_s == pytest.approx(10)
    assert seen[-1].share == pytest.approx(2 / 3)


def test_an_item_of_unknown_length_leaves_the_time_open_until_it_ends(clock: Clock) -> None:
    seen: list[Progress] = []
    reporter = Reporter(seen.append, [10, 10], clock=clock)
    reporter.begin("a")
    clock.now_s = 1.0
    reporter.advance(5)
    reporter.end()
    assert [p.left_s for p in seen] == [None, pytest.approx(1.0)]
    assert [p.share for p in seen] == [0.0, 0.5]
