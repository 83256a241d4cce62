"""Aff-Wild2 with the AU labels of the ABAW challenges (Kollias and Zafeiriou 2019 ff.): videos from the wild.

On disk::

    <N>th ABAW Annotations/AU_Detection_Challenge/Train_Set/<video>.txt     and Validation_Set/
    batch1/<video>.mp4
    cropped_aligned/<video>/00001.jpg                                       112 x 112 px, and cropped/<video>/

A label file has a header that names the AUs and then one line per video frame, without a frame column: line i after
the header is frame i, image ``{i:05d}.jpg``, from 1. Images exist only where the owners' detector found the face.
``<name>_left`` and ``<name>_right`` are two subjects in one video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from aucli.datasets.label_values import Int8Array, Side, SplitName
from aucli.datasets.readers.benchmark import Benchmark, OwnersSplits
from aucli.datasets.readers.label_files import au_numbers, codes_to_labels, parse_integers, read_text, split_header
from aucli.datasets.readers.layout import (
    BENCHMARK_VIDEO_SUFFIXES,
    find_folder,
    images_in_folder,
    resolve,
    subfolders,
    visible,
    walk_files,
)
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.published_counts import PublishedCounts
from aucli.datasets.readers.videos import frames_in_header
from aucli.datasets.report import Findings, number_ranges
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError
from aucli.facs import AU_NAMES

NAME: Final = "affwild2"

EVALUATED_AUS: Final = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
"""The 12 AUs of the ABAW challenges since 2021."""

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

SIDE_SUFFIXES: Final = ("_left", "_right")
"""Only at the end of a name: ``video10_1`` has an underscore and no side."""

MAX_LINE_SURPLUS: Final = 2
"""Label lines often exceed the decoded frames by one (PoloWlg/Affwild_ViT); more than two off is another file."""

CROP_FOLDERS: Final = ("cropped_aligned", "cropped")

FOLDS: Final = OwnersSplits(
    name="Validation_Set",
    tested="validation",
    names=("Train_Set", "Validation_Set"),
    remedy="put its labels into Train_Set or Validation_Set",
)
"""Trained on Train_Set, scored on Validation_Set; the owners keep the labels of the test set."""

COUNTS: Final = (
    PublishedCounts(
        subjects=295,
        sequences=295,
        frames=1_356_694,
        source="frames with every AU annotated and an aligned crop: av-savchenko/face-emotion-recognition",
        split="train",
    ),
    PublishedCounts(
        subjects=105,
        sequences=105,
        frames=445_836,
        source="frames with every AU annotated and an aligned crop: av-savchenko/face-emotion-recognition",
        split="validation",
    ),
)


class AffWild2Options(DatasetOptions):
    """How to read Aff-Wild2.

    Attributes:
        missing_policy: ``per_au`` masks single missing AUs and drops frames without any label; ``challenge`` drops a
            frame if any AU is missing, as the challenge's participants do.
        pixels: ``cropped_aligned``, ``cropped`` or ``videos``; ``auto`` takes the first of them that exists.
        max_line_surplus: label lines by which a file may differ from its video's frame count.
    """

    missing_policy: Literal["per_au", "challenge"] = "per_au"
    pixels: Literal["auto", "cropped_aligned", "cropped", "videos"] = "auto"
    max_line_surplus: Annotated[int, Field(ge=0)] = MAX_LINE_SURPLUS


def load_affwild2(root: Path, options: AffWild2Options, findings: Findings) -> Samples:
    """Read the AU part of Aff-Wild2.

    Raises:
        DatasetError: if labels or pixels cannot be found, a header lacks an AU, or a label file does not fit its video.
    """
    aus = options.chosen_aus(EVALUATED_AUS, frozenset(AU_NAMES))
    folders = find_label_folders(root, options.labels_dir)
    crops = _crop_folder(root, options)
    videos = _videos(root, options, crops, findings)
    if crops is None and not videos:
        raise DatasetError(
            f"neither {' nor '.join(CROP_FOLDERS)} nor videos under {root}; set the option images_dir or videos_dir"
        )
    files = _label_files(folders)
    coded = Counter(without_side(name) for name in files)
    shared = {name for name in files if coded[without_side(name)] > 1 or name != without_side(name)}
    builder = SamplesBuilder(aus)
    for path, split in files.values():
        with findings.reading(path.stem):
            _add_sequence(builder, path, split, crops, videos, shared, options, findings)
    return builder.build()


def _label_files(folders: list[tuple[Path, SplitName]]) -> dict[str, tuple[Path, SplitName]]:
    """Label file and split by the sequence's name."""
    files: dict[str, tuple[Path, SplitName]] = {}
    for folder, split in folders:
        for entry in visible(folder):
            path = Path(entry.path)
            if path.suffix.lower() != ".txt":
                continue
            if path.stem in files:
                raise DatasetError(f"{path.name} has labels in {files[path.stem][1]} and in {split}; remove one")
            files[path.stem] = (path, split)
    return files


def find_label_folders(root: Path, chosen: str | None) -> list[tuple[Path, SplitName]]:
    """The folders of training and validation label files.

    Raises:
        DatasetError: if there are none, or several sets of them and none was chosen.
    """
    base = find_folder(root, (), chosen=chosen) if chosen else root
    assert base is not None
    parents = [base] if chosen and _splits_in(base) else _au_folders(base, depth=3)
    if not parents:
        raise DatasetError(
            f"no AU labels under {base}: looked for {' or '.join(AU_FOLDERS)} with Train_Set and Validation_Set; "
            "set the option labels_dir"
        )
    if len(parents) > 1:
        listed = ", ".join(str(parent.relative_to(base)) for parent in parents)
        raise DatasetError(f"several sets of AU labels under {base}: {listed}; choose one with the option labels_dir")
    return _splits_in(parents[0])


def _splits_in(folder: Path) -> list[tuple[Path, SplitName]]:
    return [
        (child, SPLIT_FOLDERS[child.name.casefold()])
        for child in subfolders(folder)
        if child.name.casefold() in SPLIT_FOLDERS
    ]


def _au_folders(base: Path, depth: int) -> list[Path]:
    found = [base] if re.match(r"au[ _-]", base.name, re.IGNORECASE) and _splits_in(base) else []
    if depth:
        for child in subfolders(base):
            if child.name.casefold() not in CROP_FOLDERS:
                found += _au_folders(child, depth - 1)
    return found


def _crop_folder(root: Path, options: AffWild2Options) -> Path | None:
    if options.pixels == "videos":
        return None
    wanted = CROP_FOLDERS if options.pixels == "auto" else (options.pixels,)
    folder = find_folder(root, wanted, chosen=options.images_dir)
    if folder is None and options.pixels != "auto":
        raise DatasetError(f"no folder {options.pixels} under {root}; set the option images_dir")
    return folder


def _videos(root: Path, options: AffWild2Options, crops: Path | None, findings: Findings) -> dict[str, Path]:
    skip = [path for name in CROP_FOLDERS if (path := find_folder(root, (name,))) is not None]
    skip += [crops] if crops is not None else []
    videos: dict[str, Path] = {}
    for path in walk_files(
        find_folder(root, (), chosen=options.videos_dir) or root, BENCHMARK_VIDEO_SUFFIXES, depth=3, skip=skip
    ):
        findings.warn("two videos of one name", "ignored", int(path.stem in videos), "file", path.name)
        videos.setdefault(path.stem, path)
    return videos


def without_side(name: str) -> str:
    """The video that a label file's name belongs to: ``video2_left`` is ``video2``, ``video10_1`` is itself."""
    for suffix in SIDE_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def side_of(name: str) -> Side | None:
    """Which of two subjects in a video a label file's name means; None where it has no suffix."""
    if name.endswith("_left"):
        return "left"
    return "right" if name.endswith("_right") else None


def read_labels(path: Path, aus: tuple[int, ...]) -> Int8Array:
    """(K, A) labels; row i is frame i + 1.

    Raises:
        DatasetError: if the header lacks an AU, or a value is not 0, 1 or -1.
    """
    header, body = split_header(read_text(path))
    named = au_numbers(header)
    lacking = [au for au in aus if au not in named]
    if lacking:
        in_file = ", ".join(header)
        raise DatasetError(
            f"{path} has labels for {in_file}; expected AUs {', '.join(map(str, aus))} (labels of another challenge? "
            "choose its AUs with the option aus)"
        )
    if len(set(named)) != len(named):
        raise DatasetError(f"{path} names an AU twice in its header: {', '.join(header)}")
    table = parse_integers(body, len(header), path)
    columns = [named.index(au) for au in aus]
    return codes_to_labels(table[:, columns], frozenset({NOT_ANNOTATED}), path, aus)


def _add_sequence(
    builder: SamplesBuilder,
    path: Path,
    split: SplitName,
    crops: Path | None,
    videos: dict[str, Path],
    shared: Set[str],
    options: AffWild2Options,
    findings: Findings,
) -> None:
    name, base = path.stem, without_side(path.stem)
    labels = read_labels(path, builder.aus)
    folder = resolve(crops, name) if crops is not None else None
    video = videos.get(name) or videos.get(base)
    if crops is not None and (folder is None or not folder.is_dir()):
        findings.warn("labelled sequence without pixels", "dropped", 1, "sequence", name, f"{len(labels)} lines")
        return
    if crops is None and video is None:
        findings.warn("labelled sequence without pixels", "dropped", 1, "sequence", name, f"{len(labels)} lines")
        return
    images = images_in_folder(folder) if folder is not None else None
    promised = frames_in_header(video, name, findings) if video is not None else None
    if images is None and promised is None:
        return
    last_image = int(images.numbers[-1]) if images is not None and len(images.numbers) else 0
    _check_length(path, len(labels), promised, last_image, options, findings)
    if promised is not None:
        labels = labels[: max(promised, last_image)]
    frames = np.arange(1, len(labels) + 1, dtype=np.int32)
    unusable = (labels == -1).all(axis=1) if options.missing_policy == "per_au" else (labels == -1).any(axis=1)
    findings.note(
        "not annotated", "dropped", int(unusable.sum()), "frame", name, f"frames {number_ranges(frames[unusable])}"
    )
    frames, labels = frames[~unusable], labels[~unusable]
    for column, au in enumerate(builder.aus):
        masked = labels[:, column] == -1
        findings.note(
            "AU not annotated", "masked", int(masked.sum()), "label", name,
            f"AU{au} of frames {number_ranges(frames[masked])}",
        )  # fmt: skip
    subject = f"{NAME}/{base}"
    if images is None:
        assert video is not None
        info = SequenceInfo(NAME, subject, name, video, "video", split, side=side_of(name))
        if name in shared:
            findings.warn(
                "two subjects share a video", "kept", 1, "sequence", name,
                f"the name says {side_of(name) or 'no side'}; which face is coded only the owners' crops tell for sure",
            )  # fmt: skip
        builder.add(info, frame=frames, labels=labels, position=frames - 1)
        return
    images.report(findings, name)
    found, members = images.pick(frames)
    lacking = np.delete(frames, found)
    findings.note(
        "labelled frame without crop", "dropped", len(lacking), "frame", name, f"frames {number_ranges(lacking)}"
    )
    info = SequenceInfo(NAME, subject, name, images.container, "folder", split)
    builder.add(info, frame=frames[found], labels=labels[found], member=members)


def _check_length(
    path: Path, lines: int, promised: int | None, last_image: int, options: AffWild2Options, findings: Findings
) -> None:
    """Compare the number of label lines with the video, or with the last crop where there is no video.

    Raises:
        DatasetError: if they differ by more than the options allow.
    """
    surplus = lines - promised if promised is not None else min(lines - last_image, 0)
    if abs(surplus) > options.max_line_surplus:
        against = f"its video {promised} frames" if promised is not None else f"its last crop is frame {last_image}"
        raise DatasetError(
            f"{path} has {lines} label lines, {against}; allowed is a difference of {options.max_line_surplus} "
            "(option max_line_surplus)"
        )
    if surplus > 0:
        findings.note("label line beyond the last frame", "dropped", surplus, "frame", path.stem, "not shifted")
    elif surplus < 0:
        findings.warn("frame without label line", "kept", -surplus, "frame", path.stem)


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="Aff-Wild2",
    aus=EVALUATED_AUS,
    options=AffWild2Options,
    read=load_affwild2,
    counts=COUNTS,
    folds=FOLDS,
    subject_pattern=r"[\w-]*\d[\w-]*",
)
