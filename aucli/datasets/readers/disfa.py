"""DISFA (Mavadati et al. 2013): 27 subjects, one video each from the left and the right camera, 12 coded AUs.

On disk::

    DISFA/
      Videos_LeftCamera/LeftVideoSN001_comp.avi      spelling and case vary: Video_RightCamera, _Comp
      ActionUnit_Labels/SN001/SN001_au1.txt          one file per AU, lines "frame,intensity", no header

Label frame k is the k-th decoded frame, counting from 1. Copies with extracted images number them from 0 (ME-GraphAU,
AUNCE, JAA-Net) or from 1 (FMAE-IAT, FG-Net, LibreFace).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from pydantic import Field

from aucli.datasets.label_values import Int8Array, Int32Array
from aucli.datasets.readers.benchmark import Benchmark, PublishedParts
from aucli.datasets.readers.label_files import parse_integers, read_text
from aucli.datasets.readers.layout import (
    BENCHMARK_VIDEO_SUFFIXES,
    NumberedImages,
    find_folder,
    images_in_folder,
    require_folder,
    subfolders,
    visible,
    walk_files,
)
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.published_counts import PublishedCounts, rates
from aucli.datasets.readers.videos import FrameRate, Pairing
from aucli.datasets.report import NO_PIXELS, Findings
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError

NAME: Final = "disfa"

SUBJECTS: Final = tuple(f"SN{i:03d}" for i in (*range(1, 14), 16, 17, 18, 21, *range(23, 33)))
"""27 subjects; there is no SN014, 15, 19, 20, 22. Source: the lists of ME-GraphAU."""

EVALUATED_AUS: Final = (1, 2, 4, 6, 9, 12, 25, 26)
"""The 8 AUs that papers evaluate."""

CODED_AUS: Final = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
"""The AUs that have label files. Source: Mavadati et al. 2013."""

POSITIVE_INTENSITY: Final = 2
"""An AU counts as present from this intensity on: ME-GraphAU and AUNCE, whose class weights it reproduces to 0.002.
OpenGraphAU and OpenFace take 1 instead, which roughly doubles some base rates."""

MAX_INTENSITY: Final = 5

LABEL_RATE: Final = 20.0
"""Labels a second, one for each frame of the owners' videos. Source: Mavadati et al. 2013."""

PositiveIntensity = Annotated[int, Field(ge=1, le=MAX_INTENSITY)]

FOLDS: Final = PublishedParts(
    parts=(
        "SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
        "SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
        "SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
    ),
    paper_order=(3, 2, 1),
)
"""The three parts of DISFA, the same sets in all repositories that publish lists.
ME-GraphAU and AUNCE test part 3 in fold 1; JAA-Net, FG-Net and FMAE-IAT test part k in fold k."""

COUNTS: Final = PublishedCounts(
    subjects=27,
    sequences=27,
    frames=130_814,
    base_rates=rates(EVALUATED_AUS, (4.97, 4.31, 15.24, 7.89, 4.18, 12.88, 27.71, 8.82)),
    source="counted in the labels of lkq52110/au-recognition at intensity >= 2",
)

LABEL_FOLDERS: Final = ("ActionUnit_Labels", "Labels", "AU_Labels")
FRAME_FOLDERS: Final = ("Images", "Frames", "img", "images_left")

_VIDEO_NAME = re.compile(r"(left|right)video[ _]?(SN\d{3})(?:_comp)?", re.IGNORECASE)
_LABEL_NAME = re.compile(r"(SN\d{3})_au(\d{1,2})", re.IGNORECASE)

Camera = Literal["left", "right"]


class DisfaOptions(DatasetOptions):
    """How to read DISFA.

    Attributes:
        camera: which camera's videos: ``left`` as ME-GraphAU, AUNCE, JAA-Net and AU-Net, ``right`` as FMAE-IAT, or
            ``both``.
        positive_intensity: an AU is present from this intensity on.
        pixels: ``videos``, ``images``, or ``auto``: videos where there are any, images otherwise.
        first_image: number of the image that shows the first frame, 0 or 1; ``auto`` reads it off the folders and
            refuses where they do not tell.
        check_video_lengths: compare label files with the frame count and the rate in each video's header.
        label_rate, pairing: see `aucli.datasets.readers.videos.FrameRate`.
    """

    camera: Literal["left", "right", "both"] = "left"
    positive_intensity: PositiveIntensity = POSITIVE_INTENSITY
    pixels: Literal["auto", "images", "videos"] = "auto"
    first_image: Literal["auto", 0, 1] = "auto"
    check_video_lengths: bool = True
    LATER: ClassVar[tuple[str, ...]] = ("label_rate", "pairing")
    label_rate: float = Field(default=LABEL_RATE, gt=0, le=1000)
    pairing: Pairing = "frames"


def load_disfa(root: Path, options: DisfaOptions, findings: Findings) -> Samples:
    """Read DISFA as its owners distribute it, or with extracted images.

    Raises:
        DatasetError: if the labels or pixels cannot be found, or the label files of a subject disagree.
    """
    aus = options.chosen_aus(EVALUATED_AUS, frozenset(CODED_AUS))
    folder = require_folder(root, LABEL_FOLDERS, what="label folder", option="labels_dir", chosen=options.labels_dir)
    labels: dict[str, tuple[Int32Array, Int8Array]] = {}
    seen = set()
    for subject_folder in subfolders(folder):
        subject = subject_folder.name.upper()
        if subject not in SUBJECTS:
            findings.warn("label folder of no known subject", "ignored", 1, "file", subject_folder.name)
            continue
        seen.add(subject)
        with findings.reading(subject):
            labels[subject] = read_subject(subject_folder, subject, aus, options.positive_intensity)
    for subject in SUBJECTS:
        findings.warn("subject without labels", "dropped", int(subject not in seen), "subject", subject)
    builder = SamplesBuilder(aus)
    videos = {} if options.pixels == "images" else find_videos(root, options, findings)
    if videos:
        _add_videos(builder, labels, videos, options, findings)
    elif options.pixels == "videos":
        raise DatasetError(
            f"no videos such as LeftVideoSN001_comp.avi of the {options.camera} camera under {root}; "
            "set the option videos_dir"
        )
    else:
        _add_images(builder, labels, root, options, findings)
    samples = builder.build()
    if options.positive_intensity != POSITIVE_INTENSITY:
        findings.warn(
            "intensity threshold differs from the papers'", "kept", len(samples), "frame", "",
            f"present from {options.positive_intensity} on, papers {POSITIVE_INTENSITY}",
        )  # fmt: skip
    return samples


def read_subject(
    folder: Path, subject: str, aus: tuple[int, ...], positive_intensity: int
) -> tuple[Int32Array, Int8Array]:
    """Labels of one subject from one file per AU, found by the AU number in the name, never by listing order.

    Returns:
        (K,) frame numbers 1..K and (K, A) labels.

    Raises:
        DatasetError: if an AU has no file, the files differ in length, or a frame or intensity is out of order.
    """
    files: dict[int, Path] = {}
    for entry in visible(folder):
        match = _LABEL_NAME.fullmatch(Path(entry.name).stem)
        if match and match.group(1).upper() == subject and entry.name.lower().endswith(".txt"):
            files[int(match.group(2))] = Path(entry.path)
    lacking = [au for au in aus if au not in files]
    if lacking:
        raise DatasetError(f"{folder} has no label file for AU {', '.join(map(str, lacking))}")
    tables = {au: parse_integers(read_text(path), 2, path, first_line=1) for au, path in sorted(files.items())}
    lengths = {au: len(table) for au, table in tables.items()}
    if len(set(lengths.values())) > 1:
        usual = max(lengths.values(), key=list(lengths.values()).count)
        odd = next(au for au, length in lengths.items() if length != usual)
        raise DatasetError(f"{files[odd]} has {lengths[odd]} lines where the other AUs of {subject} have {usual}")
    frames = np.arange(1, next(iter(lengths.values())) + 1, dtype=np.int32)
    labels = np.empty((len(frames), len(aus)), dtype=np.int8)
    for column, au in enumerate(aus):
        table = tables[au]
        if not np.array_equal(table[:, 0], frames):
            row = int(np.flatnonzero(table[:, 0] != frames)[0])
            raise DatasetError(f"line {row + 1} of {files[au]} is frame {table[row, 0]}; expected {row + 1}")
        if len(table) and (table[:, 1].min() < 0 or table[:, 1].max() > MAX_INTENSITY):
            raise DatasetError(f"{files[au]} holds an intensity outside 0 to {MAX_INTENSITY}")
        labels[:, column] = table[:, 1] >= positive_intensity
    return frames, labels


def find_videos(root: Path, options: DisfaOptions, findings: Findings) -> dict[tuple[str, Camera], Path]:
    """Videos of the chosen cameras by subject and camera."""
    wanted: tuple[Camera, ...] = ("left", "right") if options.camera == "both" else (options.camera,)
    videos: dict[tuple[str, Camera], Path] = {}
    for path in walk_files(find_folder(root, (), chosen=options.videos_dir) or root, BENCHMARK_VIDEO_SUFFIXES, depth=3):
        match = _VIDEO_NAME.fullmatch(path.stem)
        if match is None:
            findings.note("video with a strange name", "ignored", 1, "file", path.name)
            continue
        side = match.group(1).lower()
        for camera in wanted:
            if camera == side:
                key = (match.group(2).upper(), camera)
                findings.warn("two videos for one sequence", "ignored", int(key in videos), "file", path.name)
                videos.setdefault(key, path)
    return videos


def _add_videos(
    builder: SamplesBuilder,
    labels: dict[str, tuple[Int32Array, Int8Array]],
    videos: dict[tuple[str, Camera], Path],
    options: DisfaOptions,
    findings: Findings,
) -> None:
    cameras: tuple[Camera, ...] = ("left", "right") if options.camera == "both" else (options.camera,)
    rate = FrameRate(options.label_rate, options.pairing, check=options.check_video_lengths)
    for subject, (frames, values) in labels.items():
        for camera in cameras:
            video = videos.get((subject, camera))
            name = f"{subject}_{camera}"
            if video is None:
                findings.warn(NO_PIXELS, "dropped", 1, "sequence", name)
                continue
            paired = rate.pair(video, name, frames - 1, findings)
            if paired is None:
                continue
            if paired.promised is not None:
                findings.warn(
                    "video and labels differ in length", "kept", abs(paired.promised - len(frames)), "frame", name,
                    f"{len(frames)} labels, the video's header promises {paired.promised}; preparing will tell",
                )  # fmt: skip
            info = SequenceInfo(NAME, f"{NAME}/{subject}", name, video, "video")
            rows = paired.rows
            builder.add(info, frame=frames[rows], labels=values[rows], position=paired.positions)


def _add_images(
    builder: SamplesBuilder,
    labels: dict[str, tuple[Int32Array, Int8Array]],
    root: Path,
    options: DisfaOptions,
    findings: Findings,
) -> None:
    folder = find_folder(root, FRAME_FOLDERS, chosen=options.images_dir)
    if folder is None:
        raise DatasetError(
            f"neither {options.camera} videos such as LeftVideoSN001_comp.avi nor images under {root}: looked for "
            f"{', '.join(FRAME_FOLDERS)}; set the option camera, videos_dir or images_dir"
        )
    images: dict[str, NumberedImages] = {}
    for subject_folder in subfolders(folder):
        match = re.search(r"SN\d{3}", subject_folder.name, re.IGNORECASE)
        subject = match.group(0).upper() if match else ""
        if subject in images:
            raise DatasetError(f"{folder} has two folders of {subject}; choose one camera's with the option images_dir")
        if subject in labels:
            images[subject] = images_in_folder(subject_folder)
    first = options.first_image
    if first == "auto":
        first = first_image_number({s: (images[s].numbers, len(labels[s][0])) for s in images}, folder)
    for subject, (frames, values) in labels.items():
        if subject not in images:
            findings.warn(NO_PIXELS, "dropped", 1, "sequence", subject)
            continue
        found, members = images[subject].take(frames, findings, subject, first=first - 1)
        extra = len(images[subject].numbers) - len(found)
        findings.warn("image without label", "ignored", extra, "file", subject)
        info = SequenceInfo(NAME, f"{NAME}/{subject}", subject, images[subject].container, "folder")
        builder.add(info, frame=frames[found], labels=values[found], member=members)


def first_image_number(numbers: dict[str, tuple[Int32Array, int]], folder: Path) -> Literal[0, 1]:
    """Whether extracted images count from 0 or from 1, read off all subjects together.

    An image 0 without an image of the last label's number says 0; the reverse says 1. A shift by one frame hardly
    changes any score and would never be noticed, so nothing is guessed where neither occurs.

    Args:
        numbers: ascending image numbers, and the number of labels, by subject.
        folder: for the message.

    Raises:
        DatasetError: if the folders say neither, or both.
    """
    from_zero, from_one = [], []
    for subject, (found, labels) in numbers.items():
        has_zero, has_last = 0 in found, labels in found
        if has_zero and not has_last:
            from_zero.append(subject)
        elif has_last and not has_zero:
            from_one.append(subject)
    if from_zero and from_one:
        raise DatasetError(
            f"images of {from_zero[0]} under {folder} count from 0, those of {from_one[0]} from 1; "
            "renumber them, or set the option first_image"
        )
    if not any(len(found) for found, _ in numbers.values()):
        raise DatasetError(f"no folder under {folder} holds numbered images of a subject with labels, as SN001/0.png")
    if not from_zero and not from_one:
        raise DatasetError(
            f"images under {folder} do not tell whether they count from 0 or 1; set the option first_image"
        )
    return 0 if from_zero else 1


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="DISFA",
    aus=EVALUATED_AUS,
    options=DisfaOptions,
    read=load_disfa,
    counts=(COUNTS,),
    folds=FOLDS,
    subject_pattern=r"SN\d{3}",
)
