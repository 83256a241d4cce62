from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aucli.errors import OptionsError, TableError
from aucli.human_codes.occurrence import occurrence
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodeOptions
from tests.builders.read_codes import TIMES_25, covered, intervals, write


@pytest.mark.parametrize(
    "text",
    [
        "start,end,label\n0.4,1.2,AU12\n1.0,2.0,AU6\n",
        "start,end,label\n0.4,1.2,12C\n1.0,2.0,6\n",
        "onset_s;offset_s;code\n0,4;1,2;AU12\n1,0;2,0;AU6\n",
        "Start (s)\tStop (s)\tBehaviour\n0.4\t1.2\tLip corner puller\n1.0\t2.0\tCheek raiser\n",
        "start_ms,end_ms,AU\n400,1200,12\n1000,2000,6\n",
        "Start Time,Duration,Action Units\n0.4,0.8,AU12\n1.0,1.0,AU06\n",
        "Début (s);Fin (s);Étiquette\n0,4;1,2;AU12\n1;2;AU6\n",
        "Temps de début;Temps de fin;Code\n00:00:00,400;00:00:01,200;AU12\n00:00:01,000;00:00:02,000;AU6\n",
        "Anfang;Ende;Kodierung\n0,4;1,2;AU12\n1,0;2,0;AU6\n",
        "Beginn (ms);Ende (ms);Verhalten\n400;1200;AU12\n1000;2000;AU6\n",
        "sep=;\nstart;end;label\n0,4;1,2;AU12\n1,0;2,0;AU6\n",
        "begin,end,tier,value\n0.4,1.2,AU12,C\n1.0,2.0,AU06,\n",
        "start,end,label,intensity\n0.4,1.2,AU12,C\n1.0,2.0,AU6,2\n",
        "start,end,label\n00:00:00:10,00:00:01:05,AU12\n00:00:01:00,00:00:02:00,AU6\n",
        "OnsetFrame,OffsetFrame,Action Units\n10,29,12\n25,49,6\n",
        "start_frame,duration_frames,label\n10,20,AU12\n25,25,AU6\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_every_layout_gives_the_same_codes(tmp_path: Path, text: str, encoding: str) -> None:
    codes = intervals(write(tmp_path, text.encode(encoding), "codes.csv"), CodeOptions(frame_rate=25))
    assert codes.coded_aus == (6, 12)
    assert (covered(codes, 12), covered(codes, 6)) == ((10, 29), (25, 49))


def test_frame_numbers_from_one(tmp_path: Path) -> None:
    path = write(tmp_path, "OnsetFrame,OffsetFrame,AU\n11,30,12\n")
    assert covered(intervals(path, CodeOptions(frame_base=1)), 12) == (10, 29)
    with pytest.raises(OptionsError, match="counts frames; `shift_s` moves times only"):
        read_codes(path, CodeOptions(shift_s=1.0))


def test_frame_numbers_of_a_film_of_which_the_table_holds_some(tmp_path: Path) -> None:
    codes = intervals(write(tmp_path, "OnsetFrame,OffsetFrame,AU\n10,29,12\n"))
    frame = np.arange(0, 100, 7)
    labels = occurrence(codes, frame / 25, CodeOptions(), frame)[:, 0]
    assert labels.tolist() == [int(10 <= f <= 29) for f in frame]


def test_drop_frame_timecode_and_a_rate_that_nobody_knows(tmp_path: Path) -> None:
    drop = write(tmp_path, "start,end,label\n00:10:00;00,00:10:01;00,AU12\n")
    assert intervals(drop).onset[0] == pytest.approx(17982 * 1001 / 30000)
    path = write(tmp_path, "start,end,label\n00:00:00:10,00:00:01:05,AU12\n")
    with pytest.raises(OptionsError, match="say their frames per second with `frame_rate`"):
        read_codes(path)
    (codes,) = read_codes(path, film_rate=lambda video, source: 25.0 if source == path and video is None else None)
    assert covered(codes, 12) == (10, 29)  # type: ignore[arg-type]
    with pytest.raises(TableError, match="a timecode has frame 10 of a second; at 10 frames/s there are 10"):
        read_codes(path, CodeOptions(frame_rate=10))


def test_films_people_and_coders_in_columns(tmp_path: Path) -> None:
    text = "film,participant,coder,start,end,label\n" + "".join(
        f"{film},{who},{coder},{start},{start + 0.4},AU12\n"
        for film, who, coder, start in (
            ("a.mp4", "Anna", "R1", 0.4), ("b.mp4", "Anna", "R1", 0.8),
            ("a.mp4", "Ben", "R1", 2.0), ("a.mp4", "Anna", "R2", 3.0),
        )
    )  # fmt: skip
    path = write(tmp_path, text)
    found = read_codes(path, CodeOptions(coder="R1"))
    assert [(one.video, one.subject) for one in found] == [("a.mp4", "Anna"), ("a.mp4", "Ben"), ("b.mp4", "Anna")]
    with pytest.raises(OptionsError, match="`coder`"):
        read_codes(path, CodeOptions(subject="Anna"))
    one, other = read_codes(path, CodeOptions(subject="Anna", coder="R1"))
    assert (one.video, other.video) == ("a.mp4", "b.mp4")
    assert covered(one, 12) == (10, 19)  # type: ignore[arg-type]


def test_each_film_may_have_its_own_subject(tmp_path: Path) -> None:
    """As in CASME II: a row for every expression of everybody."""
    text = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Emotion\n"
    text += "sub01,f1,10,20,29,4+R10,disgust\nsub02,f2,25,30,49,12,happiness\n"
    path = write(tmp_path, text)
    one, two = read_codes(path)
    assert (one.video, one.subject, two.video, two.subject) == ("f1", "sub01", "f2", "sub02")
    assert covered(one, 4) == (10, 29)  # type: ignore[arg-type]
    assert covered(two, 4) is None  # type: ignore[arg-type]
    # Of the one who was not chosen nothing is said, least of all "absent".
    (chosen,) = read_codes(path, CodeOptions(subject="sub02"))
    assert chosen.video == "f2"


def test_from_which_intensity(tmp_path: Path) -> None:
    path = write(tmp_path, "start,end,label\n0.4,1.2,12B\n1.0,2.0,12D\n2.0,3.0,12\n")
    found = {
        grade: occurrence(intervals(path), TIMES_25, CodeOptions(min_intensity=grade))[:, 0].tolist()
        for grade in (1, 3, 5)
    }
    assert found[1] == [int(10 <= f < 75) for f in range(100)]
    assert found[3] == [int(25 <= f < 75) for f in range(100)]
    assert found[5] == [int(50 <= f < 75) for f in range(100)], "a code without intensity stays"
    assert (
        "some codes have no intensity; these 1 count as present"
        in intervals(path, CodeOptions(min_intensity=3)).notes[0]
    )


def test_a_bare_one_is_present_and_no_trace(tmp_path: Path) -> None:
    path = write(tmp_path, "begin,end,tier,value\n0.4,1.2,AU12,1\n2.0,3.0,AU12,0\n")
    codes = intervals(path, CodeOptions(min_intensity=3))
    assert covered(codes, 12, CodeOptions(min_intensity=3)) == (10, 29)
    assert "the codes have no intensity" in codes.notes[0]
    graded = write(tmp_path, "begin,end,tier,value\n0.4,1.2,AU12,1\n2.0,3.0,AU12,4\n")
    assert covered(intervals(graded), 12, CodeOptions(min_intensity=3)) == (50, 74)


def test_codes_of_one_side(tmp_path: Path) -> None:
    """Left out, such a frame is neither present nor absent."""
    path = write(tmp_path, "start,end,label\n0.4,1.2,AU12L\n2.0,3.0,AU12\n2.4,2.8,R12\n0.0,4.0,AU14R\n")
    codes = intervals(path)
    assert codes.coded_aus == (12,)
    assert codes.notes == (
        "codes.txt: codes of one side of the face are left out; count them with `one_sided`: "
        "AU12L (1), AU12R (1), AU14R (1)",
    )
    labels = occurrence(codes, TIMES_25, CodeOptions())[:, 0]
    assert labels.tolist() == [-1 if 10 <= f < 30 else int(50 <= f < 75) for f in range(100)]
    count = CodeOptions(one_sided="count")
    codes = intervals(path, count)
    assert codes.coded_aus == (12, 14)
    assert occurrence(codes, TIMES_25, count)[:, 0].tolist() == [int(10 <= f < 30 or 50 <= f < 75) for f in range(100)]
    assert "count as present: AU12L" in codes.notes[0]
    with pytest.raises(TableError, match="it has AU14R; count one-sided codes with `one_sided`"):
        read_codes(write(tmp_path, "start,end,label\n0.4,1.2,AU14R\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start,end,label\n", "nothing in"),
        ("start,end,label\nx,1,AU12\n", "the time 'x'"),
        ("start,end,label\n1,0.5,AU12\n", "ends before it begins"),
        ("start,end,label\n0,1\n", "row 2 .* has 2 cells"),
        ('start,end,label\n0,1,"AU12\n1,2,AU6\n', "is damaged"),
        ("start_frame,end_frame,label\n1.5,2,AU12\n", "expected a whole number"),
        ("start_frame,end,label\n1,2,AU12\n", "counts frames in one of"),
        ("start,end,label\n1e400,2,AU12\n", "the time"),
        ("start,end,label\n0,1," + "x" * 200_000 + "\n", "is damaged|nothing in"),
    ],
)
def test_broken_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read_codes(write(tmp_path, text))
    assert len(str(caught.value)) < 500
