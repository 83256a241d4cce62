"""The work folder: what was put down comes back, what is torn or foreign does not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aucli.annotation.segments import WorkFolder
from aucli.errors import BusyError, OptionsError, StorageError, VideoError
from tests.builders.annotated import RUN, annotated_frames, finished_video, half_done, rows_of

OTHER_RUN = replace(RUN, thresholds=(0.5, 0.6), options={"detect_every": 5})


def test_an_empty_work_folder_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("a.mp4", "f").paths == []
        assert list(work.complete_besides([])) == []
    assert not (tmp_path / "w").exists()


def test_what_is_put_down_comes_back(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half = half_done(work, "half.mp4", [0, 2], [1])
        whole = finished_video(work, "whole.mp4", [1], [0, 3])
        assert (half.n_frames, half.n_rows, half.next_frame) == (3, 4, 3)
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("half.mp4", "f") == half
        back = work.segments("whole.mp4", "f")
        assert back.record == whole.record
        assert sum(map(len, back.row_groups(1))) == 5


def test_rows_come_several_segments_at_a_time(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        video = half_done(work, "a.mp4", [1, 1], [1, 1], [1, 1])
        assert [len(rows) for rows in video.row_groups(3)] == [4, 2]
        assert [len(rows) for rows in video.row_groups(1)] == [2, 2, 2]


def test_another_file_under_the_name_begins_anew_unless_the_video_was_complete(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half_done(work, "half.mp4", [1])
        finished_video(work, "whole.mp4", [1])
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("half.mp4", "other").paths == []
        with pytest.raises(VideoError, match=r"another file was annotated under this name.*`overwrite`.*`root`"):
            work.segments("whole.mp4", "other")
    assert len(list((tmp_path / "w").glob("*.parquet"))) == 1


def test_videos_that_are_not_named_stay(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half_done(work, "half.mp4", [1])
        finished_video(work, "whole.mp4", [1])
        finished_video(work, "named.mp4", [1])
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        (complete,) = work.complete_besides(["named.mp4"])
        assert complete.label == "whole.mp4"
        complete.discard()
        work.forget(["named.mp4", "never.mp4"])
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("half.mp4", "f").n_rows == 1
        assert work.segments("named.mp4", "f").paths == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(torn=st.integers(0, 2), cut=st.floats(0, 0.999), flip=st.booleans())
def test_a_torn_segment_and_those_after_it_are_done_again(
    tmp_path_factory: pytest.TempPathFactory, torn: int, cut: float, flip: bool
) -> None:
    folder = tmp_path_factory.mktemp("torn") / "w"
    with WorkFolder(folder, RUN, overwrite=False) as work:
        video = half_done(work, "a.mp4", [1, 0], [2], [1])
    path = video.paths[torn]
    data = path.read_bytes()
    if flip:  # a block that never reached the disk
        at = int(cut * (len(data) - 8))
        data = data[:at] + bytes(b ^ 0xFF for b in data[at : at + 8]) + data[at + 8 :]
    else:
        data = data[: int(cut * len(data))]
    path.write_bytes(data)
    with WorkFolder(folder, RUN, overwrite=False) as work:
        back = work.segments("a.mp4", "f")
    # A few bytes of a file are read by nobody (e.g. statistics' names); what comes back is then what was put down.
    assert len(back.paths) == torn or [pq.read_table(p) for p in back.paths] == [
        rows_of(annotated_frames(counts, seed=n, first=first))
        for n, (counts, first) in enumerate([([1, 0], 0), ([2], 2), ([1], 3)])
    ]
    assert sorted(folder.glob("*.parquet")) == back.paths


def test_a_segment_that_is_missing_ends_what_is_known(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half_done(work, "a.mp4", [1], [1], [1]).paths[1].unlink()
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("a.mp4", "f").next_frame == 1


def test_other_options_are_refused_only_where_something_is_at_stake(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half_done(work, "a.mp4", [1])
    with pytest.raises(OptionsError, match=r"`thresholds` .* `detect_every` 1 -> 5.*`overwrite`"):
        WorkFolder(tmp_path / "w", OTHER_RUN, overwrite=False)
    with WorkFolder(tmp_path / "w", OTHER_RUN, overwrite=True) as work:
        assert work.segments("a.mp4", "f").paths == []
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("a.mp4", "f").paths == []


@pytest.mark.parametrize("note", ["", "[]", '{"schema": 1}', '{"schema": 2, "options": []}', "\xff"])
def test_a_run_that_cannot_be_read_is_not_gone_on_with(tmp_path: Path, note: str) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half_done(work, "a.mp4", [1])
    (tmp_path / "w" / "run.json").write_text(note, encoding="latin-1")
    with pytest.raises(OptionsError, match="`overwrite`"):
        WorkFolder(tmp_path / "w", RUN, overwrite=False)


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks there")
def test_overwrite_removes_nothing_of_a_run_that_is_at_work(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        video = half_done(work, "a.mp4", [1])
        for run in (RUN, OTHER_RUN):
            with pytest.raises(BusyError, match="another run is writing to"):
                WorkFolder(tmp_path / "w", run, overwrite=True)
        assert all(path.exists() for path in video.paths)


def test_temporary_files_of_killed_runs_go(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        half_done(work, "a.mp4", [1])
    (tmp_path / "w" / ".aucli-0123.tmp").write_bytes(b"half a segment")
    with WorkFolder(tmp_path / "w", RUN, overwrite=False):
        assert sorted(path.suffix for path in (tmp_path / "w").iterdir()) == ["", ".json", ".parquet"]


def test_a_place_that_takes_nothing_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write into .*file: .*; choose another `output`"):
        WorkFolder(tmp_path / "file" / "w", RUN, overwrite=False)


def test_a_full_disk_keeps_every_finished_stretch(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk's end; it holds for the rest of a process."""
    script = """
import resource, sys
from pathlib import Path
from aucli.annotation.segments import WorkFolder
from aucli.errors import StorageError
from tests.builders.annotated import RUN, half_done
with WorkFolder(Path(sys.argv[1]), RUN, overwrite=False) as work:
    video = half_done(work, "a.mp4", [1] * 10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
    try:
        half_done(work, "b.mp4", [3] * 500)
    except StorageError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "w")], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert "every finished stretch is kept: make room, and run the same command again" in done.stdout
    assert not list((tmp_path / "w").glob(".*"))
    with WorkFolder(tmp_path / "w", RUN, overwrite=False) as work:
        assert work.segments("a.mp4", "f").n_rows == 10
        assert work.segments("b.mp4", "f").n_rows == 0
