"""How a run looks: one line that fits its terminal, a few plain lines elsewhere."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from aucli.commands.progress import ProgressDisplay, hours, line, rounded, shortened, words
from aucli.runtime.progress import Progress

BATCH = Progress(
    item="study/P037_visit2.mp4",
    number=38,
    n_items=120,
    n_failed=2,
    n_done=250,
    n_total=1000,
    share=0.31,
    film_s=4477,
    per_s=212.4,
    left_s=192,
)
SINGLE = Progress(item="clip.mp4", n_done=250, n_total=472, share=0.53, film_s=10, per_s=4.23, left_s=52)


def test_a_batch_at_80_columns() -> None:
    text = line(BATCH, 80).plain
    assert (
        text == ("37/120 videos, 2 failed  ━━━─────  film 1:14:37  212 frames/s  0:03:12 left") or cell_len(text) <= 80
    )
    for part in ("37/120 videos, 2 failed", "film 1:14:37", "212 frames/s", "0:03:12 left"):
        assert part in text


def test_a_batch_where_there_is_room() -> None:
    assert line(BATCH, 120).plain == (
        "37/120 videos, 2 failed  ━━━━━━━─────────────────  film 1:14:37  212 frames/s  0:03:12 left  P037_visit2.mp4"
    )


def test_one_video() -> None:
    assert line(SINGLE, 80, ascii_only=True).plain == (
        "clip.mp4  #############-----------  250/472 frames  4.2 frames/s  0:00:52 left"
    )


def test_the_first_report_promises_nothing() -> None:
    assert words(Progress(item="a", n_items=3)) == ["0/3 videos"]
    assert words(Progress(item="a")) == ["a", "0 frames"]
    assert words(replace(BATCH, ended=True, number=120, share=1.0, left_s=0.0))[0] == "120/120 videos, 2 failed"
    assert "left" not in " ".join(words(replace(BATCH, share=1.0)))


@settings(deadline=None)
@given(
    progress=st.builds(
        Progress,
        item=st.text(max_size=60),
        number=st.integers(1, 10**6),
        n_items=st.integers(1, 10**6),
        n_failed=st.integers(0, 10**4),
        n_done=st.integers(0, 10**9),
        n_total=st.integers(0, 10**9),
        note=st.sampled_from(["", "loss 0.1234  AUC 0.912  F1 0.700"]),
        share=st.floats(0, 1),
        film_s=st.floats(0, 10**8),
        per_s=st.floats(0, 10**6),
        left_s=st.none() | st.floats(0, 10**7),
    ),
    width=st.integers(1, 200),
)
def test_no_line_is_longer_than_its_terminal(progress: Progress, width: int) -> None:
    text = line(progress, width).plain
    assert cell_len(text) <= width
    assert "\n" not in text
    assert text


@settings(deadline=None)
@given(text=st.text(max_size=80), cells=st.integers(0, 90))
def test_shortened_texts_keep_both_ends(text: str, cells: int) -> None:
    short = shortened(text, cells)
    assert cell_len(short) <= cells
    if cell_len(text) <= cells:
        assert short == text
    elif cells > 0:
        before, _, after = short.partition("…")
        assert text.startswith(before)
        assert text.endswith(after)


@pytest.mark.parametrize(
    ("number", "text"), [(0.004, "0.00"), (0.25, "0.25"), (4.23, "4.2"), (83.4, "83"), (1063.2, "1,063")]
)
def test_speeds(number: float, text: str) -> None:
    assert rounded(number) == text


def test_times() -> None:
    assert [hours(s) for s in (0, 59.6, 3600, 360_000)] == ["0:00:00", "0:01:00", "1:00:00", "100:00:00"]


class Run:
    """A run of many videos of one second each, with a clock of its own."""

    def __init__(self, console: Console, *, silent: bool = False) -> None:
        self.failures: list[tuple[str, str]] = []
        self.now_s = 0.0
        self.display = ProgressDisplay(
            console, failed=lambda name, why: self.failures.append((name, why)), silent=silent, clock=lambda: self.now_s
        )

    def of(self, count: int, *, seconds_each: float) -> None:
        with self.display as display:
            for number in range(1, count + 1):
                self.now_s += seconds_each
                problem = "is no video" if number % 50 == 0 else None
                display(
                    Progress(
                        item=f"{number}.mp4",
                        number=number,
                        n_items=count,
                        share=number / count,
                        per_s=25.0,
                        ended=True,
                        problem=problem,
                    )
                )


def _plain_console() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=80), file


def test_in_a_pipe_a_batch_is_twenty_lines() -> None:
    console, file = _plain_console()
    run = Run(console)
    run.of(1000, seconds_each=5.0)
    lines = file.getvalue().splitlines()
    assert len(lines) == 20
    assert lines[0].startswith("50/1000 videos")
    assert lines[-1] == "1000/1000 videos, 25 frames/s"
    assert len(run.failures) == 20


def test_in_a_pipe_a_short_run_is_one_line_and_a_long_video_speaks_every_five_minutes() -> None:
    console, file = _plain_console()
    Run(console).of(8, seconds_each=0.5)
    assert file.getvalue() == "8/8 videos, 25 frames/s\n"
    console, file = _plain_console()
    slow = Run(console)
    with slow.display as display:
        for minute in range(1, 21):
            slow.now_s = 60.0 * minute
            display(replace(SINGLE, share=minute / 10_000))
    assert len(file.getvalue().splitlines()) == 4


def test_in_a_pipe_the_end_of_a_slow_item_is_one_line() -> None:
    console, file = _plain_console()
    run = Run(console)
    with run.display as display:
        for number in (1, 2):
            for share, ended in ((number / 2, False), (number / 2, True)):  # its last step, then its end
                run.now_s += 60
                display(Progress(item="v", number=number, n_items=2, share=share, per_s=2.0, ended=ended))
    lines = file.getvalue().splitlines()
    assert lines == ["0/2 videos, 2.0 frames/s", "2/2 videos, 2.0 frames/s"]


def test_silence_still_tells_failures() -> None:
    console, file = _plain_console()
    run = Run(console, silent=True)
    run.of(100, seconds_each=60.0)
    assert file.getvalue() == ""
    assert run.failures == [("50.mp4", "is no video"), ("100.mp4", "is no video")]


def test_a_terminal_shows_one_line_that_goes_when_the_run_ends() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None, legacy_windows=False)
    with ProgressDisplay(console, failed=lambda *_: None) as display:
        display(BATCH)
        time.sleep(0.3)  # the line is drawn five times a second
    written = file.getvalue()
    assert "37/120 videos, 2 failed" in written
    assert written.endswith("\x1b[2K")  # erased


def test_a_dumb_terminal_is_a_pipe() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, _environ={"TERM": "dumb"})
    Run(console).of(3, seconds_each=1.0)
    assert file.getvalue() == "3/3 videos, 25 frames/s\n"
