from __future__ import annotations

import json
from pathlib import Path

import pytest

from aucli.errors import OptionsError, TableError
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedIntervals, CodeOptions
from tests.builders.coded_files import boris_project
from tests.builders.read_codes import covered, intervals, write

SMILE = [(0.4, "", "AU12", ""), (1.2, "", "AU12", "")]


def spans(path: Path, options: CodeOptions | None = None) -> dict[str | None, list[tuple[int, float, float]]]:
    found: dict[str | None, list[tuple[int, float, float]]] = {}
    for one in read_codes(path, options):
        assert isinstance(one, CodedIntervals)
        rows = zip(one.aus.tolist(), one.onset.round(4).tolist(), one.offset.round(4).tolist(), strict=True)
        found[one.video] = sorted(rows)
    return found


def test_states_are_paired_by_code_subject_and_modifier_and_points_are_moments(tmp_path: Path) -> None:
    # In another order than that of time, as hand-edited projects have them.
    events = [
        (3.0, "anna", "AU12", "b"), (0.4, "anna", "AU12", "b"), (2.0, "anna", "AU12", "c"),
        (1.0, "anna", "AU12", "c"), (2.5, "anna", "AU45", "None"),
    ]  # fmt: skip
    codes = intervals(write(tmp_path, boris_project({"one": events}), "a.boris"))
    assert (codes.video, codes.subject, codes.coded_aus) == ("films/a.mp4", "anna", (12, 45))
    assert sorted(zip(codes.aus, codes.onset, codes.offset, codes.grades, strict=True))[:2] == [
        (12, 0.4, 3.0, 2.0),
        (12, 1.0, 2.0, 3.0),
    ]
    assert covered(codes, 45) == (62, 62)


def test_nothing_was_coded(tmp_path: Path) -> None:
    path = write(tmp_path, boris_project({"one": []}))
    with pytest.raises(TableError, match="no interval at all; say what was looked for with `coded_aus`"):
        read_codes(path)
    assert spans(path, CodeOptions(coded_aus=(12,))) == {"films/a.mp4": []}


def test_queued_films_have_their_own_clocks(tmp_path: Path) -> None:
    films = (("x/part1.mp4", 2.4), ("x/part2.mp4", 2.4))
    events = [(1.0, "", "AU12", ""), (3.0, "", "AU12", "")]
    assert spans(write(tmp_path, boris_project({"one": events}, films))) == {
        "x/part1.mp4": [(12, 1.0, 2.4)],
        "x/part2.mp4": [(12, 0.0, 0.6)],
    }
    unknown = (("part1.mp4", None), ("part2.mp4", 2.4))
    with pytest.raises(TableError, match="not how long each is"):
        read_codes(write(tmp_path, boris_project({"one": events}, unknown)))


def test_a_choice_is_asked_for(tmp_path: Path) -> None:
    two = write(tmp_path, boris_project({"first": SMILE, "again": [(0.8, "", "AU12", ""), (1.0, "", "AU12", "")]}))
    with pytest.raises(OptionsError, match=r"observations again, first of a\.mp4; choose one with `observation`"):
        read_codes(two)
    assert spans(two, CodeOptions(observation="again")) == {"films/a.mp4": [(12, 0.8, 1.0)]}
    with pytest.raises(OptionsError, match="no observation 'third'"):
        read_codes(two, CodeOptions(observation="third"))
    people = write(tmp_path, boris_project({"one": [(t, who, "AU12", "") for who in ("A", "B") for t in (0.4, 1.2)]}))
    assert [(one.video, one.subject) for one in read_codes(people)] == [("films/a.mp4", "A"), ("films/a.mp4", "B")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observations": None}, "has no observations"),
        ({"behaviors_conf": []}, "has no behaviors_conf"),
        ({"observations": {"one": 3}}, "damaged observation 'one'"),
        ({"observations": {"one": {}}}, "observation without events"),
        ({"observations": {"one": {"events": [[1.0, "", "AU12", ""]]}}}, r"starts AU12 at 1\.000 s and never stops it"),
        ({"observations": {"one": {"events": [["soon", "", "AU12", ""]]}}}, "expected time, subject, code"),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    project = json.loads(boris_project({"one": SMILE})) | change
    with pytest.raises(TableError, match=message):
        read_codes(write(tmp_path, json.dumps(project)))


def test_json_that_ends_early(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="damaged JSON"):
        read_codes(write(tmp_path, boris_project({"one": SMILE})[:-3]))
