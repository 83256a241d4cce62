"""The one door for printing: on terminals, in pipes, without colours, quiet, as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.table import Table

from aucli.commands.output import MOST_NOTES, Printer, quoted


def _print_all(output: Printer) -> None:
    table = Table("name", "licence", box=None, pad_edge=False)
    table.add_row("model", "non-commercial research " * 5)
    output.result("a result " * 20)
    output.table(table)
    output.text("one\ntwo\n")
    output.note("a note")
    output.warn("careful")
    output.json(n=1)


def test_results_and_notes_go_their_ways(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    _print_all(Printer("x"))
    printed = capsys.readouterr()
    assert printed.err == "a note\nwarning: careful\n"
    result, head, row, *text = printed.out.splitlines()
    assert result == "a result " * 20
    assert head.startswith("name")
    assert row.endswith("non-commercial research")  # in a pipe no cell is cut, and nothing is padded
    assert text == ["one", "two"]
    assert "\x1b" not in printed.out + printed.err


def test_quiet_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    _print_all(Printer("x", quiet=True))
    assert capsys.readouterr() == ("", "")
    _print_all(Printer("x", as_json=True))
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"schema": 1, "command": "x", "exit_status": 0, "n": 1}
    assert printed.err == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_failures_are_always_said_and_said_once(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    output = Printer("x", quiet=quiet)
    output.failed("a", "is gone")
    output.failures({"a": "is gone", "b": "too"}, of=3, what="videos")
    assert capsys.readouterr() == ("", "failed: a: is gone\nfailed: b: too\n2 of 3 videos failed, listed above\n")
    output.failures({}, of=3, what="videos")
    assert capsys.readouterr() == ("", "")


def test_many_notes_are_a_few_and_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    output = Printer("x")
    output.notes([])
    output.notes([str(number) for number in range(MOST_NOTES)])
    assert len(capsys.readouterr().err.splitlines()) == MOST_NOTES
    output.notes([str(number) for number in range(MOST_NOTES + 5)])
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "note: 5 more of this kind; --json lists all"


@pytest.mark.parametrize(("no_color", "colours"), [("", True), ("1", False)])
def test_colours_on_terminals_unless_unwanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_color: str, colours: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich then takes any stream for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    Printer("x").failed("a", "is gone")
    assert ("\x1b[31m" in capsys.readouterr().err) is colours


@pytest.mark.parametrize("width", [20, 40, 79])
def test_a_terminal_shows_whole_words_and_what_is_copied_in_one_piece(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich then takes any stream for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    path = "/a/path/that/is/longer/than/the/terminal/is/wide/interview_of_the_first_person.mp4"
    said = f"{path}: is not a video, or its header is damaged or cut off"
    Printer("x").result(said)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}:"
    assert all(len(line) <= width for line in lines[1:])
    assert len(lines) > 1
    assert " ".join(lines) == said
    for line in (f"-> {path} with spaces in its name.mp4", f"next: aucli report '{path} 2' -o report.html"):
        Printer("x").result(line)
        assert capsys.readouterr().out == f"{line}\n"


def test_what_is_printed_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Printer("x").result("a\x1b]0;title\x07b\nc [bold]d[/bold] :smile:")
    assert capsys.readouterr().out == "a\\x1b]0;title\\x07b\\x0ac [bold]d[/bold] :smile:\n"


def test_paths_can_be_typed() -> None:
    assert quoted(Path("a b.parquet")) == "'a b.parquet'"
    assert quoted(Path("x.parquet")) == "x.parquet"
