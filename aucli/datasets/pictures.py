"""Reading the pictures of a sequence, in order: from a folder, a zip archive or a video."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from aucli.datasets.label_values import Int64Array
from aucli.datasets.report import Findings, number_ranges
from aucli.datasets.samples import Samples
from aucli.errors import DatasetError
from aucli.video.reader import FrameReader

BATCH_SIZE: Final = 32


@dataclass(frozen=True)
class Pictures:
    """Some frames of one sequence.

    Attributes:
        rows: (B,) int64, which rows of the samples these are, in ascending order of frame.
        frames_rgb: B pictures, each (H, W, 3) uint8. Within one sequence sizes may differ only in folders and zips.
    """

    rows: Int64Array
    frames_rgb: tuple[npt.NDArray[np.uint8], ...] = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.frames_rgb):
            raise DatasetError(f"{len(self.rows)} rows and {len(self.frames_rgb)} pictures do not belong together")


def sequence_rows(samples: Samples) -> list[Int64Array]:
    """Rows of each sequence, in ascending order of frame; empty arrays for sequences without rows."""
    order = np.lexsort((samples.frame, samples.sequence_index)).astype(np.int64)
    starts = np.searchsorted(samples.sequence_index[order], np.arange(len(samples.sequences) + 1))
    return [order[a:b] for a, b in pairwise(starts)]


def read_sequence(
    samples: Samples, rows: Int64Array, findings: Findings, *, batch_size: int = BATCH_SIZE
) -> Iterator[Pictures]:
    """Read the pictures of rows that all belong to one sequence.

    A picture that cannot be read is reported and left out; the others keep their rows, so nothing shifts. Videos are
    decoded from beginning to end, never sought by frame number, which in some containers lands on another frame.

    Args:
        samples: where the pixels are.
        rows: (K,) of one sequence, in ascending order of frame, see `sequence_rows`.
        findings: where unreadable pictures are reported.
        batch_size: pictures at a time.

    Raises:
        DatasetError: if the rows are of several sequences, or a zip archive cannot be opened.
        VideoError: if not one frame of a video decodes.
    """
    if not len(rows):
        return
    if len(np.unique(samples.sequence_index[rows])) > 1:
        raise DatasetError("pictures are read one sequence at a time; these rows are of several")
    sequence = samples.sequences[samples.sequence_index[rows[0]]]
    if sequence.kind == "video":
        yield from _from_video(samples, rows, sequence.container, sequence.name, findings, batch_size)
    elif sequence.kind == "zip":
        try:
            with zipfile.ZipFile(sequence.container) as archive:
                yield from _from_files(samples, rows, archive, sequence.name, findings, batch_size)
        except (zipfile.BadZipFile, OSError) as error:
            raise DatasetError(f"{sequence.container} cannot be read as a zip archive ({error})") from error
    else:
        yield from _from_files(samples, rows, sequence.container, sequence.name, findings, batch_size)


def _from_files(
    samples: Samples, rows: Int64Array, source: Path | zipfile.ZipFile, name: str, findings: Findings, batch_size: int
) -> Iterator[Pictures]:
    unreadable: list[Int64Array] = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        pictures = [_read_image(source, samples.member[int(row)].as_py()) for row in batch]
        bad = np.array([picture is None for picture in pictures], dtype=np.bool_)
        unreadable.append(batch[bad])
        yield Pictures(batch[~bad], tuple(picture for picture in pictures if picture is not None))
    _report_unread(findings, samples, np.concatenate(unreadable), name, "image cannot be read")


def _read_image(source: Path | zipfile.ZipFile, member: str) -> npt.NDArray[np.uint8] | None:
    """One image as RGB, or None if it is damaged."""
    try:
        data = (source / member).read_bytes() if isinstance(source, Path) else source.read(member)
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, zipfile.BadZipFile, KeyError, ValueError, SyntaxError):
        # Pillow raises any of these on damaged data, a SyntaxError on a broken PNG.
        return None


def _from_video(
    samples: Samples, rows: Int64Array, video: Path, name: str, findings: Findings, batch_size: int
) -> Iterator[Pictures]:
    positions = samples.position[rows]
    if (np.diff(positions) <= 0).any():
        raise DatasetError(f"rows of {name} are not in ascending order of frame")
    delivered = np.zeros(len(rows), dtype=np.bool_)
    with FrameReader(video, batch_size=batch_size, leave_out_damaged=True) as reader:
        for batch in reader:
            _, wanted, there = np.intersect1d(positions, batch.index, assume_unique=True, return_indices=True)
            delivered[wanted] = True
            frames_rgb = np.asarray(batch.frames_rgb)
            if len(wanted):
                yield Pictures(rows[wanted], tuple(frames_rgb[i] for i in there))
    _report_unread(findings, samples, rows[~delivered], name, "frame does not decode, or decodes damaged")
    findings.warn(
        "video is damaged or shorter than it promises", "kept", reader.n_failed, "frame", name,
        reader.broken or "if a frame before the last one is lost, those after it are one off",
    )  # fmt: skip


def _report_unread(findings: Findings, samples: Samples, rows: Int64Array, name: str, kind: str) -> None:
    frames = number_ranges(samples.frame[rows])
    findings.warn(kind, "dropped", len(rows), "frame", name, f"frames {frames}")
