from __future__ import annotations

from pathlib import Path

import pytest

from aucli.errors import OptionsError, TableError
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedIntervals, CodeOptions
from tests.builders.coded_files import EVENTS, Child, Event, eaf
from tests.builders.read_codes import covered, intervals, write


def test_tiers_become_intervals_of_the_film(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, eaf(), "a.eaf"))
    assert codes.video == "C:/Users/anna/Filme/Gespräch 1.mp4"
    assert codes.coded_aus == (6, 12)
    assert covered(codes, 12) == (10, 29)
    assert covered(codes, 6) == (25, 49)
    assert codes.grades.tolist()[0] == 3
    assert codes.notes == ("a.eaf: 1 codes are no action unit: Speech: hello (1)",)


def test_an_empty_document_has_no_codes(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nothing in .* is an action unit; it has no interval at all"):
        read_codes(write(tmp_path, eaf([]), "a.eaf"))
    codes = intervals(write(tmp_path, eaf([]), "a.eaf"), CodeOptions(coded_aus=(12,)))
    assert (codes.coded_aus, len(codes.aus)) == ((12,), 0)


def test_the_offset_of_the_film_is_added(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, eaf(time_origin_ms=400), "a.eaf"))
    assert covered(codes, 12) == (20, 39)


def test_sound_names_no_film(tmp_path: Path) -> None:
    sound, film = ("file:///a/talk.wav", "audio/x-wav"), ("file:///a/face.mpg", "video/mpeg")
    assert intervals(write(tmp_path, eaf(media=[sound]), "a.eaf")).video is None
    assert intervals(write(tmp_path, eaf(media=[sound, film]), "a.eaf")).video == "a/face.mpg"
    assert intervals(write(tmp_path, eaf(media=[]), "a.eaf")).video is None


def test_times_in_frames(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, eaf(units="PAL-frames", unit_s=0.04), "a.eaf"))
    assert covered(codes, 12) == (10, 29)
    with pytest.raises(TableError, match="counts time in 'parsecs'"):
        read_codes(write(tmp_path, eaf(units="parsecs"), "a.eaf"))


def test_an_annotation_on_an_annotation(tmp_path: Path) -> None:
    """An intensity that lies on an AU is its intensity; a code of its own takes the time of what it lies on."""
    children = [Child("intensity", 1, "D"), Child("AU25", 2, ""), Child("FACS", 2, "4B")]
    codes = intervals(write(tmp_path, eaf(EVENTS, children), "a.eaf"))
    assert codes.coded_aus == (4, 6, 12, 25)
    assert dict(zip(codes.aus.tolist(), codes.grades.tolist(), strict=True))[6] == 4
    assert covered(codes, 25) == covered(codes, 4) == (25, 49)
    assert covered(codes, 6, CodeOptions(min_intensity=5)) is None


def test_annotations_of_one_tier_share_the_time_of_their_parent(tmp_path: Path) -> None:
    children = [Child("FACS", 0, "1"), Child("FACS", 0, "2")]
    codes = intervals(write(tmp_path, eaf([Event("phase", 0.4, 1.2, "x")], children), "a.eaf"))
    assert covered(codes, 1) == (10, 19)
    assert covered(codes, 2) == (20, 29)


def test_slots_without_a_time_stand_between_their_neighbours(tmp_path: Path) -> None:
    events = [Event("AU12", 0.4, 0.8), Event("AU12", 0.8, 1.2), Event("AU06", 1.2, 2.0)]
    text = eaf(events)
    for slot in ("ts2", "ts3"):
        text = text.replace(f'TIME_SLOT_ID="{slot}" TIME_VALUE="800"', f'TIME_SLOT_ID="{slot}"')
    codes = intervals(write(tmp_path, text, "a.eaf"))
    assert codes.offset[0] == pytest.approx(0.4 + 0.8 / 3)
    with pytest.raises(TableError, match="time slots and no time"):
        read_codes(write(tmp_path, text.replace("TIME_VALUE", "TIME_X"), "a.eaf"))


def test_who_was_coded_and_who_coded(tmp_path: Path) -> None:
    events = [
        Event("AU12", 0.4, 1.2, "C", "Anna", "R1"), Event("AU12 Ben", 1.0, 2.0, "B", "Ben", "R1"),
        Event("AU12 second", 0.4, 1.0, "C", "Anna", "R2"), Event("AU06", 0.0, 1.0),
    ]  # fmt: skip
    path = write(tmp_path, eaf(events), "a.eaf")
    anna, ben = read_codes(path, CodeOptions(coder="R1"))
    assert isinstance(anna, CodedIntervals)
    assert isinstance(ben, CodedIntervals)
    assert [(one.subject, covered(one, 12), covered(one, 6)) for one in (anna, ben)] == [
        ("Anna", (10, 29), (0, 24)),
        ("Ben", (25, 49), (0, 24)),
    ], "what is coded of nobody by name is coded of everybody"
    with pytest.raises(OptionsError, match="holds the coders R1, R2; choose one with `coder`"):
        read_codes(path, CodeOptions(subject="Anna"))
    codes = intervals(path, CodeOptions(subject="Anna", coder="R2"))
    assert (codes.subject, covered(codes, 12), covered(codes, 6)) == ("Anna", (10, 24), (0, 24))
    with pytest.raises(OptionsError, match="no subject 'Cleo'"):
        read_codes(path, CodeOptions(subject="Cleo"))


BOMB = '<!DOCTYPE x [<!ENTITY a "smile"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("declared", [BOMB, OUTSIDE, '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">'])
def test_document_types_are_refused(tmp_path: Path, declared: str) -> None:
    with pytest.raises(TableError, match="declares an XML document type"):
        read_codes(write(tmp_path, eaf(head='<?xml version="1.0"?>' + declared), "a.eaf"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</TIER>", "", "damaged XML"),
        ("ANNOTATION_DOCUMENT", "SOMETHING_ELSE", "no ELAN document"),
        ('TIME_SLOT_REF1="ts1"', 'TIME_SLOT_REF1="ts77"', "no time slot 'ts77'"),
        ('TIME_SLOT_REF1="ts1"', "", "no time slot ''"),
        ('TIME_VALUE="400"', 'TIME_VALUE="4e2"', "the time '4e2'"),
        ('TIME_VALUE="400"', 'TIME_VALUE="99999999999999999999"', "the time '9999"),
        ('TIME_VALUE="400"', 'TIME_VALUE="1400"', "ends before it begins"),
        ('encoding="UTF-8"', 'encoding="klingon"', "damaged XML"),
        ('encoding="UTF-8"', 'encoding="UTF-16"', "damaged XML"),
    ],
)
def test_damaged_documents_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in eaf()
    with pytest.raises(TableError, match=message) as caught:
        read_codes(write(tmp_path, eaf().replace(old, new), "a.eaf"))
    assert "a.eaf" in str(caught.value)


def test_annotations_that_lie_on_each_other(tmp_path: Path) -> None:
    text = eaf(EVENTS, [Child("AU25", 0, ""), Child("AU26", 0, "")])
    text = text.replace('"r0" ANNOTATION_REF="a0"', '"r0" ANNOTATION_REF="r1"').replace(
        '"r1" ANNOTATION_REF="a0"', '"r1" ANNOTATION_REF="r0"'
    )
    with pytest.raises(TableError, match="lies on none or on itself"):
        read_codes(write(tmp_path, text, "a.eaf"))
    with pytest.raises(TableError, match="lies on none or on itself"):
        read_codes(write(tmp_path, eaf(EVENTS, [Child("AU25", 7, "")]), "a.eaf"))


def test_a_very_deep_document_is_read_or_refused(tmp_path: Path) -> None:
    deep = "<a>" * 100_000 + "</a>" * 100_000
    codes = intervals(write(tmp_path, eaf().replace("</HEADER>", deep + "</HEADER>"), "a.eaf"))
    assert covered(codes, 12) == (10, 29)
