"""Aff-Wild2 with the AU labels of the ABAW challenges (Kollias and Zafeiriou 2019 ff.): videos from the wild.

On disk::

    <N>th ABAW Annotations/AU_Detection_Challenge/Train_Set/<video>.txt     and Validation_Set/
    batch1/<video>.mp4
    cropped_aligned/<video>/00001.jpg                                       112 x 112 px, and cropped/<video>/

or, of the multi-task challenge, ``train_set.txt`` and ``validation_set.txt``, whose rows name images. Crops come in
several folders (``cropped_aligned``, ``cropped_aligned_new_50_vids``), videos in several batches.

A label file has a header that names the AUs and then one line per video frame, without a frame column: line i after the
header is frame i, image ``{i:05d}.jpg``, from 1. Images exist only where the owners' detector found the face.
``<name>_left`` and ``<name>_right`` are two subjects in one video.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from aucli.datasets.label_values import Side
from aucli.datasets.readers.affwild2_labels import CodedVideo, coded_videos
from aucli.datasets.readers.benchmark import Benchmark, OwnersSplits
from aucli.datasets.readers.layout import (
    BENCHMARK_VIDEO_SUFFIXES,
    find_folder,
    images_in_folder,
    packed,
    subfolders,
    walk_files,
)
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.published_counts import PublishedCounts
from aucli.datasets.readers.videos import frames_in_header
from aucli.datasets.report import NO_PIXELS, Findings, number_ranges
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError
from aucli.facs import AU_NAMES

NAME: Final = "affwild2"

EVALUATED_AUS: Final = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
"""The 12 AUs of the ABAW challenges since 2021."""

SIDE_SUFFIXES: Final = ("_left", "_right")
"""Only at the end of a name: ``video10_1`` has an underscore and no side."""

MAX_LINE_SURPLUS: Final = 2
"""Label lines often exceed the decoded frames by one (PoloWlg/Affwild_ViT); more than two off is another file."""

CROPS: Final = ("cropped_aligned", "cropped")
"""How names of folders of crops begin, the better first; the owners add folders with other endings."""

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
    coded = coded_videos(root, options.labels_dir, aus)
    crops = _crops(root, options, findings)
    videos = _videos(root, options, findings)
    if not crops and not videos:
        raise DatasetError(
            f"neither {' nor '.join(CROPS)} nor videos under {root}; {packed(root)}set the option images_dir or "
            "videos_dir"
        )
    people = Counter(without_side(one.name) for one in coded)
    shared = {one.name for one in coded if people[without_side(one.name)] > 1 or one.name != without_side(one.name)}
    builder = SamplesBuilder(aus)
    for one in coded:
        with findings.reading(one.name):
            _add_sequence(builder, one, crops, videos, shared, options, findings)
    return builder.build()


def kind_of_crops(folder: Path) -> str | None:
    """Which of `CROPS` a folder's name begins with, if it does."""
    return next((kind for kind in CROPS if folder.name.casefold().startswith(kind)), None)


def _crop_folders(base: Path, depth: int = 2) -> list[Path]:
    """Folders of crops in a folder, and folders of crops in these: unpacking some archives doubles the name."""
    found = []
    for child in subfolders(base):
        if kind_of_crops(child) is not None:
            inside = [path for path in subfolders(child) if kind_of_crops(path) is not None]
            found += [child, *inside]
        elif depth:
            found += _crop_folders(child, depth - 1)
    return found


def _crops(root: Path, options: AffWild2Options, findings: Findings) -> dict[str, Path]:
    """Folder of crops by the sequence's name in lower case; nothing where videos are read.

    Raises:
        DatasetError: if there are none of the chosen kind.
    """
    if options.pixels == "videos":
        return {}
    if options.images_dir is not None:
        chosen = find_folder(root, (), chosen=options.images_dir)
        assert chosen is not None
        folders = [chosen]
    else:
        there = _crop_folders(root)
        kinds = CROPS if options.pixels == "auto" else (options.pixels,)
        kind = next((kind for kind in kinds if kind in map(kind_of_crops, there)), None)
        if kind is None and options.pixels != "auto":
            raise DatasetError(f"no folder {options.pixels} under {root}; {packed(root)}set the option images_dir")
        folders = [folder for folder in there if kind_of_crops(folder) == kind]
    crops: dict[str, Path] = {}
    for folder in folders:
        for sequence in subfolders(folder):
            name = sequence.name.casefold()
            findings.warn("two folders of crops of one name", "ignored", int(name in crops), "file", str(sequence))
            crops.setdefault(name, sequence)
    return crops


def _videos(root: Path, options: AffWild2Options, findings: Findings) -> dict[str, Path]:
    videos: dict[str, Path] = {}
    base = find_folder(root, (), chosen=options.videos_dir) or root
    for path in walk_files(base, BENCHMARK_VIDEO_SUFFIXES, depth=3, skip=_crop_folders(base)):
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


def _add_sequence(
    builder: SamplesBuilder,
    coded: CodedVideo,
    crops: Mapping[str, Path],
    videos: Mapping[str, Path],
    shared: Set[str],
    options: AffWild2Options,
    findings: Findings,
) -> None:
    name, base = coded.name, without_side(coded.name)
    frames, labels = coded.read()
    folder = crops.get(name.casefold())
    video = videos.get(name) or videos.get(base)
    if folder is None and (crops or video is None):
        also = "; there is its video: with the option pixels=videos it is read" if video is not None else ""
        findings.warn(NO_PIXELS, "dropped", 1, "sequence", name, f"{len(labels)} lines{also}")
        return
    images = images_in_folder(folder) if folder is not None else None
    promised = frames_in_header(video, name, findings) if video is not None else None
    if images is None and promised is None:
        return
    last_image = int(images.numbers[-1]) if images is not None and len(images.numbers) else 0
    if coded.by_line:
        _check_length(coded.path, len(labels), promised, last_image, options, findings)
        if promised is not None:
            frames, labels = frames[: max(promised, last_image)], labels[: max(promised, last_image)]
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
        info = SequenceInfo(NAME, subject, name, video, "video", coded.split, side=side_of(name))
        if name in shared:
            findings.warn(
                "two subjects share a video", "kept", 1, "sequence", name,
                f"the name says {side_of(name) or 'no side'}; which face is coded only the owners' crops tell for sure",
            )  # fmt: skip
        builder.add(info, frame=frames, labels=labels, position=frames - 1)
        return
    found, members = images.take(frames, findings, name, holes="labelled frame without crop")
    info = SequenceInfo(NAME, subject, name, images.container, "folder", coded.split)
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
