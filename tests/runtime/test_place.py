"""Where a result may go: told before any work, and what is wrong usage told from what only this machine forbids."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aucli.errors import OptionsError, StorageError
from aucli.runtime.place import require_place_for_file, require_place_for_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of each kind."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("link").symlink_to("nothing")
    Path("circle").symlink_to("circle")
    return tmp_path


@pytest.mark.parametrize("path", ["new", "new/folder/x", "file", "folder/x", "link", "folder/../x", "ä" * 100])
def test_places_for_files(path: str) -> None:
    before = sorted(Path().rglob("*"))
    require_place_for_file(Path(path))
    assert sorted(Path().rglob("*")) == before, "looking leaves nothing behind"


@pytest.mark.parametrize("path", ["new", "new/folder", "folder", ".", "folder/.."])
def test_places_for_folders(path: str) -> None:
    before = sorted(Path().rglob("*"))
    require_place_for_folder(Path(path))
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("-", "is not written to standard output; name a file"),
        (".", "`output` is ., a folder; name a file in it"),
        ("folder", "`output` is folder, a folder; name a file in it"),
        ("pipe", "`output` is pipe, a pipe or device; name a file"),
        ("/dev/null", "`output` is /dev/null, a pipe or device; name a file"),
        ("file/x", "file is a file, not a folder"),
        ("file/deeper/x", "file is a file, not a folder"),
        ("pipe/x", "pipe is no folder"),
        ("circle", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("a\0b", "embedded null"),
    ],
)
def test_no_places_for_files(path: str, message: str) -> None:
    with pytest.raises(OptionsError) as told:
        require_place_for_file(Path(path))
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("-", "name a folder, or x.csv"),
        ("file", "`output` is file, which is a file; name a folder, or x.csv"),
        ("pipe", "a pipe or device; name a folder, or x.csv"),
        ("/dev/full", "a pipe or device; name a folder, or x.csv"),
        ("file/x", "file is a file, not a folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_no_places_for_folders(path: str, message: str) -> None:
    with pytest.raises(OptionsError) as told:
        require_place_for_folder(Path(path), wanted="a folder, or x.csv")
    assert message in str(told.value)


def test_what_is_read_is_not_written_over() -> None:
    Path("by-link").symlink_to("file")
    for path in ("file", "folder/../file", "by-link"):
        with pytest.raises(OptionsError, match="which is read here; choose another name"):
            require_place_for_file(Path(path), inputs=[Path("no"), Path("file")])


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that even its owner cannot write to")
@pytest.mark.parametrize("path", ["/proc/x", "/proc/x/y"])
def test_what_the_machine_forbids_is_a_failure(path: str) -> None:
    for require in (require_place_for_file, require_place_for_folder):
        with pytest.raises(StorageError, match=r"^cannot write into /proc: .*; choose another `out`$"):
            require(Path(path), field="out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(here: Path) -> None:
    Path("folder").chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"):
        require_place_for_file(Path("folder/x"))
