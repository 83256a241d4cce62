"""A made-up study with everything that studies have: names that differ, films without codes, two coders, two people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.folds import FoldOptions, make_folds, seeded_tests
from aucli.datasets.load import load_dataset
from aucli.datasets.prepared import open_faces
from aucli.datasets.readers.own import OwnOptions
from aucli.datasets.readers.own_pairing import CodedBy, most_alike, pair, words_of
from aucli.datasets.report import Findings, Report
from aucli.datasets.samples import Samples
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError, OptionsError
from aucli.facs import AU_NAMES
from aucli.human_codes.film_names import FilmNames, MediaLink
from aucli.human_codes.values import CodedIntervals
from tests.builders.coded_files import Event, eaf
from tests.builders.media import MadeVideo, write_film

FILM = MadeVideo(n_frames=50, size=(64, 48))  # two seconds


def film(root: Path, name: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return FILM.write(path)


def elan(path: Path, *events: Event, film: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    media = [(f"file:///C:/Users/anna/{film}", "video/mp4")] if film else []
    path.write_text(eaf(events, media=media), encoding="utf-8")


def read(root: Path, **options: object) -> tuple[Samples, Report]:
    return load_dataset("own", root, {"frames_per_s": 0.0, **options})


def labels_of(samples: Samples, name: str, au: int) -> dict[int, int]:
    """Frame -> label, of one sequence."""
    (index,) = [i for i, one in enumerate(samples.sequences) if one.name == name]
    rows = samples.sequence_index == index
    column = samples.aus.index(au)
    return dict(zip(samples.frame[rows].tolist(), samples.labels[rows, column].tolist(), strict=True))


def expected(spans: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """Label -> first frame and frame after the last, as frame -> label."""
    return {frame: label for label, span in spans.items() for frame in range(*span)}


SMILE = Event("AU12", 0.4, 0.8, "C")
FROWN = Event("AU04", 1.2, 1.6, "B")


def test_a_study_with_traps(tmp_path: Path) -> None:
    for name in ("P01_visit1.mp4", "P01_visit2.mp4", "P02.mp4", "P03.mp4", "pair.mp4", "P05.mp4", "uncoded.mp4"):
        film(tmp_path / "films", name)
    codes = tmp_path / "codes"
    elan(codes / "P01_visit1.eaf", SMILE, FROWN, Event("AU12", 0.6, 1.0, "D"))  # overlapping intervals
    elan(codes / "P01 Visit 2 (anna, final).eaf", SMILE, FROWN)  # called otherwise
    # BORIS's way of CSV: what was not coded in the middle is marked by what was.
    (codes / "P02_scored.csv").write_text(
        "video,start,end,label\nP02.mp4,0.0,0.4,scored\nP02.mp4,1.0,2.0,scored\nP02.mp4,1.2,1.6,AU4\n"
        "P02.mp4,0.0,0.2,AU12\n"
    )
    # By frame, intensities, without AU12 in the last rows.
    lines = [f"{k},{k % 3},{'' if k >= 40 else k % 6}" for k in range(10, 45)]
    (codes / "P03.csv").write_text("\n".join(["frame,AU04,AU12", *lines]))
    pair = [Event("AU12", 0.4, 0.8, "", "mother"), Event("AU12", 1.2, 1.6, "", "child")]
    elan(codes / "pair.eaf", *pair)
    elan(codes / "P05.eaf", SMILE, FROWN, film="P02.mp4")  # coded in a copy of another film's file
    elan(codes / "P99.eaf", SMILE, FROWN)  # its film is gone
    elan(codes / "nothing.eaf")
    (codes / "damaged.eaf").write_text('<?xml version="1.0"?><ANNOTATION_DOCUMENT')
    (codes / "damaged.opf").write_text("no archive")
    (codes / "notes.txt").write_text("the second visit was on a Tuesday\n")
    people = tmp_path / "people.csv"
    people.write_text(
        "film;person;face;coded_as\nP01_visit1.mp4;P 01;;\nP01_visit2;P 01;;\nP02;P02;;\nP03;P03;;\n"
        "pair;P04;right;child\npair;P06;left;mother\nP05.mp4;P05;;\nuncoded.mp4;P07;;\nlost.mp4;P08;;\n"
    )

    folders = {"people": "people.csv", "labels_dir": "codes", "videos_dir": "films"}
    samples, report = read(tmp_path, **folders, coded_names=("scored",), min_intensity="B")

    assert samples.aus == (4, 12)
    assert samples.subjects == ("own/P02", "own/P03", "own/P04", "own/P06", "own/P_01")
    by_person = {s.name: s.subject for s in samples.sequences}
    assert by_person["P01_visit1.mp4"] == by_person["P01_visit2.mp4"] == "own/P_01"
    # Codes run from 0.4 to 1.6 s: before and after that nobody may have looked.
    assert labels_of(samples, "P01_visit1.mp4", 12) == expected({1: (10, 25), 0: (25, 41)})
    assert labels_of(samples, "P01_visit2.mp4", 12) == expected({1: (10, 20), 0: (20, 41)})
    assert labels_of(samples, "P02.mp4", 4) == expected({0: (0, 10)}) | expected({0: (25, 50)}) | expected(
        {1: (30, 40)}
    )
    by_frame = labels_of(samples, "P03.mp4", 12)
    assert by_frame == {k: -1 if k >= 40 else int(k % 6 >= 2) for k in range(10, 45)}, "present from B on"
    # Each of the two has a face and codes of their own; AU4 was not looked for in their file.
    assert {s.name: s.side for s in samples.sequences if s.side} == {
        "pair.mp4 (P04)": "right",
        "pair.mp4 (P06)": "left",
    }
    assert labels_of(samples, "pair.mp4 (P04)", 12) == expected({1: (30, 40), 0: (40, 41)})
    assert set(labels_of(samples, "pair.mp4 (P06)", 4).values()) <= {-1}

    where = {(f.kind, f.where): f for f in report.findings}
    paired = where["codes paired by the likeness of names", "P01 Visit 2 (anna, final).eaf"]
    assert paired.detail == "with P01_visit2.mp4"
    assert where["overlapping intervals of one action unit", "P01_visit1.mp4"].count == 1
    assert where["film without codes", "uncoded.mp4"].effect == "dropped"
    assert ("film without codes", "P05.mp4") in where
    assert "called like P05.mp4" in where["codes whose name contradicts the film they name", "P05.eaf"].detail
    assert ("codes without film", "P99.eaf") in where
    assert ("file without a single code", "nothing.eaf") in where
    assert ("file of codes cannot be read", "damaged.eaf") in where
    assert where["file that holds no codes of people", "damaged.opf"].level == "warning"
    assert where["file that holds no codes of people", "notes.txt"].level == "note"
    assert ("film of the table of people that is not there", "lost.mp4") in where
    assert where["intensity below min_intensity, counted absent", "P03.mp4"].detail == "present from B on"
    assert "AU 4" in where["action unit that a file does not hold", "pair.mp4"].detail
    assert {f.where for f in report.findings if f.kind.startswith("coded face: the left")} == {"pair.mp4"}


def test_nobody_is_trained_on_and_tested_and_two_studies_may_call_people_alike(tmp_path: Path) -> None:
    for k in range(1, 8):
        film(tmp_path, f"id{(k + 1) // 2}_take{k}.mp4")
        elan(tmp_path / f"id{(k + 1) // 2}_take{k}.eaf", SMILE, FROWN)
    samples, _ = read(tmp_path, person_pattern=r"(id\d+)_", study="pilot")
    assert samples.subjects == tuple(f"own/pilot/id{k}" for k in range(1, 5))
    folds, _ = make_folds(samples, FoldOptions(seed=1))
    assert sorted(s for fold in folds for s in fold.test) == list(samples.subjects)
    assert all(fold.validation for fold in folds)
    assert [f.test for f in folds] == [f.test for f in make_folds(samples, FoldOptions(seed=1))[0]]
    alone, report = read(tmp_path)
    assert len(alone.subjects) == 7
    assert report.count("nobody says who is in which film") == 7
    thinned, report = read(tmp_path, frames_per_s=5.0)
    assert labels_of(thinned, "id1_take1.mp4", 12) == {10: 1, 15: 1, 20: 0, 25: 0, 30: 0, 35: 0, 40: 0}
    assert report.count("neighbouring frame") == 7 * 40


def test_what_one_coder_saw_and_another_did_not_is_unknown(tmp_path: Path) -> None:
    film(tmp_path, "a.mp4")
    elan(tmp_path / "a_anna.eaf", Event("AU12", 0.4, 0.8), Event("AU04", 1.2, 1.6))
    elan(tmp_path / "a_ben.eaf", Event("AU12", 0.6, 1.0), Event("AU25", 0.4, 1.6))
    samples, report = read(tmp_path)
    assert labels_of(samples, "a.mp4", 12) == expected({-1: (10, 25), 0: (25, 41)}) | expected({1: (15, 20)})
    assert labels_of(samples, "a.mp4", 4) == expected({0: (10, 30), 1: (30, 40)}) | {40: 0}
    assert report.count("coders who contradict each other") == 10
    everything, _ = read(tmp_path, coded_aus=(4, 12, 25), coded="film")
    assert labels_of(everything, "a.mp4", 4)[35] == -1, "the other coder looked for AU4 too, and saw none"
    assert len(everything) == 50


def test_any_action_unit_and_stretches_of_the_table(tmp_path: Path) -> None:
    film(tmp_path, "a.mp4")
    elan(tmp_path / "a.eaf", *(Event(f"AU{au:02d}", 0.4, 0.8) for au in AU_NAMES))
    (tmp_path / "people.csv").write_text("video,subject,start,end\na.mp4,x,0,0:00:01\na.mp4,x,1.8,\n")
    samples, _ = read(tmp_path, people="people.csv")
    assert samples.aus == tuple(sorted(AU_NAMES))
    assert samples.frame.tolist() == [*range(25), *range(45, 50)]
    assert labels_of(samples, "a.mp4", 45)[12] == 1
    chosen, _ = read(tmp_path, people="people.csv", aus=(45, 12))
    assert chosen.aus == (45, 12)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a.mp4,x\n", "has no column video"),
        ("video,subject\na.mp4,\n", "lacks the subject"),
        ("video,subject,face\na.mp4,x,3\n", "allowed are left, right and largest"),
        ("video,subject\na.mp4,x\na,x\n", "a second time"),
        ("video,subject,start,end\na.mp4,x,2,1\n", "must end after it begins"),
        ("video,subject,start,end\na.mp4,x,noon,\n", "write times as 90 or 1:30"),
        ("video,subject,film\na.mp4,x,y\n", "two columns of video"),
    ],
)
def test_a_table_that_makes_no_sense(tmp_path: Path, table: str, message: str) -> None:
    film(tmp_path, "a.mp4")
    elan(tmp_path / "a.eaf", SMILE)
    (tmp_path / "people.csv").write_text(table)
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, people="people.csv")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no film"):
        read(tmp_path)
    film(tmp_path, "a.mp4")
    with pytest.raises(DatasetError, match="holds no file of codes"):
        read(tmp_path)
    elan(tmp_path / "a.eaf")
    with pytest.raises(DatasetError, match=r"no file in .* holds codes of a film: nothing in"):
        read(tmp_path)
    with pytest.raises(OptionsError, match="is no regular expression"):
        read(tmp_path, person_pattern="(")
    with pytest.raises(OptionsError, match="`names` is 'smile'"):
        OwnOptions(names=("smile",)).reading()


@given(st.lists(st.text("abc12", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
def test_a_film_is_most_like_its_own_name(stems: list[str]) -> None:
    films = [f"{stem}.mp4" for stem in stems]
    for stem, name in zip(stems, films, strict=True):
        likely = most_alike(f"{stem}.eaf", films)
        assert name in likely
        assert {words_of(one) for one in likely} == {words_of(name)}


def test_films_of_one_name_are_told_by_the_folders_of_links_or_of_files() -> None:
    films = FilmNames(["P1/film.mp4", "P2/film.mp4", "P3/other.mp4"])

    def codes(video: str | None) -> CodedIntervals:
        nothing = np.empty(0)
        whole = nothing.astype(np.int32), nothing, nothing
        return CodedIntervals(Path("x"), video, None, *whole, "s", nothing.astype(np.int8), nothing, (12,))

    def paired(*files: CodedBy) -> tuple[dict[str, int], list[str]]:
        findings = Findings()
        found = pair(files, films, {}, findings)
        return {film: len(its) for film, its in found.items()}, [item.kind for item in findings.items]

    links = [codes(MediaLink(f"D:/study/{person}/film.mp4")) for person in ("P1", "P2", "P4")]
    project = paired(CodedBy("all.boris", tuple(links)))
    assert project == ({"P1/film.mp4": 1, "P2/film.mp4": 1}, ["codes that fit several films"]), "P4 is not there"
    beside = [CodedBy(f"{person}/codes/film.eaf", (codes(None),)) for person in ("P1", "P2")]
    assert paired(*beside) == ({"P1/film.mp4": 1, "P2/film.mp4": 1}, [])
    assert paired(CodedBy("P2/film.eaf", (links[0],)))[1] == ["codes whose name contradicts the film they name"]
    assert paired(CodedBy("all.csv", (codes("P4/other.mp4"),)))[0] == {}, "a name is no film in another folder"


def test_names_are_alike_by_their_words() -> None:
    films = ["P1/cam1.mp4", "P01_Visit-2.mp4", "P01_visit_12.mp4", "other.mp4"]
    assert most_alike("p1 visit 2 final.eaf", films) == ("P01_Visit-2.mp4",)
    assert most_alike("visit.eaf", films) == ("P01_Visit-2.mp4", "P01_visit_12.mp4")
    assert most_alike("nothing.eaf", films) == ()


@given(st.sets(st.integers().map(str), min_size=2, max_size=12), st.integers(1, 6), st.integers(0, 5))
def test_every_person_is_tested_once(people: set[str], most: int, seed: int) -> None:
    tests: Sequence[frozenset[str]] = list(seeded_tests(sorted(people), most=most, seed=seed).values())
    assert sorted(name for test in tests for name in test) == sorted(people)
    sizes = np.array([len(test) for test in tests])
    assert len(tests) == min(most, len(people))
    assert sizes.max() - sizes.min() <= 1


def test_the_face_that_is_told_and_films_that_are_added(tmp_path: Path, face_frame: npt.NDArray[np.uint8]) -> None:
    root = tmp_path / "study"
    root.mkdir()
    write_film(root / "both.mp4", [face_frame] * 4, fps=4)
    elan(root / "both.eaf", Event("AU12", 0.25, 0.5, "", "left one"), Event("AU12", 0.25, 0.75, "", "right one"))
    (root / "people.csv").write_text(
        "video,subject,coded_as,face\nboth,P1,left one,left\nboth,P2,right one,right\nlater,P3,,left\n"
    )
    options = OwnOptions(people="people.csv", frames_per_s=4)
    source = DatasetSource(dataset="own", root=root, cache=tmp_path / "cache", options=options)
    faces, problems = open_faces(source, device="cpu")
    assert problems == ()
    places = {subject: faces.frames[faces.subjects == subject].tolist() for subject in ("own/P1", "own/P2")}
    assert len(places["own/P1"]) < len(places["own/P2"]), "each has the frames of their own codes"
    first = min(places["own/P2"])
    shown = [faces[np.flatnonzero((faces.subjects == who) & (faces.frames == first))] for who in places]
    assert not np.array_equal(shown[0].pictures, shown[1].pictures)

    (root / "later.mp4").write_bytes((root / "both.mp4").read_bytes())
    elan(root / "later.eaf", Event("AU04", 0.2, 0.6))
    more, _ = open_faces(source, device="cpu")
    assert set(more.subjects.tolist()) == {"own/P1", "own/P2", "own/P3"}
    assert more.aus == (4, 12)
