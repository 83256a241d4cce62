from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import aucli
from aucli.cli import app
from aucli.commands.code_options import OPTION_OF, CodesGiven
from aucli.commands.options import as_options
from aucli.evaluation.agreement import AgreementOptions
from aucli.evaluation.benchmarks import ScoringOptions
from aucli.human_codes.values import CodeOptions
from tests.builders.coded_files import EVENTS, Event, eaf, elan_rows
from tests.builders.coded_tables import elan, table, write_table
from tests.builders.read_codes import write
from tests.builders.texts import texts_of

PACKAGE = Path(aucli.__file__).parent
EVALUATE: Any = get_command(app).commands["evaluate"]  # type: ignore[attr-defined]


def evaluate(*arguments: object, columns: int = 80) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": str(columns)})


def fields_in_messages() -> set[str]:
    """Every name in backticks in a text that the room of codes or of agreement may show."""
    files = [*(PACKAGE / "human_codes").glob("*.py")]
    files += [PACKAGE / "evaluation" / f"{name}.py" for name in ("agreement", "coders", "films")]
    return {name for path in files for text in texts_of(path) for name in re.findall(r"`(\w+)`", text)}


def test_every_field_that_a_message_names_is_an_option_of_the_command() -> None:
    named = fields_in_messages()
    assert len(named) > 12, "the search itself must find something"
    assert named <= set(OPTION_OF)
    own = {field.name for options in (CodeOptions, AgreementOptions) for field in fields(options)}
    assert set(OPTION_OF) - {"against"} <= own
    options = {name for parameter in EVALUATE.params for name in parameter.opts}
    assert set(OPTION_OF.values()) <= options
    assert (
        as_options("choose one with `subject`; `min_intensity` is 9", OPTION_OF)
        == "choose one with --subject; --min-intensity is 9"
    )


def test_every_field_has_an_option_and_reaches_the_library(tmp_path: Path) -> None:
    shared = {"lost_faces", "replicates", "seed"}
    own = {field.name for options in (CodeOptions, AgreementOptions) for field in fields(options)} - shared
    assert own == set(OPTION_OF) - {"against"}
    given = CodesGiven(
        codes=[tmp_path], against=[], codes_format="elan", name=["smile=12", "talk = none", "a=b=AU6"],
        missing_name=["away"], coded_name=["coded"],
        coded_aus="1,2", coded_span="0:30,90.5", shift=1.5, min_intensity="c", one_sided="count",
        observation="o", subject="s", coder="c", frame_rate=25.0, frame_base=1, missing_code=[7, 8], align="time",
        tolerance=0.5, face="3", video="v.mp4",
    )  # fmt: skip
    assert given.reading() == CodeOptions(
        format="elan", names={"smile": 12, "talk": None, "a=b": 6}, missing_names=("away",), coded_names=("coded",),
        coded_aus=(1, 2),
        coded_span_s=(30.0, 90.5), shift_s=1.5, min_intensity=3, one_sided="count", observation="o", subject="s",
        coder="c", frame_rate=25.0, frame_base=1, missing_codes=frozenset({7, 8}),
    )  # fmt: skip
    assert given.comparing(ScoringOptions(replicates=5)) == AgreementOptions(
        align="time", tolerance_s=0.5, face=3, video="v.mp4", replicates=5
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_table(table(), tmp_path / "aus.parquet")


def test_eighty_columns_are_enough(written: Path, tmp_path: Path) -> None:
    for columns in (60, 80, 120, 250):
        done = evaluate(written, "--codes", elan(tmp_path), "--replicates", 0, columns=columns)
        assert done.exit_code == 0, done.stderr
        lines = done.stdout.splitlines()
        assert max(map(len, lines)) <= columns
        text = done.stdout
        assert all(text.count(title) == 1 for title in ("F1 balanced", "ROC-AUC", "free kappa", "12 Lip corner puller"))
        assert "..." not in text
        assert "…" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--face", "7"], "it has 0 in 100 % (--face)"),
        (["--align", "frame"], "align them by time (--align)"),
        (["--align", "both"], "'--align': 'both' is not one of 'auto', 'time', 'frame'"),
        (["--codes-format", "excel"], "--codes-format is 'excel'; allowed are auto, eaf"),
        (["--min-intensity", "F"], "--min-intensity is 'F'; allowed are A to E and 1 to 5"),
        (["--min-intensity", "9"], "--min-intensity is 9.0; allowed are 1 to 5"),
        (["--min-intensity", "nan"], "--min-intensity is nan"),
        (["--one-sided", "both"], "'--one-sided': 'both' is not one of 'leave_out', 'count'"),
        (["--coded-span", "5"], "--coded-span is '5'; write two times"),
        (["--coded-span", "5,1"], "--coded-span is (5.0, 1.0)"),
        (["--name", "smile"], "--name is 'smile'; write NAME=AU"),
        (["--name", "smile=99"], "99 is not an action unit"),
        (["--coded-aus", "x"], "--coded-aus is 'x'"),
        (["--frame-rate", "0"], "--frame-rate is 0.0"),
        (["--frame-base", "2"], "--frame-base is 2"),
        (["--tolerance", "-1"], "--tolerance is -1.0"),
        (["--subject", "Anna"], "no subject 'Anna' (--subject)"),
    ],
)
def test_wrong_options_are_named_as_they_were_typed(
    written: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = evaluate(written, "--codes", elan(tmp_path), *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert "`" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_options_about_codes_without_codes(written: Path) -> None:
    done = evaluate(written, "--subject", "Anna")
    assert done.exit_code == 2
    assert "--subject goes with --codes" in done.stderr


def test_codes_outside_the_film_end_in_an_error(written: Path, tmp_path: Path) -> None:
    codes = write(tmp_path, "AU12\tP1\t100.600\t102.367\t1.767\tC\n")
    done = evaluate(written, "--codes", codes, "-o", tmp_path / "r.json")
    assert done.exit_code == 1
    assert (
        "the codes run from 100.600 to 102.367 s, the film from 0.000 to 4.000 s; move them with --shift" in done.stderr
    )
    assert not (tmp_path / "r.json").exists()
    moved = evaluate(written, "--codes", codes, "--shift", "-100.2", "--format", "json", "--replicates", 0)
    assert json.loads(moved.stdout)["per_au"][0]["positive"] == 45


def test_two_coders_on_the_command_line(written: Path, tmp_path: Path) -> None:
    first = write(tmp_path, eaf(media=[]), "R1.eaf")
    second = write(tmp_path, elan_rows([Event("AU12", 0.4, 1.2, "D"), *EVENTS[1:]]), "R2.txt")
    done = evaluate(written, "--codes", first, "--against", second, "--min-intensity", "B")
    assert done.exit_code == 0, done.stderr
    assert "ICC(A,1)" in done.stdout
    assert "kappa" in done.stdout
    assert "ROC-AUC" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "--min-intensity" in done.stderr
    alone = evaluate("--codes", first, "--against", second, "--frame-rate", 25, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(alone.stdout)))
    assert {row["metric"] for row in rows} >= {"icc_agreement", "icc_consistency", "kappa"}
    latex = evaluate(
        "--codes", first, "--against", second, "--frame-rate", 25, "--format", "latex", "--metric", "kappa"
    )
    assert "kappa & AU6 & AU12" in latex.stdout
    wrong = evaluate(
        "--codes", first, "--against", second, "--frame-rate", 25, "--format", "latex", "--metric", "roc_auc"
    )
    assert (wrong.exit_code, "there is no roc_auc here" in wrong.stderr) == (2, True)
    nothing = evaluate("--codes", first)
    assert (nothing.exit_code, "--against" in nothing.stderr) == (2, True)


def test_the_rendered_clip_against_its_own_truth(example: Path, tmp_path: Path) -> None:
    """Two people at once: each is compared with the face at its place."""
    from aucli import AnnotateOptions, annotate

    annotate(example, tmp_path / "clip.parquet", options=AnnotateOptions(every_s=0.4))
    done = evaluate(tmp_path / "clip.parquet", "--codes", example.with_suffix(".parquet"), "--format", "json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["subjects"], told["frames"]) == (2, 40)
    assert told["mean"]["roc_auc"]["value"] > 0.9
    assert "face: by place" in done.stderr
