from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.folds import FoldOptions, make_folds
from aucli.datasets.load import load_dataset
from aucli.datasets.readers.affwild2 import without_side
from aucli.datasets.samples import Samples
from aucli.errors import DatasetError, OptionsError
from tests.builders.benchmark_trees import AFFWILD2_AUS, affwild2_lines, grey_of, left_out, make_affwild2


def of_sequence(samples: Samples, name: str) -> Samples:
    index = [s.name for s in samples.sequences].index(name)
    return samples.take(samples.sequence_index == index)


def test_lines_pair_with_crops_by_number(tmp_path: Path) -> None:
    samples, report = load_dataset("affwild2", make_affwild2(tmp_path))
    assert samples.aus == AFFWILD2_AUS
    first = of_sequence(samples, "1-30-160x120")
    assert first.frame.tolist() == [1, 2, 6, 7, 8]
    assert first.member.to_pylist()[0] == "00001.jpg"
    for row in range(len(first)):
        sample = first[row]
        assert sample.member is not None
        assert abs(grey_of((sample.sequence.container / sample.member).read_bytes()) - 20 * sample.frame) <= 2
        line = affwild2_lines(9)[sample.frame - 1]
        assert sample.labels.tolist() == [int(v) for v in line.split(",")]
    assert first.labels[2].tolist().count(-1) == 1
    assert of_sequence(samples, "video2").frame.tolist() == [1, 2, 5, 6, 7, 8]
    assert report.count("not annotated") == 4 * 2
    assert report.count("label line beyond the last frame") == 4
    assert report.count("labelled frame without crop") == 1
    assert report.count("AU not annotated") == 4


def test_challenge_policy_drops_frames_with_any_missing_au(tmp_path: Path) -> None:
    samples, _ = load_dataset("affwild2", make_affwild2(tmp_path), {"missing_policy": "challenge"})
    assert of_sequence(samples, "video2").frame.tolist() == [1, 2, 5, 7, 8]
    assert samples.labels.min() == 0


def test_sides_share_a_video_and_a_subject(tmp_path: Path) -> None:
    assert [without_side(n) for n in ("video2_left", "video10_1", "video10_1_right")] == [
        "video2",
        "video10_1",
        "video10_1",
    ]
    make_affwild2(tmp_path)
    samples, report = load_dataset("affwild2", tmp_path, {"pixels": "videos"})
    right = of_sequence(samples, "video10_1_right")
    assert right[0].sequence.container.name == "video10_1.mp4"
    assert right[0].sequence.side == "right"
    assert right.position.tolist() == [0, 1, 4, 5, 6, 7]
    assert samples.subjects == ("affwild2/1-30-160x120", "affwild2/video10_1", "affwild2/video2")
    assert report.count("two subjects share a video") == 3


def test_the_split_is_the_folders(tmp_path: Path) -> None:
    samples, _ = load_dataset("affwild2", make_affwild2(tmp_path))
    (split,), warnings = make_folds(samples)
    assert split.test == ("affwild2/video10_1",)
    assert len(split.train) == len(split.validation) == 1
    assert warnings == ()


def test_a_video_on_both_sides_is_refused(tmp_path: Path) -> None:
    make_affwild2(tmp_path)
    labels = tmp_path / "5th ABAW Annotations/AU_Detection_Challenge"
    (labels / "Train_Set/video2_left.txt").rename(labels / "Validation_Set/video2_left.txt")
    samples, _ = load_dataset("affwild2", tmp_path)
    with pytest.raises(DatasetError, match="affwild2/video2 are in Train_Set and Validation_Set"):
        make_folds(samples)
    (split,), warnings = make_folds(samples, FoldOptions(allow_shared_videos=True))
    assert split.train == ("affwild2/1-30-160x120",)
    assert "affwild2/video2" in warnings[0]
    tested = samples.take(split.rows(samples).test)
    assert {tested.sequences[i].name for i in np.unique(tested.sequence_index)} == {"video10_1_right", "video2_left"}


@pytest.mark.parametrize("lines", [5, 11])
def test_a_label_file_of_another_video_raises(tmp_path: Path, lines: int) -> None:
    make_affwild2(tmp_path)
    path = tmp_path / "5th ABAW Annotations/AU_Detection_Challenge/Train_Set/video2.txt"
    path.write_text("\n".join([path.read_text().splitlines()[0], *affwild2_lines(11)[:lines]]))
    assert re.search(rf"video2\.txt has {lines} label lines, its video 8 frames", left_out("affwild2", tmp_path))


def test_without_videos_the_last_crop_is_the_measure(tmp_path: Path) -> None:
    make_affwild2(tmp_path)
    shutil.rmtree(tmp_path / "batch1")
    samples, report = load_dataset("affwild2", tmp_path)
    assert of_sequence(samples, "video2").frame.tolist() == [1, 2, 5, 6, 7, 8]
    assert report.count("label line beyond the last frame") == 0
    path = tmp_path / "5th ABAW Annotations/AU_Detection_Challenge/Train_Set/video2.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:6]))
    assert re.search("its last crop is frame 8", left_out("affwild2", tmp_path))


def test_a_header_of_another_challenge_names_both_sets(tmp_path: Path) -> None:
    old = (1, 2, 4, 6, 12, 15, 20, 25)
    make_affwild2(tmp_path, header_aus=old)
    with pytest.raises(DatasetError, match=r"AU1, AU2, AU4, AU6, AU12, AU15, AU20, AU25; expected AUs 1, 2, 4, 6, 7"):
        load_dataset("affwild2", tmp_path)


def test_labels_of_other_tasks_are_left_alone_and_two_sets_are_refused(tmp_path: Path) -> None:
    make_affwild2(tmp_path)
    annotations = tmp_path / "5th ABAW Annotations"
    shutil.copytree(annotations / "AU_Detection_Challenge", annotations / "EXPR_Recognition_Challenge")
    load_dataset("affwild2", tmp_path)
    shutil.copytree(annotations / "AU_Detection_Challenge", tmp_path / "3rd ABAW Annotations/AU_Detection_Challenge")
    with pytest.raises(DatasetError, match="several sets of AU labels"):
        load_dataset("affwild2", tmp_path)
    samples, _ = load_dataset("affwild2", tmp_path, {"labels_dir": "5th ABAW Annotations/AU_Detection_Challenge"})
    assert len(samples) == 5 + 6 + 6 + 6


def test_missing_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no AU labels"):
        load_dataset("affwild2", tmp_path)
    make_affwild2(tmp_path)
    with pytest.raises(DatasetError, match="no folder cropped"):
        load_dataset("affwild2", tmp_path, {"pixels": "cropped"})
    with pytest.raises(OptionsError, match="max_line_surplus"):
        load_dataset("affwild2", tmp_path, {"max_line_surplus": -1})
    shutil.rmtree(tmp_path / "cropped_aligned/video2")
    _, report = load_dataset("affwild2", tmp_path)
    assert [f.where for f in report.findings if f.kind == "labelled sequence without pixels"] == ["video2"]


def test_crops_in_several_folders_with_names_doubled_and_videos_in_batches(tmp_path: Path) -> None:
    make_affwild2(tmp_path)
    plain, _ = load_dataset("affwild2", tmp_path)
    crops, more = tmp_path / "cropped_aligned", tmp_path / "cropped_aligned_new_50_vids"
    doubled, batch = more / more.name, tmp_path / "batch2"
    for folder in (doubled, batch / batch.name, tmp_path / "moving"):
        folder.mkdir(parents=True)
    (crops / "video2").rename(doubled / "video2")
    (tmp_path / "batch1/video2.mp4").rename(batch / batch.name / "video2.mp4")
    for folder in (crops, tmp_path / "5th ABAW Annotations/AU_Detection_Challenge/Train_Set"):
        folder.rename(tmp_path / "moving" / folder.name)
        folder.mkdir()
        (tmp_path / "moving" / folder.name).rename(folder / folder.name)
    samples, report = load_dataset("affwild2", tmp_path)
    np.testing.assert_array_equal(samples.labels, plain.labels)
    assert {samples.sequences[i].name for i in samples.sequence_index} == {
        "1-30-160x120",
        "video2",
        "video2_left",
        "video10_1_right",
    }
    assert not [found for found in report.warnings if (found.unit, found.effect) == ("sequence", "dropped")]


def test_a_sequence_with_labels_and_an_empty_folder_of_crops_is_told(tmp_path: Path) -> None:
    make_affwild2(tmp_path)
    for path in (tmp_path / "cropped_aligned/video2").iterdir():
        path.unlink()
    _, report = load_dataset("affwild2", tmp_path)
    (lost,) = [finding for finding in report.findings if finding.kind == "labelled sequence without pixels"]
    assert (lost.where, lost.effect) == ("video2", "dropped")


def multi_task(root: Path) -> Path:
    """The same labels in the form of the multi-task challenge, rows in any order."""
    make_affwild2(root)
    challenge = root / "5th ABAW Annotations/AU_Detection_Challenge"
    header = "image,valence,arousal,expression," + ",".join(f"AU{au}" for au in AFFWILD2_AUS)
    for folder, name in (("Train_Set", "train_set.txt"), ("Validation_Set", "validation_set.txt")):
        rows = [
            f"{path.stem}/{number:05d}.jpg,-5,0.25,3,{line}"
            for path in sorted((challenge / folder).iterdir())
            for number, line in enumerate(path.read_text().splitlines()[1:9], start=1)
        ]
        (root / name).write_text("\n".join([header, *reversed(rows)]) + "\n")
    shutil.rmtree(challenge.parent)
    return root


@pytest.mark.parametrize("pixels", ["auto", "videos"])
def test_the_multi_task_form_holds_the_same(tmp_path: Path, pixels: str) -> None:
    plain, _ = load_dataset("affwild2", make_affwild2(tmp_path / "plain"), {"pixels": pixels})
    joined, _ = load_dataset("affwild2", multi_task(tmp_path / "joined"), {"pixels": pixels})
    assert len(plain) == len(joined)
    for name in ("1-30-160x120", "video2", "video2_left", "video10_1_right"):
        one, other = of_sequence(plain, name), of_sequence(joined, name)
        np.testing.assert_array_equal(one.frame, other.frame)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.position, other.position)
        assert {one.sequences[i].split for i in one.sequence_index} == {
            other.sequences[i].split for i in other.sequence_index
        }


def test_what_is_wrong_with_the_multi_task_form_is_named(tmp_path: Path) -> None:
    root = multi_task(tmp_path)
    path = root / "train_set.txt"
    text = path.read_text()
    path.write_text(text.replace("video2/00001.jpg", "video2/00002.jpg"))
    assert re.search("names an image of video2 twice", left_out("affwild2", root))
    path.write_text(text.replace(",AU26", ",AU27", 1))
    with pytest.raises(DatasetError, match="expected AUs 1, 2"):
        load_dataset("affwild2", root)
    path.write_text(text.replace("video2/00001.jpg", "nothing", 1))
    with pytest.raises(DatasetError, match=r"line \d+ of .*train_set\.txt is no image of a video and 15 values"):
        load_dataset("affwild2", root)
    path.write_text(text)
    shutil.copy(path, root / "training_set.txt")
    with pytest.raises(DatasetError, match="are both labels of the train split"):
        load_dataset("affwild2", root)
