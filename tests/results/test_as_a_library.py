"""episodes, summary, export and report in a notebook: what they take for a table, and what they say of what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import aucli
from aucli.errors import OptionsError, TableError
from tests.builders.command_line import run
from tests.builders.made_studies import MadeFilm, write_study

FILMS = {"p1/a.mp4": MadeFilm(n_frames=120, faces={0: (0, 120), 1: (20, 90)}), "p2/b.mp4": MadeFilm(n_frames=40)}
FUNCTIONS: dict[str, Callable[[Any, Path], Any]] = {
    "episodes": lambda table, _: aucli.episodes(table),
    "summary": lambda table, _: aucli.summary(table),
    "export": lambda table, folder: aucli.export(table, "csv", folder / "x.csv"),
    "report": lambda table, folder: aucli.report(table, folder / "x.html"),
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Thresholds of 0.8, where the columns of occurrences have 0.5: the columns decide."""
    return write_study(tmp_path / "t.parquet", FILMS, run={"thresholds": [0.8] * 4})


def test_paths_give_what_the_commands_give(table: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("video;condition\na;rest\nb;task\n", encoding="utf-8")
    run("episodes", table, "-o", tmp_path / "episodes.parquet")
    run("summary", table, "--people", people, "--by", "condition", "-o", tmp_path / "groups.parquet")
    found = aucli.episodes(table)
    assert found.equals(pl.read_parquet(tmp_path / "episodes.parquet"))
    assert aucli.summary(table, people=people, by="condition").groups.equals(
        pl.read_parquet(tmp_path / "groups.parquet")
    )
    assert found.equals(aucli.episodes(aucli.read(table))), "rows alone give what the file gives"


def test_thresholds_decide_presence_anew_for_every_function(table: Path, tmp_path: Path) -> None:
    thresholds: dict[str | int, float] = {1: 0.8, "4": 0.8, "AU12": 0.8, "AU25": 0.8}
    found = aucli.episodes(table, thresholds=thresholds)
    assert not found.equals(aucli.episodes(table))
    options = aucli.ExportOptions(thresholds=thresholds)
    (file,) = aucli.export(table, "csv", tmp_path / "x.csv", options).files
    rows = pl.read_csv(file).with_columns(pl.col("^AU..$").cast(pl.Boolean))
    assert found.select("video", "face", "au", "onset_frame", "offset_frame").equals(
        aucli.episodes(rows).select("video", "face", "au", "onset_frame", "offset_frame")
    )
    shares = aucli.summary(rows).faces["share_present"]
    assert aucli.summary(table, thresholds=thresholds).faces["share_present"].to_list() == pytest.approx(shares)


@pytest.mark.parametrize("name", ["episodes", "summary", "export"])
def test_lazy_rows_are_rows(name: str, table: Path, tmp_path: Path) -> None:
    results = []
    for given in (aucli.read(table), aucli.read(table).lazy()):
        folder = tmp_path / type(given).__name__
        folder.mkdir()
        found = FUNCTIONS[name](given, folder)
        results.append([path.read_bytes() for path in folder.iterdir()] or getattr(found, "faces", found).rows())
    assert results[0] == results[1]
    assert results[0]


def test_rows_that_went_through_pandas_are_the_same(table: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rows = aucli.read(table)
    for frame in (aucli.read(table, as_="pandas"), pandas.read_parquet(table)):
        assert aucli.episodes(pl.from_pandas(frame)).equals(aucli.episodes(rows))


def test_one_action_unit_needs_no_list(table: Path) -> None:
    expected = aucli.episodes(table, aus=["AU12"])
    assert set(expected["au"]) == {"AU12"}
    for one in ("AU12", "12", 12, [12]):
        assert aucli.episodes(table, aus=one).equals(expected)
    with pytest.raises(OptionsError, match="`thresholds` has smile, which is no action unit; write AU12 or 12"):
        aucli.episodes(table, thresholds={"smile": 0.5})


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop("face"), "no column face"),
        (lambda rows: rows.select("video", "frame", "time_s", "face", "x", "y", "w", "h"), "no action units"),
        (lambda rows: rows.with_columns(pl.col("time_s").cast(pl.String)), "column time_s has the type String"),
        (lambda rows: rows.with_columns(pl.col("AU12").cast(pl.String)), "column AU12 has the type String"),
        (
            lambda rows: rows.with_columns(pl.col("AU12") * 0.5),
            r"column AU12 has 0.5 \(\d+ rows\); an occurrence is 0 or 1",
        ),
        (
            lambda rows: rows.with_columns(pl.col("AU12_p") * 100),
            "column AU12_p has .*a probability is between 0 and 1",
        ),
        (
            lambda rows: pl.concat([rows, rows]),
            r"p1/a\.mp4 has two rows of face 0 in frame 0; was one table read twice",
        ),
        (lambda rows: rows.drop("video"), "no column video"),
        (lambda rows: rows.group_by("video", "face").agg(pl.col("AU12").mean()), "no column frame"),
    ],
)
def test_rows_that_are_no_table_are_refused_in_one_line(
    name: str, change: Callable[[pl.DataFrame], pl.DataFrame], message: str, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=message):
        FUNCTIONS[name](change(aucli.read(table)), tmp_path)


def test_a_page_needs_the_boxes(table: Path, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no column x"):
        aucli.report(aucli.read(table).drop("x"), tmp_path / "x.html")


@pytest.mark.parametrize("name", ["episodes", "summary", "export"])
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.sample(fraction=1, shuffle=True, seed=1),
        lambda rows: rows.with_columns(pl.col("video").cast(pl.Categorical), pl.col("AU12").cast(pl.Int64)),
        lambda rows: rows.with_columns(condition=pl.lit("rest")),
        lambda rows: pl.concat([rows.filter(pl.col("video") == name) for name in ("p2/b.mp4", "p1/a.mp4")]),
    ],
)
def test_rows_that_were_worked_on_say_the_same(
    name: str, change: Callable[[pl.DataFrame], pl.DataFrame], table: Path, tmp_path: Path
) -> None:
    """Another order, another type that means the same, a column more: the same faces, shares and episodes."""
    rows = aucli.read(table)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain, worked_on = FUNCTIONS[name](rows, tmp_path / "a"), FUNCTIONS[name](change(rows), tmp_path / "b")
    if name == "export":
        assert (plain.n_rows, plain.n_videos) == (worked_on.n_rows, worked_on.n_videos)
        return
    frames = [
        getattr(found, "faces", found).sort("video", "face", "au", maintain_order=True) for found in (plain, worked_on)
    ]
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_things_than_paths_and_polars_are_refused_with_the_remedy(name: str, table: Path, tmp_path: Path) -> None:
    frame = pytest.importorskip("pandas").DataFrame({"video": ["a"]})
    for given, message in (
        (frame, "the table is a pandas DataFrame; .* polars.from_pandas makes one"),
        (None, "the table is a NoneType; allowed are"),
        ([aucli.read(table)], "the table is a list; allowed are"),
    ):
        with pytest.raises(OptionsError, match=message):
            FUNCTIONS[name](given, tmp_path)


def test_people_that_are_no_people_are_refused(table: Path) -> None:
    with pytest.raises(TableError, match="`people` has no column video; it has name"):
        aucli.summary(table, people=pl.DataFrame({"name": ["a"]}), by="name")
    people: Any = {"video": ["a"]}
    with pytest.raises(OptionsError, match="`people` is a dict; allowed are a polars DataFrame and the path of a CSV"):
        aucli.summary(table, people=people, by="name")
