from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aucli.errors import OptionsError, TableError
from aucli.human_codes.occurrence import occurrence
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedFrames, CodedIntervals, CodeOptions

TIMES_25 = np.arange(100) / 25

ELAN_WIDE = """"#file:///media/a.mp4 -- offset: 0"
Begin Time - hh:mm:ss.ms\tBegin Time - ss.msec\tEnd Time - hh:mm:ss.ms\tEnd Time - ss.msec\tAU12\tAU06\tSpeech
00:00:00.400\t0.400\t00:00:01.200\t1.200\tC\t\t
00:00:01.000\t1.000\t00:00:02.000\t2.000\t\tpresent\thello
00:00:03.000\t3.000\t00:00:03.200\t3.200\t?\t\t
"""
ELAN_LONG = """AU12\t\t00:00:00.400\t0.400\t400\t00:00:01.200\t1.200\t1200\t00:00:00.800\t0.800\t800\tC
AU12\t\t00:00:03.000\t3.000\t3000\t00:00:03.200\t3.200\t3200\t00:00:00.200\t0.200\t200\t?
AU06\tmother\t00:00:01.000\t1.000\t1000\t00:00:02.000\t2.000\t2000\t00:00:01.000\t1.000\t1000\tpresent
Speech\tmother\t00:00:01.000\t1.000\t1000\t00:00:02.000\t2.000\t2000\t00:00:01.000\t1.000\t1000\thello
"""
ELAN_MSEC = """AU12\t\t400\t1200\tC
AU12\t\t3000\t3200\t?
AU06\tmother\t1000\t2000\tpresent
"""
ELAN_TIERS = """Tier\tBegin Time - msec\tEnd Time - msec\tAnnotation
AU12\t400\t1200\tC
AU12\t3000\t3200\tNA
FACS\t1000\t2000\t6B
"""
DATAVYU_CELLS = """AU12.ordinal,AU12.onset,AU12.offset,AU12.grade,eye.ordinal,eye.onset,eye.offset,eye.au06,eye.au04,
0,400,1200,c,0,1000,2000,y,n,
1,3000,3200,?,,,,,,
"""
DATAVYU_4 = """#4
AU12 (MATRIX,true,)-intensity|NOMINAL
00:00:00:400,00:00:01:200,(c)
00:00:03:000,00:00:03:200,(?)
face (MATRIX,true,)-au06|NOMINAL,au04|NOMINAL
00:00:01:000,00:00:02:000,(y,n)
"""
DATAVYUR = """file,column,onset,offset,ordinal,code01
a,AU12,400,1200,1,c
a,AU12,3000,3200,2,?
a,AU6,1000,2000,1,y
"""
BORIS_AGGREGATED = """Observation id,Observation date,Description,Media file,Total length,FPS,Subject,Behavior,\
Behavioral category,Modifier #1,Behavior type,Start (s),Stop (s),Duration (s),Media file name,Comment start,Comment stop
o1,2024-01-01,,player #1:/data/a.mp4,4.0,25,Anna,AU12,mouth,,STATE,0.400,1.200,0.800,/data/a.mp4,,
o1,2024-01-01,,player #1:/data/a.mp4,4.0,25,Anna,Cheek raiser,eyes,,STATE,1.000,2.000,1.000,/data/a.mp4,,
o1,2024-01-01,,player #1:/data/a.mp4,4.0,25,Anna,AU45,eyes,,POINT,2.500,NA,NA,/data/a.mp4,,
o1,2024-01-01,,player #1:/data/a.mp4,4.0,25,Anna,hidden,,,STATE,3.000,3.200,0.200,/data/a.mp4,,
"""
BORIS_TABULAR = """Observation id\tSubject\tBehavior\tBehavioral category\tBehavior type\tTime\tMedia file name\tComment
o1\tAnna\tAU12\tmouth\tSTART\t0.400\t/data/a.mp4\t
o1\tAnna\tCheek raiser\teyes\tSTART\t1.000\t/data/a.mp4\t
o1\tAnna\tAU12\tmouth\tSTOP\t1.200\t/data/a.mp4\t
o1\tAnna\tCheek raiser\teyes\tSTOP\t2.000\t/data/a.mp4\t
o1\tAnna\tAU45\teyes\tPOINT\t2.500\t/data/a.mp4\t
o1\tAnna\thidden\t\tSTART\t3.000\t/data/a.mp4\t
o1\tAnna\thidden\t\tSTOP\t3.200\t/data/a.mp4\t
"""
BORIS_OLD = """Observation id\to1

Media file(s)

Player #1\t/data/a.mp4

Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tComment\tStatus
0.400\t/data/a.mp4\t4.0\t25\tAnna\tAU12\tmouth\t\tSTART
1.200\t/data/a.mp4\t4.0\t25\tAnna\tAU12\tmouth\t\tSTOP
1.000\t/data/a.mp4\t4.0\t25\tAnna\tCheek raiser\teyes\t\tSTART
2.000\t/data/a.mp4\t4.0\t25\tAnna\tCheek raiser\teyes\t\tSTOP
2.500\t/data/a.mp4\t4.0\t25\tAnna\tAU45\teyes\t\tPOINT
3.000\t/data/a.mp4\t4.0\t25\tAnna\thidden\t\t\tSTART
3.200\t/data/a.mp4\t4.0\t25\tAnna\thidden\t\t\tSTOP
"""

HIDDEN = CodeOptions(missing_names=("Hidden",))


def write(tmp_path: Path, text: str, name: str = "codes.txt") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def intervals(path: Path, options: CodeOptions | None = None) -> CodedIntervals:
    (one,) = read_codes(path, options)
    assert isinstance(one, CodedIntervals)
    return one


def expected(au: int) -> np.ndarray:
    """AU12 is in frames 10 to 29 and not scorable in 75 to 79; AU6 is in 25 to 49; 45 is in the one of 2.5 s."""
    labels = np.zeros(100, dtype=np.int8)
    if au == 12:
        labels[10:30], labels[75:80] = 1, -1
    if au == 6:
        labels[25:50] = 1
    if au == 45:
        labels[62] = 1
    return labels


@pytest.mark.parametrize(
    "text",
    [ELAN_WIDE, ELAN_LONG, ELAN_MSEC, ELAN_TIERS, DATAVYU_CELLS, DATAVYU_4, DATAVYUR, ELAN_WIDE.replace(".", ",")],
)
def test_elan_and_datavyu(tmp_path: Path, text: str) -> None:
    codes = intervals(write(tmp_path, text))
    labels = occurrence(codes, TIMES_25, CodeOptions())
    for au in (6, 12):
        np.testing.assert_array_equal(labels[:, codes.coded_aus.index(au)], expected(au))
    assert codes.coded_aus == ((4, 6, 12) if "au04" in text else (6, 12))
    if 4 in codes.coded_aus:
        assert not labels[:, 0].any()


@pytest.mark.parametrize("text", [BORIS_AGGREGATED, BORIS_TABULAR, BORIS_OLD, BORIS_AGGREGATED.replace(",", "\t")])
def test_boris(tmp_path: Path, text: str) -> None:
    codes = intervals(write(tmp_path, text), HIDDEN)
    assert codes.video == "data/a.mp4"
    assert codes.coded_aus == (6, 12, 45)
    labels = occurrence(codes, TIMES_25, HIDDEN)
    for a, au in enumerate(codes.coded_aus):
        wanted = expected(au)
        wanted[75:80] = -1
        np.testing.assert_array_equal(labels[:, a], wanted)


def test_what_is_no_action_unit_is_said(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, ELAN_WIDE))
    assert codes.notes == ("codes.txt: 1 codes are no action unit: Speech: hello (1)",)
    codes = intervals(write(tmp_path, BORIS_AGGREGATED))
    assert codes.notes == ("codes.txt: 1 codes are no action unit: hidden (1)",)
    with pytest.raises(TableError, match=r"nothing in .* is an action unit; it has smile: big"):
        read_codes(write(tmp_path, "Tier\tBegin Time - msec\tEnd Time - msec\tAnnotation\nsmile\t0\t1\tbig\n"))
    codes = intervals(write(tmp_path, ELAN_WIDE.replace("\tC\t", "\twow\t")))
    assert codes.notes[1] == "codes.txt: taken as present: wow (1)"


def test_names_can_be_said(tmp_path: Path) -> None:
    text = ELAN_WIDE.replace("AU12", "smile")
    options = CodeOptions(names={"Smile": 12, "Speech": None})
    codes = intervals(write(tmp_path, text), options)
    np.testing.assert_array_equal(occurrence(codes, TIMES_25, options)[:, 1], expected(12))
    assert codes.notes == ()


def test_intensity_from_which_an_au_counts(tmp_path: Path) -> None:
    options = CodeOptions(min_intensity=4)
    codes = intervals(write(tmp_path, ELAN_WIDE), options)
    assert occurrence(codes, TIMES_25, options)[:, 1].max() == 0
    codes = intervals(write(tmp_path, ELAN_TIERS), CodeOptions(min_intensity=3))
    assert occurrence(codes, TIMES_25, options)[:, 0].max() == 0


def test_the_coded_stretch_and_a_late_clock(tmp_path: Path) -> None:
    options = CodeOptions(coded_span_s=(0.0, 2.0), shift_s=1.0, coded_aus=(1,))
    codes = intervals(write(tmp_path, ELAN_MSEC), options)
    labels = occurrence(codes, TIMES_25, options)
    assert codes.coded_aus == (1, 6, 12)
    assert labels[:50, 0].tolist() == [0] * 50
    assert labels[50:].max() == -1
    assert labels[:50, 2].tolist() == [0] * 35 + [1] * 15


def test_boris_with_several_people_or_passes(tmp_path: Path) -> None:
    two = BORIS_AGGREGATED + BORIS_AGGREGATED.splitlines()[1].replace("Anna", "Ben") + "\n"
    assert [one.subject for one in read_codes(write(tmp_path, two), HIDDEN)] == ["Anna", "Ben"]
    codes = intervals(write(tmp_path, two), CodeOptions(subject="Anna", missing_names=("hidden",)))
    assert codes.coded_aus == (6, 12, 45)
    with pytest.raises(OptionsError, match="no subject 'Cleo'"):
        read_codes(write(tmp_path, two), CodeOptions(subject="Cleo"))
    again = BORIS_AGGREGATED + BORIS_AGGREGATED.splitlines()[1].replace("o1", "o2") + "\n"
    with pytest.raises(OptionsError, match="observations o1, o2"):
        read_codes(write(tmp_path, again))
    codes = intervals(write(tmp_path, again), CodeOptions(observation="o2"))
    assert codes.coded_aus == (12,)
    other = BORIS_AGGREGATED + BORIS_AGGREGATED.splitlines()[1].replace("o1", "o2").replace("a.mp4", "b.mp4") + "\n"
    assert [one.video for one in read_codes(write(tmp_path, other))] == ["data/a.mp4", "data/b.mp4"]


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("AU12\tmouth\tSTOP", "starts AU12 at 0.400 s and never stops"),
        ("AU12\tmouth\tSTART", "stops AU12 at 1.200 s before it started"),
    ],
)
def test_states_that_do_not_pair(tmp_path: Path, drop: str, message: str) -> None:
    text = "\n".join(line for line in BORIS_TABULAR.splitlines() if drop not in line)
    with pytest.raises(TableError, match=message):
        read_codes(write(tmp_path, text))
    doubled = BORIS_TABULAR.replace("o1\tAnna\tAU12\tmouth\tSTOP\t1.200", "o1\tAnna\tAU12\tmouth\tSTART\t1.200")
    with pytest.raises(TableError, match=r"starts AU12 at 1\.200 s before it stopped"):
        read_codes(write(tmp_path, doubled))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("hello\nworld\n", "none of"),
        ("a,b\n1,2\n", "none of"),
        ("frame,AU12\n", "no rows"),
        ("frame,smile\n1,1\n", "no AU columns"),
        ("frame,AU12\n1,7\n", "'7' for AU12"),
        ("frame,AU12\n1.5,0\n", "expected a whole number"),
        ("frame,AU12\n1,0\n1,0\n", "a frame twice"),
        ("frame,AU12,AU 12\n1,0,0\n", "two columns for AU12"),
        ("frame,AU12\n1\n", "row 2 .* has 1 cells"),
        ("time_s,AU12\nx,0\n", "has the time 'x'"),
        ("Begin Time - msec\tAU12\n0\t1\n", "lacks begin or end times"),
        ("Begin Time - msec\tEnd Time - msec\n0\t1\n", "no annotations"),
        ("Begin Time - msec\tEnd Time - msec\tAU12\n9\t1\tx\n", "ends before it begins"),
        ("AU12.ordinal,AU12.onset,AU12.offset,AU12.code\n1,x,2,y\n", "has the time 'x'"),
        ("AU1.onset,AU1.code\n1,y\n", "AU1.onset and no AU1.offset"),
        ("#4\nnonsense\n", "line 2 .* neither a column nor a cell"),
        ("#4\n00:00:00:400,00:00:01:200,(c)\n", "before any column"),
        ("Behavior,Start (s)\nAU12,1\n", "no Stop"),
        ("Behavior,Time\nAU12,1\n", "neither Behavior type nor Status"),
        ("Behavior,Time,Status\nAU12,1,PAUSE\n", "allowed are START, STOP and POINT"),
        ("Behavior,Behavior type,Start (s),Stop (s)\nAU12,STATE,1,NA\n", "has the time 'NA'"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read_codes(write(tmp_path, text))
    assert "codes.txt" in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="does not exist; name a file of codes"):
        read_codes(tmp_path / "nowhere.csv")
    (tmp_path / "b.csv").write_bytes(b"frame,AU12\n\x00\x01\x02")
    with pytest.raises(TableError, match="not text"):
        read_codes(tmp_path / "b.csv")
    with pytest.raises(TableError, match="is a folder; name a file of codes"):
        read_codes(tmp_path)
    (tmp_path / "c.txt").write_bytes(ELAN_WIDE.encode("utf-16"))
    assert intervals(tmp_path / "c.txt").coded_aus == (6, 12)


def test_a_plain_table(tmp_path: Path) -> None:
    header, rows = "video;frame;time_s;au_12;6;AU12_p;Jaw drop", ["a.mp4;1;0.00;1;;0.3;0", "a.mp4;2;0.04;9;1;0.2;true"]
    text = "\n".join([header, *rows, "b.mp4;1;0;0;0;0;0"])
    one, other = read_codes(write(tmp_path, text), CodeOptions(frame_base=1))
    assert isinstance(one, CodedFrames)
    assert (one.video, other.video) == ("a.mp4", "b.mp4")
    assert one.coded_aus == (6, 12, 26)
    assert one.labels.tolist() == [[-1, 1, 0], [1, -1, 1]]
    assert one.frame is not None
    assert one.frame.tolist() == [0, 1]
    assert one.time_s is not None
    assert one.time_s.tolist() == [0.0, 0.04]
    with pytest.raises(TableError, match="below `frame_base`"):
        read_codes(write(tmp_path, "frame,AU1\n0,1\n"), CodeOptions(frame_base=1))
    (graded,) = read_codes(write(tmp_path, "frame,AU1\n0,1\n1,3\n"), CodeOptions(min_intensity=2))
    assert isinstance(graded, CodedFrames)
    assert graded.labels.tolist() == [[0], [1]]


def test_a_frame_shown_at_the_offset_is_outside(tmp_path: Path) -> None:
    """At 30 frames/s frame 2 is shown at 0.0667 s, which programs round to 0.067."""
    codes = intervals(write(tmp_path, "Begin Time - msec\tEnd Time - msec\tAU12\n33\t67\tx\n"))
    assert occurrence(codes, np.arange(4) / 30, CodeOptions())[:, 0].tolist() == [0, 1, 0, 0]
    assert occurrence(codes, np.empty(0), CodeOptions()).shape == (0, 1)


def test_options_are_checked() -> None:
    with pytest.raises(OptionsError, match="3 is not an action unit"):
        CodeOptions(names={"x": 3})
    with pytest.raises(OptionsError, match="end after it begins"):
        CodeOptions(coded_span_s=(2, 1))
    with pytest.raises(OptionsError, match="min_intensity"):
        CodeOptions(min_intensity=0)
    with pytest.raises(OptionsError, match="frame_base"):
        CodeOptions(frame_base=2)
