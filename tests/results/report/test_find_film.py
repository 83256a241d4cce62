"""Films are found by their names, and taken only with their contents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aucli.results.report.find_film import find_film
from aucli.results.report.study import StudyFilm, StudyRun
from aucli.video.content import content_digest, content_fingerprint
from tests.builders.annotated import VIDEO


def film(label: str, path: Path, *, by_fingerprint: bool = True) -> StudyFilm:
    record = replace(
        VIDEO,
        size_bytes=path.stat().st_size,
        sha256=content_digest(path),
        fingerprint=content_fingerprint(path) if by_fingerprint else "",
    )
    return StudyFilm(1, label, record, StudyRun({}, (), ()), slice(0, 0), 0, 0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("by_fingerprint", [True, False])
def test_where_it_was_and_where_it_is_now(tmp_path: Path, by_fingerprint: bool) -> None:
    there = tmp_path / "moved" / "p1" / "a.mp4"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"film")
    at = film(str(there), there, by_fingerprint=by_fingerprint)
    assert find_film(at, []) == (there, "")
    for label in ("study/p1/a.mp4", "/home/x/study/p1/a.mp4", "p1/a.mp4"):
        its = film(label, there, by_fingerprint=by_fingerprint)
        assert find_film(its, [tmp_path, tmp_path / "moved"]) == (there, "")
        assert find_film(its, [tmp_path]) == (None, "it is not where it was")
    there.write_bytes(b"mlif")
    found, why = find_film(at, [])
    assert found is None
    assert why == f"{there} is another film than the one that was annotated"


def test_a_name_that_no_file_can_have_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"film")
    assert find_film(film("a" * 5000, tmp_path / "x"), [tmp_path])[0] is None
    assert find_film(film("a\0b", tmp_path / "x"), [tmp_path])[0] is None
    assert find_film(replace(film("x", tmp_path / "x"), record=None), [tmp_path])[0] is None
