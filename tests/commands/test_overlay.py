"""aucli overlay: what is parsed, printed and returned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aucli.results.overlay import run as overlay_run
from aucli.results.overlay.run import OverlayOptions, OverlayOutcome
from aucli.results.row_filter import RowFilter
from tests.builders.command_line import left_out, run
from tests.builders.media import MadeVideo, damage
from tests.builders.tables_of_films import table_of_film


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def record(*given: Any, options: OverlayOptions, on_progress: object) -> OverlayOutcome:
        calls.append((*given, options))
        return OverlayOutcome(Path("o.mp4"), "v.mp4")

    monkeypatch.setattr(overlay_run, "overlay", record)
    given: tuple[object, ...] = ("v.mp4", "t.parquet", "-o", "o.mp4", "--face", 2, "--blur-others", "--no-sound")
    given += ("--overwrite", "--min-interocular", 25, "--max-yaw", 30, "-q", "--json")
    but = frozenset({"--anonymise", "--quiet"})
    assert left_out("overlay", given, but=but) == set()
    run("overlay", *given)
    run("overlay", "v.mp4", "t.parquet", "-o", "o.mp4", "--anonymise")
    paths = (Path("v.mp4"), Path("t.parquet"), Path("o.mp4"))
    assert calls == [
        (*paths, OverlayOptions(face=2, blur_others=True, sound=False, overwrite=True, row_filter=RowFilter(25, 30))),
        (*paths, OverlayOptions(anonymise=True)),
    ]


def test_it_says_what_was_written_and_what_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video = MadeVideo(n_frames=6, size=(320, 240), audio=True).write(Path("v.mp4"))
    table = table_of_film(video, Path("t.parquet"), lambda frame: {0: (200, 80, 260, 150)} if frame < 2 else {})
    plain = run("overlay", video, table, "-o", "o.mp4")
    assert plain.stdout.splitlines() == ["6 frames, 4 without a face; H.264 by libx264, CRF 18", "-> o.mp4"]
    assert "note: sound (aac) is copied" in plain.stderr
    assert "is there already; choose another -o, or have it replaced by --overwrite" in (
        run("overlay", video, table, "-o", "o.mp4", code=2).stderr
    )
    hidden = run("overlay", video, table, "-o", "o.mp4", "--anonymise", "--overwrite")
    assert "warning: 4 frames have no face in the table, and a face that was not found is not blurred" in hidden.stderr
    said = json.loads(run("overlay", video, table, "-o", "p.mp4", "--json").stdout)
    assert (said["command"], said["output"], said["n_frames"], said["n_without_face_row"]) == ("overlay", "p.mp4", 6, 4)
    wrong = run("overlay", video, table, "-o", "q.mp4", "--blur-others", code=2)
    assert wrong.stderr.splitlines() == ["error: --blur-others needs --face: the one that stays clear"]


def test_nothing_is_warned_of_where_a_face_was_found_in_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    video = MadeVideo(n_frames=6, size=(320, 240)).write(Path("v.mp4"))
    table = table_of_film(video, Path("t.parquet"), lambda _: {0: (200, 80, 260, 150)})
    assert run("overlay", video, table, "-o", "o.mp4", "--anonymise").stderr.count("warning") == 0
    lost = table_of_film(video, Path("u.parquet"), lambda frame: {} if frame == 3 else {0: (200, 80, 260, 150)})
    assert run("overlay", video, lost, "-o", "p.mp4", "--anonymise").stderr.splitlines()[-1] == (
        "warning: 1 frame has no face in the table, and a face that was not found is not blurred; in 1 frame a face's "
        "last or next place is blurred in its stead; look through the film before you show it"
    )


def test_it_says_why_a_film_broke_and_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video = damage(MadeVideo(n_frames=20, size=(128, 96), grain=True).write(Path("v.mp4")), start=0.4, share=0.3)
    table = table_of_film(video, Path("t.parquet"), lambda _: {0: (80, 20, 110, 60)})
    said = run("overlay", video, table, "-o", "o.mp4", code=1)
    assert Path("o.mp4").exists()
    (failed,) = [line for line in said.stderr.splitlines() if line.startswith("failed: v.mp4: ")]
    assert failed.endswith("; the frames that decoded are in the film")


def test_a_matroska_file_that_lost_its_end_ends_as_in_annotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = MadeVideo(n_frames=20, size=(128, 96), grain=True).write(Path("whole.mkv")).read_bytes()
    Path("v.mkv").write_bytes(whole[: len(whole) - 300])
    table = table_of_film(Path("v.mkv"), Path("t.parquet"), lambda _: {0: (80, 20, 110, 60)})
    said = run("overlay", "v.mkv", table, "-o", "o.mp4", code=1)
    assert "failed: v.mkv: ends early: 300 bytes that the header promises are not in the file" in said.stderr
    assert json.loads(run("overlay", "v.mkv", table, "-o", "p.mp4", "--json", code=1).stdout)["broken"]
