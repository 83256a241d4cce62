"""Aff-Wild2's label files: one per video with a line per frame, or the multi-task form, one per split."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from aucli.datasets.label_values import Int8Array, Int32Array, SplitName
from aucli.datasets.readers.label_files import au_numbers, codes_to_labels, parse_integers, read_text, split_header
from aucli.datasets.readers.layout import find_folder, packed, subfolders, undoubled, visible, walk_files
from aucli.errors import DatasetError

NOT_ANNOTATED: Final = -1
"""Source: wtomin/ABAW3_MultiEmotionNet, read_annotations.py."""

SPLIT_FOLDERS: Final[dict[str, SplitName]] = {
    "train_set": "train",
    "training_set": "train",
    "validation_set": "validation",
}
"""``Training_Set`` in the first challenge, ``Train_Set`` since. Sources: WTO; kuhnkeF/ABAW2020TNT."""

AU_FOLDERS: Final = ("AU_Detection_Challenge", "AU_Set")
"""Folders of AU labels; the other tasks lie beside them in folders of the same shape. Any name that begins with AU is
taken, for it changes from challenge to challenge."""

MULTI_TASK_FILE: Final = re.compile(r"(training|train|validation)_set.*\.(?:txt|csv)", re.IGNORECASE)
IMAGE_NAME: Final = re.compile(r"(?:.*/)?([^/]+)/0*(\d{1,9})\.\w+")


@dataclass(frozen=True)
class CodedVideo:
    """The labels of one person in a video.

    Attributes:
        name: of the video, with the side where it says one.
        split: the owners' one.
        path: of the file that holds them.
        read: gives (K,) ascending frame numbers from 1 and (K, A) labels.
        by_line: whether a label's frame is told by its line, so that the number of lines must be that of the frames.
    """

    name: str
    split: SplitName
    path: Path
    read: Callable[[], tuple[Int32Array, Int8Array]]
    by_line: bool


def coded_videos(root: Path, chosen: str | None, aus: tuple[int, ...]) -> list[CodedVideo]:
    """All label files' videos: those of the AU challenge, else those of the multi-task one.

    Args:
        root: the data set's folder.
        chosen: folder of the labels, absolute or relative to the root; None to look for it.
        aus: columns of the labels.

    Raises:
        DatasetError: if there are none, or several sets of them, or a video is in both splits.
    """
    base = (find_folder(root, (), chosen=chosen) if chosen else None) or root
    if folders := find_label_folders(base, is_chosen=chosen is not None):
        return _of_label_files(folders, aus)
    files = [path for path in walk_files(base, (".txt", ".csv"), depth=3) if _is_multi_task(path)]
    if not files:
        raise DatasetError(
            f"no AU labels under {base}: looked for {' or '.join(AU_FOLDERS)} with Train_Set and Validation_Set, and "
            "for train_set.txt and validation_set.txt of the multi-task challenge; "
            f"{packed(base)}set the option labels_dir"
        )
    of_split: dict[SplitName, Path] = {}
    for path in files:
        split = _split_of(path)
        if split in of_split:
            raise DatasetError(
                f"{of_split[split]} and {path} are both labels of the {split} split; choose one with the option "
                "labels_dir"
            )
        of_split[split] = path
    return [video for split, path in of_split.items() for video in _of_multi_task(path, split, aus)]


def find_label_folders(base: Path, *, is_chosen: bool) -> list[tuple[Path, SplitName]]:
    """The folders of training and validation label files; none if there are none.

    Raises:
        DatasetError: if there are several sets of them.
    """
    parents = [base] if is_chosen and _splits_in(base) else _au_folders(base, depth=3)
    if len(parents) > 1:
        listed = ", ".join(str(parent.relative_to(base)) for parent in parents)
        raise DatasetError(f"several sets of AU labels under {base}: {listed}; choose one with the option labels_dir")
    return _splits_in(parents[0]) if parents else []


def _splits_in(folder: Path) -> list[tuple[Path, SplitName]]:
    return [
        (undoubled(child), SPLIT_FOLDERS[child.name.casefold()])
        for child in subfolders(folder)
        if child.name.casefold() in SPLIT_FOLDERS
    ]


def _au_folders(base: Path, depth: int) -> list[Path]:
    found = [base] if re.match(r"au[ _-]", base.name, re.IGNORECASE) and _splits_in(base) else []
    if depth:
        for child in subfolders(base):
            if not child.name.casefold().startswith("cropped"):
                found += _au_folders(child, depth - 1)
    return found


def _of_label_files(folders: list[tuple[Path, SplitName]], aus: tuple[int, ...]) -> list[CodedVideo]:
    files: dict[str, CodedVideo] = {}
    for folder, split in folders:
        for entry in visible(folder):
            path = Path(entry.path)
            if path.suffix.lower() != ".txt":
                continue
            if path.stem in files:
                raise DatasetError(f"{path.name} has labels in {files[path.stem].split} and in {split}; remove one")

            def read(path: Path = path) -> tuple[Int32Array, Int8Array]:
                labels = read_labels(path, aus)
                return np.arange(1, len(labels) + 1, dtype=np.int32), labels

            files[path.stem] = CodedVideo(path.stem, split, path, read, by_line=True)
    return list(files.values())


def read_labels(path: Path, aus: tuple[int, ...]) -> Int8Array:
    """(K, A) labels; row i is frame i + 1.

    Raises:
        DatasetError: if the header lacks an AU, or a value is not 0, 1 or -1.
    """
    header, body = split_header(read_text(path))
    columns = _columns(header, aus, path)
    table = parse_integers(body, len(header), path)
    return codes_to_labels(table[:, columns], frozenset({NOT_ANNOTATED}), path, aus)


def _columns(header: list[str], aus: tuple[int, ...], path: Path) -> list[int]:
    """Where each AU is in a header."""
    named = au_numbers(header)
    lacking = [au for au in aus if au not in named]
    if lacking:
        in_file = ", ".join(header)
        raise DatasetError(
            f"{path} has labels for {in_file}; expected AUs {', '.join(map(str, aus))} (labels of another challenge? "
            "choose its AUs with the option aus)"
        )
    if any(named.count(au) > 1 for au in named if au is not None):
        raise DatasetError(f"{path} names an AU twice in its header: {', '.join(header)}")
    return [named.index(au) for au in aus]


def _split_of(path: Path) -> SplitName:
    match = MULTI_TASK_FILE.fullmatch(path.name)
    return "train" if match and match.group(1).casefold().startswith("train") else "validation"


def _is_multi_task(path: Path) -> bool:
    """Whether a file is one of the multi-task form: by its name, and by the first words of its header."""
    if MULTI_TASK_FILE.fullmatch(path.name) is None:
        return False
    with path.open("rb") as file:
        first = file.readline(200).decode("utf-8-sig", errors="replace")
    return first.casefold().replace('"', "").lstrip().startswith("image")


def _of_multi_task(path: Path, split: SplitName, aus: tuple[int, ...]) -> list[CodedVideo]:
    """The videos of a file ``image,valence,arousal,expression,AU1,...``, whose rows name ``video1/00001.jpg``.

    Raises:
        DatasetError: if the header lacks an AU, or a row names no image. What is wrong with a label, `CodedVideo.read`
            says.
    """
    header, body = split_header(read_text(path))
    columns = _columns(header, aus, path)
    of_video: dict[str, list[tuple[int, list[str]]]] = {}
    for number, row in enumerate(csv.reader(body.splitlines()), start=2):
        if not row:
            continue
        match = IMAGE_NAME.fullmatch(row[0].strip())
        if match is None or len(row) < len(header):
            raise DatasetError(
                f"line {number} of {path} is no image of a video and {len(header) - 1} values: {row[:3]}"
            )
        of_video.setdefault(match.group(1), []).append((int(match.group(2)), [row[column] for column in columns]))

    def reader(rows: list[tuple[int, list[str]]], name: str) -> Callable[[], tuple[Int32Array, Int8Array]]:
        def read() -> tuple[Int32Array, Int8Array]:
            ordered = sorted(rows, key=lambda row: row[0])
            frames = np.array([frame for frame, _ in ordered], dtype=np.int32)
            if (np.diff(frames) == 0).any():
                raise DatasetError(f"{path} names an image of {name} twice")
            table = parse_integers("\n".join(",".join(cells) for _, cells in ordered), len(aus), path / name)
            return frames, codes_to_labels(table, frozenset({NOT_ANNOTATED}), path / name, aus)

        return read

    return [CodedVideo(name, split, path, reader(rows, name), by_line=False) for name, rows in of_video.items()]
