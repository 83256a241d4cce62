"""A coding program is its reader and a line in the registry: shown with a program that does not exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aucli.cli import app
from aucli.errors import OptionsError, TableError
from aucli.human_codes import registry
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.reading import read_codes
from aucli.human_codes.times import CodedTime
from aucli.human_codes.values import CodeOptions, Codes
from tests.builders.coded_tables import table, write_table
from tests.builders.read_codes import covered, intervals, write

HUMAN_CODES = Path(registry.__file__).parent


def read_facelog(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """The reader of a made-up program: lines of ``@ 0.4 > 1.2 : AU12``."""
    collector = Collector(file, options)
    collector.expect(None)
    for line in file.text.split("\n")[1:]:
        times, _, name = line.lstrip("@ ").partition(" : ")
        start, end = map(float, times.split(" > "))
        collector.add(CodedEvent(None, name, "", CodedTime(start), CodedTime(end)))
    return collector.finish()


FACELOG = CodingProgram("facelog", "a log of FaceLog", lambda file: file.head.startswith(b"FACELOG"), read_facelog)
TEXT = "FACELOG 1\n@ 0.4 > 1.2 : AU12\n@ 1.0 > 2.0 : Cheek raiser\n"


def test_a_made_up_program_is_its_reader_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, TEXT, "a.log")
    with pytest.raises(TableError, match=r"a\.log is none of: an ELAN document"):
        read_codes(path)
    monkeypatch.setattr(registry, "PROGRAMS", (*registry.PROGRAMS, FACELOG))
    for options in (CodeOptions(), CodeOptions(format="facelog")):
        codes = intervals(path, options)
        assert (covered(codes, 12), covered(codes, 6)) == ((10, 29), (25, 49))
    with pytest.raises(TableError, match="; a log of FaceLog; name it with `format`"):
        read_codes(write(tmp_path, "nothing known"))
    with pytest.raises(OptionsError, match=r"frames, facelog$"):
        read_codes(path, CodeOptions(format="facelogg"))
    # The command knows it too.
    written = write_table(table(), tmp_path / "aus.parquet")
    for more in ([], ["--codes-format", "facelog"]):
        done = CliRunner().invoke(
            app, ["evaluate", str(written), "--codes", str(path), "--format", "csv", "--quiet", *more]
        )
        assert done.exit_code == 0, done.stderr
        assert ",12," in done.stdout


def test_nobody_else_knows_a_program() -> None:
    """Who imports a reader would have to be changed with it: only the registry does, and readers one another."""
    readers = {program.read.__module__ for program in registry.PROGRAMS}
    assert len(readers) == len(registry.PROGRAMS) == len({program.name for program in registry.PROGRAMS})
    package = HUMAN_CODES.parent
    for path in package.rglob("*.py"):
        module = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        if module in readers or path == HUMAN_CODES / "registry.py":
            continue
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "human_codes" in text else ():
            imported = {node.module} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.ImportFrom):  # from aucli.human_codes import eaf
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            assert not imported & readers, f"{module} imports a reader"
