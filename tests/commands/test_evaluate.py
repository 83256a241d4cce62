"""aucli evaluate: that every option reaches the library, and what is printed. Scores are tested in tests/evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aucli.datasets.folds import FoldOptions
from aucli.datasets.source import DatasetSource
from aucli.evaluation import agreement, benchmarks, coders
from aucli.evaluation.agreement import AgreementOptions
from aucli.evaluation.benchmarks import Evaluated, ModelOnBenchmark, ScoringOptions
from aucli.human_codes.values import CodeOptions
from tests.builders.command_line import left_out, run
from tests.builders.made_scores import made_scores

SHARED = frozenset({"--lost-faces", "--replicates", "--metric", "--format", "--output", "--json", "--quiet"})
OF_BENCHMARKS = frozenset(
    {"--model", "--dataset", "--root", "--cache", "--fold", "--numbering", "--aus", "--option", "--device"}
    | {"--folds-dir", "--allow-shared-videos", "--allow-seen"}
)
SCORED = ("--lost-faces", "leave_out", "--replicates", 0)


def test_every_option_of_a_model_on_a_benchmark_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[ModelOnBenchmark, ScoringOptions]] = []

    def record(what: ModelOnBenchmark, options: ScoringOptions, *, on_progress: Any) -> Evaluated:
        calls.append((what, options))
        return Evaluated(made_scores(), ("a note",))

    monkeypatch.setattr(benchmarks, "evaluate_on_benchmark", record)
    # fmt: off
    given = ("--model", "m", "--dataset", "disfa", "--root", "/d", "--cache", "c", "--fold", 2, "--numbering", "part",
             "--aus", "1,12", "--option", "camera=right", "--device", "cpu",
             "--folds-dir", "f", "--allow-shared-videos", "--allow-seen", *SCORED)
    # fmt: on
    assert OF_BENCHMARKS & left_out("evaluate", given) == set()
    result = run("evaluate", *given)
    assert "made" in result.stdout
    assert result.stderr == "note: a note\n"
    run("evaluate", "--model", "m", "--dataset", "disfa", "--cache", "c", "--folds", "all", "-q")
    assert calls == [
        (
            ModelOnBenchmark(
                model="m",
                source=DatasetSource.from_pairs("disfa", root=Path("/d"), cache=Path("c"), pairs=["camera=right"]),
                folds=FoldOptions(fold=2, numbering="part", folds_dir=Path("f"), allow_shared_videos=True),
                device="cpu",
                aus=(1, 12),
                allow_seen=True,
            ),
            ScoringOptions(lost_faces="leave_out", replicates=0),
        ),
        (
            ModelOnBenchmark(
                model="m",
                source=DatasetSource.from_pairs("disfa", cache=Path("c")),
                folds=FoldOptions(fold="all"),
            ),
            ScoringOptions(),
        ),
    ]


# fmt: off
CODES = (
    "--codes", "a.txt", "--codes", "b.txt", "--codes-format", "elan", "--name", "smile=12", "--name", "talk=none",
    "--missing-name", "away", "--coded-name", "coded",
    "--coded-aus", "1,12", "--coded-span", "0,60", "--shift", 0.5, "--min-intensity", "C",
    "--one-sided", "count", "--observation", "o", "--subject", "s", "--coder", "k", "--frame-rate", 25,
    "--frame-base", 1, "--missing-code", 9, "--align", "time", "--tolerance", 0.2, "--face", 3, "--video", "v.mp4",
)
# fmt: on
READING = CodeOptions(
    format="elan",
    names={"smile": 12, "talk": None},
    missing_names=("away",),
    coded_names=("coded",),
    coded_aus=(1, 12),
    coded_span_s=(0.0, 60.0),
    shift_s=0.5,
    min_intensity=3,
    one_sided="count",
    observation="o",
    subject="s",
    coder="k",
    frame_rate=25.0,
    frame_base=1,
    missing_codes=frozenset({9}),
)
COMPARING = AgreementOptions(align="time", tolerance_s=0.2, face=3, video="v.mp4", lost_faces="leave_out", replicates=0)


class _Compared:
    evaluation = made_scores()
    notes = ("`shift_s` may be wrong",)


def test_every_option_about_codes_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def record(*arguments: Any, code_options: CodeOptions, options: AgreementOptions, **more: Any) -> _Compared:
        calls.append((*arguments, more, code_options, options))
        return _Compared()

    monkeypatch.setattr(agreement, "compare_files", record)
    monkeypatch.setattr(coders, "compare_coders", record)
    codes = [Path("a.txt"), Path("b.txt")]
    given = ("t.parquet", *CODES, *SCORED)
    assert left_out("evaluate", given, but=SHARED | OF_BENCHMARKS) == {"--against"}
    assert run("evaluate", *given).stderr == "note: --shift may be wrong\n"
    run("evaluate", *given, "--against", "c.txt")
    run("evaluate", "t.parquet", "--codes", "a.txt")
    assert calls == [
        ([Path("t.parquet")], codes, {}, READING, COMPARING),
        (codes, [Path("c.txt")], {"table": [Path("t.parquet")]}, READING, COMPARING),
        ([Path("t.parquet")], [Path("a.txt")], {}, CodeOptions(), AgreementOptions()),
    ]


def test_runs_in_every_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[list[Path], ScoringOptions]] = []

    def record(folders: list[Path], options: ScoringOptions) -> Evaluated:
        calls.append((folders, options))
        return Evaluated(made_scores(), ("a note",))

    monkeypatch.setattr(benchmarks, "evaluate_runs", record)
    given = ("r1", "r2", *SCORED, "--metric", "mcc", "--format", "latex", "--output", tmp_path / "x", "--json", "-q")
    assert left_out("evaluate", given, but=OF_BENCHMARKS) & SHARED == set()
    said = json.loads(run("evaluate", *given).stdout)
    assert (said["schema"], said["command"], said["notes"]) == (1, "evaluate", ["a note"])
    assert (tmp_path / "x").read_text().startswith(r"\begin{tabular}")
    assert "MCC" in (tmp_path / "x").read_text()
    assert json.loads(run("evaluate", "r1", "--format", "json").stdout) == said["result"]
    assert run("evaluate", "r1", "--format", "csv").stdout.startswith("test_set,")
    assert run("evaluate", "r1", "-q").stderr == ""
    assert calls[0] == ([Path("r1"), Path("r2")], ScoringOptions(lost_faces="leave_out", replicates=0))
    assert calls[1] == ([Path("r1")], ScoringOptions())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "give one of"),
        (("r", "--model", "m"), "give one of"),
        (("--model", "m"), "--model needs --dataset"),
        (("r", "--face", "2"), "--face goes with --codes"),
        (("t", "--codes", "c", "--face", "first"), "--face is 'first'"),
        (("t", "--codes", "c", "--align", "both"), "'both' is not one of 'auto', 'time', 'frame'"),
        (("--model", "m", "--dataset", "disfa", "--cache", "c", "--aus", "x"), "--aus is 'x'; write numbers"),
        (("r", "--format", "html"), "'html' is not one of"),
        (("r", "--replicates", "-1"), "--replicates is -1"),
    ],
)
def test_wrong_usage(given: tuple[str, ...], message: str) -> None:
    (line,) = run("evaluate", *given, code=2).stderr.splitlines()
    assert message in line
