"""From a benchmark as its owners hand it out to a cache that training reads: read, detect, align, write.

Faces are found by the detector of `annotate` and laid upright by its alignment, with a border around its crop, so that
training can cut jittered crops of any size out of the cache.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aucli import __version__
from aucli.datasets.cache.shards import JPEG_QUALITY, sequence_to_json
from aucli.datasets.cache.writer import REPORT_NAME, CacheWriter, write_json
from aucli.datasets.face_finding import SMALLEST_SIDE_PX, FaceFinder
from aucli.datasets.label_values import Int64Array, SplitName
from aucli.datasets.load import load_dataset
from aucli.datasets.pictures import sequence_rows
from aucli.datasets.readers.published_counts import TOLERANCE
from aucli.datasets.report import LOST_SEQUENCES, Finding, Findings, Report
from aucli.datasets.samples import Samples, SequenceInfo
from aucli.datasets.source import DatasetSource
from aucli.errors import AucliError, DatasetError, OptionsError
from aucli.faces.alignment import CropSpec
from aucli.faces.detectors import open_detector
from aucli.faces.values import Detector, WindowDetector
from aucli.runtime.device import available_cores, check_device_name, resolve_device
from aucli.runtime.files import folder_lock
from aucli.runtime.place import require_place_for_folder
from aucli.runtime.progress import OnProgress, Reporter

SIDE_PX: Final = 256
BORDER: Final = 1.4
"""Side of a cached picture relative to the crop that annotate makes of the same face. A crop that is turned by 8
degrees, shifted by 2 % of its side and 8 % larger, as training draws them, needs 1.26 times its side."""
BATCH_SIZE: Final = 8
"""A picture of BP4D takes 4 MB, and each thread has a few batches at hand."""
DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """What to prepare, and how.

    Attributes:
        source: the benchmark, with its root; the cache goes where it says.
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

    source: DatasetSource
    detector: str = "centerface"
    device: str = "auto"
    workers: int | None = None
    batch_size: int = BATCH_SIZE
    side_px: int = SIDE_PX
    border: float = BORDER
    quality: int = JPEG_QUALITY
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_device_name(self.device)
        for name, value, low, high in (
            ("workers", self.workers, 1, 256),
            ("batch_size", self.batch_size, 1, 1024),
            ("side_px", self.side_px, SMALLEST_SIDE_PX, 1024),
            ("border", self.border, 1, 3),
            ("quality", self.quality, 80, 100),
        ):
            if value is not None and not low <= value <= high:
                raise OptionsError(f"`{name}` is {value}; allowed is {low} to {high}")
        if self.source.root is None:
            raise OptionsError("give `root`, the data set's folder")
        out, root = self.out.resolve(), self.source.root.resolve()
        if out == root or out in root.parents:
            raise OptionsError(f"`cache` is {self.out}, which holds the data set; choose another folder")

    @property
    def out(self) -> Path:
        """Folder of the cache."""
        return self.source.cache_folder

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


def prepare(options: PrepareOptions, *, on_progress: OnProgress | None = None) -> Prepared:
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
    require_place_for_folder(options.out, field="cache")
    device = resolve_device(options.device)
    detector = open_detector(options.detector, device=device)
    content = _content(options, detector, device)
    root = options.source.root
    assert root is not None
    samples, read = load_dataset(options.source.dataset, root, options.source.reader_options)
    failures = {f.where: ": ".join(filter(None, (f.kind, f.detail))) for f in read.findings if f.kind in LOST_SEQUENCES}
    parts = [rows for rows in sequence_rows(samples) if len(rows)]
    records: dict[str, dict[str, Any]] = {}
    splits: dict[str, SplitName | None] = {}
    n_written = 0
    with ExitStack() as stack:
        stack.enter_context(folder_lock(options.out))
        about = {"root": str(root.resolve()), "device": device}
        writer = CacheWriter(options.out, aus=samples.aus, content=content, about=about, overwrite=options.overwrite)
        workers = options.workers or available_cores()
        pool = stack.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="aucli"))
        finder = FaceFinder(
            detector,
            device,
            pool,
            workers,
            batch_size=options.batch_size,
            crop=options.crop,
            quality=options.quality,
        )
        reporter = Reporter(on_progress, list(map(len, parts)), items="sequences")
        for rows in parts:
            sequence = samples.sequences[samples.sequence_index[rows[0]]]
            reporter.begin(sequence.name)
            key, fingerprint = f"{sequence.subject}/{sequence.name}", _fingerprint(samples, rows, sequence)
            record = writer.record_of(key, fingerprint)
            kept = record is not None and not _n_unread(record["counts"])
            if record is None or _n_unread(record["counts"]):  # what could not be read may have been repaired
                try:
                    with writer.shard(key, [sequence], fingerprint) as shard:
                        finder.fill(shard, samples, rows, reporter)
                except (AucliError, OSError) as error:
                    _stop_if_disk_full(error, options.out)
                    failures[sequence.name] = _one_line(error)
                    reporter.end(failures[sequence.name])
                    continue
                record = shard.record
                n_written += 1
            records[key] = record
            splits[key] = sequence.split
            problem = None
            if (n := _n_unread(record["counts"])) > TOLERANCE * len(rows):
                problem = f"{n} of {len(rows)} labelled frames cannot be read; the others are in the cache"
                failures[sequence.name] = problem
            reporter.end(problem, kept=kept)
        full = _full_report(read, samples, list(records.values()), failures)
        described = {
            "aucli": __version__,
            "failures": failures,
            "sequences": [record["counts"] for record in records.values()],
        }
        write_json(options.out / REPORT_NAME, {**described, "report": asdict(full)})
        writer.finish(list(records), failures, splits={key: splits[key] for key in records})
    n_faces = sum(record["counts"]["faces"] for record in records.values())
    return Prepared(options.out, full, failures, n_faces, n_written, len(records) - n_written)


def _content(options: PrepareOptions, detector: Detector, device: str) -> dict[str, Any]:
    """Everything that decides what the cache holds, as JSON values."""
    return {
        "dataset": options.source.dataset,
        "options": options.source.reader_options.as_json(),
        "detector": detector.name,
        "detector_digest": detector.digest,
        "landmarks": "window" if device == "cpu" and isinstance(detector, WindowDetector) else "whole picture",
        "crop": asdict(options.crop),
        "quality": options.quality,
    }


def _fingerprint(samples: Samples, rows: Int64Array, sequence: SequenceInfo) -> str:
    """What a shard was made from: labels, frames, where their pixels are, all of the sequence but its split."""
    digest = hashlib.sha256()
    for column in (samples.frame[rows], samples.position[rows], samples.labels[rows]):
        digest.update(np.ascontiguousarray(column).data)
    digest.update(json.dumps(samples.member.take(rows).to_pylist()).encode())
    n_bytes = sequence.container.stat().st_size if sequence.container.is_file() else 0
    described = {
        **sequence_to_json(sequence), "partition": None, "kind": sequence.kind,
        "container": [sequence.container.name, n_bytes], "aus": samples.aus,
    }  # fmt: skip
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()


def _full_report(
    read: Report, samples: Samples, records: Sequence[Mapping[str, Any]], failures: Mapping[str, str]
) -> Report:
    """What the reader found and what preparing found, with the totals of what was read."""
    findings = Findings(list(read.findings))
    told = {f.where for f in read.findings if f.kind in LOST_SEQUENCES}
    told |= {record["counts"]["sequence"] for record in records}
    for name, problem in failures.items():
        if name not in told:
            findings.warn("sequence cannot be read", "dropped", 1, "sequence", name, problem)
    findings.items += [Finding(**finding) for record in records for finding in record["findings"]]
    lost = sum(record["counts"]["without_face"] for record in records)
    if lost > TOLERANCE * len(samples):
        findings.warn(
            "many labelled frames are without a face", "kept", lost, "frame", "",
            f"{100 * lost / len(samples):.1f} % of all; another detector may find more",
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
