"""All files of one coder as one: folders, files without a code, what is no file of codes, and what was looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from aucli.errors import NothingCodedError, OptionsError, TableError
from aucli.human_codes.coder_files import code_files, read_coder
from aucli.human_codes.values import CodeOptions
from tests.builders.coded_files import Event, eaf


def files(folder: Path) -> Path:
    """A folder of a coder's: three films, a note, ELAN's own preferences and backups, and a film."""
    (folder / "day 2").mkdir(parents=True)
    (folder / "a.eaf").write_text(eaf([Event("AU12", 0.4, 1.2, "", "Anna")]))
    (folder / "day 2" / "b.eaf").write_text(eaf([Event("AU01", 0.4, 1.2, "", "Ben")]))
    (folder / "c.eaf").write_text(eaf([]))
    (folder / "speech.eaf").write_text(eaf([Event("talk", 0.4, 1.2, "hello")]))
    (folder / "notes.txt").write_text("ask Anna about the second film\n")
    (folder / "a.pfsx").write_text("<preferences/>")
    (folder / "a.eaf.001").write_text(eaf([Event("AU06", 0.4, 1.2)]))
    (folder / "a.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (folder / ".hidden.eaf").write_text("no XML")
    return folder


def test_a_folder_is_its_files_of_codes(tmp_path: Path) -> None:
    codes, notes = read_coder([files(tmp_path / "codes")])
    assert [(one.source.name, one.coded_aus) for one in codes] == [
        ("a.eaf", (1, 12)),
        ("c.eaf", (1, 12)),
        ("b.eaf", (1, 12)),
    ], "what occurs in one film was looked for in all, and where nothing is coded nothing occurred"
    assert len(codes[1].aus) == 0  # type: ignore[union-attr]
    assert any("passed over: " in note and "notes.txt" in note for note in notes)
    assert any(
        "passed over: nothing in " in note and "speech.eaf is an action unit; it has talk" in note for note in notes
    )
    assert notes[-2:] == (
        "what occurs in one of the 3 files counts as looked for in all: AU 1, 12",
        "files without a code, where nothing occurred: c.eaf",
    )


def test_one_file_is_what_it_was(tmp_path: Path) -> None:
    folder = files(tmp_path / "codes")
    (one,), notes = read_coder([folder / "a.eaf"])
    assert (one.coded_aus, notes) == ((12,), ())
    with pytest.raises(NothingCodedError, match=r"nothing in .*c\.eaf is an action unit; it has no interval at all"):
        read_coder([folder / "c.eaf"])
    with pytest.raises(TableError, match=r"notes\.txt is none of"):
        read_coder([folder / "a.eaf", folder / "notes.txt"])
    with pytest.raises(TableError, match="is an action unit; it has talk"):
        read_coder([folder / "a.eaf", folder / "speech.eaf"])


def test_a_subject_that_some_files_have(tmp_path: Path) -> None:
    folder = files(tmp_path / "codes")
    for name in ("c.eaf", "speech.eaf", "notes.txt"):
        (folder / name).unlink()
    codes, notes = read_coder([folder], CodeOptions(subject="Ben"))
    assert [one.source.name for one in codes] == ["b.eaf"]
    assert notes[0] == "1 of 2 files have no subject 'Ben': a.eaf"
    with pytest.raises(OptionsError, match="no subject 'Cleo'"):
        read_coder([folder], CodeOptions(subject="Cleo"))


def test_folders_without_codes_and_tables_beside_them(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no file of codes"):
        code_files([tmp_path])
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match="holds no file of codes"):
        code_files([tmp_path], but=[tmp_path / "t.parquet"])
    assert code_files([tmp_path, tmp_path / "t.parquet"]) == {tmp_path / "t.parquet": True}
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "c.eaf").write_text(eaf([]))
    with pytest.raises(NothingCodedError):
        read_coder([tmp_path / "none"])
