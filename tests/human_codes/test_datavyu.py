from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from aucli.errors import TableError
from aucli.human_codes import datavyu
from aucli.human_codes.reading import read_codes
from tests.builders.coded_files import DATAVYU_DB, opf
from tests.builders.read_codes import covered, intervals


def test_an_archive_holds_the_spreadsheet(tmp_path: Path) -> None:
    codes = intervals(opf(tmp_path / "a.opf"))
    assert (covered(codes, 12), covered(codes, 6)) == ((10, 29), (25, 49))
    assert codes.grades[0] == 3


def test_archives_that_hold_none(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="without a Datavyu spreadsheet"):
        read_codes(opf(tmp_path / "a.opf", name="other"))
    with pytest.raises(TableError, match="without a Datavyu spreadsheet"):
        read_codes(opf(tmp_path / "b.opf", db="<html>"))
    whole = opf(tmp_path / "c.opf").read_bytes()
    (tmp_path / "c.opf").write_bytes(whole[:-30])
    with pytest.raises(TableError, match="damaged archive"):
        read_codes(tmp_path / "c.opf")


def test_an_archive_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datavyu, "MAX_DB_BYTES", 1000)
    path = opf(tmp_path / "a.opf", db=DATAVYU_DB + "\n" * 2000)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("db").compress_size < 1000
    with pytest.raises(TableError, match="spreadsheet of more than"):
        read_codes(path)
