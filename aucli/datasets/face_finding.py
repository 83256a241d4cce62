"""Finds and cuts the labelled face in each picture of a benchmark."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.cache.shards import FaceRow, ShardWriter
from aucli.datasets.face_choice import FaceChoice
from aucli.datasets.label_values import MISSING, PRESENT, Int64Array
from aucli.datasets.pictures import Pictures, read_sequence
from aucli.datasets.report import Findings, number_ranges
from aucli.datasets.samples import Samples
from aucli.errors import DatasetError
from aucli.faces.alignment import CropSpec, crop_faces, invert_similarity, similarity_from_landmarks
from aucli.faces.values import START_SCORE, Detector, Faces
from aucli.faces.windows import aligned_as_in_film
from aucli.runtime.concurrency import iterate_in_thread, map_ahead
from aucli.runtime.progress import Reporter

SMALLEST_SIDE_PX: Final = 64
"""A face is never enlarged, but no picture is smaller than this, for the sake of the codec."""

TIGHT_MIN_FACE_PX: Final = 20


@dataclass(frozen=True)
class _FoundFaces:
    """A labelled frame and the faces in it."""

    row: int
    frame_rgb: npt.NDArray[np.uint8]
    faces: Faces


@dataclass(frozen=True)
class _Chosen:
    """A labelled frame and the place of its subject's face, if it was found."""

    seen: _FoundFaces
    face: int | None


class FaceFinder:
    """Detector, threads and settings: makes the rows of one sequence after the other."""

    def __init__(
        self,
        detector: Detector,
        device: str,
        pool: ThreadPoolExecutor,
        workers: int,
        *,
        batch_size: int,
        crop: CropSpec,
        quality: int,
    ) -> None:
        self._detector, self._device, self._pool, self._workers = detector, device, pool, workers
        self._batch_size, self._crop, self._quality = batch_size, crop, quality

    def fill(self, shard: ShardWriter, samples: Samples, rows: Int64Array, reporter: Reporter) -> None:
        """Write one sequence, and say how far it is."""
        reporter.advance(0, len(rows))
        for done, row in enumerate(self.faces_of(samples, rows, shard.record), start=1):
            shard.append(row)
            if done % self._batch_size == 0:
                reporter.advance(done, len(rows))
        reporter.advance(len(rows), len(rows))

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
        choice.report(findings, sequence.name, n_rows)
        record["counts"] = {"sequence": sequence.name, "frames": len(rows), "faces": n_faces, **choice.counts()}
        record["labelled"], record["present"] = labelled.tolist(), present.tolist()
        record["findings"] = [asdict(finding) for finding in findings.items]

    def _look(self, samples: Samples, rows: Int64Array, findings: Findings) -> Iterator[list[_FoundFaces]]:
        if samples.sequences[samples.sequence_index[rows[0]]].kind == "video":
            pictures = read_sequence(samples, rows, findings, batch_size=self._batch_size)
            with iterate_in_thread(pictures, ahead=2) as batches:
                yield from map_ahead(self._pool, self._detect, batches, ahead=self._workers)
            return
        # Files need not be read one after the other: each task reads its own.
        chunks = [rows[start : start + self._batch_size] for start in range(0, len(rows), self._batch_size)]

        def read(chunk: Int64Array) -> list[_FoundFaces]:
            found = read_sequence(samples, chunk, Findings(), batch_size=len(chunk))
            return [seen for pictures in found for seen in self._detect(pictures)]

        readable = []
        for batch in map_ahead(self._pool, read, chunks, ahead=self._workers):
            readable += [seen.row for seen in batch]
            yield batch
        bad = samples.frame[np.setdiff1d(rows, readable)]
        name = samples.sequences[samples.sequence_index[rows[0]]].name
        findings.warn("image cannot be read", "dropped", len(bad), "frame", name, f"frames {number_ranges(bad)}")

    def _detect(self, pictures: Pictures) -> list[_FoundFaces]:
        found = [faces for frames_rgb in self._alike(pictures.frames_rgb) for faces in self._detect_alike(frames_rgb)]
        return [_FoundFaces(*item) for item in zip(pictures.rows.tolist(), pictures.frames_rgb, found, strict=True)]

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
        face = seen.faces[[chosen.face]]
        score = float(face.scores[0])
        if self._device == "cpu":  # as annotate does; on a GPU both search whole pictures alone
            face = aligned_as_in_film(seen.frame_rgb, face, self._detector)
        picture, landmarks = cut_with_border(seen.frame_rgb, face.landmarks_xy[0], self._crop)
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
