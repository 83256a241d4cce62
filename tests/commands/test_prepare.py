"""aucli prepare: that every option reaches the library. What comes out is tested in tests/datasets/test_prepare.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aucli.datasets import prepare as preparing
from aucli.datasets.prepare import Prepared, PrepareOptions
from aucli.datasets.readers.registry import READERS
from aucli.datasets.report import Report
from aucli.datasets.source import DatasetSource
from aucli.errors import OptionsError
from aucli.training.options import TrainOptions
from aucli.training.plan import find_recipe
from tests.builders.command_line import left_out, run

REPORT = Report(
    dataset="disfa",
    root="/d",
    subjects=2,
    sequences=4,
    frames=50,
    aus=(1,),
    labelled=(50,),
    base_rates=(0.5,),
    findings=(),
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[PrepareOptions]:
    seen: list[PrepareOptions] = []

    def record(options: PrepareOptions, *, on_progress: Any) -> Prepared:
        seen.append(options)
        failures = {"S1": "is gone"} if options.overwrite else {}
        report = replace(REPORT, dataset=options.source.dataset)
        return Prepared(
            cache=options.source.cache_folder, report=report, failures=failures, n_faces=49, n_written=3, n_kept=0
        )

    monkeypatch.setattr(preparing, "prepare", record)
    return seen


def test_every_option_reaches_the_library(calls: list[PrepareOptions]) -> None:
    # fmt: off
    given = ("--dataset", "own", "--root", "/d", "--out", "c", "--option", "coded=film", "--option", "aus=1,2",
             "--codes", "/c", "--people", "/p.csv",
             "--detector", "d", "--device", "cpu", "--workers", 3, "--batch-size", 4, "--side", 200, "--border", 1.5,
             "--overwrite", "--json", "--quiet")
    # fmt: on
    assert left_out("prepare", given) == set()
    said = json.loads(run("prepare", *given, code=1).stdout)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, "prepare", 1)
    assert said["failures"] == {"S1": "is gone"}
    run("prepare", "--dataset", "disfa", "--root", "/d", "-o", "c")
    assert calls == [
        PrepareOptions(
            source=DatasetSource.from_pairs(
                "own",
                root=Path("/d"),
                cache=Path("c"),
                pairs=["coded=film", "aus=1,2", "labels_dir=/c", "people=/p.csv"],
            ),
            detector="d",
            device="cpu",
            workers=3,
            batch_size=4,
            side_px=200,
            border=1.5,
            overwrite=True,
        ),
        PrepareOptions(source=DatasetSource.from_pairs("disfa", root=Path("/d"), cache=Path("c"))),
    ]


@pytest.mark.parametrize("dataset", READERS)
def test_the_end_names_a_recipe_where_none_is_bundled(calls: list[PrepareOptions], dataset: str) -> None:
    line = run("prepare", "--dataset", dataset, "--root", "/d", "-o", "c").stdout.splitlines()[-1]
    given = f"--dataset {dataset} --cache c"
    source = DatasetSource.from_pairs(dataset, root=None, cache=Path("c"), pairs=())
    try:
        find_recipe(TrainOptions(source=source, out=Path("out")))
    except OptionsError:
        assert line == f"next: aucli train {given} --recipe FILE.toml, or aucli evaluate {given} --model MODEL"
    else:
        assert line == f"next: aucli train {given}"


def test_the_end_says_what_to_type_next(calls: list[PrepareOptions]) -> None:
    result = run("prepare", "--dataset", "disfa", "--root", "/d", "-o", "my cache")
    assert result.stdout.splitlines() == [
        "49 faces in 50 labelled frames -> my cache",
        "next: aucli train --dataset disfa --cache 'my cache'",
    ]
    failed = run("prepare", "--dataset", "disfa", "--root", "/d", "-o", "c", "--overwrite", "-q", code=1)
    assert failed.output.splitlines() == ["failed: S1: is gone", "1 of 4 sequences failed"]
