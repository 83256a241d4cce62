"""OpenFace's CSV: its names and numbers, and what this project's own reader of OpenFace finds in it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedFrames
from aucli.results.exports.run import ExportOptions, export
from aucli.results.row_filter import RowFilter
from tests.builders.films import steady_film
from tests.builders.studies import annotated, study


def test_columns_and_frames_are_numbered_as_openface_does(tmp_path: Path) -> None:
    done = export(study(), "openface", tmp_path / "of")
    assert [file.relative_to(tmp_path).as_posix() for file in done.files] == ["of/day 1/anna.csv", "of/day 2/none.csv"]
    text = done.files[0].read_text()
    assert text.startswith("frame,face_id,timestamp,confidence,success,AU01_c,AU12_c\n")
    read = pd.read_csv(done.files[0])
    assert read["frame"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 10]
    assert read["face_id"].tolist() == [0] * 9 + [1, 0, 1]
    assert read["timestamp"].tolist()[:3] == [0.0, 0.04, 0.08]
    assert read["success"].tolist() == [1] * 5 + [0] + [1] * 6
    assert read["confidence"].tolist()[4:7] == [0.88, 0.0, 0.88]
    assert read["AU12_c"].tolist()[:5] == [0, 0, 1, 1, 1]
    assert read["AU12_c"].isna().tolist() == [False] * 5 + [True] + [False] * 6, "missing, not absent"


def test_a_film_with_one_face_keeps_its_number_in_frames_without_it(tmp_path: Path) -> None:
    rows = annotated(steady_film("a.mp4", [0.9, None, 0.9]))
    done = export(rows.with_columns(face=rows["face"] + 3), "openface", tmp_path / "a.csv")
    assert pd.read_csv(done.files[0])["face_id"].tolist() == [3, 3, 3]


def test_rows_that_are_left_out_have_no_success(tmp_path: Path) -> None:
    chosen = ExportOptions(row_filter=RowFilter(min_interocular_px=30))
    read = pd.read_csv(export(study(), "openface", tmp_path, chosen).files[0])
    small = read[read["face_id"] == 1]
    assert small["success"].tolist() == [0, 0]
    assert small["confidence"].tolist() == [0.88, 0.88]
    assert small["AU12_c"].isna().all()


def test_our_own_reader_takes_it_for_openface(tmp_path: Path) -> None:
    values = [0.1, 0.9, None, 0.9]
    done = export(annotated(steady_film("a.mp4", values)), "openface", tmp_path)
    (codes,) = read_codes(done.files[0])
    assert isinstance(codes, CodedFrames)
    assert codes.coded_aus == (12,)
    assert codes.labels[:, 0].tolist() == [0, 1, -1, 1]
