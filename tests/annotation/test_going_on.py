"""Runs that are stopped, killed or given bad videos: nothing done is lost, and the next run does the rest."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import aucli
from aucli.annotation import run as annotation_run
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.table import read_metadata
from aucli.errors import OptionsError
from aucli.video.content import CHANGED, GONE
from aucli.video.reader import FrameReader
from aucli.video.values import FrameBatch
from tests.builders.media import MadeVideo, flip_bits


def test_bad_videos_neither_stop_the_run_nor_hide(tmp_path: Path) -> None:
    good = MadeVideo(n_frames=5).write(tmp_path / "good.mp4")
    (tmp_path / "text.mp4").write_text("not a video", encoding="utf-8")
    (tmp_path / "empty.mp4").touch()
    missing = tmp_path / "missing.mp4"
    bad = [tmp_path / "text.mp4", missing, tmp_path / "empty.mp4"]
    outcome = aucli.annotate([*bad, good], tmp_path / "t.parquet", options=AnnotateOptions(root=tmp_path))
    assert set(outcome.failures) == {"text.mp4", "missing.mp4", "empty.mp4"}
    assert all("\n" not in problem for problem in outcome.failures.values())
    assert list(outcome.videos) == ["good.mp4"]
    assert len(aucli.read(tmp_path / "t.parquet")) == 5


def test_a_video_that_breaks_in_the_middle_keeps_its_frames_and_is_marked(tmp_path: Path) -> None:
    video = MadeVideo(codec="mpeg4", n_frames=60, grain=True).write(tmp_path / "v.mkv")
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    for _ in range(2):  # the second time it is found finished, and still reported
        outcome = aucli.annotate(video, tmp_path / "t.parquet", options=AnnotateOptions(root=tmp_path))
        assert "v.mkv" in outcome.failures
        record = outcome.videos["v.mkv"]
        assert record.broken is not None
        assert 0 < record.n_frames < 60
        assert len(aucli.read(tmp_path / "t.parquet")) == record.n_rows
    assert outcome.skipped == ("v.mkv",)


def test_damaged_frames_have_no_rows_and_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation_run, "STRETCH_FRAMES", 15)
    whole = MadeVideo(n_frames=40, size=(320, 240), options={"g": "10", "bf": "0"}, grain=True).write(
        tmp_path / "w.mkv"
    )
    video = flip_bits(whole, tmp_path / "v.mkv", packet=24, n_bits=200, seed=0)
    with FrameReader(video, leave_out_damaged=True) as reader:
        whole_frames = [number for batch in reader for number in batch.index.tolist()]
    n_damaged = reader.losses.n_damaged
    assert 24 not in whole_frames
    assert len(whole_frames) == 40 - n_damaged
    for _ in range(2):  # the second time it is found finished, and still reported
        outcome = aucli.annotate(video, tmp_path / "t.parquet", options=AnnotateOptions(root=tmp_path))
        record = outcome.videos["v.mkv"]
        assert (record.n_frames, record.n_failed, record.n_damaged) == (40, 0, n_damaged)
        assert record.damaged == reader.losses.damaged
        assert outcome.failures["v.mkv"] == f"{reader.losses}; the undamaged frames are in the table"
    assert aucli.read(tmp_path / "t.parquet")["frame"].to_list() == whole_frames


def test_a_second_run_goes_on_and_other_options_refuse_to_mix(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    first = MadeVideo(n_frames=4).write(tmp_path / "in" / "a.mp4")
    second = MadeVideo(n_frames=6).write(tmp_path / "in" / "b.mp4")
    table = tmp_path / "t.parquet"
    options = AnnotateOptions(root=tmp_path / "in")
    aucli.annotate(first, table, options=options)
    outcome = aucli.annotate([first, second], table, options=options)
    assert outcome.skipped == ("a.mp4",)
    assert outcome.n_frames == 6
    assert list(read_metadata(table)["videos"]) == ["a.mp4", "b.mp4"]
    before = table.read_bytes()
    assert aucli.annotate([first, second], table, options=options).n_frames == 0
    assert table.read_bytes() == before
    with pytest.raises(OptionsError, match="`detect_every` not given -> 3"):
        aucli.annotate([first, second], table, options=replace(options, detect_every=3))
    assert table.read_bytes() == before
    outcome = aucli.annotate(second, table, options=replace(options, detect_every=3, overwrite=True))
    assert list(outcome.videos) == ["b.mp4"]


def test_another_video_under_a_finished_name_is_refused_until_asked_for(tmp_path: Path) -> None:
    video, table = MadeVideo(n_frames=4).write(tmp_path / "a.mp4"), tmp_path / "t.parquet"
    aucli.annotate(video, table)
    MadeVideo(n_frames=9).write(video)
    outcome = aucli.annotate(video, table)
    assert "`overwrite`" in outcome.failures[str(video)]
    assert len(aucli.read(table)) == 4
    assert aucli.annotate(video, table, options=AnnotateOptions(overwrite=True)).n_frames == 9
    assert len(aucli.read(table)) == 9


def test_a_loop_over_files_fills_one_table(tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    for folder, n_frames in (("p1", 4), ("p2", 6)):
        (tmp_path / folder).mkdir()
        video = MadeVideo(n_frames=n_frames).write(tmp_path / folder / "trial.mp4")
        for overwrite in (False, True):
            aucli.annotate(video, table, options=AnnotateOptions(overwrite=overwrite))
    assert len(aucli.read(table)) == 10
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["t.parquet"]


@pytest.mark.parametrize("at_frame", [1, 45])
@pytest.mark.parametrize("how", ["renamed", "replaced"])
def test_a_file_that_is_renamed_or_replaced_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, at_frame: int
) -> None:
    """Never rows of two films under one name: one line, and the next run does it right."""
    monkeypatch.setattr(annotation_run, "STRETCH_FRAMES", 20)
    video = MadeVideo(n_frames=60).write(tmp_path / "a.mp4")
    other = MadeVideo(n_frames=60, size=(160, 96)).write(tmp_path / "other.mp4")
    content = other.read_bytes()
    expected, table = tmp_path / "expected.parquet", tmp_path / "t.parquet"
    aucli.annotate(video, expected)
    is_done = False

    def meddle(progress: aucli.Progress) -> None:
        nonlocal is_done
        if not is_done and progress.n_done >= at_frame:
            is_done = True
            video.rename(tmp_path / "away.mp4")
            if how == "replaced":
                other.rename(video)

    outcome = aucli.annotate(video, table, on_progress=meddle)
    assert is_done
    assert outcome.failures == {str(video): GONE if how == "renamed" else CHANGED}
    assert not outcome.videos
    if how == "replaced":
        assert aucli.annotate(video, table).n_frames == 60  # now it is the other film, from its beginning
        assert read_metadata(table)["videos"][str(video)]["width"] == 160
        assert video.read_bytes() == content
    else:
        (tmp_path / "away.mp4").rename(video)
        assert not aucli.annotate(video, table).failures
        assert aucli.read(table).equals(aucli.read(expected))


def test_a_file_that_changes_while_it_is_read_is_not_finished(tmp_path: Path) -> None:
    growing, whole = (MadeVideo(n_frames=6).write(tmp_path / name) for name in ("a.mp4", "b.mp4"))

    def grow(progress: aucli.Progress) -> None:
        if progress.number == 1 and not progress.ended:
            with growing.open("ab") as file:
                file.write(b"more")

    outcome = aucli.annotate([growing, whole], tmp_path / "t.parquet", on_progress=grow)
    assert outcome.failures == {str(growing): CHANGED}
    assert list(outcome.videos) == [str(whole)]
    assert not (tmp_path / "t.parquet.partial").exists()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "there is not enough memory for it"),
        (
            RuntimeError("two\nlines"),
            r"RuntimeError at test_\w+\.py:\d+: two lines; this is a fault of .*: report it",
        ),
        (OSError(5, "Input/output error"), "Input/output error"),
        (KeyError("x"), r"KeyError at test_going_on.py:\d+: 'x'"),
    ],
)
@pytest.mark.parametrize("after", [0, 5])
def test_whatever_happens_to_one_video_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str, after: int
) -> None:
    bad, good = (MadeVideo(n_frames=9).write(tmp_path / name) for name in ("bad.mp4", "good.mp4"))

    class Failing(FrameReader):
        def __iter__(self) -> Iterator[FrameBatch]:
            for number, batch in enumerate(super().__iter__()):
                if self.info.path == bad and number == after:
                    raise error
                yield batch

    monkeypatch.setattr(annotation_run, "FrameReader", Failing)
    outcome = aucli.annotate([bad, good], tmp_path / "t.parquet", options=AnnotateOptions(batch_size=1))
    assert re.match(line, outcome.failures[str(bad)])
    assert "\n" not in outcome.failures[str(bad)]
    assert list(outcome.videos) == [str(good)]
    assert len(aucli.read(tmp_path / "t.parquet")) == 9


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_its_reason_and_the_next_goes_on(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk's end: the run's notes fit, the first segment does not."""
    videos = [MadeVideo(n_frames=4).write(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    script = textwrap.dedent(
        """
        import resource, sys
        from aucli.annotation.run import annotate
        def limit(progress):
            if progress.number == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
        annotate(sys.argv[2:], sys.argv[1], on_progress=limit)
        """
    )
    table = tmp_path / "t.parquet"
    command = [sys.executable, "-c", script, str(table), *map(str, videos)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "StorageError: cannot write into" in done.stderr
    outcome = aucli.annotate(videos, table)
    assert outcome.skipped == (str(videos[0]),)
    assert outcome.n_frames == 4
    assert len(aucli.read(table)) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4", "t.parquet"]


def test_an_exception_of_the_callers_own_function_is_not_a_videos_fault(tmp_path: Path) -> None:
    def fail(progress: aucli.Progress) -> None:
        raise ZeroDivisionError

    video = MadeVideo(n_frames=4).write(tmp_path / "a.mp4")
    with pytest.raises(ZeroDivisionError):
        aucli.annotate(video, tmp_path / "t.parquet", on_progress=fail)


def test_a_video_not_named_again_stays_in_the_table(tmp_path: Path) -> None:
    first = MadeVideo(n_frames=4).write(tmp_path / "a.mp4")
    second = MadeVideo(n_frames=6).write(tmp_path / "b.mp4")
    aucli.annotate(first, tmp_path / "t.parquet", options=AnnotateOptions(root=tmp_path))
    outcome = aucli.annotate(second, tmp_path / "t.parquet", options=AnnotateOptions(root=tmp_path))
    assert list(outcome.videos) == ["a.mp4", "b.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("detect_every", [None, 4])
def test_a_run_that_was_killed_goes_on_where_it_stopped(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detect_every: int | None
) -> None:
    script = textwrap.dedent(
        f"""
        import sys, time
        from aucli.annotation import run as annotation_run
        from aucli.annotation.options import AnnotateOptions
        annotation_run.STRETCH_FRAMES = 4
        def tell(progress):
            if progress.n_done > 14:
                print("go", flush=True)
                time.sleep(60)
        annotation_run.annotate(sys.argv[1], sys.argv[2], options=AnnotateOptions(
            detect_every={detect_every}, end_s=1.4), on_progress=tell)
        """
    )
    killed, straight = tmp_path / "killed.parquet", tmp_path / "straight.parquet"
    process = subprocess.Popen([sys.executable, "-c", script, str(example), str(killed)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"go\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not killed.exists()
    assert len(list((tmp_path / "killed.parquet.partial").glob("*.parquet"))) >= 2
    monkeypatch.setattr(annotation_run, "STRETCH_FRAMES", 4)
    options = AnnotateOptions(detect_every=detect_every, end_s=1.4)
    outcome = aucli.annotate(example, killed, options=options)
    assert 0 < outcome.n_frames < aucli.annotate(example, straight, options=options).n_frames - 8
    assert killed.read_bytes() == straight.read_bytes()


def test_an_interrupt_ends_the_run_and_keeps_what_is_finished(tmp_path: Path) -> None:
    first = MadeVideo(n_frames=4).write(tmp_path / "a.mp4")
    second = MadeVideo(n_frames=4).write(tmp_path / "b.mp4")

    def interrupt(progress: aucli.Progress) -> None:
        if progress.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        aucli.annotate([first, second], tmp_path / "t.parquet", on_progress=interrupt)
    outcome = aucli.annotate([first, second], tmp_path / "t.parquet")
    assert outcome.n_frames == 4
    assert len(aucli.read(tmp_path / "t.parquet")) == 8
