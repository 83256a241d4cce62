"""The story: where files go, what is refused before any work, and what is kept when something fails."""

from __future__ import annotations

import gc
import resource
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from aucli.commands.export import TARGETS as COMMAND_TARGETS
from aucli.errors import AucliError, MissingPackageError, OptionsError, TableError
from aucli.results.episodes import EpisodeRules
from aucli.results.exports import registry
from aucli.results.exports.run import ExportOptions, export
from aucli.runtime import packages
from tests.builders.films import steady_film
from tests.builders.studies import annotated, study, write_study

SUFFIXES = {
    "csv": ".csv",
    "xlsx": ".xlsx",
    "openface": ".csv",
    "elan": ".eaf",
    "boris": ".boris",
    "stata": ".dta",
    "spss": ".sav",
}


def test_the_command_names_every_target() -> None:
    assert tuple(target.name for target in registry.TARGETS) == COMMAND_TARGETS
    assert {target.name: target.suffix for target in registry.TARGETS} == SUFFIXES


@pytest.mark.parametrize("target", SUFFIXES)
def test_no_rows_and_no_faces(tmp_path: Path, target: str) -> None:
    with pytest.raises(TableError, match="the table has no rows"):
        export(study().head(0), target, tmp_path / "out")
    assert not list(tmp_path.iterdir())
    empty = annotated(steady_film("a.mp4", [None]))
    done = export(empty, target, tmp_path / f"a{SUFFIXES[target]}")
    assert done.files[0].stat().st_size > 0


def films(*names: str) -> pl.DataFrame:
    return annotated(pl.concat([steady_film(name, [0.9]) for name in names]))


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["/data/x/a.mp4"], ["a.csv"]),
        (["x/a.mp4", "x/b.mp4"], ["a.csv", "b.csv"]),
        (["x/1/a.mp4", "x/2/a.mp4"], ["1/a.csv", "2/a.csv"]),
        (["a.mp4", "a.mov", "b.mp4"], ["a.mp4.csv", "a.mov.csv", "b.csv"]),
        (["../../a.mp4", "b.mp4"], ["a.csv", "b.csv"]),
        (["A.mp4", "a.mov"], ["A.mp4.csv", "a.mov.csv"]),
    ],
)
def test_files_of_a_folder_are_called_as_the_videos_and_lie_in_it(
    tmp_path: Path, names: list[str], files: list[str]
) -> None:
    done = export(films(*names), "csv", tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in done.files] == files
    assert [pl.read_csv(file)["video"].unique().to_list() for file in done.files] == [[name] for name in names]


@pytest.mark.parametrize(
    ("rows", "target", "output", "options", "message"),
    [
        (
            films("a.mp4"),
            "docx",
            "a.docx",
            {},
            "`to` is 'docx'; allowed are csv, xlsx, openface, elan, boris, stata, spss",
        ),
        (films("a.mp4"), "xlsx", "a.csv", {}, r"a file for xlsx ends in \.xlsx: name a\.xlsx, or a folder"),
        (films("a.mp4"), "csv", "a.parquet", {}, r"ends in \.csv"),
        (
            films("a.mp4"),
            "csv",
            "-",
            {},
            r"not written to standard output; name a folder, or a file that ends in \.csv",
        ),
        (films("a.mp4", "b.mp4"), "elan", "a.eaf", {}, "holds 2 videos; elan has a file per video: name a folder"),
        (
            films("a.mp4"),
            "csv",
            "out",
            {"raw": True},
            "csv has a row per frame; `raw` and how episodes are found go with",
        ),
        (films("a.mp4"), "spss", "out", {"rules": EpisodeRules()}, "spss has a row per frame"),
        (films("x/a.mp4", "x/../a.mp4", "x/A.mp4"), "csv", "out", {}, "differ only in capitals"),
        (films(f"{'a' * 255}.mp4"), "csv", "out", {}, "too long for the name of a file; export all videos to one file"),
        (films("a.mp4").drop("time_s"), "csv", "out", {}, "the table has no column time_s"),
        (films("a.mp4").drop("score"), "openface", "out", {}, "the table has no column score"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    tmp_path: Path, rows: pl.DataFrame, target: str, output: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(AucliError, match=message):
        export(rows, target, output if output == "-" else tmp_path / output, ExportOptions(**options))  # type: ignore[arg-type]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_only_the_action_units_that_are_wanted(tmp_path: Path) -> None:
    export(study(), "csv", tmp_path / "a.csv", ExportOptions(aus=["12"]))
    assert pl.read_csv(tmp_path / "a.csv").columns == study().drop("AU01", "AU01_p").columns
    (file, _) = export(study(), "elan", tmp_path / "elan", ExportOptions(aus=["AU12"], raw=True)).files
    assert "AU01" not in file.read_text()
    with pytest.raises(OptionsError, match="`aus` has AU04, which the table has not; it has AU01, AU12"):
        export(study(), "csv", tmp_path / "b.csv", ExportOptions(aus=["4"]))


def test_raw_and_rules_exclude_each_other() -> None:
    with pytest.raises(OptionsError, match="`raw` takes the occurrence as it is"):
        ExportOptions(raw=True, rules=EpisodeRules())


def test_what_is_there_already_is_kept_unless_overwrite_is_given(tmp_path: Path) -> None:
    other = tmp_path / "b.csv"
    other.write_text("mine")
    with pytest.raises(
        OptionsError, match=r"b\.csv is there already; name another place, or replace it with `overwrite`"
    ):
        export(films("a.mp4", "b.mp4"), "csv", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.csv"], "looked at before any file is written"
    assert other.read_text() == "mine"
    export(films("a.mp4", "b.mp4"), "csv", tmp_path, ExportOptions(overwrite=True))
    assert pl.read_csv(other)["video"].to_list() == ["b.mp4"]
    (tmp_path / "c.csv").mkdir()
    with pytest.raises(OptionsError, match=r"c\.csv is a folder, where a file would be written"):
        export(films("c.mp4"), "csv", tmp_path, ExportOptions(overwrite=True))


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_content: object, temporary: Path, _place: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry, "TARGETS", (replace(registry.TARGETS[0], write=half),))
    kept = tmp_path / "a.csv"
    kept.write_text("before")
    with pytest.raises(OSError, match="No space left"):
        export(films("a.mp4"), "csv", kept, ExportOptions(overwrite=True))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "before")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # XlsxWriter leaves its files open then
@pytest.mark.parametrize("target", SUFFIXES)
def test_a_disk_that_takes_no_more_is_one_line(tmp_path: Path, target: str) -> None:
    place = tmp_path / f"a{SUFFIXES[target]}"
    rows = study().filter(pl.col("video") == "day 1/anna.mp4")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # bytes that a file may have
    try:
        with pytest.raises((TableError, OSError)) as caught:
            export(rows, target, place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    gc.collect()
    assert isinstance(caught.value, TableError) or getattr(caught.value, "errno", None), (
        "the command words what has a number"
    )
    assert not list(tmp_path.iterdir())


def test_a_film_of_another_size_is_another_film(tmp_path: Path) -> None:
    rows = films("day 1/a.mp4").with_columns(AU01=pl.lit(True), AU01_p=pl.lit(0.5, pl.Float32))
    table = write_study(rows, tmp_path / "t.parquet", size_bytes=3)
    (tmp_path / "a.mp4").write_bytes(b"1234")
    options = ExportOptions(root=tmp_path, overwrite=True)
    assert export(table, "elan", tmp_path / "a.eaf", options).notes != ()
    (tmp_path / "a.mp4").write_bytes(b"123")
    assert export(table, "elan", tmp_path / "a.eaf", options).notes == ()


def test_a_package_that_is_missing_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "is_installed", lambda _: False)
    with pytest.raises(
        MissingPackageError, match=r"exporting to xlsx needs xlsxwriter, not .*: pip install xlsxwriter"
    ):
        export(tmp_path / "no such table", "xlsx", tmp_path / "out")
    with pytest.raises(MissingPackageError, match="pip install pyreadstat"):
        export(tmp_path / "no such table", "spss", tmp_path / "out")
    export(films("a.mp4"), "elan", tmp_path / "a.eaf")


def test_a_folder_of_tables_whose_thresholds_differ(tmp_path: Path) -> None:
    """A probability counts by its table's threshold only if all tables have the same; else the column of occurrence."""
    rows = annotated(steady_film("a.mp4", [0.45] * 25)).with_columns(
        pl.lit(False).alias("AU01"), pl.lit(0.1, pl.Float32).alias("AU01_p")
    )
    write_study(rows, tmp_path / "a.parquet")
    (file,) = export(tmp_path, "elan", tmp_path / "out").files
    assert '"AU12 face 0" />' in file.read_text(), "0.45 is below the table's 0.5"
    lower = ExportOptions(thresholds={"AU12": 0.4}, overwrite=True)
    (file,) = export(tmp_path, "elan", tmp_path / "out", lower).files
    assert "<ANNOTATION_VALUE>AU12</ANNOTATION_VALUE>" in file.read_text()
