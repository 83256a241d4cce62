from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.folds import make_folds
from aucli.datasets.load import load_dataset
from aucli.errors import DatasetError, OptionsError
from tests.builders.benchmark_trees import (
    decoded_greys,
    disfa_intensities,
    grey_of,
    left_out,
    make_disfa,
    make_disfaplus,
)

EVALUATED = (1, 2, 4, 6, 9, 12, 25, 26)


@pytest.mark.parametrize("pixels", ["videos", "images0", "images1"])
def test_label_line_one_is_the_first_frame(tmp_path: Path, pixels: str) -> None:
    samples, _ = load_dataset("disfa", make_disfa(tmp_path, pixels=pixels))
    assert samples.aus == EVALUATED
    assert len(samples) == 8 + 7 + 8
    videos = {s.container: decoded_greys(s.container) for s in samples.sequences if s.kind == "video"}
    for row in range(len(samples)):
        sample = samples[row]
        if sample.position is not None:
            red, _, blue = videos[sample.sequence.container][sample.position]
            assert abs(red - blue) < 5, "the left camera is grey, the right one is tinted"
            grey = red
        else:
            assert sample.member is not None
            grey = grey_of((sample.sequence.container / sample.member).read_bytes())
        assert abs(grey - (10 + 30 * (sample.frame - 1))) < 10
        expected = disfa_intensities(8)
        assert sample.labels.tolist() == [int(expected[au][sample.frame - 1] >= 2) for au in EVALUATED]
    au25 = samples.labels[samples.frame == 3, EVALUATED.index(25)]
    assert au25.tolist() == [0, 0, 0]
    assert samples.labels[samples.frame == 4, EVALUATED.index(25)].tolist() == [1, 1, 1]


def test_the_right_camera_is_a_choice(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    right, _ = load_dataset("disfa", tmp_path, {"camera": "right"})
    red, _, blue = decoded_greys(right.sequences[0].container)[0]
    assert blue - red > 15
    both, _ = load_dataset("disfa", tmp_path, {"camera": "both"})
    assert len(both) == 2 * len(right)
    assert len(both.subjects) == 3


def test_fold_naming_switch(tmp_path: Path) -> None:
    from aucli.datasets.folds import FoldOptions

    samples, _ = load_dataset("disfa", make_disfa(tmp_path))
    paper, _ = make_folds(samples)
    part, _ = make_folds(samples, FoldOptions(numbering="part"))
    assert [s.test[0] for s in paper] == ["disfa/SN003", "disfa/SN006", "disfa/SN001"]
    assert [s.test[0] for s in part] == ["disfa/SN001", "disfa/SN006", "disfa/SN003"]


def test_a_short_label_file_raises(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    path = tmp_path / "ActionUnit_Labels/SN006/SN006_au12.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    assert re.search(r"SN006_au12\.txt has 6 lines where the other AUs of SN006 have 7", left_out("disfa", tmp_path))


def test_all_label_files_short_is_a_warning(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    for path in (tmp_path / "ActionUnit_Labels/SN001").iterdir():
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    _, report = load_dataset("disfa", tmp_path)
    assert report.count("video and labels differ in length") == 1


def test_missing_au_files_and_wrong_intensities_raise(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    path = tmp_path / "ActionUnit_Labels/SN001/SN001_au2.txt"
    content = path.read_text()
    path.write_text(content.replace("1,", "1,7", 1))
    assert re.search("outside 0 to 5", left_out("disfa", tmp_path))
    path.write_text(content.replace("2,", "3,", 1))
    assert re.search("frame 3; expected 2", left_out("disfa", tmp_path))
    path.unlink()
    assert re.search("no label file for AU 2", left_out("disfa", tmp_path))


def test_image_numbering_is_never_guessed(tmp_path: Path) -> None:
    make_disfa(tmp_path, pixels="images0")
    for subject in ("SN001", "SN003", "SN006"):
        (tmp_path / f"Images/{subject}/0.png").unlink()
    with pytest.raises(DatasetError, match="first_image"):
        load_dataset("disfa", tmp_path)
    samples, report = load_dataset("disfa", tmp_path, {"first_image": 0})
    assert sorted(set(samples.frame.tolist())) == list(range(2, 9))
    assert report.count("frame without image") == 3


def test_where_no_image_is_found_nothing_is_said_of_their_numbers(tmp_path: Path) -> None:
    make_disfa(tmp_path, pixels="images0")
    for path in (tmp_path / "Images").glob("*/*.png"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"no folder under .*Images holds numbered images of a subject with labels"):
        load_dataset("disfa", tmp_path)


def test_image_numbering_may_not_differ_between_people(tmp_path: Path) -> None:
    make_disfa(tmp_path, pixels="images0")
    (tmp_path / "Images/SN001/0.png").rename(tmp_path / "Images/SN001/8.png")
    with pytest.raises(DatasetError, match="count from 0, those of SN001 from 1"):
        load_dataset("disfa", tmp_path)


def test_another_threshold_is_said(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    samples, report = load_dataset("disfa", tmp_path, {"positive_intensity": 1})
    assert samples.labels[samples.frame == 3, EVALUATED.index(25)].tolist() == [1, 1, 1]
    assert report.count("intensity threshold differs from the papers'") == len(samples)
    with pytest.raises(OptionsError, match="positive_intensity is 6"):
        load_dataset("disfa", tmp_path, {"positive_intensity": 6})


def test_disfaplus_is_joined_by_image_name(tmp_path: Path) -> None:
    samples, report = load_dataset("disfaplus", make_disfaplus(tmp_path))
    assert len(samples.aus) == 12
    assert len(samples) == 4 * 4 - 1
    assert report.count("frame without image") == 1
    first = samples[0]
    assert (first.frame, first.member) == (0, "000.jpg")
    expected = [[(0, 1, 2, 5)[(k + i) % 4] >= 2 for i in range(12)] for k in range(4)]
    np.testing.assert_array_equal(samples.labels[:4], np.array(expected, dtype=np.int8))


def test_disfaplus_with_the_subject_folder_doubled(tmp_path: Path) -> None:
    make_disfaplus(tmp_path)
    plain, _ = load_dataset("disfaplus", tmp_path)
    for subject in ("SN001", "SN003"):
        folder = tmp_path / "Labels" / subject
        folder.rename(tmp_path / "moving")
        folder.mkdir()
        (tmp_path / "moving").rename(folder / subject)
    doubled, _ = load_dataset("disfaplus", tmp_path)
    np.testing.assert_array_equal(plain.labels, doubled.labels)


@pytest.mark.parametrize("line", ["000.jpg", "000.jpg 6", "000.jpg 1"])
def test_a_broken_disfaplus_line_is_named(tmp_path: Path, line: str) -> None:
    make_disfaplus(tmp_path)
    path = tmp_path / "Labels/SN001/Y_Happy/AU4.txt"
    path.write_text(path.read_text() + line + "\n")
    assert re.search(r"line 8 of .*AU4\.txt", left_out("disfaplus", tmp_path))
