"""DISFA+ (Mavadati et al. 2016): posed and spontaneous trials of nine subjects who are all in DISFA too.

On disk::

    DISFAPlusDataset/
      Images/SN001/<trial>/000.jpg
      Labels/SN001/<trial>/AU1.txt     two header lines, then "<image file name> <intensity>"

A model that was trained on DISFA must leave these nine subjects out before it is scored here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from aucli.datasets.readers.benchmark import Benchmark, SeededFolds
from aucli.datasets.readers.disfa import CODED_AUS, MAX_INTENSITY, POSITIVE_INTENSITY, PositiveIntensity
from aucli.datasets.readers.label_files import read_text
from aucli.datasets.readers.layout import MAX_DIGITS, require_folder, resolve, subfolders, visible
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.published_counts import PublishedCounts
from aucli.datasets.report import NO_PIXELS, Findings
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo
from aucli.errors import DatasetError

NAME: Final = "disfaplus"

SUBJECTS: Final = tuple(f"SN{i:03d}" for i in (1, 3, 4, 7, 9, 10, 13, 25, 27))
"""Nine subjects, all of them in DISFA. Source: py-feat's reader."""

HEADER_LINES: Final = 2
"""py-feat's older reader skips two lines; their text is not documented, so more is never skipped silently."""

IMAGE_FOLDERS: Final = ("Images", "DISFAPlusDataset/Images")
LABEL_FOLDERS: Final = ("Labels", "DISFAPlusDataset/Labels")

COUNTS: Final = PublishedCounts(
    subjects=9, sequences=641, frames=57_150, source="py-feat, docs/benchmarks/competitors/pyafar_accuracy_disfaplus"
)

_ROW = re.compile(r"(\S.*?)[ \t]+(\d+)\s*")
_LABEL_NAME = re.compile(r"AU0*(\d{1,2})", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"(\d+)\D*$")


class DisfaPlusOptions(DatasetOptions):
    """How to read DISFA+.

    Attributes:
        positive_intensity: an AU is present from this intensity on.
    """

    positive_intensity: PositiveIntensity = POSITIVE_INTENSITY


def load_disfaplus(root: Path, options: DisfaPlusOptions, findings: Findings) -> Samples:
    """Read DISFA+ as its owners distribute it.

    Raises:
        DatasetError: if the labels or images cannot be found, or a label file makes no sense.
    """
    aus = options.chosen_aus(CODED_AUS, frozenset(CODED_AUS))
    labels = require_folder(root, LABEL_FOLDERS, what="label folder", option="labels_dir", chosen=options.labels_dir)
    images = require_folder(root, IMAGE_FOLDERS, what="image folder", option="images_dir", chosen=options.images_dir)
    builder = SamplesBuilder(aus)
    for subject_folder in subfolders(labels):
        subject = subject_folder.name.upper()
        if subject not in SUBJECTS:
            findings.warn("label folder of no known subject", "ignored", 1, "file", subject_folder.name)
            continue
        # One copy has the subject's folder doubled, Labels/SN001/SN001/<trial>.
        doubled = resolve(subject_folder, subject_folder.name)
        for trial in subfolders(doubled if doubled is not None else subject_folder):
            with findings.reading(f"{subject}/{trial.name}"):
                _add_trial(builder, trial, subject, images, options, findings)
    samples = builder.build()
    for subject in SUBJECTS:
        missing = f"{NAME}/{subject}" not in samples.subjects
        findings.warn("subject without labels", "dropped", int(missing), "subject", subject)
    return samples


def read_trial(folder: Path, aus: tuple[int, ...]) -> dict[str, dict[int, int]]:
    """Intensity by image name and AU, from one file per AU.

    Raises:
        DatasetError: if an AU has no file, or a line is no "<image file name> <intensity>".
    """
    files = {
        int(match.group(1)): Path(entry.path)
        for entry in visible(folder)
        if (match := _LABEL_NAME.fullmatch(Path(entry.name).stem))
    }
    lacking = [au for au in aus if au not in files]
    if lacking:
        raise DatasetError(f"{folder} has no label file for AU {', '.join(map(str, lacking))}")
    intensities: dict[str, dict[int, int]] = {}
    for au in aus:
        for number, line in enumerate(read_text(files[au]).split("\n"), start=1):
            match = _ROW.fullmatch(line)
            if line.startswith("#") or not line.strip():
                continue
            if match is None or "." not in match.group(1):
                if number <= HEADER_LINES:
                    continue
                raise DatasetError(f"line {number} of {files[au]} is {line!r}; expected an image name and an intensity")
            name, intensity = match.group(1), int(match.group(2))
            if intensity > MAX_INTENSITY:
                raise DatasetError(f"line {number} of {files[au]} has intensity {intensity}; allowed are 0 to 5")
            if au in intensities.setdefault(name, {}):
                raise DatasetError(f"line {number} of {files[au]} names the image {name} a second time")
            intensities[name][au] = intensity
    return intensities


def _add_trial(
    builder: SamplesBuilder, trial: Path, subject: str, images: Path, options: DisfaPlusOptions, findings: Findings
) -> None:
    name = f"{subject}/{trial.name}"
    image_folder = resolve(images, name)
    if image_folder is None or not image_folder.is_dir():
        findings.warn(NO_PIXELS, "dropped", 1, "sequence", name)
        return
    intensities = read_trial(trial, builder.aus)
    on_disk = {entry.name.casefold(): entry.name for entry in visible(image_folder) if entry.is_file()}
    lacking = sorted(image for image in intensities if image.casefold() not in on_disk)
    findings.warn("frame without image", "dropped", len(lacking), "frame", name, ", ".join(lacking[:5]))
    named = {image.casefold() for image in intensities}
    findings.note("image without label", "ignored", len(on_disk.keys() - named), "file", name)
    numbered = [(frame_number(image, trial), image) for image in intensities if image.casefold() in on_disk]
    if len({number for number, _ in numbered}) != len(numbered):
        raise DatasetError(f"two images of {trial} have the same number in their names")
    numbered.sort()
    labels = np.array(
        [
            [
                -1 if au not in intensities[image] else intensities[image][au] >= options.positive_intensity
                for au in builder.aus
            ]
            for _, image in numbered
        ],
        dtype=np.int8,
    ).reshape(len(numbered), len(builder.aus))
    for column, au in enumerate(builder.aus):
        findings.warn(
            "image without label for one AU", "masked", int(np.sum(labels[:, column] == -1)), "label", name, f"AU{au}"
        )
    builder.add(
        SequenceInfo(NAME, f"{NAME}/{subject}", name, image_folder, "folder"),
        frame=np.array([number for number, _ in numbered], dtype=np.int32),
        labels=labels,
        member=[on_disk[image.casefold()] for _, image in numbered],
    )


def frame_number(image: str, trial: Path) -> int:
    """The last number in an image's name: ``013.jpg`` is 13.

    Raises:
        DatasetError: if the name holds no number, or one that is too long for a frame.
    """
    match = _LAST_NUMBER.search(Path(image).stem)
    if match is None or len(match.group(1).lstrip("0")) > MAX_DIGITS:
        raise DatasetError(f"the image name {image!r} in the labels of {trial} holds no frame number")
    return int(match.group(1))


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="DISFA+",
    aus=CODED_AUS,
    options=DisfaPlusOptions,
    read=load_disfaplus,
    counts=(COUNTS,),
    folds=SeededFolds(most=3),
    subject_pattern=r"SN\d{3}",
    people_of="disfa",
)
