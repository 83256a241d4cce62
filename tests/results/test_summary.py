"""Summaries: as slow loops over rows give them, and the CSV of people beside the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import OptionsError, TableError
from aucli.results.episodes import EpisodeRules, episodes
from aucli.results.people import read_people
from aucli.results.read import read_tables
from aucli.results.row_filter import RowFilter
from aucli.results.summary import FIGURES, summary
from tests.builders.films import film_rows, steady_film
from tests.builders.made_studies import MadeFilm, write_study

RAW = EpisodeRules(smooth_s=0, min_duration_s=0, join_gap_s=0)
TWO = film_rows(
    "a.mp4",
    [0.0, 0.1, 0.2, 0.6],
    {0: {"AU04": [0.9, 0.9, 0.1, 0.1], "AU12": [0.1, 0.9, 0.9, 0.1]}},
)


def test_no_rows() -> None:
    none = summary(TWO.head(0))
    assert len(none.faces) == len(none.groups) == 0
    assert none.faces.columns == ["video", "face", "au", *FIGURES]
    assert none.co_occurrence["phi"].to_list() == [None]
    nobody = summary(steady_film("a.mp4", [None, None]))
    assert nobody.faces.is_empty()
    assert nobody.notes == ("videos of the table without a face (1): a.mp4",)


def test_figures_by_hand() -> None:
    au04, au12 = summary(TWO, rules=RAW).faces.rows(named=True)
    # Frames are shown for 0.1, 0.1, 0.4 and (as the median) 0.1 s.
    assert au04["frames_usable"] == au04["frames_with_face"] == 4
    assert au04["seconds_usable"] == pytest.approx(0.7)
    assert au04["share_present"] == pytest.approx(0.2 / 0.7)
    assert au12["share_present"] == pytest.approx(0.5 / 0.7)
    assert au12["mean_probability"] == pytest.approx((0.1 * 0.2 + 0.9 * 0.5) / 0.7, abs=1e-6)
    assert (au12["n_episodes"], au12["mean_duration_s"]) == (1, pytest.approx(0.5))
    assert au12["episodes_per_minute"] == pytest.approx(60 / 0.7)
    (pair,) = summary(TWO).co_occurrence.rows(named=True)
    assert (pair["au_a"], pair["au_b"]) == ("AU04", "AU12")
    assert pair["seconds_both"] == pytest.approx(0.1)
    assert pair["share_b_given_a"] == pytest.approx(0.5)
    assert pair["share_a_given_b"] == pytest.approx(0.2)
    assert pair["phi"] == pytest.approx(np.corrcoef([1, 1, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1, 0])[0, 1])


def test_a_photograph_counts_its_frame() -> None:
    photograph = film_rows("a.jpg", [0.0], {0: {"AU04": [0.9], "AU12": [0.2]}})
    au04, au12 = summary(photograph).faces.rows(named=True)
    assert (au04["share_present"], au12["share_present"], au04["episodes_per_minute"]) == (1.0, 0.0, None)
    assert au04["mean_probability"] == pytest.approx(0.9)


def test_rows_left_out_count_nowhere_and_are_counted() -> None:
    table = TWO.with_columns(pl.Series("interocular_px", [50.0, 50.0, 20.0, 50.0]))
    result = summary(table, row_filter=RowFilter(min_interocular_px=30), rules=RAW)
    au12 = result.faces.row(1, named=True)
    assert (au12["frames_with_face"], au12["frames_usable"]) == (4, 3)
    assert au12["share_present"] == pytest.approx(0.1 / 0.3)
    assert result.left_out.by_rule == {"min_interocular_px": 1}


STUDY = pl.concat(
    [
        steady_film("study/p1/a.mp4", [0.9] * 10),
        steady_film("study/p2/b.mp4", [0.1] * 20),
        film_rows("c.mp4", [0.0, 0.1], {0: {"AU12": [0.9, 0.9]}, 1: {"AU12": [0.1, 0.1]}}),
    ]
)


def _people(path: Path, text: str) -> pl.DataFrame:
    path.write_text(text, encoding="utf-8")
    return read_people(path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_people_are_joined_by_name_and_notes_say_who_is_missing(tmp_path: Path, separator: str) -> None:
    text = "\ufeffvideo,condition,age\nA.mp4,x,20\nb,x,30\nnobody.mp4,y,40\n".replace(",", separator)
    result = summary(STUDY, people=_people(tmp_path / "p.csv", text), by=["condition"])
    assert result.groups.select("condition", "au", "n_videos", "n_faces").rows() == [
        ("x", "AU12", 2, 2),
        (None, "AU12", 1, 2),
    ]
    assert result.groups["share_present"].to_list() == [pytest.approx(1 / 3), pytest.approx(0.5)]
    assert result.notes == (
        "videos of the table without a row in `people` for each face (1): c.mp4",
        "videos of `people` that are not in the table (1): nobody.mp4",
    )


def test_a_face_of_the_list_that_the_video_lacks_is_told(tmp_path: Path) -> None:
    people = _people(tmp_path / "p.csv", "video,face,condition\nc.mp4,0,x\nc.mp4,7,y\nnobody.mp4,3,y\n")
    assert (
        "rows of `people` whose face is not in the table (1): c.mp4 face 7"
        in summary(STUDY, people=people, by="condition").notes
    )


def test_a_film_is_never_in_the_group_of_another_of_its_name(tmp_path: Path) -> None:
    """Also where nobody is seen in it, it has no frame, or it is not there at all."""
    table = pl.concat([steady_film("s/p1/a.mp4", [0.9] * 4), steady_film("s/p2/a.mp4", [None, None])])
    path = write_study(tmp_path / "t.parquet", {"s/p1/a.mp4": MadeFilm(), "s/p2/a.mp4": MadeFilm(faces={})})
    without_rows = replace(read_tables(path), rows=table.filter(pl.col("video") == "s/p1/a.mp4"))
    text = "video,condition\ns/p1/a.mp4,x\ns/p2/a.mp4,y\ns/p3/a.mp4,y\n"
    for source in (table, path, without_rows):
        result = summary(source, people=_people(tmp_path / "p.csv", text), by="condition")
        assert result.groups["condition"].unique().to_list() == ["x"]
        assert result.notes == (
            "videos of the table without a face (1): s/p2/a.mp4",
            "videos of `people` that are not in the table (1): s/p3/a.mp4",
        )
        others = _people(tmp_path / "p.csv", "video,condition\ns/p2/a.mp4,y\np3/a.mp4,y\n")
        assert summary(source, people=others, by="condition").groups["condition"].unique().to_list() == [None]


def test_values_and_headers_are_read_without_blanks_and_capitals_of_video(tmp_path: Path) -> None:
    people = _people(tmp_path / "p.csv", " VIDEO ,Face, group \nc.mp4 ,0, film \nc.mp4,1,film\nstudy/p1/a.mp4,0, \n")
    for one in (people, pl.DataFrame({"Video": [" c.mp4"], "group": ["film"]})):
        groups = summary(STUDY, people=one, by="group").groups
        assert groups.select("group", "n_videos").rows() == [("film", 1), (None, 2)]


def test_people_may_be_told_apart_by_face(tmp_path: Path) -> None:
    people = _people(tmp_path / "p.csv", "video,face,role\nc.mp4,0,mother\nc.mp4,1,child\n")
    groups = summary(STUDY.filter(pl.col("video") == "c.mp4"), people=people, by=["role"]).groups
    assert groups.select("role", "share_present").rows() == [("child", 0.0), ("mother", 1.0)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_people_come_as_spreadsheets_write_them(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "p.csv").write_bytes("video;Gruppe\r\nc.mp4;für\r\n".encode(encoding))
    groups = summary(STUDY.filter(pl.col("video") == "c.mp4"), people=tmp_path / "p.csv", by=["Gruppe"]).groups
    assert groups["Gruppe"].to_list() == ["für"]


@pytest.mark.parametrize(
    ("text", "by", "message"),
    [
        ("name,x\na,1\n", "x", "has no column video, but name, x"),
        ("video,x\na.mp4,1\na.mp4,2\n", "x", r"`people` has two rows for study/p1/a.mp4; give each once"),
        ("video,face,x\na.mp4,first,2\n", "x", "face is no number"),
        ("video,x\na.mp4,1\n", "y", "`by` is y, which `people` has not; it has x"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, text: str, by: str, message: str) -> None:
    with pytest.raises((TableError, OptionsError), match=message):
        summary(STUDY, people=_people(tmp_path / "p.csv", text), by=[by])


def test_a_name_that_fits_two_videos_is_refused() -> None:
    two = pl.concat([steady_film("p1/a.mp4", [0.9] * 3), steady_film("p2/a.mp4", [0.9] * 3)])
    people = pl.DataFrame({"video": ["a.mp4"], "x": ["1"]})
    with pytest.raises(TableError, match=r"names a.mp4, which fits p1/a.mp4 and p2/a.mp4; write one"):
        summary(two, people=people, by=["x"])
    with pytest.raises(OptionsError, match="`by` needs `people`"):
        summary(two, by=["x"])


def test_columns_to_group_by_that_the_result_cannot_have() -> None:
    result = summary(TWO)
    for name in sorted({*result.groups.columns, *result.co_occurrence.columns}):
        people = pl.DataFrame({"video": ["a.mp4"], name: ["1"]})
        with pytest.raises(OptionsError, match=f"`by` is {name}, as a column of the result is called"):
            summary(TWO, people=people, by=name)
    with pytest.raises(OptionsError, match="`by` is x twice"):
        summary(TWO, people=pl.DataFrame({"video": ["a.mp4"], "x": ["1"]}), by=["x", "x"])


def _slow_pair(rows: list[dict[str, Any]], shown: list[float]) -> tuple[float, float | None, float | None]:
    """Seconds with both, phi and the share of AU12 given AU04, by a loop over rows."""
    total = a = b = ab = 0.0
    for row, weight in zip(rows, shown, strict=True):
        if row["AU04"] is None or row["AU12"] is None:
            continue
        total += weight
        a += weight * row["AU04"]
        b += weight * row["AU12"]
        ab += weight * (row["AU04"] and row["AU12"])
    spread = a * (total - a) * b * (total - b)
    return ab, (ab * total - a * b) / spread**0.5 if spread > 1e-9 else None, ab / a if a else None


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_figures_are_those_of_slow_loops(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 12))
    p = st.sampled_from([0.125, 0.375, 0.5, 0.875])
    one = st.one_of(st.none(), st.tuples(p, p))
    seen = data.draw(st.lists(one, min_size=n, max_size=n))
    steps = data.draw(st.lists(st.sampled_from([0.04, 0.08, 0.06]), min_size=n, max_size=n))
    times = [round(sum(steps[:i]), 6) for i in range(n)]
    values = {au: [None if s is None else s[k] for s in seen] for k, au in enumerate(("AU04", "AU12"))}
    table = film_rows("a.mp4", times, {3: values})
    if all(s is None for s in seen):
        return
    other = steady_film("z.mp4", [0.9, 0.9]).with_columns(AU04=None, AU04_p=None)
    result = summary(pl.concat([table, other], how="diagonal_relaxed"))
    last = float(np.median(np.diff(times)))
    shown = [*np.diff(times).tolist(), last]
    rows = table.to_dicts()
    for au in ("AU04", "AU12"):
        usable = [(r, w) for r, w in zip(rows, shown, strict=True) if r[au] is not None]
        seconds = sum(w for _, w in usable)
        (found,) = result.faces.filter(pl.col("video") == "a.mp4", pl.col("au") == au).rows(named=True)
        assert found["frames_usable"] == len(usable)
        assert found["seconds_usable"] == pytest.approx(seconds)
        assert found["share_present"] == pytest.approx(sum(w * r[au] for r, w in usable) / seconds)
        assert found["mean_probability"] == pytest.approx(sum(w * r[f"{au}_p"] for r, w in usable) / seconds)
        lengths = episodes(table).filter(pl.col("au") == au)["duration_s"]
        assert found["n_episodes"] == len(lengths)
        assert found["longest_duration_s"] == lengths.max()
    (pair,) = result.co_occurrence.rows(named=True)
    both, phi, share = _slow_pair(rows, shown)
    assert pair["seconds_both"] == pytest.approx(both)
    assert pair["share_b_given_a"] == (None if share is None else pytest.approx(share))
    assert pair["phi"] == (None if phi is None else pytest.approx(phi))
