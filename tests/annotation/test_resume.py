"""What is finished is told by name and content, and goes only on request."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.annotation.records import RunRecord
from aucli.annotation.resume import Output, Plan, plan_run
from aucli.annotation.segments import WorkFolder
from aucli.annotation.writing import write_table
from aucli.errors import OptionsError
from aucli.runtime.fingerprint import fingerprint_files
from aucli.video.content import content_digest
from aucli.video.inputs import VideoInput
from tests.builders.annotated import RUN, finished_video, half_done
from tests.builders.earlier_tables import as_schema_2, write_schema_1

OTHER_RUN = replace(RUN, options={"detect_every": 5})


def _input(folder: Path, label: str, content: bytes | None = None) -> VideoInput:
    path = folder / label
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return VideoInput(path, label, path.name)


def _annotate(output: Output, *videos: VideoInput) -> None:
    """Leave a table, or tables, with these videos."""
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        tables = plan_run(output, videos, RUN, work, overwrite=False).tables
        done = [finished_video(work, v.label, [1], fingerprint=fingerprint_files([v.path])) for v in videos]
        for table in dict.fromkeys(tables.values()):
            write_table(table, RUN, [d for d in done if tables[d.label] == table], version="0")
        work.forget([video.label for video in videos])
        for one in done:
            one.source.discard()  # type: ignore[union-attr]


def _plan(output: Output, *videos: VideoInput, run: RunRecord = RUN, overwrite: bool = False) -> Plan:
    with WorkFolder(output.work_folder, run, overwrite=overwrite) as work:
        return plan_run(output, videos, run, work, overwrite=overwrite)


@pytest.fixture(params=["t.parquet", "out"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    return Output.of(tmp_path / request.param)


def test_nothing_is_there(tmp_path: Path, output: Output) -> None:
    plan = _plan(output, _input(tmp_path, "a.mp4", b"a"))
    table = output.path if output.is_one_table else output.path / "a.mp4.parquet"
    assert plan == Plan({}, frozenset(), {}, {"a.mp4": table})
    assert not output.work_folder.exists()


def test_a_finished_video_is_known_by_name_and_content(tmp_path: Path, output: Output) -> None:
    video = _input(tmp_path, "a.mp4", b"a")
    _annotate(output, video)
    os.utime(video.path, (1, 1))
    plan = _plan(output, video, _input(tmp_path, "b.mp4", b"b"))
    assert list(plan.finished) == list(plan.skipped) == ["a.mp4"]
    assert not plan.refused


def test_another_content_of_the_same_size_and_date_is_refused_for_that_file(tmp_path: Path, output: Output) -> None:
    video, other = _input(tmp_path, "a.mp4", b"a1"), _input(tmp_path, "b.mp4", b"b")
    _annotate(output, video, other)
    before = video.path.stat()
    video.path.write_bytes(b"a2")
    os.utime(video.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    plan = _plan(output, video, other)
    assert plan.skipped == {"b.mp4"}
    assert "another file was annotated under this name, and its rows stay" in plan.refused["a.mp4"]
    assert {"a.mp4", "b.mp4"} <= plan.finished.keys()


def test_rows_of_a_file_that_is_missing_today_stay(tmp_path: Path, output: Output) -> None:
    video = _input(tmp_path, "a.mp4", b"a")
    _annotate(output, video)
    video.path.unlink()
    plan = _plan(output, video)
    assert plan.refused == {"a.mp4": "No such file or directory; its rows stay in the table"}
    assert list(plan.finished) == ["a.mp4"]


def test_the_same_file_name_elsewhere_is_another_video(tmp_path: Path, output: Output) -> None:
    videos = [_input(tmp_path, f"p{n}/trial.mp4", b"x") for n in range(3)]
    _annotate(output, *videos[:2])
    plan = _plan(output, videos[2])
    assert not plan.skipped
    assert not plan.refused


def test_videos_named_before_keep_their_place_in_the_table(tmp_path: Path) -> None:
    output = Output.of(tmp_path / "t.parquet")
    a, b, c = (_input(tmp_path, label, label.encode()) for label in ("c.mp4", "a.mp4", "b.mp4"))
    _annotate(output, a, b)
    assert list(_plan(output, c, b).finished) == ["c.mp4", "a.mp4"]


def test_overwrite_gives_up_the_rows_of_the_named_only(tmp_path: Path) -> None:
    output = Output.of(tmp_path / "t.parquet")
    a, b = (_input(tmp_path, label, label.encode()) for label in ("a.mp4", "b.mp4"))
    _annotate(output, a, b)
    assert list(_plan(output, a, overwrite=True).finished) == ["b.mp4"]
    # Rows of other options cannot stand in one table with new ones.
    assert list(_plan(output, a, run=OTHER_RUN, overwrite=True).finished) == []


def test_other_options_are_refused(tmp_path: Path, output: Output) -> None:
    video = _input(tmp_path, "a.mp4", b"a")
    _annotate(output, video)
    with pytest.raises(OptionsError, match=r"`detect_every` 1 -> 5.*`overwrite`"):
        _plan(output, video, run=OTHER_RUN)
    assert not output.work_folder.exists()


def test_what_was_complete_but_in_no_table_is_not_lost(tmp_path: Path, output: Output) -> None:
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        finished_video(work, "earlier.mp4", [1])
        half_done(work, "half.mp4", [1])
    for overwrite in (False, True):
        plan = _plan(output, _input(tmp_path, "a.mp4", b"a"), overwrite=overwrite)
        assert {label: video.record.n_rows for label, video in plan.finished.items()} == {"earlier.mp4": 1}
    assert len(list(output.work_folder.glob("*.parquet"))) == 2


def test_segments_of_a_video_that_is_in_its_table_go(tmp_path: Path, output: Output) -> None:
    video = _input(tmp_path, "a.mp4", b"a")
    _annotate(output, video)
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:  # killed between table and tidying up
        finished_video(work, "a.mp4", [1, 1], fingerprint=fingerprint_files([video.path]))
    assert _plan(output, video).finished["a.mp4"].record.n_rows == 1
    assert not output.work_folder.exists()


def test_overwrite_begins_a_half_done_video_anew_and_leaves_others(tmp_path: Path, output: Output) -> None:
    video = _input(tmp_path, "a.mp4", b"a")
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        half_done(work, "a.mp4", [1], fingerprint=fingerprint_files([video.path]))
        half_done(work, "other.mp4", [1])
    _plan(output, video, overwrite=True)
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        assert work.segments("a.mp4", fingerprint_files([video.path])).paths == []
        assert len(work.segments("other.mp4", "f").paths) == 1


def test_a_table_in_the_place_of_anothers_leaves_that_alone(tmp_path: Path) -> None:
    output = Output.of(tmp_path / "out")
    trials = [_input(tmp_path, f"p{n}/trial.mp4", b"x") for n in range(3)]
    _annotate(output, trials[0])
    assert list(output.path.glob("*.parquet")) == [output.path / "trial.mp4.parquet"]
    for overwrite in (False, True):
        plan = _plan(output, *trials[1:], overwrite=overwrite)
        assert not plan.refused
        assert plan.tables == {f"p{n}/trial.mp4": output.path / f"p{n}/trial.mp4.parquet" for n in (1, 2)}
    _annotate(output, *trials[1:])
    plan = _plan(output, *trials)
    assert plan.skipped == {video.label for video in trials}
    assert plan.tables["p0/trial.mp4"] == output.path / "trial.mp4.parquet"


def test_a_finished_video_is_found_whatever_was_typed_in_front_of_it(tmp_path: Path) -> None:
    output = Output.of(tmp_path / "out")
    video = _input(tmp_path, "in/p1/a.mp4", b"a")
    _annotate(output, replace(video, within="p1/a.mp4"))
    for within in ("a.mp4", "p1/a.mp4", "in/p1/a.mp4"):
        for overwrite in (False, True):
            plan = _plan(output, replace(video, within=within), overwrite=overwrite)
            assert plan.tables == {"in/p1/a.mp4": output.path / "p1/a.mp4.parquet"}
            assert bool(plan.skipped) is not overwrite


def test_a_table_of_several_videos_in_a_folder_of_tables_stays(tmp_path: Path) -> None:
    a, b = (_input(tmp_path, label, label.encode()) for label in ("a.mp4", "b.mp4"))
    _annotate(Output.of(tmp_path / "out" / "a.mp4.parquet"), a, b)
    for overwrite in (False, True):
        plan = _plan(Output.of(tmp_path / "out"), a, b, overwrite=overwrite)
        assert "together with those of b.mp4; choose another `output`" in plan.refused["a.mp4"]
        assert plan.tables["b.mp4"] == tmp_path / "out" / "b.mp4.parquet"


def _parquet_of_somebody(path: Path) -> None:
    pq.write_table(pa.table({"mine": [1]}), path)


def _text(path: Path) -> None:
    path.write_bytes(b"mine")


def _table_of_no_known_schema(path: Path) -> None:
    schema = pa.schema([], metadata={"aucli": json.dumps({"schema": 99, "aus": [], "videos": {}, "options": {}})})
    pq.write_table(schema.empty_table(), path)


def _earlier_table(path: Path, folder: Path, video: Path, *labels: str) -> None:
    """A table of schema 1 of these videos, the first with this file's content."""
    with WorkFolder(folder / "other.partial", RUN, overwrite=False) as work:
        done = [finished_video(work, label, [1]) for label in labels]
        rows = {one.label: next(iter(one.rows())) for one in done}
    first = replace(done[0].record, sha256=content_digest(video), size_bytes=video.stat().st_size)
    records = [first, *(one.record for one in done[1:])]
    write_schema_1(path, RUN, {one.label: (r, rows[one.label]) for one, r in zip(done, records, strict=True)})


@pytest.mark.parametrize("make", [_text, _parquet_of_somebody, _table_of_no_known_schema])
def test_what_is_not_known_as_the_videos_table_stays_in_a_folder_of_tables(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    output = Output.of(tmp_path / "out")
    a, b = (_input(tmp_path, label, label.encode()) for label in ("a.mp4", "b.mp4"))
    output.path.mkdir()
    table = output.path / "a.mp4.parquet"
    make(table)
    before = table.read_bytes()
    for overwrite in (False, True):
        plan = _plan(output, a, b, overwrite=overwrite)
        assert plan.refused.keys() == {"a.mp4"}
        assert str(table) in plan.refused["a.mp4"]
        assert "move it away, or choose another `output`" in plan.refused["a.mp4"]
        assert plan.tables == {"b.mp4": output.path / "b.mp4.parquet"}
    assert table.read_bytes() == before


def test_a_video_that_waits_for_its_table_is_not_put_over_anything(tmp_path: Path) -> None:
    output = Output.of(tmp_path / "out")
    output.path.mkdir()
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        finished_video(work, "a.mp4", [1])
    (output.path / "a.mp4.parquet").write_bytes(b"mine")
    table = _plan(output, _input(tmp_path, "b.mp4", b"b")).tables["a.mp4"]
    assert not table.exists()
    assert table.name.startswith("a.mp4~")


def test_a_folder_or_a_pipe_in_the_place_of_a_table_is_passed_by(tmp_path: Path) -> None:
    output = Output.of(tmp_path / "out")
    (output.path / "a.mp4.parquet").mkdir(parents=True)
    os.mkfifo(output.path / "b.mp4.parquet")
    for overwrite in (False, True):
        plan = _plan(output, *(_input(tmp_path, f"in/{n}.mp4", b"x") for n in "ab"), overwrite=overwrite)
        assert plan.tables == {f"in/{n}.mp4": output.path / f"in/{n}.mp4.parquet" for n in "ab"}


def test_one_table_that_was_named_is_replaced_on_request(tmp_path: Path) -> None:
    output, video = Output.of(tmp_path / "t.parquet"), _input(tmp_path, "a.mp4", b"a")
    _text(output.path)
    with pytest.raises(
        OptionsError, match="is no Parquet file; choose another `output`, or have it replaced by `overwrite`"
    ):
        _plan(output, video)
    assert _plan(output, video, overwrite=True).tables == {"a.mp4": output.path}


def test_a_table_of_schema_1_is_not_added_to(tmp_path: Path) -> None:
    output, video = Output.of(tmp_path / "t.parquet"), _input(tmp_path, "in/a.mp4", b"a1")
    _earlier_table(output.path, tmp_path, video.path, "a.mp4")
    before = output.path.read_bytes()
    with pytest.raises(
        OptionsError,
        match=r"aucli 0\.1\.0 \(schema 1\).*not added to in schema 3; .*another `output`, or .*`overwrite`",
    ):
        _plan(output, video)
    assert output.path.read_bytes() == before
    assert not output.work_folder.exists()
    plan = _plan(output, video, overwrite=True)
    assert not plan.finished
    assert plan.tables == {"in/a.mp4": output.path}


def test_a_table_of_schema_2_is_not_added_to(tmp_path: Path) -> None:
    output, video = Output.of(tmp_path / "t.parquet"), _input(tmp_path, "b.mp4", b"b")
    with WorkFolder(tmp_path / "w.partial", RUN, overwrite=False) as work:
        write_table(output.path, RUN, [finished_video(work, "a.mp4", [1])], version="0.1.0")
    as_schema_2(output.path)
    with pytest.raises(OptionsError, match=r"aucli 0\.1\.0 \(schema 2\), and is not added to in schema 3; .*`output`"):
        _plan(output, video)


@pytest.mark.parametrize(
    ("content", "labels", "is_own"),
    [(b"a1", ["a.mp4"], True), (b"a2", ["a.mp4"], False), (b"a1", ["a.mp4", "b.mp4"], False)],
)
def test_a_table_of_schema_1_in_a_folder_is_replaced_if_it_is_the_videos_own(
    tmp_path: Path, content: bytes, labels: list[str], is_own: bool
) -> None:
    # Then a folder's videos were called by their paths in it: a.mp4 may be any folder's.
    output = Output.of(tmp_path / "out")
    output.path.mkdir()
    table = output.path / "a.mp4.parquet"
    _earlier_table(table, tmp_path, _input(tmp_path, "annotated.mp4", b"a1").path, *labels)
    video = _input(tmp_path, "in/a.mp4", content)
    assert "another `output`, or have it replaced by `overwrite`" in _plan(output, video).refused["in/a.mp4"]
    plan = _plan(output, video, overwrite=True)
    assert plan.tables == ({"in/a.mp4": table} if is_own else {})
    assert bool(plan.refused) is not is_own
