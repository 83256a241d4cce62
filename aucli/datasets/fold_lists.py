"""A user's own lists of folds, in place of the published ones."""

from __future__ import annotations

import re
from pathlib import Path

from aucli.datasets.readers.label_files import read_text
from aucli.errors import DatasetError

_TEST_LIST = re.compile(r"split[ _]?(\d+)[ _]test[ _]subjects\.csv", re.IGNORECASE)


def read_fold_lists(folder: Path, subject_pattern: str) -> dict[str, frozenset[str]]:
    """Test subjects of each fold from a user's files, e.g. rPPG-Toolbox's three folds of BP4D+.

    Files are named ``Split<k>_Test_Subjects.csv``, with ``Split<k>_Train_Subjects.csv`` beside them where there are
    such; subjects are picked out by their shape, whatever the columns are.

    Args:
        folder: holds the files.
        subject_pattern: regular expression of a subject's name.

    Raises:
        DatasetError: if there are no such files, a subject is tested twice, or trained on and tested in one fold.
    """
    if not folder.is_dir():
        raise DatasetError(f"`folds_dir` is {folder}, which is not a folder; it must hold Split1_Test_Subjects.csv ...")
    numbered = {
        int(match.group(1)): path for path in sorted(folder.iterdir()) if (match := _TEST_LIST.fullmatch(path.name))
    }
    if not numbered:
        raise DatasetError(f"`folds_dir` is {folder}, which holds no files such as Split1_Test_Subjects.csv")
    tests: dict[str, frozenset[str]] = {}
    seen: set[str] = set()
    for k, path in sorted(numbered.items()):
        subjects = _subjects_in(path, subject_pattern)
        train = path.with_name(re.sub("test", "Train", path.name, flags=re.IGNORECASE))
        both = subjects & _subjects_in(train, subject_pattern) if train.is_file() else frozenset()
        if both:
            raise DatasetError(f"{path} and {train.name} share {', '.join(sorted(both))}")
        if seen & subjects:
            raise DatasetError(f"{path} tests {', '.join(sorted(seen & subjects))}, whom an earlier fold tests too")
        seen |= subjects
        tests[f"fold {k} ({path.name})"] = subjects
    return tests


def _subjects_in(path: Path, pattern: str) -> frozenset[str]:
    found = re.findall(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", read_text(path))
    if not found:
        raise DatasetError(f"{path} names no subject of this data set")
    return frozenset(found)
