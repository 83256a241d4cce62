"""What -o may be, and how the tables of a folder are called."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.annotation.output import NAME_BYTES, assign_places, is_one_table, places_in_folder
from aucli.errors import OptionsError


@pytest.mark.parametrize(("output", "one"), [("x.parquet", True), ("x.PARQUET", True), ("out", False), ("v1.2", False)])
def test_a_table_or_a_folder(output: str, one: bool) -> None:
    assert is_one_table(Path(output)) is one


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("-", "`output` x.parquet"),
        ("out/x.csv", r"`output` out/x.parquet, then aucli.read\('out/x.parquet'\).*write_csv\('out/x.csv'\)"),
        ("x.xlsx", "`output` x.parquet"),
        ("out/x.csv.gz", r"`output` out/x.parquet$"),
        ("X.CSV.GZ", r"`output` X.parquet$"),
        ("x.parquet.zst", r"`output` x.parquet$"),
        ("v1.2.gz", r"`output` v1.2.parquet$"),
        ("x.tar.gz", r"`output` x.parquet$"),
        ("film.mp4", "`output` film.parquet"),
        (f"{'x' * 245}.parquet", "may have 247 bytes and is longer"),
    ],
)
def test_what_is_neither_is_refused_with_the_remedy(output: str, remedy: str) -> None:
    with pytest.raises(OptionsError, match=remedy):
        is_one_table(Path(output))


@pytest.mark.parametrize(
    ("label", "within", "places"),
    [
        ("a.mp4", "a.mp4", ["a.mp4"]),
        ("in/a.mp4", "a.mp4", ["a.mp4", "in/a.mp4"]),
        ("/data/in/p1/a.mp4", "p1/a.mp4", ["p1/a.mp4", "in/p1/a.mp4", "data/in/p1/a.mp4"]),
        ("../p1/a.mp4", "a.mp4", ["a.mp4", "p1/a.mp4", "__up__/p1/a.mp4"]),
        ("p1/a.mp4", "p1/a.mp4", ["p1/a.mp4"]),
        (".", ".", ["video"]),
    ],
)
def test_a_table_is_called_as_the_video_in_the_folder_typed(label: str, within: str, places: list[str]) -> None:
    *wanted, marked = places_in_folder(Path("out"), label, within)
    assert wanted == [Path("out") / f"{place}.parquet" for place in places]
    assert marked.parent == wanted[-1].parent
    assert re.fullmatch(r".*~[0-9a-f]{16}\.parquet", marked.name)


@settings(max_examples=60, derandomize=True)
@given(st.text("aé漢/.\\", min_size=1, max_size=300))
def test_any_label_has_places_inside(label: str) -> None:
    for place in places_in_folder(Path("out"), label, label[-9:]):
        assert place.parts[0] == "out"
        assert ".." not in place.parts
        assert place.name.endswith(".parquet")
        assert all(len(os.fsencode(part)) <= NAME_BYTES for part in place.parts)


LABELS = st.lists(st.sampled_from(["a", "b", "..", "a" * 250]), min_size=1, max_size=3)


@settings(max_examples=80, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(["", "/"]), LABELS, st.integers(1, 3)), max_size=6, unique_by=str))
def test_no_two_videos_share_a_table_whatever_their_order(videos: list[tuple[str, list[str], int]]) -> None:
    wanted = {}
    for root, parts, n_within in videos:
        label = root + "/".join(parts)
        wanted[label] = places_in_folder(Path("out"), label, "/".join(parts[-n_within:]))
    chosen = assign_places(wanted)
    assert len(set(chosen.values())) == len(wanted)
    assert all(chosen[label] in places for label, places in wanted.items())
    assert assign_places(dict(reversed(wanted.items()))) == chosen


def test_only_those_that_clash_get_more_of_their_labels() -> None:
    labels = {"p1/a.mp4": "a.mp4", "p2/a.mp4": "a.mp4", "p2/b.mp4": "b.mp4"}
    chosen = assign_places({label: places_in_folder(Path("out"), label, within) for label, within in labels.items()})
    assert [str(place) for place in chosen.values()] == [
        "out/p1/a.mp4.parquet",
        "out/p2/a.mp4.parquet",
        "out/b.mp4.parquet",
    ]


def test_long_names_stay_apart() -> None:
    labels = ["漢" * 81 + f"{end}.mp4" for end in "ab"]
    assert len({places_in_folder(Path("out"), label, label)[0] for label in labels}) == 2
