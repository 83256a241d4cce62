"""A study against a coder in one go: who is which face, and who is compared with nobody."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from aucli.errors import OptionsError, TableError
from aucli.evaluation.agreement import Agreement, AgreementOptions, compare_files
from aucli.evaluation.coded_faces import FaceList, read_face_list
from aucli.evaluation.films import Films
from aucli.results.exports.run import ExportOptions, export
from tests.builders.coded_files import Event, eaf
from tests.builders.coded_tables import table, write_table

RAW = ExportOptions(raw=True)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """One face, two faces, and none."""
    folder = tmp_path / "tables"
    folder.mkdir()
    write_table(pl.concat([table("one.mp4"), table("two.mp4", faces=2)]), folder / "a.parquet")
    write_table(table("none.mp4", lost=tuple(range(100))), folder / "b.parquet")
    return folder


def compared(result: Agreement) -> list[tuple[str, str | None, str]]:
    return [(one.video, one.subject, one.face) for one in result.videos]


@pytest.mark.parametrize("target", ["elan", "boris"])
def test_a_study_goes_out_and_back_in_with_one_command(tables: Path, tmp_path: Path, target: str) -> None:
    place = tmp_path / ("codes" if target == "elan" else "all.boris")
    export(tables, target, place, RAW)
    result = compare_files(tables, [place], options=AgreementOptions(replicates=0))
    # Face 1 of two.mp4 shows nothing and is never unseen: it left no trace in the codes.
    assert compared(result) == [("one.mp4", "face 0", "0, the only one"), ("two.mp4", "face 0", "0 of 2")]
    assert [row.scores["kappa"].value for row in result.evaluation.per_au] == [1.0]
    assert "not compared, no face in the table and nothing coded: none.mp4" in result.notes


@pytest.mark.parametrize("target", ["elan", "boris"])
def test_films_of_one_name_in_many_folders_go_out_and_back_in(tmp_path: Path, target: str) -> None:
    names = [f"study/p{k}/film.mp4" for k in range(3)]
    whole = write_table(pl.concat([table(name) for name in names]), tmp_path / "whole.parquet")
    place = tmp_path / ("codes" if target == "elan" else "all.boris")
    export(whole, target, place, RAW)
    one_by_one = AgreementOptions(replicates=0)
    result = compare_files(whole, [place], options=one_by_one)
    assert [one.video for one in result.videos] == names
    assert [row.scores["kappa"].value for row in result.evaluation.per_au] == [1.0]
    part = write_table(pl.concat([table(name) for name in names[1:]]), tmp_path / "part.parquet")
    result = compare_files(part, [place], options=one_by_one)
    assert [one.video for one in result.videos] == names[1:]
    (note,) = [note for note in result.notes if "not in the table" in note]
    assert note.startswith("1 of 3 coded videos")
    assert note.endswith(names[0])


def coded(folder: Path, subjects: dict[str, list[str]]) -> Path:
    """A document a film; each subject shows AU12 as the table has it of face 0."""
    folder.mkdir(exist_ok=True)
    for name, people in subjects.items():
        events = [Event(f"AU12 {who}", 0.48, 1.28, "", who) for who in people]
        (folder / f"{name}.eaf").write_text(eaf(events, media=[(f"file:///{name}.mp4", "video/mp4")]))
    return folder


def test_all_films_that_need_a_choice_are_asked_for_at_once_and_one_list_settles_them(
    tables: Path, tmp_path: Path
) -> None:
    write_table(table("three.mp4", faces=3), tables / "c.parquet")
    codes = coded(tmp_path / "codes", {"one": ["Anna"], "two": ["Anna", "Ben"], "three": ["Cleo"], "four": ["Dan"]})
    with pytest.raises(OptionsError) as asked:
        compare_files(tables, [codes])
    assert str(asked.value) == (
        "2 videos need to know which face was coded: three.mp4 (faces 0 in 100 %, 1 in 100 %, 2 in 100 %), two.mp4 "
        "(subjects Anna, Ben; faces 0 in 100 %, 1 in 100 %); `face` takes largest, a number, or a CSV with the columns "
        "video, face and (where several people were coded) subject"
    )
    faces = tmp_path / "faces.csv"
    faces.write_text(
        "Video;Subject;Face\ntwo;Anna;0\ntwo.mp4;Ben;1\nthree;;largest\n\nnine.mp4;;0\n", encoding="utf-8-sig"
    )
    result = compare_files(tables, [codes], options=AgreementOptions(face=read_face_list(faces), replicates=0))
    assert compared(result) == [
        ("one.mp4", "Anna", "0, the only one"),
        ("three.mp4", "Cleo", "the largest"),
        ("two.mp4", "Anna", "0 of 2"),
        ("two.mp4", "Ben", "1 of 2"),
    ]
    assert "faces.csv: not in the table: nine.mp4" in result.notes
    assert "1 of 4 videos of the table have no codes: none.mp4" in result.notes
    assert "1 of 4 coded videos are not in the table: four.mp4" in result.notes


def test_a_list_of_faces_names_films_as_all_lists_do() -> None:
    films = Films(pl.concat([table("x/a.mp4", frames=2), table("y/a.mp4", frames=2)]), ["z/a.mp4"])
    listed = FaceList(Path("f.csv"), (("y/a.mp4", None, 1), ("z/a.mp4", None, 2), ("p9/a.mp4", None, 3)))
    assert listed.by_film(films) == (
        {("y/a.mp4", None): 1, ("z/a.mp4", None): 2},
        ["f.csv: not in the table: p9/a.mp4"],
    )
    with pytest.raises(TableError, match=r"f\.csv names a\.mp4, which fits x/a\.mp4, y/a\.mp4 and z/a\.mp4; write one"):
        FaceList(Path("f.csv"), (("a.mp4", None, 1),)).by_film(films)


def test_a_face_that_a_film_lacks_stops_nobody_else(tables: Path, tmp_path: Path) -> None:
    codes = coded(tmp_path / "codes", {"one": [""], "two": [""], "none": [""]})
    result = compare_files(tables, [codes], options=AgreementOptions(face=1, replicates=0))
    assert compared(result) == [("none.mp4", None, "none"), ("two.mp4", None, "1 of 2")]
    assert result.videos[0].faceless == 100, "coded, and no face was found: missed, not passed over"
    assert "not compared: one.mp4 has no face 1; it has 0 in 100 % (`face`)" in result.notes
    with pytest.raises(OptionsError, match=r"one\.mp4 has no face 7"):
        compare_files(tables, [codes / "one.eaf"], options=AgreementOptions(face=7))


def test_subjects_named_as_faces_are_these_faces(tables: Path, tmp_path: Path) -> None:
    codes = coded(tmp_path / "codes", {"two": ["Face_1", "face 0", "face 5"]})
    result = compare_files(tables, [codes], options=AgreementOptions(replicates=0))
    assert compared(result) == [("two.mp4", "Face_1", "1 of 2"), ("two.mp4", "face 0", "0 of 2")]
    assert "not compared: two.mp4 has no face 5; it has 0 in 100 %, 1 in 100 % (`face`)" in result.notes
    chosen = compare_files(tables, [codes], options=AgreementOptions(face=0, replicates=0))
    assert compared(chosen) == [("two.mp4", "face 0", "0 of 2")]


def test_a_film_without_a_face_and_without_a_code_alone(tables: Path, tmp_path: Path) -> None:
    codes = tmp_path / "all.csv"
    codes.write_text("video,frame,AU12\nnone.mp4,0,0\nnone.mp4,1,0\n")
    with pytest.raises(OptionsError, match=r"none\.mp4 has no face, and nothing is coded in it"):
        compare_files(tables, [codes])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column video; it has none"),
        ("video,who\na,b\n", "has no column face; it has video, who"),
        ("video,face\na.mp4,left\n", r"the face of a\.mp4 is 'left'; allowed are a number and largest"),
    ],
)
def test_lists_of_faces_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(TableError, match=message):
        read_face_list(tmp_path / "faces.csv")
    with pytest.raises(TableError, match="cannot be read as CSV"):
        read_face_list(tmp_path / "none.csv")


def test_a_list_that_names_a_face_twice(tables: Path, tmp_path: Path) -> None:
    codes = coded(tmp_path / "codes", {"two": ["Anna"]})
    (tmp_path / "faces.csv").write_text("video,face\ntwo,0\ntwo.mp4,1\n")
    with pytest.raises(TableError, match=r"has two rows for two\.mp4"):
        compare_files(tables, [codes], options=AgreementOptions(face=read_face_list(tmp_path / "faces.csv")))
