"""Every block of code of the pages: run by a test, or its commands are understood, or it says why neither."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from aucli.training.recipe import Recipe
from tests.builders.command_line import run
from tests.builders.made_studies import MadeFilm, write_study
from tests.builders.media import MadeVideo
from tests.builders.page_blocks import DOCS, blocks, commands_in
from tests.builders.reference import commands
from tests.builders.tables_of_films import table_of_film

PAGES: Final = (*sorted(page.name for page in DOCS.glob("*.md")), "../README.md")
RUN: Final = {"duckdb.md", "episodes.md", "export.md", "overlay.md", "python.md", "r.md", "report.md", "summary.md"}
"""Pages whose blocks are run whole, here or in the test of their own; the tutorial is a notebook that CI executes."""
NOT_RUN: Final = {
    "architecture.md": "a picture of folders",
    "datasets.md": "benchmarks that nobody may hand on; tests/datasets reads trees in their layouts",
    "evaluation.md": "benchmarks, and a trained run; tests/commands/test_evaluate.py runs the commands on made ones",
    "own_codes.md": "a training of minutes; tests/training/test_run.py goes the same way in small, from its own model",
    "models.md": "shapes of files; tests/models imports and exports them",
    "synth.md": "a face model that must be fetched first; tests/synth renders with the one made for tests",
    "training.md": "hours of training; tests/training trains small ones",
    "../README.md": "installs and long runs; CI runs its first lines",
}
"""Pages with blocks that are not run, and why. Their commands are looked at all the same."""


def has_blocks(page: str) -> bool:
    return "```" in (DOCS / page).read_text(encoding="utf-8")


def test_every_page_with_code_is_run_or_says_why_not() -> None:
    assert {page for page in PAGES if has_blocks(page)} == RUN | set(NOT_RUN)


def command_lines(page: str) -> list[list[str]]:
    """The words behind ``aucli`` of every line in the page's blocks; lines that go on with a backslash are one."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = []
    for code in re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n\s*", "", code).splitlines():
            start = re.match(r"\s*(?:[A-Z]+=\S+ |torchrun \S+ \d+ -m )?aucli (?=[a-z-])", line)
            if start:
                found.append(shlex.split(line[start.end() :].partition(" | ")[0], comments=True))
    return found


LINES: Final = [(page, words) for page in PAGES for words in command_lines(page)]


@pytest.mark.parametrize(("page", "words"), LINES, ids=[f"{page}: {' '.join(words)[:60]}" for page, words in LINES])
def test_commands_of_every_page_are_understood(page: str, words: list[str]) -> None:
    """Each option is one of the command's, and its value one that it takes; nothing is run."""
    known = dict(commands())
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
    assert name is not None, f"{page}: no command {' '.join(words[:2])}"
    rest = words[len(name.split()) :]
    if "..." in rest or {"-h", "--help"} & set(rest):
        options = {text for param in known[name].params for text in (*param.opts, *param.secondary_opts)}
        assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= options | {"-h", "--help"}
        return
    with known[name].make_context(name, list(rest)):
        pass


@pytest.mark.slow
def test_the_page_on_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(Path("aus.parquet"), {"a.mp4": MadeFilm(n_frames=40), "b.mp4": MadeFilm(n_frames=40)})
    made = []
    for language, code in blocks("report.md", "", "python"):
        if language == "python":
            exec(code, {})
            made += ["report.html", "a.html"]
        else:
            reported, annotated = commands_in(code)
            run(*reported)
            # Films are annotated with --report in tests/commands/test_annotate.py.
            assert (annotated[0], annotated[-2]) == ("annotate", "--report")
    assert {path.name for path in tmp_path.glob("*.html")} == set(made)


@pytest.mark.slow
def test_the_page_on_films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video = MadeVideo(n_frames=3, size=(160, 120)).write(Path("interview.mp4"))
    for _, code in blocks("overlay.md", ""):
        annotated, drawn = commands_in(code)
        assert annotated == ["annotate", "interview.mp4", "-o", "aus.parquet"]
        table_of_film(video, Path("aus.parquet"), lambda _: {0: (40, 30, 90, 90)})  # as this would, were a face in it
        run(*drawn)
    assert Path("shown.mp4").stat().st_size > 1000
    (line,) = re.findall(r"From Python: `(.*?)`", (DOCS / "overlay.md").read_text(encoding="utf-8"))
    Path("shown.mp4").unlink()
    exec(f"import aucli\n{line}", {})
    assert Path("shown.mp4").stat().st_size > 1000


@pytest.mark.slow
def test_the_page_on_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    MadeVideo(n_frames=3, size=(160, 120)).write(Path("interview.mp4"))
    for _, code in blocks("python.md", "python"):
        names: dict[str, Any] = {}
        exec(code, names)
        assert (names["outcome"].n_frames, names["outcome"].failures) == (3, {})
        assert names["smiling"].columns == ["video", "face", "AU12"]


def test_sections_of_recipes_on_the_page_on_training_are_known() -> None:
    sections = [code for _, code in blocks("training.md", "") if code.startswith("[")]
    assert sections
    recipe = tomllib.loads((DOCS.parent / "train" / "bp4d.toml").read_text(encoding="utf-8"))
    for code in sections:
        Recipe(**(recipe | tomllib.loads(code)))
