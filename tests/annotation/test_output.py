"""What -o may be, and how the tables of a folder are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.annotation.output import NAME_BYTES, is_one_table, require_places_apart, table_in_folder
from aucli.errors import OptionsError


@pytest.mark.parametrize(("output", "one"), [("x.parquet", True), ("x.PARQUET", True), ("out", False), ("v1.2", False)])
def test_a_table_or_a_folder(output: str, one: bool) -> None:
    assert is_one_table(Path(output)) is one


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("-", "-o x.parquet"),
        ("out/x.csv", r"-o out/x.parquet, then aucli.read\('out/x.parquet'\).*write_csv\('out/x.csv'\)"),
        ("x.xlsx", "-o x.parquet"),
        ("film.mp4", "-o film.parquet"),
        (f"{'x' * 245}.parquet", "247 bytes are allowed"),
    ],
)
def test_what_is_neither_is_refused_with_the_remedy(output: str, remedy: str) -> None:
    with pytest.raises(OptionsError, match=remedy):
        is_one_table(Path(output))


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.parquet")
    with pytest.raises(OptionsError, match="is a pipe or device"):
        is_one_table(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("label", "place"),
    [
        ("a.mp4", "a.mp4.parquet"),
        ("p1/a.mp4", "p1/a.mp4.parquet"),
        ("/data/p1/a.mp4", "data/p1/a.mp4.parquet"),
        ("../p1/a.mp4", "__up__/p1/a.mp4.parquet"),
    ],
)
def test_tables_stay_in_their_folder(label: str, place: str) -> None:
    assert table_in_folder(Path("out"), label) == Path("out") / place


@settings(max_examples=60, derandomize=True)
@given(st.text("aé漢/.\\", min_size=1, max_size=300))
def test_any_label_has_a_place_inside(label: str) -> None:
    place = table_in_folder(Path("out"), label)
    assert place.parts[0] == "out"
    assert ".." not in place.parts
    assert place.name.endswith(".parquet")
    assert all(len(os.fsencode(part)) <= NAME_BYTES for part in place.parts)


def test_long_names_stay_apart() -> None:
    places = {table_in_folder(Path("out"), "漢" * 81 + f"{end}.mp4") for end in "ab"}
    assert len(places) == 2
    require_places_apart(Path("out"), ["漢" * 81 + f"{end}.mp4" for end in "ab"])


def test_two_videos_never_share_a_table() -> None:
    with pytest.raises(OptionsError, match="would both be"):
        require_places_apart(Path("out"), ["data/a.mp4", "/data/a.mp4"])
