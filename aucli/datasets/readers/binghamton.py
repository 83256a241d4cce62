"""What BP4D and BP4D+ share: AU_OCC and AU_INT label files, and images keyed by the number in their name.

Both come from Binghamton University and the University of Pittsburgh (Zhang et al. 2014; Zhang et al. 2016). Facts
without another source are those that the public loaders cited at each constant rely on.

One file, because the two data sets differ in little more than names and every rule here serves both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from aucli.datasets.label_values import Int8Array, Int32Array
from aucli.datasets.readers.benchmark import Benchmark, PublishedParts
from aucli.datasets.readers.label_files import au_numbers, codes_to_labels, parse_integers, read_text, split_header
from aucli.datasets.readers.layout import (
    BENCHMARK_VIDEO_SUFFIXES,
    NumberedImages,
    find_folder,
    images_in_folder,
    images_in_zip,
    require_folder,
    resolve,
    subfolders,
    visible,
    walk_files,
    zip_members,
)
from aucli.datasets.readers.options import DatasetOptions, PathOption
from aucli.datasets.readers.published_counts import PublishedCounts
from aucli.datasets.readers.videos import frames_in_header
from aucli.datasets.report import NO_PIXELS, Findings, number_ranges
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError

EVALUATED_AUS: Final = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
"""The 12 AUs of BP4D and BP4D+ (Zhang et al. 2014, as evaluated since JAA-Net)."""

NOT_SCORABLE: Final = 9
"""Occurrence and intensity code of a frame or AU that was not or could not be scored. Source: readme of the
distribution as quoted by the rPPG-Toolbox and OpenFace readers."""

LEGACY_HEADER_CELLS: Final = 100
"""Header ``0,1,...,99``: the column number is the AU number. Source: ME-GraphAU and OpenFace readers."""

NAMED_HEADER_LIMIT: Final = 50
"""Below this many header cells (about 35 occur) the header names the AUs, and cell 0 is the frame column whatever it
says. Source: py-feat's reader, which met both layouts in BP4D."""

PACKED_AUS: Final = frozenset(
    (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, *range(27, 40))
)
"""The AUs that packed files hold. Source: rPPG-Toolbox, BP4DPlusLoader. Another name in a header means that the
layout is none of the known ones."""

INTENSITY_AUS: Final = (6, 10, 12, 14, 17)
"""AUs with intensity files (``AU_INT/AU06`` ...). Source: rPPG-Toolbox, BP4DPlusLoader."""

MAX_INTENSITY: Final = 5
"""FACS intensities A to E are written 1 to 5."""

_LABEL_FILE = re.compile(r"([FM]\d{3})_T(\d{1,2})", re.IGNORECASE)


class BinghamtonOptions(DatasetOptions):
    """How to read BP4D or BP4D+.

    Attributes:
        pixels: ``images``, ``videos``, or ``auto``: images where there is an image folder, videos otherwise.
        intensity_dir: folder of the intensity files, where it is not found by itself.
        check_intensity: compare the intensity files with occurrence.
        check_video_lengths: compare label files with the frame count in each video's header.
    """

    pixels: Literal["auto", "images", "videos"] = "auto"
    intensity_dir: PathOption = None
    check_intensity: bool = True
    check_video_lengths: bool = True


@dataclass(frozen=True)
class Layout:
    """What sets BP4D and BP4D+ apart.

    Attributes:
        name: short name of the data set.
        subjects: those there are.
        tasks: the tasks that have AU codes.
        image_folders, label_folders, intensity_folders: where to look, best first.
        video_key: subject and task that the stem of a video's name says, or None.
        video_example: such a name, for messages.
    """

    name: str
    subjects: tuple[str, ...]
    tasks: tuple[int, ...]
    image_folders: tuple[str, ...]
    label_folders: tuple[str, ...]
    intensity_folders: tuple[str, ...]
    video_key: Callable[[str], tuple[str, int] | None]
    video_example: str


def benchmark(layout: Layout, *, title: str, counts: PublishedCounts, folds: PublishedParts) -> Benchmark:
    """Declare BP4D or BP4D+ by what sets it apart."""

    def read(root: Path, options: BinghamtonOptions, findings: Findings) -> Samples:
        return load(root, layout, options, findings)

    return Benchmark(
        name=layout.name,
        title=title,
        aus=EVALUATED_AUS,
        options=BinghamtonOptions,
        read=read,
        counts=(counts,),
        folds=folds,
        subject_pattern=r"[FM]\d{3}",
    )


def load(root: Path, layout: Layout, options: BinghamtonOptions, findings: Findings) -> Samples:
    """Read BP4D or BP4D+ as its owners distribute it.

    Raises:
        DatasetError: if the labels or pixels cannot be found, or a label file makes no sense.
    """
    aus = options.chosen_aus(EVALUATED_AUS, PACKED_AUS)
    label_folder = require_folder(
        root, layout.label_folders, what="AU_OCC label folder", option="labels_dir", chosen=options.labels_dir
    )
    intensities = (
        find_folder(root, layout.intensity_folders, chosen=options.intensity_dir) if options.check_intensity else None
    )
    pixels = _find_pixels(root, layout, options, findings)
    builder = SamplesBuilder(aus)
    files = label_files(label_folder, findings)
    usable = [file for file in files if _is_known(file, layout, findings)]
    for file in usable:
        with findings.reading(file.stem):
            occurrence = read_occurrence(file.path, aus)
            if not len(occurrence.frames):
                # Some files of BP4D+ hold a header and nothing else (FMAE-IAT guards for it).
                findings.warn("label file without rows", "dropped", 1, "sequence", file.stem)
                continue
            check_intensities(intensities, file.stem, occurrence, aus, findings)
            check = options.check_video_lengths
            add_sequence(builder, findings, file, occurrence, pixels, dataset=layout.name, check_lengths=check)
    _report_absent(usable, layout, findings)
    _report_unlabelled(pixels.unlabelled(files), layout, findings)
    return builder.build()


def _is_known(file: LabelFile, layout: Layout, findings: Findings) -> bool:
    known = file.subject in layout.subjects and file.task in layout.tasks
    expected = f"subjects {layout.subjects[0]} to {layout.subjects[-1]}, tasks {', '.join(map(str, layout.tasks))}"
    findings.warn("label file of no known sequence", "ignored", int(not known), "file", file.path.name, expected)
    return known


def _find_pixels(root: Path, layout: Layout, options: BinghamtonOptions, findings: Findings) -> PixelIndex:
    looked_for = f"looked for {', '.join(layout.image_folders)}"
    if options.pixels != "videos":
        images = find_folder(root, layout.image_folders, chosen=options.images_dir)
        if images is not None and (options.pixels == "images" or _holds_subjects(images)):
            return PixelIndex(images)
        if options.pixels == "images":
            raise DatasetError(f"no image folder under {root}: {looked_for}; set the option images_dir")
    videos: dict[tuple[str, int], Path] = {}
    for path in walk_files(find_folder(root, (), chosen=options.videos_dir) or root, BENCHMARK_VIDEO_SUFFIXES, depth=3):
        key = layout.video_key(path.stem)
        if key is None:
            findings.note(
                "video with a strange name", "ignored", 1, "file", path.name, f"expected {layout.video_example}"
            )
        elif key in videos:
            findings.warn("two videos for one sequence", "ignored", 1, "file", path.name)
        else:
            videos[key] = path
    if not videos:
        raise DatasetError(
            f"neither images nor videos under {root}: {looked_for} and for videos such as {layout.video_example}; "
            "set the option images_dir or videos_dir"
        )
    return PixelIndex(None, videos)


def _holds_subjects(folder: Path) -> bool:
    """Whether a folder holds subjects' images; one of the same name may hold videos."""
    return any(
        re.fullmatch(r"[FM]\d{3}(_T\d+)?(\.zip)?", entry.name, re.IGNORECASE)
        and (entry.is_dir() or entry.name.lower().endswith(".zip"))
        for entry in visible(folder)
    )


def _report_absent(files: list[LabelFile], layout: Layout, findings: Findings) -> None:
    present = {(file.subject, file.task) for file in files}
    for subject in layout.subjects:
        absent = [task for task in layout.tasks if (subject, task) not in present]
        if len(absent) == len(layout.tasks):
            findings.warn("subject without label files", "dropped", 1, "subject", subject)
        else:
            tasks = ", ".join(f"T{task}" for task in absent)
            findings.warn("sequence without label file", "dropped", len(absent), "sequence", subject, tasks)


def _report_unlabelled(stems: list[str], layout: Layout, findings: Findings) -> None:
    for stem in stems:
        coded = int(stem.rpartition("_T")[2]) in layout.tasks
        add = findings.warn if coded else findings.note
        add("images without label file", "ignored", 1, "sequence", stem)


@dataclass(frozen=True)
class Occurrence:
    """One AU_OCC file.

    Attributes:
        frames: (K,) int32, ascending, as in the file's first column.
        labels: (K, A) int8.
    """

    frames: Int32Array
    labels: Int8Array


def read_occurrence(path: Path, aus: tuple[int, ...]) -> Occurrence:
    """Read an AU_OCC file in either layout, told apart by the width of its header.

    Raises:
        DatasetError: if the header is of neither layout or lacks an AU, frames do not ascend, or a code is unknown.
    """
    text = read_text(path)
    if not text:
        return Occurrence(np.empty(0, dtype=np.int32), np.empty((0, len(aus)), dtype=np.int8))
    header, body = split_header(text)
    columns = _columns_of(header, aus, path)
    table = parse_integers(body, len(header), path)
    frames = table[:, 0]
    if len(frames) and (frames[0] < 0 or (np.diff(frames) <= 0).any()):
        raise DatasetError(f"frame numbers in {path} do not ascend; the first column must be the frame")
    labels = codes_to_labels(table[:, columns], frozenset({NOT_SCORABLE}), path, aus)
    return Occurrence(frames=frames, labels=labels)


def _columns_of(header: list[str], aus: tuple[int, ...], path: Path) -> list[int]:
    if len(header) == LEGACY_HEADER_CELLS and header == [str(i) for i in range(LEGACY_HEADER_CELLS)]:
        return list(aus)
    if len(header) >= NAMED_HEADER_LIMIT or len(header) < 2:
        raise DatasetError(
            f"{path} has a header of {len(header)} cells; known are {LEGACY_HEADER_CELLS} cells 0,1,...,99 and fewer "
            f"than {NAMED_HEADER_LIMIT} cells that name the AUs"
        )
    named = au_numbers(header)[1:]
    strange = [cell for cell, au in zip(header[1:], named, strict=True) if au not in PACKED_AUS]
    if strange:
        raise DatasetError(f"{path} has a header cell {strange[0]!r} that names no AU of this data set")
    if len(set(named)) != len(named):
        raise DatasetError(f"{path} names an AU twice in its header")
    lacking = [au for au in aus if au not in named]
    if lacking:
        raise DatasetError(f"{path} has no column for AU {', '.join(map(str, lacking))}; its header names {named}")
    return [named.index(au) + 1 for au in aus]


def check_intensities(
    folder: Path | None, stem: str, occurrence: Occurrence, aus: tuple[int, ...], findings: Findings
) -> None:
    """Compare AU_INT files with occurrence: they must cover the same frames and not contradict it.

    Intensities are not used as labels; a file that is short or contradicts is a sign of a damaged copy.
    """
    if folder is None:
        return
    for au in INTENSITY_AUS:
        path = resolve(folder, f"AU{au:02d}/{stem}_AU{au:02d}.csv")
        if path is None or au not in aus:
            continue
        table = parse_integers(read_text(path), 2, path, first_line=1)
        known = table[:, 1] != NOT_SCORABLE
        if ((table[known, 1] < 0) | (table[known, 1] > MAX_INTENSITY)).any():
            raise DatasetError(f"{path} holds an intensity outside 0 to {MAX_INTENSITY} that is not {NOT_SCORABLE}")
        if len(table) != len(occurrence.frames):
            findings.warn(
                "intensity file of another length", "ignored", 1, "file", path.name,
                f"{len(table)} rows, occurrence has {len(occurrence.frames)}",
            )  # fmt: skip
        if not known.any():
            continue
        shared, in_intensity, in_occurrence = np.intersect1d(
            table[known, 0], occurrence.frames, return_indices=True, assume_unique=False
        )
        label = occurrence.labels[in_occurrence, aus.index(au)]
        intensity = table[known, 1][in_intensity]
        contrary = ((label == 0) & (intensity > 0)) | ((label == 1) & (intensity == 0))
        findings.warn(
            "occurrence and intensity contradict", "kept", int(contrary.sum()), "label", path.name,
            f"frames {number_ranges(shared[contrary])}",
        )  # fmt: skip


@dataclass(frozen=True)
class LabelFile:
    """An AU_OCC file and what its name says."""

    path: Path
    subject: str
    task: int

    @property
    def stem(self) -> str:
        """Subject and task as in the distribution, e.g. ``F001_T1``."""
        return f"{self.subject}_T{self.task}"


def label_files(folder: Path, findings: Findings) -> list[LabelFile]:
    """The label files of a folder by subject and task; names that do not fit are reported."""
    found: dict[tuple[str, int], LabelFile] = {}
    for entry in visible(folder):
        path = Path(entry.path)
        if not entry.is_file() or path.suffix.lower() != ".csv":
            continue
        # A blank in place of the underscore occurs (F042 T11, reported by the rPPG-Toolbox).
        match = _LABEL_FILE.fullmatch(path.stem.replace(" ", "_"))
        if match is None:
            findings.warn("label file with a strange name", "ignored", 1, "file", path.name, "expected F001_T1.csv")
            continue
        key = (match.group(1).upper(), int(match.group(2)))
        if key in found:
            findings.warn("two label files for one sequence", "ignored", 1, "file", path.name)
            continue
        found[key] = LabelFile(path, *key)
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class PixelIndex:
    """Where the pixels of a data set are: folders or zip archives of images, or one video per sequence.

    Attributes:
        images: folder that holds subjects, or None.
        videos: path by subject and task.
    """

    images: Path | None
    videos: Mapping[tuple[str, int], Path] = field(default_factory=dict)

    def images_of(self, subject: str, task: int, findings: Findings) -> NumberedImages | None:
        """The images of one sequence: ``F001/T1/``, ``F001_T1/``, or ``F001.zip``; a damaged archive is reported."""
        if self.images is None:
            return None
        for relative in (f"{subject}/T{task}", f"{subject}_T{task}", f"{subject}/{subject}_T{task}"):
            folder = resolve(self.images, relative)
            if folder is not None and folder.is_dir():
                return images_in_folder(folder)
        archive = resolve(self.images, f"{subject}.zip")
        if archive is None:
            return None
        inside = re.compile(rf"(?:.*/)?T{task}/[^/]+", re.IGNORECASE)
        try:
            members = [name for name in zip_members(archive) if inside.fullmatch(name)]
        except DatasetError as error:
            findings.warn("zip archive cannot be read", "dropped", 1, "sequence", f"{subject}_T{task}", str(error))
            return None
        return images_in_zip(archive, members) if members else None

    def unlabelled(self, labelled: Iterable[LabelFile]) -> list[str]:
        """Sequences with unpacked images but without a label file."""
        known = {(file.subject, file.task) for file in labelled}
        if self.images is None:
            return []
        found = []
        for subject in subfolders(self.images):
            for task in subfolders(subject):
                match = re.fullmatch(r"T(\d{1,2})", task.name, re.IGNORECASE)
                if match and (subject.name.upper(), int(match.group(1))) not in known:
                    found.append(f"{subject.name.upper()}_T{match.group(1)}")
        return found


def add_sequence(
    builder: SamplesBuilder,
    findings: Findings,
    file: LabelFile,
    occurrence: Occurrence,
    pixels: PixelIndex,
    *,
    dataset: str,
    check_lengths: bool,
) -> None:
    """Pair one label file's rows with their pixels and add what has both a label and an image.

    Rows whose evaluated AUs are all missing are dropped; rows without an image are dropped and named; images without
    a row are counted, since an image outside the coded segment is unlabelled, not neutral.
    """
    frames, labels = occurrence.frames, occurrence.labels
    masked = (labels == -1) & (labels != -1).any(axis=1)[:, None]
    for column in np.flatnonzero(masked.any(axis=0)):
        findings.note(
            "code 9 (not scorable)", "masked", int(masked[:, column].sum()), "label", file.stem,
            f"AU{builder.aus[column]} of frames {number_ranges(frames[masked[:, column]])}",
        )  # fmt: skip
    unscored = (labels == -1).all(axis=1)
    findings.warn(
        "no AU scored", "dropped", int(unscored.sum()), "frame", file.stem, f"frames {number_ranges(frames[unscored])}"
    )
    frames, labels = frames[~unscored], labels[~unscored]
    images = pixels.images_of(file.subject, file.task, findings)
    video = pixels.videos.get((file.subject, file.task))
    if images is not None:
        found, members = images.take(frames, findings, file.stem)
        findings.note("image outside the coded segment", "ignored", len(images.numbers) - len(found), "file", file.stem)
        info = SequenceInfo(
            dataset, f"{dataset}/{file.subject}", file.stem, images.container, "zip" if images.in_zip else "folder"
        )
        builder.add(info, frame=frames[found], labels=labels[found], member=members)
    elif video is not None:
        if check_lengths and not _check_video(video, frames, file.stem, findings):
            return
        info = SequenceInfo(dataset, f"{dataset}/{file.subject}", file.stem, video, "video")
        below = frames < 1
        findings.warn("frame 0 in a label file counted from 1", "dropped", int(below.sum()), "frame", file.stem)
        builder.add(info, frame=frames[~below], labels=labels[~below], position=frames[~below] - 1)
    else:
        findings.warn(NO_PIXELS, "dropped", 1, "sequence", file.stem, f"{len(frames)} frames")


def _check_video(video: Path, frames: Int32Array, stem: str, findings: Findings) -> bool:
    """Whether the video can be opened; labels beyond its end are reported and kept, since headers err."""
    promised = frames_in_header(video, stem, findings)
    if promised is None:
        return False
    findings.warn(
        "label beyond the end of the video", "kept", int((frames > promised).sum()), "frame", stem,
        f"the last label is frame {frames.max(initial=0)}, the video's header promises {promised}; preparing will tell",
    )  # fmt: skip
    return True
