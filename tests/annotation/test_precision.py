"""In what numbers a run computes, and what a table says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aucli.annotation import precision
from aucli.annotation.options import AnnotateOptions
from aucli.annotation.precision import choose_precision
from aucli.annotation.run import annotate
from aucli.annotation.table import read_metadata
from aucli.errors import OptionsError
from aucli.models.zoo import DEFAULT_MODEL, Model, find_model
from aucli.runtime.int8 import FloatNetwork


@pytest.fixture
def model() -> Model:
    return find_model(DEFAULT_MODEL)


@pytest.fixture(autouse=True)
def auto_is_auto(every_processor_alike: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUCLI_PRECISION")


def _without_graph(model: Model) -> Model:
    files = {name: digest for name, digest in model.config.files.items() if name.endswith(".safetensors")}
    return replace(model, config=replace(model.config, files=files))


def _choose(wanted: str, model: Model, *, device: str = "cpu") -> tuple[str, str | None]:
    chosen = choose_precision(wanted, model=model, device=device)
    return chosen.name, chosen.note


def test_what_is_asked_for_is_done_or_refused(model: Model) -> None:
    assert _choose("float32", model, device="cuda:0") == ("float32", None)
    assert _choose("int8", model) == ("int8", None)
    assert _choose("auto", model, device="cuda:0") == ("float16", None)
    with pytest.raises(OptionsError, match="which is for CPUs"):
        _choose("int8", model, device="cuda:0")
    with pytest.raises(OptionsError, match="no ONNX graph"):
        _choose("int8", _without_graph(model))
    with pytest.raises(OptionsError, match="`precision` is 'half'; allowed are auto, float32, int8"):
        AnnotateOptions(precision="half")


def test_a_variable_says_what_auto_means(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_int8_instructions", lambda: False)
    monkeypatch.setenv("AUCLI_PRECISION", "int8")
    assert _choose("auto", model) == ("int8", None)
    assert _choose("float32", model) == ("float32", None)
    monkeypatch.setenv("AUCLI_PRECISION", "half")
    with pytest.raises(OptionsError, match="AUCLI_PRECISION is 'half'; allowed are auto, float32, int8"):
        _choose("auto", model)
    monkeypatch.setenv("AUCLI_PRECISION", "")
    assert _choose("auto", model) == ("float32", None)


def test_auto_takes_int8_only_if_the_network_gains(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    slow: set[str] = set()
    asked: list[str] = []

    def answer(network: FloatNetwork) -> tuple[bool, str]:
        asked.append(network.name)
        return network.name not in slow, f"{network.name} is slow"

    monkeypatch.setattr(precision, "is_worth_it", answer)
    monkeypatch.setattr(precision, "has_int8_instructions", lambda: False)
    assert _choose("auto", model) == ("float32", None)
    assert asked == []
    monkeypatch.setattr(precision, "has_int8_instructions", lambda: True)
    assert _choose("auto", _without_graph(model)) == ("float32", None)
    assert _choose("auto", model) == ("int8", None)
    name = f"model {DEFAULT_MODEL}"
    assert asked == [name]
    slow.add(name)
    assert _choose("auto", model) == ("float32", f"computed in float32, not int8: {name} is slow")


@pytest.mark.slow
def test_a_table_in_int8_says_so_stays_close_and_does_not_mix(example: Path, tmp_path: Path) -> None:
    tables = {}
    for wanted, batch_size in (("float32", None), ("int8", None), ("int8", 3)):
        table = tmp_path / f"{wanted}{batch_size}.parquet"
        options = AnnotateOptions(precision=wanted, end_s=0.6, batch_size=batch_size)
        annotate(example, table, options=options)
        assert read_metadata(table)["options"]["precision"] == wanted
        tables[wanted, batch_size] = pl.read_parquet(table)
    own, other = tables["float32", None], tables["int8", None]
    assert other.equals(tables["int8", 3])
    aus = [column for column in own.columns if column.startswith("AU") and own[column].dtype == pl.Float32]
    assert own.height == other.height
    assert 0 < np.abs(own[aus].to_numpy() - other[aus].to_numpy()).mean() < 0.03
    with pytest.raises(OptionsError, match="`precision` int8 -> float32"):
        annotate(example, tmp_path / "int8None.parquet", options=AnnotateOptions(precision="float32", end_s=0.6))
