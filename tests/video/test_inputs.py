"""Which videos a user means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aucli.video.inputs import find_videos


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/x.mp4", "a/deep/y.MOV", "a/notes.txt", "a/._x.mp4", "a/.cache/z.mp4", "b/x.mp4", "empty/readme.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _labels(*patterns: str) -> list[str]:
    videos, problems = find_videos(patterns)
    assert problems == {}
    return [video.label for video in videos]


def test_nothing_named() -> None:
    assert find_videos([]) == ([], {})


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["a/x.mp4"], ["x.mp4"]),  # one file: its name
        (["a"], ["deep/y.MOV", "x.mp4"]),  # hidden files and other suffixes stay out
        (["a/x.mp4", "b/x.mp4"], ["a/x.mp4", "b/x.mp4"]),  # same names are told apart
        (["b/x.mp4", "a/x.mp4"], ["b/x.mp4", "a/x.mp4"]),  # in the order named
        (["a/x.mp4", "./a/x.mp4", "a/*.mp4"], ["x.mp4"]),  # once
        (["**/*.mp4"], ["a/x.mp4", "b/x.mp4"]),
        (["a/notes.txt"], ["notes.txt"]),  # what is named is tried
        (["missing.mp4"], ["missing.mp4"]),  # reported when opened
    ],
)
def test_patterns(tree: Path, patterns: list[str], expected: list[str]) -> None:
    assert _labels(*patterns) == expected


def test_list_is_relative_to_its_own_folder(tree: Path) -> None:
    (tree / "a" / "list.txt").write_text("# films\nx.mp4\n\n../b/*.mp4\n", encoding="utf-8")
    assert _labels("@a/list.txt") == ["a/x.mp4", "b/x.mp4"]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("empty", "the folder holds no video"),
        ("*.avi", "nothing matches"),
        ("@no.txt", "the list cannot be read (No such file or directory)"),
        ("@void.txt", "the list is empty"),
        ("@binary.txt", "the list cannot be read (it is not UTF-8 text)"),
    ],
)
def test_patterns_that_give_nothing(tree: Path, pattern: str, problem: str) -> None:
    (tree / "void.txt").touch()
    (tree / "binary.txt").write_bytes(b"\xff\xfe\x00\x81")
    assert find_videos([pattern]) == ([], {pattern: problem})


def test_a_name_that_is_not_utf8_still_has_a_label(tree: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (tree / "b" / name).touch()
    assert _labels(f"b/{name}") == ["caf\ufffd.mp4"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tree: Path) -> None:
    (tree / "clip[1].mp4").touch()
    assert _labels("clip[1].mp4") == ["clip[1].mp4"]
