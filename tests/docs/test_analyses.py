"""The commands and the Python of the pages on analyses: each runs as it stands, on tables named as on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.builders.command_line import run
from tests.builders.made_studies import MadeFilm, write_study
from tests.builders.page_blocks import blocks, commands_in

PEOPLE = "video,participant,condition\nb.mp4,ben,rest\nc.mp4,cem,task\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_study(tmp_path / "aus.parquet", {"a.mp4": MadeFilm(n_frames=100)}, aus=("AU06", "AU12"))
    (tmp_path / "study").mkdir()
    for name in ("b", "c"):
        write_study(tmp_path / "study" / f"{name}.parquet", {f"{name}.mp4": MadeFilm(n_frames=100)})
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("episodes.md", ["episodes.csv"]),
        ("summary.md", ["by_participant.csv", "pairs.csv", "summary.csv"]),
        ("export.md", ["aus.csv", "interview.eaf", "openface"]),
    ],
)
def test_commands_and_python_of_a_page_run(page: str, written: list[str], folder: Path) -> None:
    before = set(folder.iterdir())
    names: dict[str, Any] = {}
    for language, code in blocks(page, "", "bash", "python"):
        if language == "python":
            exec(code, names)
            assert len(names["found"] if isinstance(names["found"], pl.DataFrame) else names["found"].groups)
        else:
            for words in commands_in(code):
                run(*words)
    assert sorted(path.name for path in set(folder.iterdir()) - before) == written
