"""Which videos a user means."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import OptionsError, VideoError
from aucli.video.content import content_fingerprint
from aucli.video.inputs import Inputs, find_videos, path_label
from aucli.video.reader import FrameReader


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/x.mp4", "a/deep/y.MOV", "a/notes.txt", "a/._x.mp4", "a/.cache/z.mp4", "b/x.mp4", "empty/readme.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _labels(*words: str, root: Path | None = None) -> list[str]:
    found = find_videos(words, root=root)
    assert found.problems == {}
    return [video.label for video in found.videos]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a/x.mp4"], ["x.mp4"]),
        (["a"], ["deep/y.MOV", "x.mp4"]),
        (["a/**/*.mp4", "b"], ["x.mp4", "x.mp4"]),
        (["../a"], ["deep/y.MOV", "x.mp4"]),
    ],
)
def test_what_is_left_of_a_label_without_what_was_typed_in_front(
    tree: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: list[str]
) -> None:
    if words[0].startswith(".."):
        monkeypatch.chdir(tree / "b")
    found = find_videos(words).videos
    assert [video.within for video in found] == expected
    assert all(video.label.endswith(video.within) for video in found)
    assert {video.within == video.label for video in find_videos(words, root=tree).videos} == {True}


def test_nothing_named() -> None:
    assert find_videos([]) == Inputs((), {}, ())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a/x.mp4"], ["a/x.mp4"]),  # as typed
        (["./a//x.mp4"], ["a/x.mp4"]),
        (["a"], ["a/deep/y.MOV", "a/x.mp4"]),  # hidden files and other suffixes stay out
        (["a/"], ["a/deep/y.MOV", "a/x.mp4"]),
        (["b/x.mp4", "a/x.mp4"], ["b/x.mp4", "a/x.mp4"]),  # in the order named
        (["a/x.mp4", "./a/x.mp4", "a/*.mp4", "a/deep/../x.mp4"], ["a/x.mp4"]),  # once
        (["**/*.mp4"], ["a/x.mp4", "b/x.mp4"]),
        (["a/**/y.*", "**/deep/**"], ["a/deep/y.MOV"]),
        (["a/**"], ["a/deep/y.MOV", "a/x.mp4"]),
        (["[ab]"], ["a/deep/y.MOV", "a/x.mp4", "b/x.mp4"]),  # folders that match are searched
        (["a/notes.txt"], ["a/notes.txt"]),  # what is named is tried
        (["missing.mp4"], ["missing.mp4"]),  # reported when opened
    ],
)
def test_words(tree: Path, words: list[str], expected: list[str]) -> None:
    assert _labels(*words) == expected


def test_a_label_depends_on_nothing_else_that_was_typed(tree: Path) -> None:
    assert _labels("a/x.mp4") == ["a/x.mp4"]
    assert _labels("a/x.mp4", "/nowhere/else.mp4", "b/x.mp4")[0] == "a/x.mp4"
    assert _labels(f"{tree}/a/x.mp4") == [f"{tree}/a/x.mp4"]


def test_root(tree: Path) -> None:
    inputs = ["a", f"{tree}/b/x.mp4", "./a/x.mp4"]
    assert _labels(*inputs, root=tree) == ["a/deep/y.MOV", "a/x.mp4", "b/x.mp4"]
    assert _labels("a", root=Path("a")) == ["deep/y.MOV", "x.mp4"]
    found = find_videos(["a/x.mp4", "b/x.mp4"], root=Path("a"))
    assert [video.label for video in found.videos] == ["x.mp4"]
    assert found.problems == {"b/x.mp4": "lies outside `root` a"}
    with pytest.raises(OptionsError, match="`root` nowhere is not a folder"):
        find_videos(["a"], root=Path("nowhere"))
    (tree / "way").symlink_to("a")  # the root typed through a link, the file without
    assert _labels("a/deep", root=tree / "way") == ["deep/y.MOV"]


def test_one_entry_of_a_folder_is_one_video_and_a_link_to_it_is_none(tree: Path) -> None:
    (tree / "a" / "again.mp4").symlink_to("x.mp4")
    (tree / "elsewhere.mp4").symlink_to(tree / "b" / "x.mp4")
    assert _labels("a/x.mp4", f"{tree}/a/x.mp4") == ["a/x.mp4"]
    found = find_videos(["a/again.mp4", "a", "elsewhere.mp4"])
    assert [video.label for video in found.videos] == ["a/deep/y.MOV", "a/x.mp4", "elsewhere.mp4"]
    assert "a/again.mp4: passed over, a link to a/x.mp4" in found.passed_over


def test_list_is_relative_to_its_own_folder(tree: Path) -> None:
    (tree / "a" / "list.txt").write_text("# films\nx.mp4\n\n../b/*.mp4\n", encoding="utf-8")
    assert _labels("@a/list.txt") == ["a/x.mp4", "a/../b/x.mp4"]


def test_lists_as_programs_write_them(tree: Path) -> None:
    odd = os.fsdecode(b"a\ncaf\xe9.mp4")
    (tree / odd).touch()
    (tree / "windows.txt").write_bytes(b"\xef\xbb\xbfa/x.mp4\r\n\r\n  # b\r\nb/x.mp4")
    (tree / "print0").write_bytes(b"a\ncaf\xe9.mp4\0#1.mp4\0")
    (tree / "latin").write_bytes(b"caf\xe9.mp4\n")
    assert _labels("@windows.txt") == ["a/x.mp4", "b/x.mp4"]
    assert [video.path for video in find_videos(["@print0"]).videos] == [Path(odd), Path("#1.mp4")]
    assert _labels("@latin") == [r"caf\xe9.mp4"]
    (tree / "self").write_text("@self\nb/x.mp4\n")
    found = find_videos(["@self"])
    assert [video.label for video in found.videos] == ["b/x.mp4"]
    assert found.problems == {"@self": "a list inside a list is not read"}


def test_a_glob_never_runs_in_circles(tree: Path) -> None:
    for name in ("one", "two", "three"):
        (tree / "a" / name).symlink_to("..")
    assert _labels("**/*.mp4") == ["a/x.mp4", "b/x.mp4"]


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("empty", "the folder holds no video"),
        ("*.avi", "no video matches"),
        ("emp*", "no video matches"),
        ("a/**/*.avi", "no video matches"),
        ("@no.txt", "the list cannot be read (No such file or directory)"),
        ("@void.txt", "the list is empty"),
        ("@utf16.txt", "the list cannot be read (it is UTF-16; save it as UTF-8)"),
        ("@utf16-bare.txt", "the list cannot be read (it is no text)"),
        ("@film.mp4", "the list cannot be read (it is no text)"),
    ],
)
def test_words_that_give_nothing(tree: Path, word: str, problem: str) -> None:
    (tree / "void.txt").touch()
    (tree / "utf16.txt").write_text("a/x.mp4", encoding="utf-16")
    (tree / "utf16-bare.txt").write_text("a\r\nx.mp4\r\n", encoding="utf-16-le")
    (tree / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0")
    found = find_videos([word])
    assert (found.videos, found.problems) == ((), {word: problem})


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tree: Path) -> None:
    (tree / "clip[1].mp4").touch()
    assert _labels("clip[1].mp4") == ["clip[1].mp4"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        (b"caf\xe9.mp4", r"caf\xe9.mp4"),  # Latin-1, from an old disk
        ("café.mp4".encode(), "café.mp4"),
        (b"a\x1b[31mb\nc.mp4", r"a\x1b[31mb\x0ac.mp4"),
        ("a\u202eb\u2028.mp4".encode(), r"a\xe2\x80\xaeb\xe2\x80\xa8.mp4"),
        (rb"a\xe9.mp4", r"a\x5cxe9.mp4"),
    ],
)
def test_a_label_is_printable_and_tells_names_apart(tree: Path, name: bytes, label: str) -> None:
    (tree / os.fsdecode(name)).touch()
    assert _labels(os.fsdecode(name)) == [label]


@settings(max_examples=100, derandomize=True)
@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name and name not in (b".", b"..")))
def test_a_label_loses_nothing(name: bytes) -> None:
    label = path_label(Path(os.fsdecode(name)))
    assert not re.search("[\x00-\x1f\x7f-\x9f]", label)
    encoded = label.encode()  # any table can hold it
    assert re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), encoded) == name


def test_what_a_folder_holds_besides_videos_is_told(tree: Path) -> None:
    (tree / "a" / "table.csv").touch()
    (tree / "a" / "data").touch()
    (tree / "a" / "up").symlink_to(tree)  # a loop
    (tree / "a" / "self").symlink_to("self")
    os.mkfifo(tree / "a" / "pipe.mp4")
    found = find_videos(["a"])
    assert [video.label for video in found.videos] == ["a/deep/y.MOV", "a/x.mp4"]
    assert found.problems == {}
    assert len(found.passed_over) == 1
    for part in (
        "1 .csv",
        "2 without suffix",
        "1 .txt",
        "hidden",
        "a/pipe.mp4: a pipe",
        "a/up: a link to a folder",
    ):
        assert part in found.passed_over[0]


def test_a_linked_folder_is_searched_once(tree: Path) -> None:
    (tree / "study").mkdir()
    (tree / "study" / "session2").symlink_to("../b")
    (tree / "study" / "session3").symlink_to("../b")
    assert _labels("study") == ["study/session2/x.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_a_problem(tree: Path) -> None:
    (tree / "a" / "deep").chmod(0)
    try:
        found = find_videos(["a"])
    finally:
        (tree / "a" / "deep").chmod(0o755)
    assert found.problems == {"a/deep": "the folder cannot be read (Permission denied)"}
    assert [video.label for video in found.videos] == ["a/x.mp4"]


def test_pipes_devices_and_names_that_cannot_be_are_never_opened(tree: Path) -> None:
    os.mkfifo(tree / "pipe.mp4")
    assert stat.S_ISFIFO((tree / "pipe.mp4").stat().st_mode)
    words = ["pipe.mp4", os.devnull, "", "@pipe.mp4", "~nobody-of-this-name/x.mp4"]
    found = find_videos(words)
    assert [video.label for video in found.videos] == ["~nobody-of-this-name/x.mp4"]
    assert found.problems == {
        "pipe.mp4": "is a pipe, not a video file",
        os.devnull: "is a device, not a video file",
        "''": "an empty name",
        "@pipe.mp4": "the list cannot be read (it is a pipe, not a file)",
    }


def test_links_of_a_folder_to_pipes_and_devices_are_passed_over(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "in").mkdir()
    (tree / "in" / "a.mp4").touch()
    (tree / "in" / "pipe.mp4").symlink_to(tree / "pipe")
    (tree / "in" / "zero.mp4").symlink_to("/dev/zero")
    (tree / "in" / "nowhere.mp4").symlink_to("nothing")
    (tree / "in" / "itself.mp4").symlink_to("itself.mp4")
    found = find_videos(["in"])
    assert [video.label for video in found.videos] == ["in/a.mp4", "in/itself.mp4", "in/nowhere.mp4"]  # two will fail
    assert found.passed_over == (
        "in: passed over in/pipe.mp4: a pipe, socket or device; in/zero.mp4: a pipe, socket or device",
    )


def test_a_pipe_is_never_opened_whoever_asks(tree: Path) -> None:
    os.mkfifo(tree / "pipe.mp4")
    with pytest.raises(VideoError, match=r"pipe\.mp4: is a pipe, socket or device"):
        FrameReader(tree / "pipe.mp4")
    with pytest.raises(OSError, match="pipe or device"):
        content_fingerprint(tree / "pipe.mp4")


def test_photographs_and_numbered_pictures_are_inputs(tree: Path) -> None:
    for name in ("take/f_1.png", "take/f_2.png", "stills/anna.jpg", "stills/ben.JPG"):
        (tree / "study" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "study" / name).touch()
    assert _labels("study") == ["study/stills/anna.jpg", "study/stills/ben.JPG", "study/take"]
    assert _labels("study/take") == ["study/take"]
    assert _labels("study/take", root=tree / "study") == ["take"]
    assert find_videos(["study"]).passed_over == ()
