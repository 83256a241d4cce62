"""Networks in int8 are made once and kept; whether they pay is asked once a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from aucli.errors import ModelError
from aucli.runtime import int8
from aucli.runtime.files import cache_folder
from aucli.runtime.int8 import FloatNetwork, has_int8_instructions, is_worth_it, open_int8_session
from aucli.runtime.int8_graph import Feed
from tests.builders.small_graphs import graph_of_convolutions

PICTURE = np.random.default_rng(1).normal(size=(1, 3, 12, 12)).astype(np.float32)


@dataclass
class Made:
    """A network, and how often it was asked for pictures."""

    network: FloatNetwork
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("AUCLI_HOME", str(tmp_path / "home"))
    pictures = tmp_path / "pictures.jpg"
    pictures.write_bytes(b"some pictures")
    asked: list[str] = []

    def feeds() -> Sequence[Feed]:
        asked.append("feeds")
        return [{"x": PICTURE}, {"x": PICTURE * 2}]

    graph = graph_of_convolutions(7)
    return Made(FloatNetwork("net", "digest", pictures, lambda: graph, feeds, "y", 0.5, ModelError), asked)


def _kept() -> list[Path]:
    return sorted((cache_folder() / "int8").glob("*"))


def _run(network: FloatNetwork) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(open_int8_session(network, threads=1).run(["y"], {"x": PICTURE})[0])


def _give_instructions(monkeypatch: pytest.MonkeyPatch, name: str = "a processor") -> None:
    monkeypatch.setattr(int8, "_processor", lambda: (name, frozenset({"fma", "avx512_vnni"})))


def test_a_network_is_made_once_and_again_when_it_is_damaged(made: Made) -> None:
    first = _run(made.network)
    (kept,) = _kept()
    whole = kept.read_bytes()
    np.testing.assert_array_equal(_run(made.network), first)
    assert made.asked == ["feeds"]
    kept.write_bytes(whole[: len(whole) // 2])
    np.testing.assert_array_equal(_run(made.network), first)
    assert kept.read_bytes() == whole
    assert len(made.asked) == 2


def test_other_weights_pictures_or_recipe_are_another_network(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {made.network.key, replace(made.network, digest="other").key}
    monkeypatch.setattr(int8, "RECIPE", int8.RECIPE + 1)
    keys.add(replace(made.network).key)
    made.network.pictures.write_bytes(b"other pictures")
    keys.add(replace(made.network).key)
    assert len(keys) == 4


def test_where_nothing_can_be_kept_it_is_made_each_time(made: Made) -> None:
    cache_folder().parent.mkdir(parents=True)
    cache_folder().write_text("a file where the folder should be")
    np.testing.assert_array_equal(_run(made.network), _run(made.network))
    assert len(made.asked) == 2


def test_a_network_that_has_nothing_for_int8_says_so(made: Made) -> None:
    single = graph_of_convolutions(1)
    with pytest.raises(
        ModelError, match=r"net cannot be brought to int8 \(there is no convolution .*`precision` float32"
    ):
        open_int8_session(replace(made.network, graph=lambda: single), threads=1)


def test_without_instructions_nothing_is_made(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "_processor", lambda: ("old", frozenset({"avx2", "avx512f", "vnniless"})))
    assert not has_int8_instructions()
    assert is_worth_it(made.network) == (False, "the processor has no instructions for it")
    assert made.asked == []
    assert not cache_folder().exists()


def test_the_answer_is_found_once_for_each_processor(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"time": 0.5, "change": 0.1}
    compared: list[str] = []

    def compare(network: FloatNetwork) -> dict[str, float]:
        compared.append(network.name)
        return found

    monkeypatch.setattr(int8, "_compared", compare)
    _give_instructions(monkeypatch)
    assert has_int8_instructions()
    assert is_worth_it(made.network) == is_worth_it(made.network) == (True, "")
    assert compared == ["net"]
    found["time"] = 0.9
    assert is_worth_it(made.network)[0]
    _give_instructions(monkeypatch, "another processor")
    assert is_worth_it(made.network) == (False, "net would take 0.90 of the time")
    assert is_worth_it(replace(made.network, most_change=0.05)) == (False, "net would change by 0.100 on average")


def test_it_really_compares(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    _give_instructions(monkeypatch)
    is_worth_it(made.network)
    (told,) = [path for path in _kept() if path.suffix == ".json"]
    found = int8._read(told)
    assert found is not None
    assert 0 < found["change"] < 0.1
    assert found["time"] > 0


def test_an_answer_that_cannot_be_kept_is_no(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    _give_instructions(monkeypatch)
    cache_folder().parent.mkdir(parents=True)
    cache_folder().write_text("a file where the folder should be")
    pays, why_not = is_worth_it(made.network)
    assert not pays
    assert why_not.startswith("nothing can be kept")
