"""What a page knows of tables: runs, films, and which videos were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import aucli
from aucli.errors import OptionsError, TableError
from aucli.results.report.study import load_study
from aucli.results.row_filter import RowFilter
from tests.builders.made_studies import MadeFilm, write_study


def test_a_folder_of_tables_with_two_runs(tmp_path: Path) -> None:
    write_study(tmp_path / "a.parquet", {"a.mp4": MadeFilm()})
    write_study(tmp_path / "b.parquet", {"b.mp4": MadeFilm()})
    write_study(tmp_path / "c.parquet", {"c.mp4": MadeFilm()}, run={"thresholds": (0.4,) * 4})
    study = load_study(tmp_path, RowFilter())
    assert [run.tables for run in study.runs] == [("a.parquet", "b.parquet"), ("c.parquet",)]
    assert [film.run for film in study.films] == [study.runs[0], study.runs[0], study.runs[1]]
    assert study.thresholds == {}
    assert study.runs[1].thresholds["AU12"] == 0.4


def test_only_some_videos(tmp_path: Path) -> None:
    path = write_study(tmp_path / "t.parquet", {"s/a.mp4": MadeFilm(), "s/ba.mp4": MadeFilm(), "x/a.mp4": MadeFilm()})
    study = load_study(path, RowFilter(), videos=["a.mp4"])
    assert [film.label for film in study.films] == ["s/a.mp4", "x/a.mp4"]
    assert study.rows["video"].n_unique() == 2
    with pytest.raises(OptionsError, match=r"'c.mp4', which the table has not; it has s/a.mp4"):
        load_study(path, RowFilter(), videos=["c.mp4"])


def test_a_data_frame_with_and_without_metadata(tmp_path: Path) -> None:
    films = {"a.mp4": MadeFilm(), "b.mp4": MadeFilm()}
    path = write_study(tmp_path / "t.parquet", films, run={"experimental": ("AU04",)})
    rows = aucli.read(path).filter(video="a.mp4")
    plain = load_study(rows, RowFilter())
    assert plain.films[0].record is None
    assert plain.runs[0].facts == {}
    told = load_study(rows, RowFilter(), aucli.read_metadata(path))
    assert told.experimental == ("AU04",)
    assert [film.label for film in told.films] == ["a.mp4"]
    assert told.films[0].record is not None
    with pytest.raises(OptionsError, match="metadata belongs to a data frame"):
        load_study(path, RowFilter(), {})
    with pytest.raises(TableError, match="no column face"):
        load_study(rows.drop("face"), RowFilter())


def test_frames_with_and_without_a_face_are_counted(tmp_path: Path) -> None:
    film = MadeFilm(n_frames=100, faces={0: (10, 60), 1: (40, 80)})
    (film_of_study,) = load_study(write_study(tmp_path / "t.parquet", {"a.mp4": film}), RowFilter()).films
    assert (film_of_study.n_frames, film_of_study.n_frames_with_face) == (100, 70)
    assert film_of_study.shown_s == pytest.approx(4.0)
