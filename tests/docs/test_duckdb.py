"""docs/duckdb.md: every statement runs, and gives what aucli itself gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import aucli
from tests.builders.page_blocks import blocks
from tests.builders.study_of_conditions import FILMS, write_study_of_conditions

GOOD = aucli.RowFilter(min_interocular_px=30, max_yaw_deg=30)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, pl.DataFrame], dict[str, Any], Path]]:
    """What each query gives, by its statement; the names of the Python part; and the folder of the study."""
    duckdb = pytest.importorskip("duckdb")
    folder = tmp_path_factory.mktemp("study")
    write_study_of_conditions(folder)
    found: dict[str, pl.DataFrame] = {}
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for language, code in blocks("duckdb.md", "sql", "python"):
            if language == "python":
                exec(code, names)
                continue
            for statement in duckdb.extract_statements(code):
                relation = duckdb.sql(statement)
                if statement.type == duckdb.StatementType.SELECT:
                    found[statement.query.strip()] = relation.pl()
    yield found, names, folder
    duckdb.sql("DROP VIEW by_participant; DROP VIEW shown; DROP VIEW good; DROP VIEW frames")


def answer(answers: tuple[dict[str, pl.DataFrame], dict[str, Any], Path], words: str) -> pl.DataFrame:
    (found,) = (frame for query, frame in answers[0].items() if words in query)
    return found


def test_frames_faces_and_models(answers: Any) -> None:
    assert answer(answers, "count(DISTINCT face)").rows() == [("study/p1/anna.mp4", 500, 500, 2)]
    assert answer(answers, "parquet_kv_metadata").rows() == [("tiny", "0" * 8, len(FILMS))]
    rows = aucli.read(answers[2] / "tables").drop_nulls("face")
    kept = rows.filter(pl.col("interocular_px") >= 30)
    assert 0 < len(kept) < len(rows)
    assert answer(answers, "AS kept").rows() == [(len(rows), len(kept))]


def test_shares_are_those_of_summary(answers: Any) -> None:
    faces = aucli.summary(answers[2] / "tables", aus="AU12", row_filter=GOOD).faces.filter(pl.col("frames_usable") > 0)
    faces = faces.sort("video", "face")
    exact = answer(answers, "SELECT video, face, sum(shown_s)")
    assert exact["video"].to_list() == faces["video"].to_list()
    for column in ("seconds_usable", "share_present"):
        assert exact[column].to_list() == pytest.approx(faces[column].to_list(), rel=1e-6)
    simple = answer(answers, "avg(AU12_p) AS mean_probability")
    assert simple["frames_usable"].to_list() == faces["frames_usable"].to_list()
    steady = pl.col("video") != "study/p2/ben.mp4"
    for column in ("share_present", "mean_probability"):
        its = simple.filter(steady)[column].to_list()
        assert its == pytest.approx(faces.filter(steady)[column].to_list(), rel=1e-6)
        assert simple.filter(~steady)[column].to_list() != pytest.approx(
            faces.filter(~steady)[column].to_list(), rel=1e-3
        )


def test_participants_are_those_of_summary(answers: Any) -> None:
    _, names, folder = answers
    groups = aucli.summary(
        folder / "tables", people=folder / "people.csv", by=["participant", "condition"], aus="AU12", row_filter=GOOD
    ).groups.filter(pl.col("participant").is_not_null(), pl.col("frames_usable") > 0)
    written = pl.read_csv(folder / "by_participant.csv").sort("participant")
    assert written["participant"].to_list() == groups["participant"].to_list() == ["anna", "ben", "dora", "eve"]
    assert written["share_present"][3] == 0, "who never smiles is known not to"
    assert written["share_present"].to_list() == pytest.approx(groups["share_present"].to_list(), rel=1e-6)
    by_condition = answer(answers, "AS mean_share")
    expected = groups.group_by("condition", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("share_present").mean().alias("mean"), pl.col("share_present").std().alias("sd")
    )
    assert by_condition.select("condition", "participants").rows() == expected.select("condition", "n").rows()
    for found, wanted in (("mean_share", "mean"), ("sd", "sd")):
        assert by_condition[found].to_list() == pytest.approx(expected[wanted].to_list(), rel=1e-6)
    assert answer(answers, "ANTI JOIN")["video"].to_list() == ["study/nobody_knows.mp4"]
    smiles = names["smiles"]
    assert smiles["participant"].to_list() == ["anna", "ben", "dora", "eve"]
    assert smiles["whole_smiles"][:3].sum() > 10
    assert smiles.row(3) == ("eve", 0, None)
    assert pl.read_parquet(folder / "smiles.parquet").columns == ["video", "frame", "time_s", "face", "AU12", "AU12_p"]


def test_phi_is_the_correlation(answers: Any) -> None:
    good = aucli.read(answers[2] / "tables").filter(pl.col("interocular_px") >= 30)
    expected = good.select(pl.corr(pl.col("AU12").cast(pl.Float64), pl.col("AU25").cast(pl.Float64))).item()
    assert answer(answers, "AS phi").item() == pytest.approx(expected)
