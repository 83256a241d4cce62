"""aucli evaluate: finished runs, a model on a benchmark, a table against human codes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import f1_score, roc_auc_score
from typer.testing import CliRunner, Result

from aucli.annotation.options import AnnotateOptions
from aucli.annotation.run import annotate
from aucli.cli import app
from aucli.datasets.cache.reader import CachedFaces, LostFrames
from aucli.datasets.faces import LabelledFaces
from aucli.datasets.folds import FoldOptions
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError, OptionsError
from aucli.evaluation.benchmarks import (
    ModelOnBenchmark,
    ScoringOptions,
    evaluate_faces,
    evaluate_on_benchmark,
    evaluate_runs,
    shared_aus,
)
from aucli.evaluation.predictions import (
    PREDICTIONS_NAME,
    FoldPredictions,
    find_predictions,
    read_predictions,
    write_predictions,
)
from aucli.evaluation.values import CrossValidation, Evaluation
from aucli.faces.alignment import CropSpec
from aucli.models.predictor import open_predictor
from aucli.models.zoo import find_model
from aucli.runtime.files import user_folder
from aucli.runtime.progress import Progress
from tests.builders.benchmark_trees import make_bp4d
from tests.builders.face_cache import write_faces

NO_INTERVALS = ScoringOptions(replicates=0)


def fold(number: int, *, count: int = 300, dataset: str = "disfa", people: str | None = None) -> FoldPredictions:
    rng = np.random.default_rng(number)
    labels = rng.integers(-1, 2, (count, 3)).astype(np.int8)
    probabilities = np.clip(rng.normal(0.4 + 0.2 * labels, 0.25), 0, 1).astype(np.float32)
    probabilities[::17] = np.nan
    return FoldPredictions(
        dataset=dataset,
        fold=number,
        model="made",
        aus=(1, 4, 12),
        thresholds=(0.5, 0.4, 0.6),
        subjects=np.array([f"{people or number}-{i % 5}" for i in range(count)], dtype=np.str_),
        sequences=np.array([f"s{i % 7}" for i in range(count)], dtype=np.str_),
        frames=np.arange(count, dtype=np.int32),
        labels=labels,
        probabilities=probabilities,
    )


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


# ---- predictions on disk ---------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 40), st.integers(0, 9))
def test_predictions_come_back(tmp_path: Path, count: int, number: int) -> None:
    written = fold(number, count=count)
    write_predictions(tmp_path / "p.parquet", written)
    again = read_predictions(tmp_path / "p.parquet")
    assert list(tmp_path.iterdir()) == [tmp_path / "p.parquet"]
    for name in ("dataset", "fold", "model", "aus", "thresholds"):
        assert getattr(again, name) == getattr(written, name)
    for name in ("subjects", "sequences", "frames", "labels", "probabilities"):
        np.testing.assert_array_equal(getattr(again, name), getattr(written, name))


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("hello")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    for name, message in (
        ("text", "is no Parquet file"),
        ("other", "holds no predictions"),
        ("none", "does not exist"),
    ):
        with pytest.raises(DatasetError, match=message) as caught:
            read_predictions(tmp_path / f"{name}.parquet")
        assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match=r"holds no predictions\.parquet"):
        find_predictions([tmp_path])


# ---- runs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        folder = tmp_path / "cv" / f"fold-{number}"
        folder.mkdir(parents=True)
        write_predictions(folder / PREDICTIONS_NAME, fold(number))
    return tmp_path / "cv"


def _f1(predictions: FoldPredictions, a: int) -> float:
    """Frames without a face count as absent."""
    known = predictions.labels[:, a] >= 0
    said = np.nan_to_num(predictions.probabilities[known, a]) >= predictions.thresholds[a]
    return float(f1_score(predictions.labels[known, a], said))


def test_folds_are_averaged_and_pooled(runs: Path) -> None:
    result = evaluate_runs([runs], NO_INTERVALS).result
    assert isinstance(result, CrossValidation)
    each = np.array([[_f1(fold(number), a) for a in range(3)] for number in (1, 2, 3)])
    assert [e.name for e in result.folds] == ["disfa fold 1", "disfa fold 2", "disfa fold 3"]
    found = [row.scores["f1"].value for row in result.mean.per_au]
    np.testing.assert_allclose(np.array(found, float), each.mean(axis=0), atol=1e-12)
    parts = [fold(number) for number in (1, 2, 3)]
    whole = replace(
        parts[0],
        subjects=np.concatenate([p.subjects for p in parts]),
        sequences=np.concatenate([p.sequences for p in parts]),
        frames=np.concatenate([p.frames for p in parts]),
        labels=np.concatenate([p.labels for p in parts]),
        probabilities=np.concatenate([p.probabilities for p in parts]),
    )
    pooled = [row.scores["f1"].value for row in result.pooled.per_au]
    np.testing.assert_allclose(np.array(pooled, float), [_f1(whole, a) for a in range(3)], atol=1e-12)


def test_one_fold_is_one_evaluation_and_paths_may_repeat(runs: Path) -> None:
    one = runs / "fold-2"
    result = evaluate_runs([one, one / PREDICTIONS_NAME], NO_INTERVALS).result
    assert isinstance(result, Evaluation)
    assert result.per_au[2].scores["f1"].value == pytest.approx(_f1(fold(2), 2))


def test_runs_that_do_not_belong_together_are_refused(runs: Path, tmp_path: Path) -> None:
    def other(name: str, predictions: FoldPredictions) -> list[Path]:
        (tmp_path / name).mkdir()
        write_predictions(tmp_path / name / PREDICTIONS_NAME, predictions)
        return [runs, tmp_path / name]

    with pytest.raises(DatasetError, match="both test disfa fold 1"):
        evaluate_runs(other("again", fold(1)), NO_INTERVALS)
    with pytest.raises(DatasetError, match="the runs test bp4d, disfa"):
        evaluate_runs(other("bp4d", fold(1, dataset="bp4d")), NO_INTERVALS)
    with pytest.raises(DatasetError, match="2-0 is tested in disfa fold 2 and in disfa fold 4"):
        evaluate_runs(other("shared", fold(4, people="2")), NO_INTERVALS)


def test_the_command_prints_every_format(runs: Path, tmp_path: Path) -> None:
    table = run(runs, "--replicates", 20).stdout
    assert "disfa fold 3" in table
    assert "mean of folds" in table
    assert "pooled folds" in table
    told = json.loads(run(runs, "--format", "json", "--replicates", 0).stdout)
    assert told["mean"]["per_au"][0]["scores"]["f1"]["value"] == pytest.approx(
        np.mean([_f1(fold(number), 0) for number in (1, 2, 3)])
    )
    rows = list(csv.DictReader(io.StringIO(run(runs, "--format", "csv", "--replicates", 0).stdout)))
    assert {row["test_set"] for row in rows} >= {"disfa fold 1", "mean of folds", "pooled folds"}
    run(runs, "--format", "latex", "--replicates", 0, "-o", tmp_path / "t.tex")
    assert (tmp_path / "t.tex").read_text().startswith(r"\begin{tabular}{lrrrr}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of"),
        (["RUNS", "--model", "aunce-small"], "give one of"),
        (["--model", "aunce-small"], "--model needs --dataset"),
        (["--model", "aunce-small", "--dataset", "disfa"], "give --root, the data set's folder, or --cache"),
        (["--model", "aunce-small", "--dataset", "ck", "--cache", "x"], "allowed are bp4d"),
        (["RUNS", "--format", "xml"], "'xml' is not one of 'table', 'json', 'csv', 'latex'"),
        (["RUNS", "--metric", "f2"], "'f2' is not one of 'f1', 'accuracy'"),
        (["RUNS", "--lost-faces", "drop"], "'drop' is not one of 'negative', 'leave_out'"),
        (["RUNS", "--replicates", "-1"], "allowed is 0 or more"),
        (["--codes", "x.csv"], "--codes needs a table of annotate"),
    ],
)
def test_mistakes_are_one_line(runs: Path, arguments: list[str], message: str) -> None:
    result = run(*[runs if a == "RUNS" else a for a in arguments], code=2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


# ---- a model on a benchmark ------------------------------------------------------------------------------------

PEOPLE = ("SN001", "SN006", "SN003")  # one of each published part of DISFA
CODED = (1, 12, 26)


def faces(count: int = 30) -> LabelledFaces:
    rng = np.random.default_rng(0)
    landmarks = CropSpec(96, 0.6).template_xy() + rng.normal(0, 2, (count, 5, 2))
    coarse = rng.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return LabelledFaces(
        CODED,
        coarse.repeat(12, axis=1).repeat(12, axis=2),
        np.full((count, 2), 96, np.int32),
        landmarks.astype(np.float32),
        rng.integers(-1, 2, (count, 3)).astype(np.int8),
        np.array([PEOPLE[i % 3] for i in range(count)], dtype=np.str_),
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    write_faces(faces(), tmp_path / "cache", dataset="disfa")
    return tmp_path / "cache"


def _slow_probabilities(source: CachedFaces, au: int) -> npt.NDArray[np.float32]:
    """One face at a time."""
    model = find_model("aunce-small")
    predictor, column = open_predictor(model), model.config.aus.index(au)
    given = []
    for row in range(len(source)):
        one = source[np.array([row])]
        given.append(predictor.predict([one.pictures[0]], np.zeros(1, np.intp), one.landmarks_xy)[0, column])
    return np.array(given)


def test_a_model_on_all_frames(cache: Path) -> None:
    what = ModelOnBenchmark(model="aunce-small", source=DatasetSource(dataset="disfa", cache=cache))
    reports: list[Progress] = []
    evaluated = evaluate_on_benchmark(what, NO_INTERVALS, on_progress=reports.append)
    result = evaluated.result
    assert isinstance(result, Evaluation)
    assert [(p.n_done, p.n_total, p.unit) for p in reports] == [(30, 30, "faces")] * 2
    assert [p.ended for p in reports] == [False, True]
    ours = find_model("aunce-small").config.aus
    assert [row.au for row in result.per_au] == [au for au in CODED if au in ours]
    assert any("left out, for disfa does not code them: AU 2" in note for note in evaluated.notes)
    source = CachedFaces.open(cache)
    known = source.labels[:, 1] >= 0
    expected = roc_auc_score(source.labels[known, 1], _slow_probabilities(source, 12)[known])
    (row,) = [row for row in result.per_au if row.au == 12]
    assert row.scores["roc_auc"].value == pytest.approx(expected, abs=1e-6)


def test_published_folds_and_frames_without_a_face(cache: Path) -> None:
    source = CachedFaces.open(cache)
    of_part_three = int(np.flatnonzero([s.subject == "disfa/SN003" for s in source.sequences])[0])
    lost = LostFrames(
        np.array([[1, 1, 1]], np.int8),
        np.array([of_part_three], np.int32),
        np.array([99], np.int32),
        np.array(["disfa/SN003"], dtype=np.str_),
    )
    source = replace(source, lost=lost)

    def of_fold(fold: int | str) -> ModelOnBenchmark:
        source = DatasetSource(dataset="disfa", cache=cache)
        return ModelOnBenchmark(model="aunce-small", source=source, folds=FoldOptions(fold=fold), aus=(12,))

    first = evaluate_faces(source, of_fold(1), NO_INTERVALS)
    assert isinstance(first.result, Evaluation)
    assert first.result.frames == 11  # the paper's fold 1 tests part 3
    assert first.result.per_au[0].lost == 1
    assert any("subjects are not there" in note for note in first.notes)
    every = evaluate_faces(source, of_fold("all"), NO_INTERVALS).result
    assert isinstance(every, CrossValidation)
    assert [e.frames for e in every.folds] == [11, 10, 10]
    assert every.folds[0].per_au[0].scores == first.result.per_au[0].scores
    with pytest.raises(OptionsError, match="`fold` is 4; disfa has the folds 1, 2, 3"):
        evaluate_faces(source, of_fold(4), NO_INTERVALS)


def test_the_command_tries_a_model(cache: Path) -> None:
    result = run(
        "--model", "aunce-small", "--dataset", "disfa", "--cache", cache, "--folds", "all", "--format", "csv",
        "--replicates", 0,
    )  # fmt: skip
    assert "disfa fold 3,frames,12," in result.stdout
    assert "note: left out, for disfa does not code them" in result.stderr
    refused = run("--model", "aunce-small", "--dataset", "gft", "--cache", cache, code=1)
    assert "holds disfa, not gft" in refused.stderr
    where = ("--model", "aunce-small", "--dataset", "disfa", "--cache", cache)
    assert "error: --fold is 7; disfa has" in run(*where, "--fold", 7, code=2).stderr
    assert "error: --folds-dir is /none" in run(*where, "--fold", 1, "--folds-dir", "/none", code=1).stderr


@pytest.mark.slow
def test_the_owners_tree_is_prepared_and_left_alone(face_frame: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    root = make_bp4d(tmp_path / "bp4d")
    half = Image.fromarray(np.ascontiguousarray(face_frame[:, : face_frame.shape[1] // 2]))
    for path in (root / "Sequences_2D+3D").rglob("*.jpg"):
        half.save(path, quality=95)
    before = sorted(root.rglob("*"))
    options = ("--model", "aunce-small", "--dataset", "bp4d", "--root", root, "--format", "json", "--replicates", 0)
    told = json.loads(run(*options).stdout)
    assert sorted(root.rglob("*")) == before
    (cache,) = (user_folder() / "caches").iterdir()
    source = CachedFaces.open(cache)
    assert told["frames"] == len(source) + len(source.lost) > 0
    for row in told["per_au"]:
        assert row["labelled"] == int((source.labels[:, source.aus.index(row["au"])] >= 0).sum()) + row["lost"]
    assert json.loads(run(*options[:4], "--cache", cache, *options[6:]).stdout) == told


def test_only_shared_units_can_be_scored() -> None:
    config = find_model("aunce-small").config
    with pytest.raises(OptionsError, match="share no action unit"):
        shared_aus(config, (27, 45), "made")
    with pytest.raises(OptionsError, match="AU 27 is not known to both"):
        shared_aus(config, (12, 27), "made", wanted=(27,))


# ---- a table against human codes -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_table_against_codes(example: Path, tmp_path: Path) -> None:
    table = tmp_path / "clip.parquet"
    annotate(example, table, options=AnnotateOptions(every_s=0.2))
    largest = pl.read_parquet(table).sort(pl.col("w") * pl.col("h"), descending=True).unique("frame", keep="first")
    rows = largest.sort("frame").select("frame", "time_s", pl.col("AU12").fill_null(False).cast(pl.Int8))
    # A coder who agrees but for every tenth frame.
    wrong = (pl.int_range(pl.len()) % 10 == 0).cast(pl.Int8)
    coded = rows.with_columns(pl.col("AU12").xor(wrong).alias("AU12"))
    coded.drop("time_s").write_csv(tmp_path / "codes.csv")
    coded.drop("frame").write_csv(tmp_path / "times.csv")
    for codes in ("codes.csv", "times.csv"):
        result = run(
            table, "--codes", tmp_path / codes, "--face", "largest", "--format", "json", "--replicates", 0
        )  # fmt: skip
        told = json.loads(result.stdout)
        assert told["frames"] == len(rows)
        assert [row["au"] for row in told["per_au"]] == [12]
        assert told["per_au"][0]["scores"]["accuracy"]["value"] == pytest.approx((coded["AU12"] == rows["AU12"]).mean())
        assert f"clip.mp4: {len(rows)} of {len(rows)} frames compared" in result.stderr
    missing = run(table, "--codes", tmp_path / "nosuch.csv", code=1)
    assert "nosuch.csv" in missing.stderr
