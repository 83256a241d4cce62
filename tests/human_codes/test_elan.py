from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from aucli.errors import TableError
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedIntervals, CodeOptions
from tests.builders.coded_files import EVENTS, Event, elan_per_tier, elan_rows
from tests.builders.read_codes import covered, intervals, write

FORMATS = ("hh", "ss", "ms", "pal")
MEDIA = '"#file:///D:/films/Session%201.mp4 -- offset: 0, duration: 00:00:04.000 / 4.000 / 4000, ms per sample: 40.0"\n'


@pytest.mark.parametrize("formats", [c for n in (1, 2, 4) for c in combinations(FORMATS, n)])
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_a_column_per_tier_in_every_format_and_language(
    tmp_path: Path, formats: tuple[str, ...], language: str
) -> None:
    codes = intervals(write(tmp_path, elan_per_tier(language=language, formats=formats)))
    assert (covered(codes, 12), covered(codes, 6)) == ((10, 29), (25, 49))


@pytest.mark.parametrize("formats", [c for n in (1, 2, 4) for c in combinations(FORMATS, n)])
def test_a_row_per_annotation_in_every_format(tmp_path: Path, formats: tuple[str, ...]) -> None:
    codes = intervals(write(tmp_path, elan_rows(formats=formats)), CodeOptions(frame_rate=25))
    assert (covered(codes, 12), covered(codes, 6)) == ((10, 29), (25, 49))
    assert codes.grades[0] == 3, "the value is what stands behind the times, never one of them"


def test_ntsc_timecode_is_dropped_at_its_own_rate(tmp_path: Path) -> None:
    """Frame 17982 is shown as 00:10:00:00 and at 599.9994 s, not at 600 s."""
    event = Event("AU12", 600.01, 601.5)
    codes = intervals(write(tmp_path, elan_per_tier([event], formats=("ntsc",))))
    assert codes.onset[0] == pytest.approx(17982 * 1001 / 30000)
    assert codes.offset[0] == pytest.approx(int(601.5 * 30000 / 1001) * 1001 / 30000)


def test_commas_and_quotation_marks(tmp_path: Path) -> None:
    text = elan_per_tier(delimiter=",").replace("AU12,", '"AU12",').replace("C,", '"C [a17]",')
    codes = intervals(write(tmp_path, MEDIA.replace("\n", ",,,\n") + text))
    assert (codes.video, covered(codes, 12), codes.grades[0]) == ("D:/films/Session 1.mp4", (10, 29), 3)


def test_an_old_export_in_windows_1252(tmp_path: Path) -> None:
    text = elan_per_tier([*EVENTS, Event("Äußerung", 0, 1, "très bien")], language="fr")
    codes = intervals(write(tmp_path, text.encode("cp1252")))
    assert covered(codes, 12) == (10, 29)
    assert "Äußerung: très bien (1)" in codes.notes[0]


def test_a_header_names_the_film_and_its_offset(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, MEDIA.replace("offset: 0", "offset: 1500") + "\n" + elan_per_tier()))
    assert codes.video == "D:/films/Session 1.mp4"
    assert "offset of 1500 ms, which the export may hold or not; `shift_s` moves the codes" in codes.notes[0]


def test_several_documents_in_one_export_stay_apart(tmp_path: Path) -> None:
    events = [Event("AU12", 0.4, 1.2, "C"), Event("AU12", 2.0, 2.4, "C")]
    by_line = write(tmp_path, elan_rows(events, documents=["one.eaf", "two.eaf"]), "line.txt")
    header, first, second = elan_per_tier(events).splitlines()
    by_comment = write(tmp_path, f'{header}\n\n"#one.eaf"\n{first}\n\n"#two.eaf"\n{second}\n', "comment.txt")
    for path in (by_line, by_comment):
        one, two = read_codes(path)
        assert isinstance(one, CodedIntervals)
        assert isinstance(two, CodedIntervals)
        assert (one.video, covered(one, 12)) == ("one.eaf", (10, 29))
        assert (two.video, covered(two, 12)) == ("two.eaf", (50, 59))


def test_two_participants_are_never_merged(tmp_path: Path) -> None:
    path = write(tmp_path, elan_rows([Event("AU12", 0.4, 1.2, "", "Anna"), Event("AU12", 2.0, 2.4, "", "Ben")]))
    anna, ben = read_codes(path)
    assert isinstance(anna, CodedIntervals)
    assert (anna.subject, covered(anna, 12), ben.subject) == ("Anna", (10, 29), "Ben")
    assert covered(intervals(path, CodeOptions(subject="Ben")), 12) == (50, 59)


def test_an_unknown_format_of_times_is_refused(tmp_path: Path) -> None:
    """Frame numbers read as seconds would lie far outside the film, or inside it and wrong."""
    text = "Begin Time - frame\tEnd Time - frame\tAU12\n18\t71\tC\n"
    with pytest.raises(TableError, match=r"gives times as 'Begin Time - frame'; known formats are hh:mm:ss\.ms"):
        read_codes(write(tmp_path, text))
    # A known format beside it is taken.
    text = "Begin Time - frame\tBegin Time - msec\tEnd Time - frame\tEnd Time - msec\tAU12\n10\t400\t30\t1200\tC\n"
    assert covered(intervals(write(tmp_path, text)), 12) == (10, 29)


def test_an_annotation_without_text(tmp_path: Path) -> None:
    """With a column per tier ELAN does not tell which tier it lies on; with one tier there is no doubt."""
    events = [Event("AU12", 0.4, 1.2), Event("AU06", 1.0, 2.0, "y")]
    with pytest.raises(TableError, match=r"line 2 of .* has times and no value: an annotation without text"):
        read_codes(write(tmp_path, elan_per_tier(events)))
    assert covered(intervals(write(tmp_path, elan_per_tier(events[:1]))), 12) == (10, 29)
    assert covered(intervals(write(tmp_path, elan_rows(events))), 12) == (10, 29)
