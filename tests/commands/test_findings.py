"""aucli episodes and aucli summary: what is parsed, printed and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import aucli
from aucli.results import episodes as episodes_module
from aucli.results import summary as summary_module
from aucli.results.episodes import EpisodeRules
from aucli.results.row_filter import RowFilter
from tests.builders.command_line import left_out, run
from tests.builders.films import steady_film
from tests.builders.studies import THRESHOLDS, annotated, study, write_study

FILTER = ("--min-interocular", 1, "--max-yaw", 2, "--max-pitch", 3, "--min-sharpness", 0.25, "--min-brightness", 5)
RULES = ("--smooth", 0.5, "--min-duration", 0.3, "--join-gap", 0.4, "--bridge-gap", 0.6)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = study().with_columns(*(pl.lit(1.0, pl.Float32).alias(name) for name in ("yaw_deg", "pitch_deg", "roll_deg")))
    rows = rows.with_columns(pl.lit(0.5, pl.Float32).alias("sharpness"), pl.lit(90.0, pl.Float32).alias("brightness"))
    return write_study(rows, tmp_path / "t.parquet")


@pytest.mark.parametrize("command", ["episodes", "summary"])
def test_every_option_reaches_the_library(
    command: str, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    found: Any = {"episodes": episodes_module.episodes_of, "summary": summary_module.summary}[command]
    marked: list[RowFilter] = []
    mark = RowFilter.mark

    def record(*given: Any, **named: Any) -> Any:
        seen.update(named, given=given)
        return found(*given, **named)

    def record_filter(self: RowFilter, rows: pl.DataFrame) -> pl.DataFrame:
        marked.append(self)
        return mark(self, rows)

    monkeypatch.setattr(
        {"episodes": episodes_module, "summary": summary_module}[command],
        {"episodes": "episodes_of", "summary": "summary"}[command],
        record,
    )
    monkeypatch.setattr(RowFilter, "mark", record_filter)
    people = tmp_path / "people.csv"
    people.write_text("video,condition\nanna,x\n")
    more = ("--people", people, "--by", "condition", "--co-occurrence", tmp_path / "c.csv")
    given = (table, "-o", tmp_path / "o.csv", "--aus", "12", *RULES, *FILTER, *(more if command == "summary" else ()))
    assert left_out(command, given, but=frozenset({"--json", "--quiet"})) == set()
    run(command, *given)
    rules = EpisodeRules(0.5, 0.3, 0.4, 0.6)
    assert marked == [RowFilter(1, 2, 3, 0.25, 5)]
    if command == "summary":
        assert (seen["rules"], seen["aus"], seen["by"]) == (rules, ["12"], ["condition"])
        assert seen["people"].columns == ["video", "condition"]
        assert (tmp_path / "c.csv").exists()
    else:
        _, signals, given_rules = seen["given"]
        assert given_rules == rules
        assert list(signals) == ["AU12"]


def test_episodes_of_the_command_are_those_of_the_library(table: Path, tmp_path: Path) -> None:
    expected = aucli.episodes(aucli.read(table))
    assert len(expected) == 2
    in_text = expected.with_columns(pl.col(pl.Float64).round(6))
    for name, read, wanted in (("e.csv", pl.read_csv, in_text), ("e.parquet", pl.read_parquet, expected)):
        run("episodes", table, "-o", tmp_path / name)
        written = read(tmp_path / name)
        assert written.columns == wanted.columns
        assert written.rows() == wanted.rows()
    run("episodes", table, "-o", tmp_path / "e.json")
    assert json.loads((tmp_path / "e.json").read_text())["rows"] == expected.to_dicts()
    said = json.loads(run("episodes", table, "--json").stdout)
    assert said["episodes"] == expected.to_dicts()
    assert said["thresholds"] == THRESHOLDS
    assert said["rules"]["smooth_s"] == 0.2


@pytest.mark.parametrize("command", ["episodes", "summary"])
def test_screens_fit_80_columns_and_say_what_is_left_out(command: str, table: Path) -> None:
    result = run(command, table, "--min-interocular", 30, env={"COLUMNS": "80"})
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "…" not in result.stdout
    assert "day 1/anna.mp4, face 0" in result.stdout
    assert "12 Lip corner puller" in result.stdout
    *others, last = result.stderr.splitlines()
    assert last == "note: left out 2 of 11 rows with a face: 2 eyes closer than 30 px"
    nobody = ["note: videos of the table without a face (1): day 2/none.mov"]
    assert others == (nobody if command == "summary" else [])
    said = json.loads(run(command, table, "--min-interocular", 30, "--json").stdout)
    assert said["left_out"] == {
        "rows_with_face": 11,
        "rows_left_out": 2,
        "by_rule": {"--min-interocular": {"limit": 30.0, "rows": 2}},
    }


def test_numbers_and_headings_of_episodes_are_whole_on_80_columns(tmp_path: Path) -> None:
    rows = annotated(steady_film("a.mp4", [0.9] * 50)).with_columns(pl.col("time_s") + 3600 * 27)
    table = write_study(rows.with_columns(AU01=rows["AU12"], AU01_p=rows["AU12_p"]), tmp_path / "t.parquet")
    said = run("episodes", table, env={"COLUMNS": "80"}).stdout
    for text in ("onset s", "apex s", "offset s", "lasts s", "mean p", "peak p", "<97200.00", "97202.00>"):
        assert text in said


def test_a_short_episode_in_a_long_film_is_not_written_as_nothing(tmp_path: Path) -> None:
    rows = annotated(steady_film("a.mp4", [0.1] * 9000 + [0.9] * 4))
    table = write_study(rows.with_columns(AU01=rows["AU12"], AU01_p=rows["AU12_p"]), tmp_path / "t.parquet")
    lines = run("summary", table, "--aus", "12").stdout.splitlines()
    (line,) = [line for line in lines if "Lip corner puller" in line]
    assert line.split()[-6:] == ["<0.1%", "0.10", "1", "0.2", "0.16", "0.16"]


def test_a_summary_by_people_says_who_is_missing(table: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("video;condition\nanna.mp4;treated\nghost.mp4;treated\n")
    result = run("summary", table, "--people", people, "--by", "condition", "-o", tmp_path / "s.csv")
    assert result.stderr.splitlines() == [
        "note: videos of the table without a face (1): day 2/none.mov",
        "note: videos of --people that are not in the table (1): ghost.mp4",
    ]
    groups = pl.read_csv(tmp_path / "s.csv")
    assert groups.select("condition", "au", "n_videos", "n_faces").rows() == [
        ("treated", "AU01", 1, 2),
        ("treated", "AU12", 1, 2),
    ]
    assert (
        "condition treated: 1 video, 2 faces" in run("summary", table, "--people", people, "--by", "condition").stdout
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("episodes", "TABLE", "--smooth", -1), 2, "--smooth is -1.0; allowed are 0 to 3600 seconds"),
        (("episodes", "TABLE", "--aus", "45"), 2, "--aus has AU45, which the table has not; it has AU01, AU12"),
        (("episodes", "TABLE", "-o", "x.xlsx"), 2, "-o is x.xlsx; name a file that ends in .csv"),
        (("episodes", "none.parquet"), 1, "none.parquet does not exist"),
        (("episodes", "TABLE", "--max-yaw", -5), 2, "--max-yaw is -5.0; allowed are numbers from 0"),
        (("summary", "TABLE", "--by", "x"), 2, "--by and --people go together"),
        (("summary", "TABLE", "--people", "none.csv", "--by", "x"), 1, "none.csv does not exist; name a CSV"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_a_status(
    table: Path, words: tuple[object, ...], code: int, message: str
) -> None:
    result = run(*(table if word == "TABLE" else word for word in words), code=code)
    (line,) = result.stderr.splitlines()
    assert message in line
    assert result.stdout == ""


def test_a_filter_that_a_table_of_before_cannot_answer(tmp_path: Path) -> None:
    path = write_study(study(), tmp_path / "t.parquet")
    line = run("episodes", path, "--min-sharpness", 0.1, code=1).stderr
    assert "has no sharpness, as an earlier version wrote it" in line
    assert "do without --min-sharpness" in line
    run("episodes", path, "--min-interocular", 0)
