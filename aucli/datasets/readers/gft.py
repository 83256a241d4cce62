"""GFT, the Sayette Group Formation Task (Girard et al. 2017): 96 subjects in groups of three, one coded minute each.

The format of the distributed label files is not publicly documented in what could be read, so the reader recognises
dialects (`aucli.datasets.readers.gft_labels`) and everything it cannot know is an option. Its owners call a subject a
participant, and so do the options and the file of splits.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import ClassVar, Final, Literal

import numpy as np
from pydantic import Field, field_validator

from aucli.datasets.label_values import Int8Array, Int32Array, SplitName
from aucli.datasets.readers.benchmark import Benchmark, OwnersSplits
from aucli.datasets.readers.gft_labels import Delimiter, read_labels
from aucli.datasets.readers.label_files import read_text
from aucli.datasets.readers.layout import (
    BENCHMARK_VIDEO_SUFFIXES,
    IMAGE_SUFFIXES,
    find_folder,
    images_in_folder,
    require_folder,
    subfolders,
    visible,
    walk_files,
)
from aucli.datasets.readers.options import DatasetOptions, NumberSet
from aucli.datasets.readers.published_counts import PublishedCounts
from aucli.datasets.readers.videos import FrameRate, Pairing
from aucli.datasets.report import NO_PIXELS, Findings, number_ranges
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError

NAME: Final = "gft"

EVALUATED_AUS: Final = (1, 2, 4, 6, 10, 12, 14, 15, 23, 24)
"""The 10 AUs that papers evaluate (Girard et al. 2017)."""

CODED_AUS: Final = frozenset((1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 18, 19, 22, 23, 24, 28))
"""AUs that a label file may hold. Fourteen are named by the Fair-Consistent-Affect-Analysis readme; the rest are
allowed because the distributed file could not be read."""

MISSING_CODES: Final = frozenset({-1, 9, 999})
"""Codes taken as missing besides an empty cell and NaN. Unverified: an option."""

LABEL_RATE: Final = 30.0
"""Labels a second: 1,800 in a minute (Girard et al. 2017). That the videos have as many frames is unverified."""

FRAME_BASE: Final = 1
"""Number of the first frame. Extracted frames start at ``1.jpg`` (Fair-Consistent-Affect-Analysis); for the label files
this is unverified: an option, reported as doubtful, and contradicted by a frame 0."""

LABEL_FOLDERS: Final = ("labels", "annotations", "AU", "AUs", "occurrence", "FACS", "codes", "AU_OCC")
LABEL_SUFFIXES: Final = frozenset({".csv", ".txt", ".tsv"})
PARTITION_FILE: Final = "gft_partition.csv"

FOLDS: Final = OwnersSplits(
    name="published split",
    tested="test",
    names=("train", "test"),
    remedy=f"put them into {PARTITION_FILE} as participant,split and run the same aucli prepare again",
    subjects=(78, 18),
)
"""Training and test subjects. Source: Girard et al. 2017; ZhiwenShao/AC2D."""

COUNTS: Final = PublishedCounts(
    subjects=96,
    sequences=96,
    frames=172_800,
    source="Girard et al. 2017, abstract; missing codes included",
)


class GftOptions(DatasetOptions):
    """How to read GFT.

    Attributes:
        participant_pattern: regular expression that finds the subject in a file or folder name; its first group
            is the id, whose digits are the group and whose letter is the seat, e.g. ``001A``.
        frame_base: number of the first frame in label files and image names, 0 or 1.
        missing_codes: codes that mean missing, besides an empty cell and NaN.
        delimiter: of label files: ``comma``, ``tab``, ``blank``, or ``auto``.
        pixels: ``videos``, ``images``, or ``auto``: images where a subject has a folder of them, else the video.
        partition_file: file of ``participant,split`` rows, absolute or relative to the root.
        check_video_lengths: compare label files with the frame count and the rate in each video's header.
        label_rate, pairing: see `aucli.datasets.readers.videos.FrameRate`.
    """

    participant_pattern: str = r"(\d{3}[A-Za-z])"
    frame_base: Literal[0, 1] = FRAME_BASE
    missing_codes: NumberSet = MISSING_CODES
    delimiter: Delimiter = "auto"
    pixels: Literal["auto", "images", "videos"] = "auto"
    partition_file: str = PARTITION_FILE
    check_video_lengths: bool = True
    LATER: ClassVar[tuple[str, ...]] = ("label_rate", "pairing")
    label_rate: float = Field(default=LABEL_RATE, gt=0, le=1000)
    pairing: Pairing = "frames"

    @field_validator("missing_codes")
    @classmethod
    def _not_zero_or_one(cls, codes: frozenset[int]) -> frozenset[int]:
        if codes & {0, 1}:
            raise ValueError("0 and 1 mean absent and present")
        return codes

    @field_validator("participant_pattern")
    @classmethod
    def _has_a_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"this is not a pattern: {error}") from error
        if groups < 1:
            raise ValueError("the pattern has no group in parentheses")
        return pattern


def load_gft(root: Path, options: GftOptions, findings: Findings) -> Samples:
    """Read GFT: one label file per subject, and a folder of images or a video for each.

    Raises:
        DatasetError: if label files cannot be found, or hold something that the options do not explain.
    """
    aus = options.chosen_aus(EVALUATED_AUS, CODED_AUS)
    files = _label_files(root, options, findings)
    splits = subjects_splits(root, options)
    pixels = _pixels(root, options, findings)
    builder = SamplesBuilder(aus)
    for subject, path in files.items():
        with findings.reading(subject):
            frames, labels = read_labels(
                path,
                aus,
                delimiter=options.delimiter,
                frame_base=options.frame_base,
                missing_codes=options.missing_codes,
            )
            frames, labels = _drop_unscored(frames, labels, aus, subject, findings)
            _add_subject(builder, subject, frames, labels, splits.get(f"{NAME}/{subject}"), pixels, options, findings)
    samples = builder.build()
    _report_unverified(splits, samples, options, findings)
    return samples


def _add_subject(
    builder: SamplesBuilder,
    subject: str,
    frames: Int32Array,
    labels: Int8Array,
    split: SplitName | None,
    pixels: _Pixels,
    options: GftOptions,
    findings: Findings,
) -> None:
    key, group = f"{NAME}/{subject}", f"{NAME}/{subject.rstrip(ascii_letters)}"
    folder, video = pixels.images.get(subject), pixels.videos.get(subject)
    if folder is not None and options.pixels != "videos":
        images = images_in_folder(folder)
        found, members = images.take(frames, findings, subject)
        info = SequenceInfo(NAME, key, subject, folder, "folder", split, group)
        builder.add(info, frame=frames[found], labels=labels[found], member=members)
    elif video is not None and options.pixels != "images":
        rate = FrameRate(options.label_rate, options.pairing, check=options.check_video_lengths)
        paired = rate.pair(video, subject, frames - np.int32(options.frame_base), findings)
        if paired is None:
            return
        if paired.promised is not None:
            last, beyond = frames.max(initial=0), int((paired.positions >= paired.promised).sum())
            findings.warn(
                "label beyond the end of the video", "kept", beyond, "frame", subject,
                f"the last label is frame {last}, the video's header promises {paired.promised}; preparing will tell",
            )  # fmt: skip
        info = SequenceInfo(NAME, key, subject, video, "video", split, group)
        builder.add(info, frame=frames[paired.rows], labels=labels[paired.rows], position=paired.positions)
    else:
        findings.warn(NO_PIXELS, "dropped", 1, "sequence", subject)


def _label_files(root: Path, options: GftOptions, findings: Findings) -> dict[str, Path]:
    chosen = options.labels_dir
    folder = find_folder(root, LABEL_FOLDERS, chosen=chosen) or root
    files: dict[str, Path] = {}
    for path in walk_files(folder, LABEL_SUFFIXES, depth=2):
        match = re.search(options.participant_pattern, path.stem)
        if match is None:
            if path.name != Path(options.partition_file).name:
                findings.note("file without subject in its name", "ignored", 1, "file", path.name)
            continue
        subject = match.group(1).upper()
        if subject in files:
            raise DatasetError(f"{files[subject]} and {path} are both label files of {subject}; set labels_dir")
        files[subject] = path
    if not files:
        raise DatasetError(
            f"no label files of subjects such as 001A.csv under {folder}; set the options labels_dir and "
            "participant_pattern"
        )
    return files


def subjects_splits(root: Path, options: GftOptions) -> dict[str, SplitName]:
    """The split of each subject in the user's file; nobody's if there is none.

    Raises:
        DatasetError: as `read_partition`.
    """
    path = root / options.partition_file  # an absolute path stays as it is
    return {f"{NAME}/{subject}": split for subject, split in read_partition(path).items()} if path.is_file() else {}


def read_partition(path: Path) -> dict[str, SplitName]:
    """Read a ``participant,split`` file; a split is ``train`` or ``test`` in any case.

    Raises:
        DatasetError: if a column or value is unknown, or a subject is in both splits.
    """
    rows = list(csv.DictReader(read_text(path).splitlines()))
    splits: dict[str, SplitName] = {}
    for number, row in enumerate(rows, start=2):
        if row.get("participant") is None or row.get("split") is None:
            raise DatasetError(f"line {number} of {path}: expected the columns participant,split")
        subject, written = row["participant"].strip().upper(), row["split"].strip().lower()
        split: SplitName
        if written in ("train", "training"):
            split = "train"
        elif written in ("test", "testing"):
            split = "test"
        else:
            raise DatasetError(f"line {number} of {path} has the split {row['split']!r}; allowed are train and test")
        if splits.setdefault(subject, split) != split:
            raise DatasetError(f"line {number} of {path} puts {subject} in {split} as well; a subject has one split")
    if not splits:
        raise DatasetError(f"{path} names no subjects; expected rows of participant,split")
    return splits


def _drop_unscored(
    frames: Int32Array, labels: Int8Array, aus: tuple[int, ...], subject: str, findings: Findings
) -> tuple[Int32Array, Int8Array]:
    unscored = (labels == -1).all(axis=1)
    findings.note(
        "no AU scored",
        "dropped",
        int(unscored.sum()),
        "frame",
        subject,
        f"frames {number_ranges(frames[unscored])}",
    )
    frames, labels = frames[~unscored], labels[~unscored]
    for column, au in enumerate(aus):
        masked = labels[:, column] == -1
        findings.note(
            "missing code", "masked", int(masked.sum()), "label", subject,
            f"AU{au} of frames {number_ranges(frames[masked])}",
        )  # fmt: skip
    return frames, labels


@dataclass(frozen=True)
class _Pixels:
    """Image folder and video by subject."""

    images: dict[str, Path]
    videos: dict[str, Path]


def _pixels(root: Path, options: GftOptions, findings: Findings) -> _Pixels:
    images: dict[str, Path] = {}
    image_root = (
        require_folder(root, (), what="images", option="images_dir", chosen=options.images_dir)
        if options.images_dir
        else root
    )
    for folder in _folders_with_images(image_root):
        match = re.search(options.participant_pattern, folder.name)
        if match:
            images.setdefault(match.group(1).upper(), folder)
    videos: dict[str, Path] = {}
    for path in walk_files(find_folder(root, (), chosen=options.videos_dir) or root, BENCHMARK_VIDEO_SUFFIXES, depth=3):
        match = re.search(options.participant_pattern, path.stem)
        if match is None:
            findings.note("video without subject in its name", "ignored", 1, "file", path.name)
            continue
        subject = match.group(1).upper()
        findings.warn("two videos for one subject", "ignored", int(subject in videos), "file", path.name)
        videos.setdefault(subject, path)
    return _Pixels(images, videos)


def _folders_with_images(root: Path, depth: int = 2) -> list[Path]:
    found = []
    for folder in subfolders(root):
        if any(Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in visible(folder)):
            found.append(folder)
        elif depth:
            found += _folders_with_images(folder, depth - 1)
    return found


def _report_unverified(splits: dict[str, SplitName], samples: Samples, options: GftOptions, findings: Findings) -> None:
    findings.warn(
        "frame base is unverified", "kept", len(samples.sequences), "sequence", "",
        f"the first frame is taken as {options.frame_base} (option frame_base)",
    )  # fmt: skip
    if not splits:
        findings.warn(
            "no partition file", "kept", len(samples.sequences), "sequence", options.partition_file,
            "needed for the published split: rows of participant,split",
        )  # fmt: skip


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="GFT",
    aus=EVALUATED_AUS,
    options=GftOptions,
    read=load_gft,
    counts=(COUNTS,),
    folds=FOLDS,
    subject_pattern=r"\d{3}[A-C]",
    splits=subjects_splits,
)
