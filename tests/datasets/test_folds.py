from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.fold_lists import read_fold_lists
from aucli.datasets.folds import (
    Fold,
    FoldOptions,
    cut_validation,
    make_folds,
)
from aucli.datasets.readers import bp4d, bp4dplus, disfa, disfaplus
from aucli.datasets.readers.benchmark import PublishedParts
from aucli.datasets.readers.registry import find_benchmark
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError, OptionsError


def published(dataset: str) -> PublishedParts:
    folds = find_benchmark(dataset).folds
    assert isinstance(folds, PublishedParts)
    return folds


SUBJECTS = {"bp4d": bp4d.SUBJECTS, "bp4dplus": bp4dplus.SUBJECTS, "disfa": disfa.SUBJECTS}


def of_subjects(dataset: str, names: tuple[str, ...], *, groups: dict[str, str] | None = None) -> Samples:
    builder = SamplesBuilder((1, 12))
    for name in names:
        info = SequenceInfo(dataset, f"{dataset}/{name}", name, Path(name), "folder", None, (groups or {}).get(name))
        builder.add(info, frame=np.arange(2), labels=np.zeros((2, 2), np.int8), member=["0.jpg", "1.jpg"])
    return builder.build()


@pytest.mark.parametrize("dataset", ["bp4d", "bp4dplus", "disfa"])
def test_published_parts_are_disjoint_and_cover_everybody(dataset: str) -> None:
    parts = [part.split() for part in published(dataset).parts]
    assert sorted(s for part in parts for s in part) == sorted(SUBJECTS[dataset])
    assert [len(part) for part in parts] == {"bp4d": [14, 14, 13], "bp4dplus": [35] * 4, "disfa": [9] * 3}[dataset]


def test_there_are_so_many_of_subjects() -> None:
    assert (len(bp4d.SUBJECTS), len(bp4dplus.SUBJECTS), len(disfa.SUBJECTS), len(disfaplus.SUBJECTS)) == (
        41,
        140,
        27,
        9,
    )
    assert set(disfaplus.SUBJECTS) <= set(disfa.SUBJECTS)


@pytest.mark.parametrize("dataset", ["bp4d", "disfa"])
def test_the_two_numberings_are_each_other_backwards(dataset: str) -> None:
    paper, part = published(dataset).tested("paper"), published(dataset).tested("part")
    assert list(paper) == ["fold 1 (tests part 3)", "fold 2 (tests part 2)", "fold 3 (tests part 1)"]
    assert list(paper.values()) == list(part.values())[::-1]


def test_fold_one_of_the_four_is_part_one_in_either_numbering() -> None:
    assert published("bp4dplus").tested("paper") == published("bp4dplus").tested("part")
    assert "F072" in published("bp4dplus").tested("paper")["fold 1 (tests part 1)"]


@pytest.mark.parametrize("dataset", ["bp4d", "bp4dplus", "disfa"])
def test_folds_of_the_whole_data_set(dataset: str) -> None:
    samples = of_subjects(dataset, SUBJECTS[dataset])
    splits, warnings = make_folds(samples)
    assert warnings == ()
    assert sorted(s for split in splits for s in split.test) == sorted(samples.subjects)
    for split in splits:
        assert len(split.train) + len(split.validation) + len(split.test) == len(samples.subjects)
        assert len(split.validation) == round(0.15 * (len(split.train) + len(split.validation)))
        rows = split.rows(samples)
        joined = np.concatenate([rows.train, rows.validation, rows.test])
        assert sorted(joined.tolist()) == list(range(len(samples)))


def test_no_validation_part_on_request_as_in_the_papers() -> None:
    splits, _ = make_folds(of_subjects("disfa", disfa.SUBJECTS), FoldOptions(validation_share=0))
    assert {len(s.train) for s in splits} == {18}
    assert {s.validation for s in splits} == {()}


def test_an_unknown_person_is_in_no_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="F099 is in no fold"):
        make_folds(of_subjects("bp4d", ("F001", "F003", "F004", "F099")))
    both = SamplesBuilder((1,))
    for dataset, name in (("bp4d", "F001"), ("disfa", "SN001")):
        info = SequenceInfo(dataset, f"{dataset}/{name}", name, Path(name), "folder")
        both.add(info, frame=np.arange(1), labels=np.zeros((1, 1), np.int8), member=["0.jpg"])
    with pytest.raises(DatasetError, match="one data set at a time"):
        make_folds(both.build())
    with pytest.raises(DatasetError, match="no data set"):
        make_folds(SamplesBuilder((1, 12)).build())
    monkeypatch.setattr(disfaplus, "BENCHMARK", replace(disfaplus.BENCHMARK, folds=None))
    with pytest.raises(DatasetError, match="disfaplus has no published folds; give `folds_dir`"):
        make_folds(of_subjects("disfaplus", ("SN001",)))


def test_disfaplus_has_three_folds_of_three_people_by_the_seed() -> None:
    samples = of_subjects("disfaplus", disfaplus.SUBJECTS)
    folds, _ = make_folds(samples)
    assert [len(fold.test) for fold in folds] == [3, 3, 3]
    assert {subject for fold in folds for subject in fold.test} == set(samples.subjects)
    assert folds[0].test != make_folds(samples, FoldOptions(seed=1))[0][0].test


@given(st.integers(0, 2**40), st.integers(1, 30), st.floats(0, 0.5))
def test_validation_is_cut_by_seed_and_whole_groups(seed: int, n: int, share: float) -> None:
    subjects = [f"gft/{i // 3:03d}{'ABC'[i % 3]}" for i in range(n)]
    groups = {s: s[:-1] for s in subjects}
    train, validation = cut_validation(subjects, share=share, seed=seed, groups=groups)
    assert sorted(train + validation) == sorted(subjects)
    assert train
    assert not {groups[s] for s in train} & {groups[s] for s in validation}
    assert cut_validation(list(reversed(subjects)), share=share, seed=seed, groups=groups) == (train, validation)
    if share > 0 and len(set(groups.values())) > 1:
        assert validation


def test_the_drawn_people_never_change() -> None:
    subjects = [f"disfa/{s}" for s in disfa.SUBJECTS]
    assert cut_validation(subjects, share=0.1, seed=3407)[1] == ("disfa/SN005", "disfa/SN011", "disfa/SN024")


def test_a_fold_refuses_a_subject_in_two_splits() -> None:
    with pytest.raises(DatasetError, match="has disfa/SN001 in train and in test"):
        Fold("x", ("disfa/SN001",), (), ("disfa/SN001",))
    with pytest.raises(DatasetError, match="in validation and in test"):
        Fold("x", ("bp4d/F001",), ("bp4d/F002",), ("bp4d/F002",))
    with pytest.raises(DatasetError, match="nobody to test on"):
        Fold("x", ("bp4d/F001",), (), ())
    Fold("x", ("bp4d/F001",), (), ("bp4dplus/F001",))


def read_lists(folder: Path) -> dict[str, frozenset[str]]:
    return read_fold_lists(folder, find_benchmark("bp4dplus").subject_pattern)


def test_folds_from_a_users_files(tmp_path: Path) -> None:
    for k, (test, train) in enumerate((("F001,M001", "F002"), ("F002", "F001\nM001"))):
        (tmp_path / f"Split{k + 1}_Test_Subjects.csv").write_text(f"subjects\n{test}\n")
        (tmp_path / f"Split{k + 1}_Train_Subjects.csv").write_text(f"subjects\n{train}\n")
    assert list(read_lists(tmp_path).values()) == [{"F001", "M001"}, {"F002"}]
    samples = of_subjects("bp4dplus", ("F001", "F002", "M001"))
    splits, _ = make_folds(samples, FoldOptions(folds_dir=tmp_path, validation_share=0))
    assert [s.test for s in splits] == [("bp4dplus/F001", "bp4dplus/M001"), ("bp4dplus/F002",)]
    (tmp_path / "Split2_Test_Subjects.csv").write_text("F001\n")
    with pytest.raises(DatasetError, match="share F001"):
        read_lists(tmp_path)
    (tmp_path / "Split2_Train_Subjects.csv").unlink()
    with pytest.raises(DatasetError, match="an earlier fold tests too"):
        read_lists(tmp_path)
    (tmp_path / "Split2_Test_Subjects.csv").write_text("nobody\n")
    with pytest.raises(DatasetError, match="names no subject of this data set"):
        read_lists(tmp_path)
    with pytest.raises(DatasetError, match="not a folder"):
        read_lists(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no files such as"):
        read_lists(tmp_path / "empty")


def test_options_are_checked() -> None:
    with pytest.raises(OptionsError, match="`numbering` is 'mine'"):
        FoldOptions(numbering="mine")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="validation_share"):
        FoldOptions(validation_share=0.9)
