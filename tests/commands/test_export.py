"""aucli export: what is parsed, printed and returned, and the way from a table to ELAN and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aucli.results.episodes import EpisodeRules
from aucli.results.exports import run as export_run
from aucli.results.exports.run import Exported, ExportOptions
from aucli.results.row_filter import RowFilter
from tests.builders.command_line import left_out, run
from tests.builders.films import steady_film
from tests.builders.studies import annotated, study, write_study


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def record(*given: Any) -> Exported:
        calls.append(given)
        return Exported(given[1], (Path("o"),), 0, 0, None, "", ())

    monkeypatch.setattr(export_run, "export", record)
    rules = ("--smooth", 0.1, "--min-duration", 0.4, "--join-gap", 0.5, "--bridge-gap", 0.6)
    rows = ("--min-interocular", 30, "--max-yaw", 25, "--max-pitch", 20, "--min-sharpness", 1, "--min-brightness", 2)
    given: tuple[object, ...] = (
        "t.parquet",
        "u/*.parquet",
        "--to",
        "elan",
        "-o",
        "o",
        "--aus",
        "4,AU12",
        *rules,
        *rows,
    )
    given = (*given, "--root", "films", "--overwrite", "-q", "--json")
    assert left_out("export", given, but=frozenset({"--raw"})) == set()
    run("export", *given)
    run("export", "t.parquet", "--to", "boris", "-o", "o", "--raw")
    run("export", "t.parquet", "--to", "csv", "-o", "o")
    everything = ExportOptions(
        aus=["4", "AU12"],
        overwrite=True,
        row_filter=RowFilter(30, 25, 20, 1, 2),
        rules=EpisodeRules(0.1, 0.4, 0.5, 0.6),
        root=Path("films"),
    )
    assert calls == [
        (["t.parquet", "u/*.parquet"], "elan", Path("o"), everything),
        (["t.parquet"], "boris", Path("o"), ExportOptions(raw=True)),
        (["t.parquet"], "csv", Path("o"), ExportOptions()),
    ]


def test_it_says_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(study(), Path("t.parquet"))
    assert run("export", "t.parquet", "--to", "csv", "-o", "t.csv").stdout.splitlines() == [
        "2 videos, 15 rows -> t.csv",
        "presence frame by frame, as in the table",
    ]
    again = run("export", "t.parquet", "--to", "csv", "-o", "t.csv", code=2)
    (line,) = again.stderr.splitlines()
    assert line == "error: -o t.csv is there already; name another place, or replace it with --overwrite"
    small = run("export", "t.parquet", "--to", "elan", "-o", "elan", "--min-interocular", 30, "--json")
    said = json.loads(small.stdout)
    assert (said["exit_status"], said["target"], said["n_videos"], said["n_rows"]) == (0, "elan", 2, 15)
    assert said["files"] == ["elan/day 1/anna.eaf", "elan/day 2/none.eaf"]
    assert said["notes"] == [
        "left out 2 of 11 rows with a face: 2 eyes closer than 30 px",
        "day 1/anna.mp4 and 1 more not found: the program will ask for it; say where the videos lie with --root",
    ]
    folder = run("export", "t.parquet", "--to", "openface", "-o", "of")
    assert folder.stdout.splitlines()[0] == "2 videos, 15 rows -> 2 files in of"


def test_elan_and_boris_say_whether_they_hold_episodes_or_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(study(), Path("t.parquet"))
    rules = "episodes: smoothed over 0.2 s, pauses up to 0.2 s joined, from 0.1 s on"
    for options, what, hint in (
        ((), rules, "; --raw gives every frame as it is in the table"),
        (
            ("--smooth", 0),
            "episodes: pauses up to 0.2 s joined, from 0.1 s on",
            "; --raw gives every frame as it is in the table",
        ),
        (("--raw",), "presence frame by frame, as in the table", ""),
    ):
        lines = run(
            "export", "t.parquet", "--to", "boris", "-o", "t.boris", "--overwrite", *options
        ).stdout.splitlines()
        assert lines[0].endswith(" stretches -> t.boris")
        assert lines[1] == what + hint
        assert json.loads(Path("t.boris").read_text())["project_description"].endswith(f"; {what}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "word"], "--to is 'word'; allowed are csv, xlsx, openface, elan, boris, stata, spss"),
        (["--to", "csv", "--raw"], "csv has a row per frame; --raw and how episodes are found go with elan and boris"),
        (["--to", "csv", "--smooth", 1], "csv has a row per frame"),
        (["--to", "elan", "--smooth", -1], "--smooth is -1.0; allowed are 0 to 3600 seconds"),
        (["--to", "csv", "--max-yaw", -1], "--max-yaw is -1.0; allowed are numbers from 0"),
        (["--to", "elan", "--raw", "--join-gap", 1], "--raw takes the occurrence as it is"),
    ],
)
def test_wrong_options_end_with_two_and_name_options(tmp_path: Path, arguments: list[object], message: str) -> None:
    table = write_study(study(), tmp_path / "t.parquet")
    result = run("export", table, "-o", tmp_path / "out", *arguments, code=2)
    (line,) = result.stderr.splitlines()
    assert message in line


def test_from_a_table_to_elan_and_boris_and_back(tmp_path: Path) -> None:
    values = [0.9 if i % 7 < 3 and i != 30 else None if i % 11 == 5 else 0.2 for i in range(100)]
    rows = annotated(steady_film("anna.mp4", values))
    table = write_study(rows.with_columns(AU01=rows["AU12"], AU01_p=rows["AU12_p"]), tmp_path / "t.parquet")
    for target, name in (("elan", "a.eaf"), ("boris", "a.boris")):
        run("export", table, "--to", target, "--raw", "-o", tmp_path / name)
        scores = json.loads(run("evaluate", table, "--codes", tmp_path / name, "--replicates", 0, "--json").stdout)
        kappas = {one["au"]: one["scores"]["kappa"]["value"] for one in scores["result"]["per_au"]}
        assert kappas == {1: 1.0, 12: 1.0}
