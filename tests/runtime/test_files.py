from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.errors import BusyError
from aucli.runtime import files
from aucli.runtime.files import (
    folder_lock,
    is_temporary,
    sha256_file,
    sha256_path,
    whole_folder_or_nothing,
    whole_or_nothing,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _half_written(path: Path) -> ZeroDivisionError:
    path.write_text("half")
    return ZeroDivisionError()


def test_an_empty_file_appears(tmp_path: Path) -> None:
    with whole_or_nothing(tmp_path / "x") as temporary:
        assert temporary.parent == tmp_path
        assert is_temporary(temporary)
        assert temporary.suffix == ".tmp"
    assert _names(tmp_path) == ["x"]


def test_a_file_is_replaced_when_the_new_one_is_whole_and_kept_when_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_or_nothing(path) as temporary:
        raise _half_written(temporary)
    assert (path.read_text(), _names(tmp_path)) == ("old", ["x"])
    with whole_or_nothing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert (path.read_text(), _names(tmp_path)) == ("new", ["x"])


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)


@pytest.mark.slow
@settings(deadline=None)
@given(name=NAMES.filter(lambda name: name not in (".", "..")), longest=st.booleans())
def test_any_name_up_to_the_file_systems_limit(
    tmp_path_factory: pytest.TempPathFactory, name: str, longest: bool
) -> None:
    folder = tmp_path_factory.mktemp("names")
    whole = (name * 255).encode()[:255].decode(errors="ignore") if longest else name
    with whole_or_nothing(folder / whole) as temporary:
        temporary.write_bytes(b"1")
    assert _names(folder) == [whole]


def test_flushed_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that survives a power cut: content, then name, then the folder that holds the name."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(handle: int) -> None:
        seen.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def record_replace(self: Path, target: Path) -> Path:
        seen.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    with whole_or_nothing(tmp_path / "x") as temporary:
        temporary.write_text("1")
    assert seen == [temporary.name, "rename", tmp_path.name]


KILLED = """
import sys, time
from pathlib import Path
from aucli.runtime.files import {function}
with {function}(Path(sys.argv[1])) as temporary:
    {write}
    print("go", flush=True)
    time.sleep(60)
"""


def _kill_while_writing(function: str, write: str, path: Path) -> None:
    script = KILLED.format(function=function, write=write)
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        process.send_signal(signal.SIGKILL)


def test_what_a_kill_left_goes_with_the_next_success(tmp_path: Path) -> None:
    _kill_while_writing("whole_or_nothing", "temporary.write_text('half of a long text')", tmp_path / "x")
    assert [is_temporary(path) for path in tmp_path.iterdir()] == [True]
    with whole_or_nothing(tmp_path / "x") as temporary:
        temporary.write_text("1")
    assert (_names(tmp_path), (tmp_path / "x").read_text()) == (["x"], "1")


def test_two_writers_of_one_file_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def write(letter: str) -> None:
        with whole_or_nothing(path) as temporary, temporary.open("w") as file:
            for _ in range(200):
                file.write(letter * 100)
                file.flush()

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = path.read_text()
    assert (len(text), len(set(text))) == (20_000, 1)
    assert _names(tmp_path) == ["x"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    target = tmp_path / "deep" / "model"
    for content in ("old", "new"):
        with whole_folder_or_nothing(target) as temporary:
            assert list(temporary.iterdir()) == []
            (temporary / content).write_text(content)
            (temporary / "sub").mkdir()
    assert (_names(tmp_path / "deep"), _names(target)) == (["model"], ["new", "sub"])
    with pytest.raises(ZeroDivisionError), whole_folder_or_nothing(target) as temporary:
        raise _half_written(temporary / "half")
    assert (_names(tmp_path / "deep"), _names(target)) == (["model"], ["new", "sub"])


def test_folders_of_killed_runs_go_and_those_of_others_stay(tmp_path: Path) -> None:
    for name in ("model", "another"):
        _kill_while_writing("whole_folder_or_nothing", "(temporary / 'half').write_text('1')", tmp_path / name)
    assert [is_temporary(left) for left in tmp_path.iterdir()] == [True, True]
    with whole_folder_or_nothing(tmp_path / "other") as outer:
        (outer / "1").write_text("outer")
        with whole_folder_or_nothing(tmp_path / "model") as inner:
            (inner / "1").write_text("inner")
        assert sorted(tmp_path.iterdir()) == [outer, tmp_path / "model"]
    assert (tmp_path / "other" / "1").read_text() == "outer"
    assert _names(tmp_path) == ["model", "other"]


def test_the_exchange_is_one_step_on_linux(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "1").touch()
    if sys.platform != "linux" or not files._exchange(one, other):
        pytest.skip("this system cannot exchange names")
    assert (_names(one), _names(other)) == ([], ["1"])


def test_a_locked_folder_says_who_holds_it(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "new" / "run"):
        with pytest.raises(BusyError, match=rf"another run is writing to .*run \(process {os.getpid()} on "):
            folder_lock(tmp_path / "new" / "run").__enter__()
        with folder_lock(tmp_path / "new" / "other"):
            pass
    with folder_lock(tmp_path / "new" / "run"):
        pass


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    _kill_while_writing("folder_lock", "pass", tmp_path)
    with folder_lock(tmp_path):
        pass


def test_a_folder_that_its_holder_takes_away_can_be_locked_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with folder_lock(folder):
        (folder / files.LOCK_NAME).unlink()
        folder.rmdir()
        with folder_lock(folder):
            assert (folder / files.LOCK_NAME).is_file()


def test_digests_of_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of no bytes, FIPS 180-4
    assert sha256_file(tmp_path / "b") == sha256_path(tmp_path / "b") == empty
    before = sha256_path(tmp_path)
    (tmp_path / "b").rename(tmp_path / "a")
    assert sha256_path(tmp_path) != before
