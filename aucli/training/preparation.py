"""From a benchmark as its owners hand it out to a cache that training reads: read, detect, align, write.

Faces are found by the detector of `annotate` and laid upright by its alignment, with a border around its crop, so that
training can cut jittered crops of any size out of the cache.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli import __version__
from aucli.errors import AucliError, DatasetError, OptionsError
from aucli.faces.alignment import CropSpec, crop_faces, invert_similarity, similarity_from_landmarks
from aucli.faces.detectors import open_detector
from aucli.faces.values import START_SCORE, Detector, Faces, intersection_over_union
from aucli.runtime.concurrency import iterate_in_thread, map_ahead
from aucli.runtime.device import available_cores, check_device_name, resolve_device
from aucli.runtime.files import claimed
from aucli.runtime.progress import Progress
from aucli.training.data.cache import (
    REPORT_NAME,
    CacheWriter,
    write_json,
)
from aucli.training.data.options import DatasetOptions, as_json, options_from_mapping
from aucli.training.data.pixels import Pictures, read_sequence, sequence_rows
from aucli.training.data.published import TOLERANCE
from aucli.training.data.registry import BENCHMARKS, load_dataset
from aucli.training.data.report import Finding, Findings, Report, number_ranges
from aucli.training.data.samples import MISSING, PRESENT, Int64Array, Samples, SequenceInfo, Side
from aucli.training.data.shards import JPEG_QUALITY, FaceRow, ShardWriter

SIDE_PX: Final = 256
BORDER: Final = 1.4
"""Side of a cached picture relative to the crop that annotate makes of the same face. A crop that is turned by 8
degrees, shifted by 2 % of its side and 8 % larger, as training draws them, needs 1.26 times its side."""
SMALLEST_SIDE_PX: Final = 64
"""A face is never enlarged, but no picture is smaller than this, for the sake of the codec."""
BATCH_SIZE: Final = 8
"""A picture of BP4D takes 4 MB, and each thread has a few batches at hand."""
RIVAL_AREA: Final = 0.5
"""Another face with this share of the largest one's area makes the choice between them doubtful."""
SAME_FACE_IOU: Final = 0.3
"""Boxes of one face in frames that follow each other overlap by at least this."""
TIGHT_MIN_FACE_PX: Final = 20
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
BROKEN_INPUT: Final = ("video cannot be opened", "zip archive cannot be read")
"""Kinds of findings by which a reader says that a sequence was left out because its file is broken."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """What to prepare, and how.

    Attributes:
        dataset: ``bp4d``, ``bp4dplus``, ``disfa``, ``disfaplus``, ``gft`` or ``affwild2``.
        root: folder of the benchmark as its owners hand it out.
        out: folder of the cache.
        dataset_options: the benchmark's own options.
        detector: as for `annotate`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``: where faces are detected.
        workers: threads; None: one per core.
        batch_size: pictures in one task. Never changes the result on a CPU.
        side_px: side of the cached pictures at most; a face is never enlarged.
        border: side of a cached picture relative to that of annotate's crop.
        quality: of the JPEG, 80 to 100.
        overwrite: begin anew instead of going on with what is there.

    Raises:
        OptionsError: for a value that is not allowed.
    """

    dataset: str
    root: Path
    out: Path
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    detector: str = "centerface"
    device: str = "auto"
    workers: int | None = None
    batch_size: int = BATCH_SIZE
    side_px: int = SIDE_PX
    border: float = BORDER
    quality: int = JPEG_QUALITY
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.dataset not in BENCHMARKS:
            raise OptionsError(f"--dataset is {self.dataset!r}; allowed are {', '.join(BENCHMARKS)}")
        check_device_name(self.device)
        for name, value, low, high in (
            ("--workers", self.workers, 1, 256),
            ("--batch-size", self.batch_size, 1, 1024),
            ("--side", self.side_px, SMALLEST_SIDE_PX, 1024),
            ("--border", self.border, 1, 3),
            ("quality", self.quality, 80, 100),
        ):
            if value is not None and not low <= value <= high:
                raise OptionsError(f"{name} is {value}; allowed is {low} to {high}")
        out, root = self.out.resolve(), self.root.resolve()
        if out == root or out in root.parents:
            raise OptionsError(f"--out is {self.out}, which holds the data set; choose another folder")
        # Wrong names and values are found here, before any work.
        _ = self.reader_options

    @cached_property
    def reader_options(self) -> DatasetOptions:
        """The benchmark's own options, checked."""
        return options_from_mapping(BENCHMARKS[self.dataset].options, self.dataset_options)

    @property
    def crop(self) -> CropSpec:
        """Annotate's crop with a border all around it."""
        crop = CropSpec()
        return CropSpec(self.side_px, crop.scale / self.border, crop.shift_y / self.border)


@dataclass(frozen=True)
class Prepared:
    """What a run did.

    Attributes:
        cache: its folder.
        report: everything that was missing, dropped or doubtful; also in ``report.json``.
        failures: sequence -> one line, for those that could not be read, or more than a tenth of them not.
        n_faces: faces in the cache.
        n_written: sequences written in this run.
        n_kept: sequences that an earlier run had finished.
    """

    cache: Path
    report: Report
    failures: Mapping[str, str]
    n_faces: int
    n_written: int
    n_kept: int


def prepare(options: PrepareOptions, *, on_progress: Callable[[Progress], None] | None = None) -> Prepared:
    """Prepare a benchmark for training.

    A run that was stopped goes on with the sequences that are missing; a cache that is finished is left as it is.

    Args:
        options: see `PrepareOptions`.
        on_progress: called now and then from the calling thread.

    Returns:
        What was done. A sequence that cannot be read does not stop the others: it is in `Prepared.failures`.

    Raises:
        AucliError: if nothing can be done at all.
    """
    device = resolve_device(options.device)
    detector = open_detector(options.detector, device=device)
    content = _content(options, detector)
    samples, read = load_dataset(options.dataset, options.root, options.reader_options)
    failures = {f.where: f"{f.kind}: {f.detail}" for f in read.findings if f.kind in BROKEN_INPUT}
    parts = [rows for rows in sequence_rows(samples) if len(rows)]
    records: dict[str, dict[str, Any]] = {}
    n_written = 0
    with ExitStack() as stack:
        stack.enter_context(claimed(options.out))
        about = {"root": str(options.root.resolve()), "device": device}
        writer = CacheWriter(options.out, aus=samples.aus, content=content, about=about, overwrite=options.overwrite)
        workers = options.workers or available_cores()
        pool = stack.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="aucli"))
        studio = _Studio(detector, device, pool, workers, options)
        for number, rows in enumerate(parts, start=1):
            sequence = samples.sequences[samples.sequence_index[rows[0]]]

            def report(
                done: int,
                problem: str | None = None,
                at: tuple[str, int] = (sequence.name, number),
                of: int = len(rows),
            ) -> None:
                if on_progress is not None:
                    on_progress(Progress(*at, len(parts), done, of, problem))

            key, fingerprint = f"{sequence.subject}/{sequence.name}", _fingerprint(samples, rows, sequence)
            record = writer.record_of(key, fingerprint)
            if record is None or _n_unread(record["counts"]):  # what could not be read may have been mended
                try:
                    with writer.shard(key, [sequence], fingerprint) as shard:
                        studio.fill(shard, samples, rows, report)
                except (AucliError, OSError) as error:
                    _stop_if_disk_full(error, options.out)
                    failures[sequence.name] = _one_line(error)
                    report(0, failures[sequence.name])
                    continue
                record = shard.record
                n_written += 1
            records[key] = record
            if (n := _n_unread(record["counts"])) > TOLERANCE * len(rows):
                failures[sequence.name] = (
                    f"{n} of {len(rows)} labelled frames cannot be read; the others are in the cache"
                )
        full = _full_report(read, samples, list(records.values()), failures)
        described = {
            "aucli": __version__,
            "failures": failures,
            "sequences": [record["counts"] for record in records.values()],
        }
        write_json(options.out / REPORT_NAME, {**described, "report": asdict(full)})
        writer.finish(list(records), failures)
    n_faces = sum(record["counts"]["faces"] for record in records.values())
    return Prepared(options.out, full, failures, n_faces, n_written, len(records) - n_written)


@dataclass(frozen=True)
class _Seen:
    """A labelled frame and the faces in it."""

    row: int
    frame_rgb: npt.NDArray[np.uint8]
    faces: Faces


@dataclass(frozen=True)
class _Chosen:
    """A labelled frame and the place of its subject's face, if it was found."""

    seen: _Seen
    face: int | None


class _Studio:
    """Detector, threads and settings: makes the rows of one sequence after the other."""

    def __init__(
        self, detector: Detector, device: str, pool: ThreadPoolExecutor, workers: int, options: PrepareOptions
    ) -> None:
        self._detector, self._device, self._pool, self._workers = detector, device, pool, workers
        self._batch_size, self._crop, self._quality = options.batch_size, options.crop, options.quality

    def fill(self, shard: ShardWriter, samples: Samples, rows: Int64Array, report: Callable[[int], None]) -> None:
        """Write one sequence; `report` is called with the number of frames done."""
        report(0)
        for done, row in enumerate(self.faces_of(samples, rows, shard.record), start=1):
            shard.append(row)
            if done % self._batch_size == 0:
                report(done)
        report(len(rows))

    def faces_of(self, samples: Samples, rows: Int64Array, record: dict[str, Any]) -> Iterator[FaceRow]:
        """One row per readable frame, in order; `record` is filled when the last one was taken.

        Reading and detection, and cutting and compression, run ahead in the pool; this thread chooses faces.

        Raises:
            DatasetError, VideoError: if not one picture of the sequence can be read.
        """
        findings = Findings()
        sequence = samples.sequences[samples.sequence_index[rows[0]]]
        choice = FaceChoice(sequence.side)

        def chosen() -> Iterator[list[_Chosen]]:
            for batch in self._look(samples, rows, findings):
                yield [_Chosen(seen, choice.choose(int(samples.frame[seen.row]), seen.faces)) for seen in batch]

        def finish(batch: Sequence[_Chosen]) -> list[FaceRow]:
            return [self._row(samples, item) for item in batch]

        n_rows = n_faces = 0
        labelled, present = np.zeros(len(samples.aus), np.int64), np.zeros(len(samples.aus), np.int64)
        for batch in map_ahead(self._pool, finish, chosen(), ahead=self._workers):
            for row in batch:
                n_rows += 1
                if row.jpeg is not None:
                    n_faces += 1
                    labelled += row.labels != MISSING
                    present += row.labels == PRESENT
                yield row
        if not n_rows:
            raise DatasetError(f"none of the {len(rows)} labelled pictures of {sequence.container} can be read")
        choice.tell(findings, sequence.name, n_rows)
        record["counts"] = {"sequence": sequence.name, "frames": len(rows), "faces": n_faces, **choice.counts()}
        record["labelled"], record["present"] = labelled.tolist(), present.tolist()
        record["findings"] = [asdict(finding) for finding in findings.items]

    def _look(self, samples: Samples, rows: Int64Array, findings: Findings) -> Iterator[list[_Seen]]:
        if samples.sequences[samples.sequence_index[rows[0]]].kind == "video":
            pictures = read_sequence(samples, rows, findings, batch_size=self._batch_size)
            with iterate_in_thread(pictures, ahead=2) as batches:
                yield from map_ahead(self._pool, self._detect, batches, ahead=self._workers)
            return
        # Files need not be read one after the other: each task reads its own.
        chunks = [rows[start : start + self._batch_size] for start in range(0, len(rows), self._batch_size)]

        def read(chunk: Int64Array) -> list[_Seen]:
            found = read_sequence(samples, chunk, Findings(), batch_size=len(chunk))
            return [seen for pictures in found for seen in self._detect(pictures)]

        readable = []
        for batch in map_ahead(self._pool, read, chunks, ahead=self._workers):
            readable += [seen.row for seen in batch]
            yield batch
        bad = samples.frame[np.setdiff1d(rows, readable)]
        name = samples.sequences[samples.sequence_index[rows[0]]].name
        findings.warn("image cannot be read", "dropped", len(bad), "frame", name, f"frames {number_ranges(bad)}")

    def _detect(self, pictures: Pictures) -> list[_Seen]:
        found = [faces for frames_rgb in self._alike(pictures.frames_rgb) for faces in self._detect_alike(frames_rgb)]
        return [_Seen(*item) for item in zip(pictures.rows.tolist(), pictures.frames_rgb, found, strict=True)]

    def _alike(self, frames_rgb: Sequence[npt.NDArray[np.uint8]]) -> Iterator[npt.NDArray[np.uint8]]:
        """Frames of one size in a row, (B, H, W, 3) on a GPU; one by one on a CPU, where a batch is no faster."""
        if self._device == "cpu":
            yield from (frame[None] for frame in frames_rgb)
        else:
            for _, group in itertools.groupby(frames_rgb, key=np.shape):
                yield np.stack(list(group))

    def _detect_alike(self, frames_rgb: npt.NDArray[np.uint8]) -> list[Faces]:
        """Detect as annotate does; where a small picture shows no face, look again with a border around it.

        The owners' crops end at the chin, and a detector wants to see what a face stands out from.
        """
        found = self._detector.detect(self._placed(frames_rgb))
        height, width = frames_rgb.shape[1:3]
        if max(height, width) > self._crop.size_px:
            return found
        missed = [i for i, faces in enumerate(found) if not (faces.scores >= START_SCORE).any()]
        if missed:
            border = max(height, width) // 2
            padded = np.pad(frames_rgb[missed], ((0, 0), (border, border), (border, border), (0, 0)), mode="edge")
            again = self._detector.detect(self._placed(padded), min_face_px=TIGHT_MIN_FACE_PX)
            for i, faces in zip(missed, again, strict=True):
                offset = np.float32(border)
                found[i] = Faces(faces.boxes_xyxy - offset, faces.landmarks_xy - offset, faces.scores)
        return found

    def _placed(self, frames_rgb: npt.NDArray[np.uint8]) -> Any:
        if self._device == "cpu":
            return frames_rgb
        import torch

        return torch.from_numpy(frames_rgb).to(self._device)

    def _row(self, samples: Samples, chosen: _Chosen) -> FaceRow:
        seen = chosen.seen
        labels, frame = samples.labels[seen.row], int(samples.frame[seen.row])
        if chosen.face is None:
            return FaceRow(0, frame, labels)
        picture, landmarks = cut_with_border(seen.frame_rgb, seen.faces.landmarks_xy[chosen.face], self._crop)
        score = float(seen.faces.scores[chosen.face])
        return FaceRow.of_picture(
            picture, landmarks, labels, sequence=0, frame=frame, score=score, quality=self._quality
        )


def cut_with_border(
    frame_rgb: npt.NDArray[np.uint8], landmarks_xy: npt.NDArray[np.float32], spec: CropSpec
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Cut an upright face out of a frame, not larger than it is there.

    Args:
        frame_rgb: (H, W, 3) uint8. One that is no larger than the crop is kept whole, as it is: the owners' crops of
            Aff-Wild2 lose nothing, and training knows where they end.
        landmarks_xy: (5, 2) in pixels of the frame.
        spec: the crop; its size is the largest allowed.

    Returns:
        The picture, (S, S, 3) uint8 with S at most ``spec.size_px``, and the landmarks in its pixels, (5, 2) float32.
    """
    if max(frame_rgb.shape[:2]) <= spec.size_px:
        return frame_rgb, landmarks_xy
    to_crop = similarity_from_landmarks(landmarks_xy[None], spec.template_xy())
    frame_px_per_crop_px = float(np.hypot(*invert_similarity(to_crop)[0, :2, 0]))
    side = int(np.clip(round(spec.size_px * frame_px_per_crop_px), SMALLEST_SIDE_PX, spec.size_px))
    own = CropSpec(side, spec.scale, spec.shift_y)
    matrix = similarity_from_landmarks(landmarks_xy[None], own.template_xy())[0]
    moved = landmarks_xy @ matrix[:, :2].T + matrix[:, 2]
    return crop_faces(frame_rgb, landmarks_xy[None], own)[0], moved.astype(np.float32)


class FaceChoice:
    """Chooses the face of the person who is coded, frame after frame of one sequence, and counts what was doubtful.

    The largest face is taken; of faces of similar size, the one that continues the face of the frame before. A face
    that the detector doubts is taken only where it continues a face. Where the data set's owners code two people of one
    video (Aff-Wild2), the leftmost or rightmost of the two largest faces is taken, as seen in the picture; where one
    face alone is seen, it must continue the person's face.

    Args:
        side: which of two people is coded; None where there is one.
    """

    def __init__(self, side: Side | None = None) -> None:
        self._side = side
        self._last_xyxy: npt.NDArray[np.float32] | None = None
        self._doubts: dict[str, list[int]] = {"without_face": [], "several_faces": [], "low_score": []}

    def choose(self, frame: int, faces: Faces) -> int | None:
        """Which of the faces it is; None if the person's face is not there.

        Args:
            frame: number of the frame, for the counts.
            faces: all that the detector found, best first.
        """
        continues = np.zeros(len(faces), np.bool_)
        if self._last_xyxy is not None and len(faces):
            continues = intersection_over_union(faces.boxes_xyxy, self._last_xyxy[None])[:, 0] >= SAME_FACE_IOU
        candidates = np.flatnonzero((faces.scores >= START_SCORE) | continues)
        choice = self._among(candidates, faces, continues)
        if choice is None:
            self._doubts["without_face"].append(frame)
            return None
        if faces.scores[choice] < START_SCORE:
            self._doubts["low_score"].append(frame)
        areas = _areas(faces)
        rivals = [i for i in candidates if i != choice and areas[i] >= RIVAL_AREA * areas[choice]]
        if rivals and self._side is None:
            self._doubts["several_faces"].append(frame)
        self._last_xyxy = faces.boxes_xyxy[choice]
        return choice

    def _among(self, candidates: npt.NDArray[np.intp], faces: Faces, continues: npt.NDArray[np.bool_]) -> int | None:
        if not len(candidates):
            return None
        areas = _areas(faces)
        by_size = candidates[np.argsort(-areas[candidates], kind="stable")]
        if self._side is not None:
            if len(by_size) == 1:
                return int(by_size[0]) if continues[by_size[0]] else None
            centres_x = faces.boxes_xyxy[by_size[:2], ::2].sum(axis=1)
            return int(by_size[int(np.argmin(centres_x) if self._side == "left" else np.argmax(centres_x))])
        similar = by_size[areas[by_size] >= RIVAL_AREA * areas[by_size[0]]]
        return int(next((i for i in similar if continues[i]), by_size[0]))

    def counts(self) -> dict[str, int]:
        """How many frames were doubtful, by kind."""
        return {kind: len(frames) for kind, frames in self._doubts.items()}

    def tell(self, findings: Findings, name: str, n_frames: int) -> None:
        """Report what was doubtful; a warning where no face was found in more than a tenth of the frames."""
        lost = self._doubts["without_face"]
        say = findings.warn if len(lost) > TOLERANCE * n_frames else findings.note
        what = "no face found" if self._side is None else "the person's face is not found"
        for tell, kind, key in (
            (say, what, "without_face"),
            (findings.note, "several faces, one taken", "several_faces"),
            (findings.note, "face that the detector doubts", "low_score"),
        ):
            frames = np.array(self._doubts[key], np.int64)
            tell(kind, "dropped" if key == "without_face" else "kept", len(frames), "frame", name,
                 f"frames {number_ranges(frames)}")  # fmt: skip


def _areas(faces: Faces) -> npt.NDArray[np.float32]:
    sides = np.maximum(faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2], 0)
    return np.asarray(sides.prod(axis=1))


def parse_dataset_options(dataset: str, pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs by the types of the benchmark's options.

    Example:
        >>> parse_dataset_options("disfa", ["camera=right", "positive_intensity=3", "aus=1,2"])
        {'camera': 'right', 'positive_intensity': 3, 'aus': [1, 2]}

    Raises:
        OptionsError: if a pair has no ``=``, the name is unknown, or the value cannot be read as its type.
    """
    if dataset not in BENCHMARKS:
        raise OptionsError(f"--dataset is {dataset!r}; allowed are {', '.join(BENCHMARKS)}")
    wanted = typing.get_type_hints(BENCHMARKS[dataset].options)
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in wanted:
            raise OptionsError(f"--option is {pair!r}; allowed is KEY=VALUE with one of {', '.join(wanted)} as KEY")
        values[name] = _parse_value(pair, text, wanted[name])
    return values


def _parse_value(pair: str, text: str, kind: Any) -> Any:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    origins = {typing.get_origin(k) or k for k in kinds}
    try:
        if origins & {tuple, frozenset}:
            return [int(part) for part in text.split(",") if part.strip()]
        if bool in origins:
            return {"true": True, "false": False, "on": True, "off": False}[text.casefold()]
        literals = [value for k in kinds if typing.get_origin(k) is typing.Literal for value in typing.get_args(k)]
        if int in origins or text in {str(value) for value in literals if isinstance(value, int)}:
            return int(text)
    except (ValueError, KeyError):
        form = "true or false" if bool in origins else "whole numbers, divided by commas where there are several"
        raise OptionsError(f"--option is {pair!r}; expected {form}") from None
    return text


def _content(options: PrepareOptions, detector: Detector) -> dict[str, Any]:
    """Everything that decides what the cache holds, as JSON values."""
    return {
        "dataset": options.dataset,
        "options": as_json(options.reader_options),
        "detector": detector.name,
        "detector_digest": detector.digest,
        "crop": asdict(options.crop),
        "quality": options.quality,
    }


def _fingerprint(samples: Samples, rows: Int64Array, sequence: SequenceInfo) -> str:
    """What a shard was made from: labels, frames, where their pixels are, everything known of the sequence."""
    digest = hashlib.sha256()
    for column in (samples.frame[rows], samples.position[rows], samples.labels[rows]):
        digest.update(np.ascontiguousarray(column).data)
    digest.update(json.dumps(samples.member.take(rows).to_pylist()).encode())
    n_bytes = sequence.container.stat().st_size if sequence.container.is_file() else 0
    described = {**asdict(sequence), "container": [sequence.container.name, n_bytes]}
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()


def _full_report(
    read: Report, samples: Samples, records: Sequence[Mapping[str, Any]], failures: Mapping[str, str]
) -> Report:
    """What the reader found and what preparing found, with the totals of what was read."""
    findings = Findings(list(read.findings))
    told = {f.where for f in read.findings if f.kind in BROKEN_INPUT}
    told |= {record["counts"]["sequence"] for record in records}
    for name, problem in failures.items():
        if name not in told:
            findings.warn("sequence cannot be read", "dropped", 1, "sequence", name, problem)
    findings.items += [Finding(**finding) for record in records for finding in record["findings"]]
    lost = sum(record["counts"]["without_face"] for record in records)
    if lost > TOLERANCE * len(samples):
        findings.warn(
            "many labelled frames are without a face", "kept", lost, "frame", "",
            f"{100 * lost / len(samples):.1f} % of all; another --detector may find more",
        )  # fmt: skip
    _check_base_rates(samples, records, findings)
    return Report(**{**read.__dict__, "findings": tuple(findings.items)})


def _n_unread(counts: Mapping[str, int]) -> int:
    """Labelled frames of a sequence whose pictures could not be read."""
    return counts["frames"] - counts["faces"] - counts["without_face"]


def _check_base_rates(samples: Samples, records: Sequence[Mapping[str, Any]], findings: Findings) -> None:
    """Warn where faces are lost in such a way that an AU becomes rarer or more frequent by more than a tenth."""
    labelled = np.sum([record["labelled"] for record in records], axis=0) if records else np.zeros(len(samples.aus))
    present = np.sum([record["present"] for record in records], axis=0) if records else np.zeros(len(samples.aus))
    for au, rate, n, n_present in zip(samples.aus, samples.base_rates, labelled, present, strict=True):
        if n and abs(n_present / n - rate) > TOLERANCE * rate:
            findings.warn(
                "base rate differs where a face was found", "kept", int(n), "label", "",
                f"AU{au} is present in {100 * n_present / n:.1f} % of frames with a face, {100 * rate:.1f} % of all",
            )  # fmt: skip


def _stop_if_disk_full(error: Exception, out: Path) -> None:
    """Raise what is no fault of the sequence at work, and would befall all that follow."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        raise DatasetError(
            f"{out} cannot be written ({error.strerror}); make room and run the same command again, it goes on"
        ) from error


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
