from __future__ import annotations

from pathlib import Path

import pytest

from aucli.errors import OptionsError, TableError
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedIntervals, CodeOptions
from tests.builders.coded_files import Event, boris_aggregated
from tests.builders.read_codes import intervals, write

FILMS = (("part1.mp4", 2.4), ("part2.mp4", 2.4), ("part3.mp4", 1.0))


def spans(path: Path) -> dict[str | None, list[tuple[float, float]]]:
    found: dict[str | None, list[tuple[float, float]]] = {}
    for one in read_codes(path):
        assert isinstance(one, CodedIntervals)
        pairs = zip(one.onset.round(4).tolist(), one.offset.round(4).tolist(), strict=True)
        found[one.video] = sorted(pairs)
    return found


def test_queued_films_have_their_own_clocks(tmp_path: Path) -> None:
    events = [
        Event("AU12", 0.6, 2.367), Event("AU12", 3.0, 4.767),
        Event("AU6", 2.0, 3.0), Event("AU45", 4.9, 4.9), Event("AU45", 0.0, 0.0),
    ]  # fmt: skip
    path = write(tmp_path, boris_aggregated(events, FILMS))
    assert spans(path) == {
        "part1.mp4": [(0.0, 0.0), (0.6, 2.367), (2.0, 2.4)],
        "part2.mp4": [(0.0, 0.6), (0.6, 2.367)],
        "part3.mp4": [(0.1, 0.1)],
    }


def test_an_event_over_three_films_and_one_that_ends_with_its_film(tmp_path: Path) -> None:
    path = write(tmp_path, boris_aggregated([Event("AU12", 1.0, 5.0), Event("AU6", 1.0, 2.4)], FILMS))
    assert spans(path) == {"part1.mp4": [(1.0, 2.4), (1.0, 2.4)], "part2.mp4": [(0.0, 2.4)], "part3.mp4": [(0.0, 0.2)]}


def test_a_second_player_shows_the_same_time(tmp_path: Path) -> None:
    path = write(tmp_path, boris_aggregated([Event("AU12", 3.0, 4.0)], FILMS[:2], second_player="side.mp4"))
    assert spans(path) == {"part1.mp4": [], "part2.mp4": [(0.6, 1.6)]}


def test_a_queue_of_unknown_lengths_is_refused(tmp_path: Path) -> None:
    text = boris_aggregated([Event("AU12", 0.6, 2.3), Event("AU12", 3.0, 4.0)], FILMS[:2], durations=False)
    with pytest.raises(TableError, match=r"several queued films \(part1\.mp4, part2\.mp4\), whose clock runs on"):
        read_codes(write(tmp_path, text))
    # Nor is it known where only the rows name the films.
    with pytest.raises(TableError, match="several queued films"):
        read_codes(write(tmp_path, text.replace("player #1:part1.mp4;part2.mp4", "")))
    whole = boris_aggregated([Event("AU12", 0.6, 2.3)], FILMS[:2])
    with pytest.raises(TableError, match="several queued films"):
        read_codes(write(tmp_path, whole.replace("2.400;2.400", "NA;2.400")))


def test_an_intensity_is_a_modifier(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, boris_aggregated([Event("AU12", 0.4, 1.2, "C"), Event("AU6", 0.4, 1.2, "wide")])))
    assert dict(zip(codes.aus.tolist(), codes.grades.tolist(), strict=True))[12] == 3


def test_a_modifier_that_was_not_chosen_says_nothing(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, boris_aggregated([Event("AU12", 0.4, 1.2, "None"), Event("AU6", 2, 3, "none")])))
    assert dict(zip(codes.aus.tolist(), codes.states.tolist(), strict=True)) == {12: 1, 6: 0}


def test_a_time_offset_is_told(tmp_path: Path) -> None:
    text = boris_aggregated([Event("AU12", 0.4, 1.2)]).replace("\t0.0\t9.000", "\t2.5\t9.000")
    assert any("time offset of 2.5 s, which is not added" in note for note in intervals(write(tmp_path, text)).notes)


def test_another_observation_of_a_queued_film(tmp_path: Path) -> None:
    first = boris_aggregated([Event("AU12", 0.4, 1.2)], FILMS[:2])
    second = boris_aggregated([Event("AU12", 0.4, 1.2)], FILMS[1:], observation="obs 2")
    path = write(tmp_path, first + second.split("\n", 1)[1])
    with pytest.raises(OptionsError, match=r"observations obs 1, obs 2 of part2\.mp4; choose one with `observation`"):
        read_codes(path)
    assert [one.video for one in read_codes(path, CodeOptions(observation="obs 2"))] == ["part2.mp4", "part3.mp4"]
    with pytest.raises(OptionsError, match="no observation 'x'"):
        read_codes(path, CodeOptions(observation="x"))
