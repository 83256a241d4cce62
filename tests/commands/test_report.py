"""The command ``aucli report``: what reaches the library, and what is said at the end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aucli.results.report import run as report_run
from aucli.results.report.run import ReportOptions, ReportOutcome
from aucli.results.row_filter import RowFilter
from tests.builders.command_line import left_out, run
from tests.builders.made_studies import MadeFilm, write_study


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def taken(table: Path, output: Path, *, options: ReportOptions, on_progress: Any) -> ReportOutcome:
        calls.append((table, output, options))
        return ReportOutcome(output, 1000, 1, 1, 0, 0, {}, "")

    monkeypatch.setattr(report_run, "report", taken)
    Path("films").mkdir()
    given: tuple[str, ...] = (
        "t.parquet",
        "-o",
        "r.html",
        "--title",
        "A",
        "--no-pictures",
        "--video-folder",
        "films",
        "--video",
        "a.mp4",
    )
    given += ("--min-interocular", "20", "--max-yaw", "40", "--max-pitch", "30", "--min-sharpness", "0.1")
    given += ("--min-brightness", "50", "--overwrite")
    assert left_out("report", given, but=frozenset({"--json", "--quiet"})) == set()
    run("report", *given)
    expected = ReportOptions(
        title="A",
        pictures=False,
        video_folders=(Path("films"),),
        videos=("a.mp4",),
        row_filter=RowFilter(20, 40, 30, 0.1, 50),
        overwrite=True,
    )
    assert calls == [(Path("t.parquet"), Path("r.html"), expected)]
    run("report", "t.parquet", "-o", "r.html")
    assert calls[1][2] == ReportOptions()


def test_the_end_says_what_the_page_holds_and_lacks() -> None:
    write_study(Path("t.parquet"), {"a.mp4": MadeFilm(interocular_px=10)})
    result = run("report", "t.parquet", "-o", "r.html", "--min-interocular", "20")
    assert re.fullmatch(r"1 video, 0 stills, \d+ kB\n-> r\.html\n", result.stdout)
    assert "left out 50 of 50 rows with a face: 50 eyes closer than 20 px" in result.stderr
    assert "note: a.mp4: no stills: it is not where it was" in result.stderr
    said = json.loads(run("report", "t.parquet", "-o", "r.html", "--json").stdout)
    assert (said["n_videos"], said["n_pictures"], said["output"]) == (1, 0, "r.html")


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["t.parquet", "-o", "r.pdf"], "-o is r.pdf; it must end in .html", 2),
        (["t.parquet", "-o", "mine.html/r.html"], "mine.html is a file, not a folder", 2),
        (["t.parquet", "-o", "mine.html"], "give --overwrite", 2),
        (["t.parquet", "-o", "r.html", "--video", "b.mp4"], "--video names 'b.mp4', which the table has not", 2),
        (["t.parquet", "-o", "r.html", "--video-folder", "no"], "--video-folder names no, which is no folder", 2),
        (["no.parquet", "-o", "r.html"], "no.parquet", 1),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(words: list[str], message: str, code: int) -> None:
    write_study(Path("t.parquet"), {"a.mp4": MadeFilm(n_frames=1, faces={})})
    Path("mine.html").write_text("<p>my own notes</p>")
    result = run("report", *words, code=code)
    (line,) = result.stderr.splitlines()
    assert message in line
    assert not Path("r.html").exists()
    assert Path("mine.html").read_text() == "<p>my own notes</p>"
