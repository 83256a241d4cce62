from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.folds import make_folds
from aucli.datasets.load import load_dataset
from aucli.datasets.readers.binghamton import read_occurrence
from aucli.datasets.samples import Samples
from aucli.errors import DatasetError, OptionsError
from aucli.evaluation.scoring import evaluate
from tests.builders.benchmark_trees import (
    EVALUATED,
    LEGACY_HEADER,
    grey_of,
    left_out,
    make_bp4d,
    make_bp4dplus,
    pattern,
    write_images,
    write_legacy_csv,
    write_packed_csv,
    write_video,
)


def rows_of(samples: Samples, sequence: str) -> np.ndarray:
    index = [s.name for s in samples.sequences].index(sequence)
    return np.flatnonzero(samples.sequence_index == index)


def test_bp4d_labels_frames_and_images_belong_together(tmp_path: Path) -> None:
    samples, report = load_dataset("bp4d", make_bp4d(tmp_path / "BP4D"))
    assert samples.aus == EVALUATED
    assert samples.subjects == ("bp4d/F001", "bp4d/F003", "bp4d/F004")
    assert len(samples) == 6 * 6 - 1
    for row in range(len(samples)):
        sample = samples[row]
        assert sample.member is not None
        image = sample.sequence.container / sample.member
        assert abs(grey_of(image.read_bytes()) - 2 * sample.frame) <= 1
        expected = pattern([sample.frame])[sample.frame]
        if (sample.sequence.name, sample.frame) == ("F001_T1", 9):
            expected[24] = -1
        assert sample.labels.tolist() == [expected[au] for au in EVALUATED]
    in_t1 = rows_of(samples, "F001_T1")
    assert samples.frame[in_t1].tolist() == [7, 8, 9, 10, 12]
    assert samples.member.take(in_t1).to_pylist()[3] == "10.jpg"
    (missing,) = [f for f in report.findings if f.kind == "frame without image"]
    assert (missing.count, missing.where, missing.detail) == (1, "F001_T1", "frames 11")
    assert report.count("image outside the coded segment") == 3
    (nine,) = [f for f in report.findings if f.kind.startswith("code 9")]
    assert nine.detail == "AU24 of frames 9"
    assert report.count("occurrence and intensity contradict") == 0


def test_bp4d_nine_leaves_the_f1_of_its_au_only(tmp_path: Path) -> None:
    samples, _ = load_dataset("bp4d", make_bp4d(tmp_path))
    probabilities = np.full(samples.labels.shape, 0.9, dtype=np.float32)
    result = evaluate(samples.labels, probabilities, aus=samples.aus, replicates=0)
    assert [s.labelled for s in result.per_au] == [len(samples)] * 11 + [len(samples) - 1]


def test_bp4d_counts_are_compared_with_the_published_ones(tmp_path: Path) -> None:
    _, report = load_dataset("bp4d", make_bp4d(tmp_path))
    kinds = {f.kind for f in report.warnings}
    assert "count of frames differs from the published one" in kinds
    assert "base rate differs from the published one" in kinds
    assert report.count("subject without label files") == 38
    assert report.count("sequence without label file") == 3 * 6
    assert report.dataset == "bp4d"
    assert report.to_table().row_count == len({(f.level, f.kind, f.effect, f.unit) for f in report.findings})


def test_bp4d_first_fold_of_the_paper_tests_part_three(tmp_path: Path) -> None:
    samples, _ = load_dataset("bp4d", make_bp4d(tmp_path))
    splits, warnings = make_folds(samples)
    assert [s.test for s in splits] == [("bp4d/F004",), ("bp4d/F003",), ("bp4d/F001",)]
    assert "38 of 41" in warnings[0]
    for split in splits:
        rows = split.rows(samples)
        assert len(rows.train) + len(rows.validation) + len(rows.test) == len(samples)


@pytest.mark.parametrize("cells", [3, 60, 101])
def test_an_unknown_header_names_the_file(tmp_path: Path, cells: int) -> None:
    make_bp4d(tmp_path)
    path = tmp_path / "AUCoding/AU_OCC/F003_T2.csv"
    path.write_text(",".join(map(str, range(cells))) + "\n" + ",".join(["1"] * cells) + "\n")
    assert re.search(r"F003_T2\.csv", left_out("bp4d", tmp_path))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("1" + ",0" * 98, "99 cells"),
        ("1" + ",2" * 99, "AU1 has the code 2"),
        ("x" + ",0" * 99, "expected an integer"),
        ("1.5" + ",0" * 99, "expected an integer"),
        ("2" + ",0" * 99 + "\n1" + ",0" * 99, "do not ascend"),
        ("1 2" + ",0" * 99, "expected an integer"),
        ("99999999999" + ",0" * 99, "expected an integer"),
    ],
)
def test_a_broken_label_file_is_refused(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "F001_T1.csv"
    path.write_text(f"{LEGACY_HEADER}\n{body}\n")
    with pytest.raises(DatasetError, match=message) as caught:
        read_occurrence(path, EVALUATED)
    assert "F001_T1.csv" in str(caught.value)


def test_line_ends_blanks_and_byte_order_marks_do_not_matter(tmp_path: Path) -> None:
    plain, odd = tmp_path / "F001_T1.csv", tmp_path / "F001_T2.csv"
    write_packed_csv(plain, [3, 4], pattern([3, 4]))
    odd.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b",", b", ").replace(b"\n", b"\r\n") + b"\r\n\r\n")
    one, other = read_occurrence(plain, EVALUATED), read_occurrence(odd, EVALUATED)
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.labels, other.labels)


def test_both_layouts_give_the_same_labels(tmp_path: Path) -> None:
    frames = list(range(5, 11))
    write_legacy_csv(tmp_path / "a.csv", frames, pattern(frames))
    write_packed_csv(tmp_path / "b.csv", frames, pattern(frames))
    legacy, packed = read_occurrence(tmp_path / "a.csv", EVALUATED), read_occurrence(tmp_path / "b.csv", EVALUATED)
    np.testing.assert_array_equal(legacy.labels, packed.labels)


def test_bp4d_videos_count_from_one(tmp_path: Path) -> None:
    make_bp4d(tmp_path)
    shutil.rmtree(tmp_path / "Sequences_2D+3D")
    write_video(tmp_path / "2D/2F01_03.avi", [20 * i for i in range(5)])
    samples, report = load_dataset("bp4d", tmp_path)
    assert [s.name for s in samples.sequences] == ["F001_T2"]
    assert samples.frame.tolist() == [1, 2, 3, 4, 5, 6]
    assert samples.position.tolist() == [0, 1, 2, 3, 4, 5]
    assert samples[0].position == 0
    assert samples[0].member is None
    assert report.count("label beyond the end of the video") == 1
    assert report.count("labelled sequence without pixels") == 5


def test_bp4d_in_the_fera_2015_form(tmp_path: Path) -> None:
    write_legacy_csv(tmp_path / "AUCoding/F001_T1.csv", [1, 2], pattern([1, 2]))
    write_images(tmp_path / "BP4D-training/F001/T1", ["0001.JPG", "0002.JPG"], [2, 4])
    samples, _ = load_dataset("bp4d", tmp_path)
    assert samples.frame.tolist() == [1, 2]


def test_two_images_of_one_number_and_strange_names_are_reported(tmp_path: Path) -> None:
    make_bp4d(tmp_path)
    write_images(tmp_path / "Sequences_2D+3D/F003/T1", ["1.jpg", "cover.jpg", "._0002.jpg"], [2, 0, 0])
    _, report = load_dataset("bp4d", tmp_path)
    assert report.count("two images claim one frame number") == 1
    assert report.count("image name is not a number") == 1


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a folder"):
        load_dataset("bp4d", tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="labels_dir"):
        load_dataset("bp4d", tmp_path)
    write_legacy_csv(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [1], {})
    with pytest.raises(DatasetError, match="images_dir or videos_dir"):
        load_dataset("bp4d", tmp_path)
    with pytest.raises(OptionsError, match="allowed are bp4d"):
        load_dataset("bp5d", tmp_path)
    (tmp_path / "2D/F003/T1").mkdir(parents=True)
    with pytest.raises(DatasetError, match="labelled sequence without pixels"):
        load_dataset("bp4d", tmp_path)


def test_options_are_checked(tmp_path: Path) -> None:
    make_bp4d(tmp_path)
    with pytest.raises(OptionsError, match="pixles"):
        load_dataset("bp4d", tmp_path, {"pixles": "images"})
    with pytest.raises(OptionsError, match="pixels is 'frames'"):
        load_dataset("bp4d", tmp_path, {"pixels": "frames"})
    with pytest.raises(OptionsError, match="AU 3"):
        load_dataset("bp4d", tmp_path, {"aus": [1, 3]})
    with pytest.raises(OptionsError, match="check_intensity is 'no'"):
        load_dataset("bp4d", tmp_path, {"check_intensity": "no"})
    samples, _ = load_dataset(
        "bp4d", tmp_path.parent, {"aus": [12, 6], "labels_dir": str(tmp_path / "AUCoding/AU_OCC")}
    )
    assert samples.aus == (12, 6)


def test_bp4dplus(tmp_path: Path) -> None:
    samples, report = load_dataset("bp4dplus", make_bp4dplus(tmp_path / "BP4D+_v0.2"))
    assert samples.subjects == ("bp4dplus/F001", "bp4dplus/F072", "bp4dplus/M058")
    assert {s.name for s in samples.sequences} == {"F001_T1", "F001_T6", "F072_T1", "F072_T6", "M058_T1"}
    au6 = samples.labels[rows_of(samples, "F072_T1"), samples.aus.index(6)]
    assert au6.tolist() == [int((f + 6) % 3 == 0) for f in range(1, 7)]
    in_zip, in_folder = rows_of(samples, "F001_T6"), rows_of(samples, "F072_T6")
    np.testing.assert_array_equal(samples.labels[in_zip], samples.labels[in_folder])
    np.testing.assert_array_equal(samples.frame[in_zip], samples.frame[in_folder])
    assert samples[in_zip[0]].sequence.kind == "zip"
    assert samples[in_zip[0]].member == "F001/T6/001.jpg"
    masked = samples.labels[rows_of(samples, "F072_T1"), samples.aus.index(7)]
    assert masked.tolist().index(-1) == 2
    assert report.count("label file without rows") == 1
    assert [f.where for f in report.findings if f.kind == "label file of no known sequence"] == ["F042_T11.csv"]
    assert [f.where for f in report.findings if f.kind == "labelled sequence without pixels"] == ["F005_T1"]
    assert [f.where for f in report.findings if f.kind == "intensity file of another length"] == ["F072_T1_AU12.csv"]
    assert report.count("images without label file") == 2
    splits, warnings = make_folds(samples)
    assert [(s.number, s.test) for s in splits] == [
        (1, ("bp4dplus/F072",)),
        (3, ("bp4dplus/F001",)),
        (4, ("bp4dplus/M058",)),
    ]
    assert "fold 2 (tests part 2) is left out" in warnings[1]


def test_a_damaged_zip_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    make_bp4dplus(tmp_path)
    (tmp_path / "2D+3D/F001.zip").write_bytes(b"PK not really")
    samples, report = load_dataset("bp4dplus", tmp_path)
    assert samples.subjects == ("bp4dplus/F072", "bp4dplus/M058")
    damaged = [f for f in report.findings if f.kind == "zip archive cannot be read"]
    assert [f.where for f in damaged] == ["F001_T1", "F001_T6"]
    assert "F001.zip" in damaged[0].detail


def test_a_damaged_video_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_packed_csv(tmp_path / "AUCoding/AU_OCC/F001_T1.csv", [1, 2], pattern([1, 2]))
    write_packed_csv(tmp_path / "AUCoding/AU_OCC/F001_T6.csv", [1, 2], pattern([1, 2]))
    write_video(tmp_path / "F001_T1.mp4", [10, 40], codec="mpeg4")
    (tmp_path / "F001_T6.mp4").write_bytes(b"no video")
    samples, report = load_dataset("bp4dplus", tmp_path)
    assert [s.name for s in samples.sequences] == ["F001_T1"]
    assert [f.where for f in report.findings if f.kind == "video cannot be opened"] == ["F001_T6"]


def test_lower_case_copies_are_read_too(tmp_path: Path) -> None:
    write_legacy_csv(tmp_path / "bp4d/aucoding/au_occ/f001_t1.CSV", [1, 2], pattern([1, 2]))
    write_images(tmp_path / "bp4d/sequences_2d+3d/f001/t1", ["1.JPEG", "2.png"], [2, 4])
    samples, _ = load_dataset("bp4d", tmp_path)
    assert (samples.subjects, samples.frame.tolist()) == (("bp4d/F001",), [1, 2])


@pytest.mark.parametrize("width", [1, 5])
def test_empty_cells_that_a_spreadsheet_adds_at_the_end_are_no_columns(tmp_path: Path, width: int) -> None:
    plain, odd = tmp_path / "F001_T1.csv", tmp_path / "F001_T2.csv"
    write_packed_csv(plain, [3, 4], pattern([3, 4]))
    odd.write_text("".join(f"{line}{',' * width}\n" for line in plain.read_text().splitlines()))
    one, other = read_occurrence(plain, EVALUATED), read_occurrence(odd, EVALUATED)
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.labels, other.labels)
    odd.write_text(odd.read_text().replace("\n4,", "\n4,1,"))  # a cell too many is still one
    with pytest.raises(DatasetError, match=r"line 3 of .*cells; the header has"):
        read_occurrence(odd, EVALUATED)


def test_archives_that_were_not_unpacked_are_named(tmp_path: Path) -> None:
    (tmp_path / "BP4D.zip").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"BP4D\.zip is an archive; unpack it and give the folder"):
        load_dataset("bp4d", tmp_path / "BP4D.zip")
    with pytest.raises(DatasetError, match=r"unpack BP4D\.zip, or set the option labels_dir"):
        load_dataset("bp4d", tmp_path)
