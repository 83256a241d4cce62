"""A run in a process of its own: the same table, and a crash costs one video."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import aucli
from aucli.annotation import supervised
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.supervised import annotate_supervised
from aucli.errors import CrashError, OptionsError
from tests.builders.media import MadeVideo, write_repeated

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process through /proc")


def _workers(of: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for task in Path(f"/proc/{of}/task").iterdir():
        found += [int(number) for number in (task / "children").read_text(encoding="ascii").split()]
    return found


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    return [MadeVideo(n_frames=4 + n).write(tmp_path / f"{name}.mp4") for n, name in enumerate("abc")]


@pytest.mark.slow
def test_it_does_what_annotate_does(videos: list[Path], tmp_path: Path) -> None:
    told: list[aucli.Progress] = []
    there = annotate_supervised(videos, tmp_path / "there.parquet", on_progress=told.append)
    here = aucli.annotate(videos, tmp_path / "here.parquet")
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()
    assert (there.videos, there.skipped, there.failures, there.n_frames) == (here.videos, (), {}, here.n_frames)
    assert [(one.item, one.n_done) for one in told if one.ended] == [(str(v), 4 + n) for n, v in enumerate(videos)]


@pytest.mark.slow
def test_a_crash_ends_the_video_at_work_and_the_others_go_on(tmp_path: Path) -> None:
    videos = [MadeVideo(n_frames=40).write(tmp_path / f"{name}.mp4") for name in "ae"]
    # Too long to be finished between the first report, after 16 frames, and the signal.
    videos[1:1] = [write_repeated(videos[0], 4, tmp_path / f"{name}.mp4") for name in "bcd"]
    crashes = dict(zip(map(str, videos[1:4]), (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL), strict=True))
    told: list[str] = []

    def crash(progress: aucli.Progress) -> None:
        if progress.ended:
            told.append(progress.item)
        elif progress.item in crashes:
            (worker,) = _workers(os.getpid())
            os.kill(worker, crashes[progress.item])

    outcome = annotate_supervised(videos, tmp_path / "t.parquet", on_progress=crash)
    assert list(outcome.failures) == list(crashes)
    for video, line in outcome.failures.items():
        assert crashes[video].name in line
        assert "\n" not in line
    assert list(outcome.videos) == [str(videos[0]), str(videos[4])]
    assert (outcome.skipped, outcome.n_frames) == ((), 2 * 40)
    assert told == [str(video) for video in videos]  # each ended once, a crashed one when it was given up
    assert len(aucli.read(tmp_path / "t.parquet")) == 2 * 40
    # Another try takes only what is missing.
    again = annotate_supervised(videos, tmp_path / "t.parquet")
    assert (again.failures, again.n_frames) == ({}, 3 * 4 * 40)
    assert not (tmp_path / "t.parquet.partial").exists()


def test_errors_come_across(videos: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="nothing"):
        annotate_supervised(videos, tmp_path / "t.parquet", options=AnnotateOptions(model="nothing"))
    (tmp_path / "t.parquet").mkdir()
    with pytest.raises(OptionsError, match="a folder; name a file in it"):
        annotate_supervised(videos, tmp_path / "t.parquet")


@pytest.mark.slow
def test_a_file_that_crashes_what_opens_it_ends_alone(
    videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where all headers are looked at, before the first video's turn."""
    crash = (
        "import os, aucli.video.announced as announced\n"
        "opened = announced.open_container\n"
        f"announced.open_container = lambda path: os.abort() if str(path) == {str(videos[0])!r} else opened(path)\n"
    )
    monkeypatch.setattr(supervised, "START", crash + supervised.START)
    outcome = annotate_supervised(videos, tmp_path / "t.parquet")
    assert list(outcome.failures) == [str(videos[0])]
    assert "SIGABRT" in outcome.failures[str(videos[0])]
    assert list(outcome.videos) == [str(video) for video in videos[1:]]


def test_a_process_that_cannot_even_start_is_told(
    videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "START", "import os; os.abort()")
    with pytest.raises(CrashError, match=r"SIGABRT\), while no video was at work"):
        annotate_supervised(videos, tmp_path / "t.parquet")


def test_an_exception_of_the_callers_own_function_ends_the_run(videos: list[Path], tmp_path: Path) -> None:
    def interrupt(progress: aucli.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate_supervised(videos, tmp_path / "t.parquet", on_progress=interrupt)
    assert _workers(os.getpid()) == []


def test_killing_the_watching_process_ends_the_work_and_frees_the_place(videos: list[Path], tmp_path: Path) -> None:
    script = """
import sys, time
from aucli.annotation.supervised import annotate_supervised
def tell(progress):
    print("go", flush=True)
    time.sleep(60)
annotate_supervised(sys.argv[2:], sys.argv[1], on_progress=tell)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "t.parquet"), *map(str, videos)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == b"go\n"
        (worker,) = _workers(watching.pid)
        watching.kill()
    gone = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and "Z" not in Path(f"/proc/{worker}/stat").read_text().split()[2]:
        assert time.monotonic() < gone
        time.sleep(0.02)
    assert aucli.annotate(videos, tmp_path / "t.parquet").failures == {}
    assert len(aucli.read(tmp_path / "t.parquet")) == 15
