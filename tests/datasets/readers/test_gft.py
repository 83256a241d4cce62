from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.folds import make_folds
from aucli.datasets.load import load_dataset
from aucli.errors import DatasetError, OptionsError
from tests.builders.benchmark_trees import GFT_EVALUATED, decoded_greys, gft_codes, left_out, make_gft, write_video


def with_partition(root: Path, rows: str) -> Path:
    (root / "gft_partition.csv").write_text("participant,split\n" + rows)
    return root


def test_all_dialects_give_the_same_labels(tmp_path: Path) -> None:
    samples, report = load_dataset("gft", make_gft(tmp_path))
    assert samples.aus == GFT_EVALUATED
    per_person = [samples.take(samples.of_subjects([s])) for s in ("gft/001A", "gft/001B", "gft/002A")]
    codes = gft_codes()
    expected = [
        [-1 if codes[f - 1][au] in ("9", "") else int(codes[f - 1][au]) for au in GFT_EVALUATED]
        for f in (1, 3, 4, 5, 6)
    ]
    for person in per_person:
        assert person.frame.tolist() == [1, 3, 4, 5, 6]
        np.testing.assert_array_equal(person.labels, np.array(expected))
    assert report.count("no AU scored") == 3
    assert report.count("missing code") == 6
    assert report.count("frame base is unverified") == 3


def test_images_and_videos_count_from_the_base(tmp_path: Path) -> None:
    samples, _ = load_dataset("gft", make_gft(tmp_path))
    video = samples.take(samples.of_subjects(["gft/001A"]))
    assert video.position.tolist() == [0, 2, 3, 4, 5]
    greys = decoded_greys(video.sequences[0].container)
    assert abs(greys[2][0] - 40) < 6
    images = samples.take(samples.of_subjects(["gft/001B"]))
    assert images.member.to_pylist() == ["1.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"]


def test_videos_that_are_short_or_damaged(tmp_path: Path) -> None:
    make_gft(tmp_path)
    write_video(tmp_path / "videos/001A.avi", [0, 20, 40, 60])
    _, report = load_dataset("gft", tmp_path)
    assert report.count("label beyond the end of the video") == 2
    (tmp_path / "videos/001A.avi").write_bytes(b"no video")
    samples, report = load_dataset("gft", tmp_path)
    assert "gft/001A" not in samples.subjects
    assert report.count("video cannot be opened") == 1


def test_an_unknown_value_raises(tmp_path: Path) -> None:
    make_gft(tmp_path)
    path = tmp_path / "labels/001A.csv"
    lines = path.read_text().splitlines()
    lines[5] = lines[5].replace(",1", ",2")
    path.write_text("\n".join(lines))
    assert re.search(r"has the code 2 in line 6 of .*001A\.csv", left_out("gft", tmp_path))


def test_missing_codes_are_an_option(tmp_path: Path) -> None:
    make_gft(tmp_path)
    with pytest.raises(DatasetError, match="code 9"):
        load_dataset("gft", tmp_path, {"missing_codes": [-1]})
    with pytest.raises(OptionsError, match="missing_codes"):
        load_dataset("gft", tmp_path, {"missing_codes": [0]})
    with pytest.raises(OptionsError, match="not a pattern"):
        load_dataset("gft", tmp_path, {"participant_pattern": "(("})


def test_empty_cells_that_a_spreadsheet_adds_are_no_columns(tmp_path: Path) -> None:
    make_gft(tmp_path)
    plain, _ = load_dataset("gft", tmp_path)
    for path, delimiter in ((tmp_path / "labels/001A.csv", ","), (tmp_path / "labels/001B.tsv", "\t")):
        path.write_text("".join(f"{line}{2 * delimiter}\n" for line in path.read_text().splitlines()))
    np.testing.assert_array_equal(load_dataset("gft", tmp_path)[0].labels, plain.labels)


def test_a_frame_zero_contradicts_the_base(tmp_path: Path) -> None:
    make_gft(tmp_path)
    path = tmp_path / "labels/001A.csv"
    path.write_text(path.read_text().replace("\n1,", "\n0,", 1))
    assert re.search("frame_base", left_out("gft", tmp_path))


def test_headers_without_aus_are_refused(tmp_path: Path) -> None:
    make_gft(tmp_path)
    (tmp_path / "labels/001A.csv").write_text("frame,AU1,AU2\n1,0,0\n")
    assert re.search("no column for AU 4, 6, 10", left_out("gft", tmp_path))
    (tmp_path / "labels/001A.csv").write_text("frame\n1\n")
    assert re.search("header of one cell", left_out("gft", tmp_path))


def test_numbered_header_with_a_frame_column(tmp_path: Path) -> None:
    make_gft(tmp_path)
    plain, _ = load_dataset("gft", tmp_path)
    path = tmp_path / "labels/001A.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header.replace("frame", "0").replace("AU", ""), *rows]))
    numbered, _ = load_dataset("gft", tmp_path)
    np.testing.assert_array_equal(plain.labels, numbered.labels)


def test_partition(tmp_path: Path) -> None:
    make_gft(tmp_path)
    samples, _ = load_dataset("gft", tmp_path)
    with pytest.raises(DatasetError, match="lack gft/002A"):
        make_folds(samples)
    samples, _ = load_dataset("gft", with_partition(tmp_path, "001A,train\n001B,train\n002A,test\n"))
    (split,), warnings = make_folds(samples)
    assert split.train == ("gft/001A", "gft/001B"), "one group cannot be cut, so nobody is left for validation"
    assert split.test == ("gft/002A",)
    assert ["published are 78 and 18" in w for w in warnings] == [True]
    samples, _ = load_dataset("gft", with_partition(tmp_path, "001A,train\n001B,test\n002A,train\n"))
    _, warnings = make_folds(samples)
    assert ["divide the groups gft/001" in w for w in warnings] == [False, True]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("001A,train\n001A,test\n", "puts 001A in test as well"),
        ("001A,dev\n", "allowed are train and test"),
        ("", "names no subjects"),
    ],
)
def test_a_partition_that_contradicts_itself_raises(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset("gft", with_partition(make_gft(tmp_path), rows))


def test_without_partition_file_it_is_said(tmp_path: Path) -> None:
    make_gft(tmp_path)
    (tmp_path / "gft_partition.csv").unlink()
    samples, report = load_dataset("gft", tmp_path)
    assert report.count("no partition file") == 3
    with pytest.raises(DatasetError, match=r"gft_partition\.csv"):
        make_folds(samples)
