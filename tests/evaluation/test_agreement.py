from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from aucli.errors import OptionsError, TableError
from aucli.evaluation.agreement import AgreementOptions, compare, compare_files
from aucli.evaluation.films import Films
from aucli.evaluation.score_tables import to_csv
from aucli.human_codes.film_names import MediaLink
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodeOptions
from tests.builders.coded_files import eaf, openface
from tests.builders.coded_tables import elan, table, write_table

FPS = 25.0


def test_intervals_against_a_table(tmp_path: Path) -> None:
    result = compare(table(), read_codes(elan(tmp_path)))
    (row,) = result.evaluation.per_au
    truth, said = np.zeros(100, int), np.zeros(100, int)
    truth[10:30], said[12:32] = 1, 1
    assert row.au == 12
    assert row.scores["f1"].value == pytest.approx(f1_score(truth, said))
    assert row.scores["kappa"].value == pytest.approx(cohen_kappa_score(truth, said))
    assert row.threshold is None, "the table's own decisions count, and rows alone do not tell their thresholds"
    assert result.not_compared == (1, 6)
    (video,) = result.videos
    assert (video.video, video.frames, video.compared, video.unmatched_codes, video.faceless) == (
        "a.mp4",
        100,
        100,
        0,
        0,
    )


def test_files_against_a_file(tmp_path: Path) -> None:
    result = compare_files(write_table(table(), tmp_path / "aus.parquet"), [elan(tmp_path)])
    assert result == compare(table(), read_codes(elan(tmp_path)), thresholds={"AU06": 0.5, "AU12": 0.3})
    # Steadied over time, what is present may lie below the threshold: the file's own threshold is told all the same.
    assert [row.threshold for row in result.evaluation.per_au] == [0.3]
    assert to_csv([compare(table(), read_codes(elan(tmp_path))).evaluation]).splitlines()[1].split(",")[7] == ""


def test_frames_without_a_face(tmp_path: Path) -> None:
    lost = table(lost=(15, 16))
    counted = compare(lost, read_codes(elan(tmp_path)))
    left_out = compare(lost, read_codes(elan(tmp_path)), options=AgreementOptions(lost_faces="leave_out"))
    assert (left_out.evaluation.frames, left_out.evaluation.method) == (100, "frame by frame")
    assert (counted.videos[0].faceless, counted.evaluation.per_au[0].labelled) == (2, 100)
    assert left_out.evaluation.per_au[0].labelled == 98


def test_which_face(tmp_path: Path) -> None:
    two = table(faces=2)
    with pytest.raises(OptionsError, match=r"a\.mp4 has 2 faces \(0 in 100 %, 1 in 100 %\); say which .* `face`"):
        compare(two, read_codes(elan(tmp_path)))
    with pytest.raises(OptionsError, match="no face 7; it has 0 in 100 %, 1 in 100 %"):
        compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face=7))
    first = compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face=0))
    largest = compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face="largest"))
    second = compare(two, read_codes(elan(tmp_path)), options=AgreementOptions(face=1))
    alone = compare(table(), read_codes(elan(tmp_path)))
    assert first.evaluation == alone.evaluation == largest.evaluation
    assert second.evaluation.per_au[0].scores["f1"].value == 0


def plain(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "codes.csv"
    path.write_text(text)
    return path


def test_by_frame_and_by_time_are_the_same(tmp_path: Path) -> None:
    rows = [f"{f},{f / FPS + 0.015:.3f},{int(10 <= f < 30)}" for f in range(0, 100, 3)]
    path = plain(tmp_path, "frame,time_s,AU12\n" + "\n".join(rows) + "\n100,4.025,1\n")
    by_frame = compare(table(), read_codes(path), options=AgreementOptions(align="frame"))
    by_time = compare(table(), read_codes(path), options=AgreementOptions(align="time"))
    assert by_frame.evaluation == by_time.evaluation
    assert by_frame.videos[0].compared == by_frame.evaluation.frames == 34, "not all of the film's 100"
    assert by_frame.videos[0].unmatched_codes == 1
    with pytest.raises(TableError, match=r"no code matches a frame of a\.mp4: the codes run from 0\.015 to 4\.025 s"):
        compare(table(), read_codes(path), options=AgreementOptions(align="time", tolerance_s=0.001))


def test_alignment_that_is_not_possible(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="holds intervals in seconds"):
        compare(table(), read_codes(elan(tmp_path)), options=AgreementOptions(align="frame"))
    with pytest.raises(OptionsError, match="no time_s column"):
        compare(table(), read_codes(plain(tmp_path, "frame,AU12\n1,1\n")), options=AgreementOptions(align="time"))
    with pytest.raises(OptionsError, match="no frame column"):
        compare(table(), read_codes(plain(tmp_path, "time_s,AU12\n1,1\n")), options=AgreementOptions(align="frame"))


def test_several_videos_give_intervals(tmp_path: Path) -> None:
    videos = [f"day{i}/v{i}.mp4" for i in range(4)]
    joined = pl.concat([table(v, frames=60 + 10 * i) for i, v in enumerate(videos)])
    codes = [one for i in range(4) for one in read_codes(elan(tmp_path, f"V{i}.txt"))]
    result = compare(joined, codes, code_options=CodeOptions(), options=AgreementOptions(replicates=50))
    assert result.evaluation.subjects == 4
    assert result.evaluation.per_au[0].scores["accuracy"].low is not None
    assert [v.video for v in result.videos] == videos
    with pytest.raises(TableError, match=r"V0.txt holds codes of day0/v0\.mp4 twice;"):
        compare(joined, [*codes, codes[0]])


def test_the_film_that_codes_belong_to() -> None:
    films = Films(pl.concat([table(name, frames=2) for name in ("x/a.mp4", "y/a.mp4", "b.mov")]), ["z/c.mp4"])

    def claimed(wanted: str | None, source: str = "c.csv", *, alone: bool = True) -> tuple[tuple[str, ...], str]:
        claim = films.claimed(wanted, Path(source), alone=alone)
        return claim.films, claim.by

    assert claimed("y/a.mp4") == (("y/a.mp4",), "name")
    assert claimed("a.mp4", "x/a.csv") == (("x/a.mp4", "y/a.mp4"), "name"), "a name is never guessed"
    assert claimed(MediaLink("a.mp4"), "x/a.eaf") == (("x/a.mp4",), "name"), "a link may be, by the place of its file"
    assert claimed(MediaLink("a.mp4"), "x/a.eaf", alone=False) == (("x/a.mp4", "y/a.mp4"), "name")
    assert claimed(MediaLink("D:/day 1/B.avi")) == (("b.mov",), "link")
    assert claimed("day 1/b.mov") == (("b.mov",), "name"), "the table's name has no folder that could be another"
    assert claimed("p/c.mp4") == ((), "file"), "another folder is another film"
    assert claimed(MediaLink("old/film.mpg"), "codes/y/A.eaf") == (("y/a.mp4",), "file")
    assert claimed(None, "codes/b.txt") == (("b.mov",), "name")
    assert Films(table("only.mp4", frames=2)).claimed(None, Path("any.txt"), alone=True).films == ("only.mp4",)
    for wanted, message in (
        ("a.mp4", r"fits x/a\.mp4 and y/a\.mp4; write one"),
        ("x/d.mov", "none of the table's videos: x/a"),
        ("c.mp4", "of which the table has no frame"),
    ):
        with pytest.raises(TableError, match=f"`video` is {wanted}, .*{message}"):
            films.require(wanted)


def test_tables_that_do_not_fit(tmp_path: Path) -> None:
    codes = read_codes(elan(tmp_path))
    with pytest.raises(TableError, match="no human codes"):
        compare(table(), [])
    with pytest.raises(TableError, match="no column time_s"):
        compare(table().drop("time_s"), codes)
    with pytest.raises(TableError, match="none of the coded AUs 1, 12"):
        compare(table().drop("AU12"), codes)


def test_options_are_checked() -> None:
    with pytest.raises(OptionsError, match="`align` is 'both'"):
        AgreementOptions(align="both")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="tolerance_s"):
        AgreementOptions(tolerance_s=-1)
    with pytest.raises(OptionsError, match="`face` is 'first'"):
        AgreementOptions(face="first")  # type: ignore[arg-type]


def label_rows(order: tuple[int, int] = (0, 1), shift_px: float = 0.0) -> pl.DataFrame:
    """Two coded people who sit where `table(faces=2)` has its faces; the first smiles in frames 12 to 31."""
    rows = [
        {"path": "a.mp4", "frame": frame, "person": person, "AU06": 0,
         "AU12": int(12 <= frame < 32 and person == order[0]),
         "landmarks": [v for d in (-9, 9, 0, -8, 8) for v in (100.0 * order.index(person) + 25 + shift_px + d, 35.0)]}
        for frame in range(100) for person in (0, 1)
    ]  # fmt: skip
    return pl.DataFrame(rows)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_coded_people_find_their_faces_by_place(tmp_path: Path, order: tuple[int, int]) -> None:
    label_rows(order).write_parquet(tmp_path / "labels.parquet")
    result = compare(table(faces=2), read_codes(tmp_path / "labels.parquet"))
    assert result.evaluation.per_au[1].scores["f1"].value == 1
    found = [(video.subject, video.face, video.faceless) for video in result.videos]
    assert found == [("0", "by place", 0), ("1", "by place", 0)]
    assert result.evaluation.subjects == 2


def test_places_where_nobody_is(tmp_path: Path) -> None:
    label_rows(shift_px=1000).write_parquet(tmp_path / "labels.parquet")
    codes = read_codes(tmp_path / "labels.parquet")
    with pytest.raises(TableError, match=r"no coded face lies where a\.mp4 has one"):
        compare(table(faces=2), codes)
    with pytest.raises(OptionsError, match=r"holds codes of 0, 1 in a\.mp4; choose one with `subject`"):
        compare(table(faces=2), codes, options=AgreementOptions(face=0))
    one = read_codes(tmp_path / "labels.parquet", CodeOptions(subject="0"))
    result = compare(table(faces=2), one, options=AgreementOptions(face=0))
    assert any("faces without codes of their own (1): " in note and note.endswith(" face 1") for note in result.notes)
    assert result.evaluation.per_au[1].scores["f1"].value == 1
    assert result.videos[0].face == "0 of 2"


def test_one_face_is_never_taken_by_two_people() -> None:
    """The nearer of the two has it; the other was not found."""
    films = Films(table(frames=3))
    rows = [np.arange(3), np.arange(3)]
    near, far = np.full((3, 2), (26.0, 36.0)), np.full((3, 2), (40.0, 40.0))
    first, second = films["a.mp4"].at_places(rows, [far, near])
    assert (first.rows.height, second.rows.height) == (0, 3)
    probabilities, decided = first.results((6, 12))
    assert np.isnan(probabilities).all()
    assert not decided.any()


def test_openface_goes_by_its_timestamps(tmp_path: Path) -> None:
    """Its frame numbers start at 1 and go on counting where a frame was lost."""
    rows = [(k / FPS, int(10 <= k < 30), 2.0 if 10 <= k < 30 else 0.0, True) for k in range(100) if k != 5]
    path = tmp_path / "a.csv"
    path.write_text(openface([rows]))
    (labels,) = compare(table(), read_codes(path)).evaluation.per_au
    assert (labels.labelled, labels.positive) == (99, 20)
    truth, said = np.zeros(100, int), np.zeros(100, int)
    truth[10:30], said[12:32] = 1, 1
    kept = np.arange(100) != 5
    assert labels.scores["f1"].value == pytest.approx(f1_score(truth[kept], said[kept]))


def test_a_stale_link_to_a_film(tmp_path: Path) -> None:
    path = tmp_path / "a.eaf"
    path.write_text(eaf(media=[("file:///old/proxy.mpg", "video/mpeg")]))
    two = pl.concat([table("a.mp4"), table("b.mp4")])
    result = compare(two, read_codes(path))
    assert result.videos[0].video == "a.mp4"
    assert "a.eaf is about old/proxy.mpg; by its own name it is taken for a.mp4" in result.notes
    path = path.rename(tmp_path / "coder1.eaf")
    with pytest.raises(TableError, match=r"fit none of the table's videos: a\.mp4, b\.mp4; say which with `video`"):
        compare(two, read_codes(path))
    result = compare(two, read_codes(path), options=AgreementOptions(video="b.mp4"))
    assert result.videos[0].video == "b.mp4"


def test_codes_of_films_that_the_table_lacks(tmp_path: Path) -> None:
    path = plain(tmp_path, "video,frame,AU12\na.mp4,0,1\nz.mp4,0,1\ny.mp4,0,0\n")
    result = compare(table(), read_codes(path))
    assert "2 of 3 coded videos are not in the table: z.mp4, y.mp4" in result.notes
    with pytest.raises(TableError, match="fit none"):
        compare(table("other.mp4"), read_codes(path))


def test_many_films_are_told_in_one_line(tmp_path: Path) -> None:
    names = [f"v{k}.mp4" for k in range(30)]
    path = plain(tmp_path, "video,frame,AU12\n" + "".join(f"{name},{f},1\n" for name in names for f in range(3)))
    result = compare(pl.concat([table(name, frames=3) for name in names]), read_codes(path))
    assert len(result.videos) == 30
    assert result.notes[0].startswith(
        "30 videos, 30 coded faces: 90 of 90 frames compared, 0 of them without the face, 0 coded rows"
    )


def test_timecode_takes_the_rate_of_its_film(tmp_path: Path) -> None:
    path = plain(tmp_path, "start,end,label\n00:00:00:10,00:00:01:05,AU12\n")
    written = write_table(table(), tmp_path / "aus.parquet")
    assert compare_files(written, [path]).evaluation.per_au[0].positive == 20
    sampled = write_table(table().filter(pl.col("frame") % 5 == 0), tmp_path / "every5.parquet")
    assert compare_files(sampled, [path]).evaluation.per_au[0].positive == 4


def test_a_video_that_the_table_lacks_is_named_also_where_it_holds_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("time_s,AU12\n0.0,1\n0.2,0\n")
    with pytest.raises(TableError, match=r"`video` is other\.mp4, which fits none of the table's videos: a\.mp4"):
        compare(table(), read_codes(path), options=AgreementOptions(video="other.mp4"))
