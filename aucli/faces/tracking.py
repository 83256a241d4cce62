"""Who is who from frame to frame.

Tracking by detection: every track predicts where its face will be, and faces are assigned to tracks by distance, size
and looks. A face needs `START_SCORE` to begin a track and only `KEEP_SCORE` to go on with one. A track that is lost
waits for `MAX_LOST_S`; what the face looked like tells it from the one that it crossed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.alignment import CropSpec, invert_similarity, similarity_from_landmarks
from aucli.faces.values import START_SCORE, Faces, intersection_over_union

MAX_LOST_S: Final = 3.0
"""A face that returns within this time, near where it went or looking as it did, keeps its number."""
LOOKS_SPEC: Final = CropSpec(size_px=36, scale=0.6, shift_y=0.0)
LOOKS_CELLS: Final = 12
GATE_SIZES: Final = 0.6
"""How far, in face sizes, a face may lie from where its track predicts it..."""
GATE_SIZES_PER_S: Final = 2.0
"""...and how much farther for every second that the track was lost..."""
GATE_SIZES_MAX: Final = 3.0
"""...at most."""
GATE_LOG_SIZE: Final = 0.5
"""How much larger or smaller (logarithm) a face may have become."""
GATE_LOOKS: Final = 0.72
"""Unlikeness above which two faces are not the same person's, however near. Measured on footage of crossing people:
0.0 to 0.5 for one person from frame to frame, 0.7 to 1.0 for two."""
WEIGHT_LOOKS: Final = 2.0
CROWDED_MARGIN: Final = 0.25
"""Faces whose boxes, grown by this share on every side, meet may hide one another: their looks are not learnt then."""


@dataclass(frozen=True)
class TrackedFaces:
    """The faces of one frame with their tracks, in order of track number.

    Attributes:
        faces: boxes, landmarks, scores; F of them.
        tracks: (F,) int16, number of the person, 0-based in order of appearance.
        detected: (F,) bool, False where boxes were carried from neighbouring frames.
    """

    faces: Faces
    tracks: npt.NDArray[np.int16]
    detected: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.faces)
        if self.tracks.shape != (n,) or self.detected.shape != (n,):
            raise ValueError(f"expected ({n},) tracks and detected, got {self.tracks.shape} and {self.detected.shape}")


@dataclass
class Track:
    """One person's face: where it was last, how it moves, what it looks like."""

    number: int
    centre_xy: npt.NDArray[np.float64]
    size_px: float
    velocity_xy: npt.NDArray[np.float64]  # pixels a second
    time_s: float
    looks: npt.NDArray[np.float64]

    def predict_xy(self, time_s: float) -> npt.NDArray[np.float64]:
        """Where the face should be: it goes on moving for a quarter of a second, then waits."""
        return self.centre_xy + self.velocity_xy * min(time_s - self.time_s, 0.25)


class Tracker:
    """Gives every face the number of its person.

    Feed the frames in order of time. The state is small and can be saved and restored, so that a run that was cut off
    goes on with the same numbers.
    """

    def __init__(self, *, max_faces: int | None = None) -> None:
        self._max_faces = max_faces
        self._tracks: list[Track] = []
        self._next_number = 0

    def update(self, faces: Faces, looks: npt.NDArray[np.float64], time_s: float) -> TrackedFaces:
        """Assign the faces of the next frame.

        Args:
            faces: what the detector found, down to its lowest confidence.
            looks: (F, D) from `describe`.
            time_s: presentation time, later than that of the frame before.

        Returns:
            The faces that belong to a track; doubtful ones that continue no track are dropped.
        """
        self._tracks = [track for track in self._tracks if time_s - track.time_s <= MAX_LOST_S]
        pairs = self._match(faces, looks, time_s)
        matched = {face for _, face in pairs}
        crowded = _crowded(faces)
        for track, face in pairs:
            _move(track, faces, looks, face, time_s, learn=not crowded[face])
        room = len(faces) if self._max_faces is None else self._max_faces - len(pairs)
        new = [f for f in range(len(faces)) if f not in matched and faces.scores[f] >= START_SCORE]
        if len(new) > room:  # the largest faces first
            areas = np.prod(faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2], axis=1)
            new = sorted(new, key=lambda f: -areas[f])[: max(0, room)]
        for face in sorted(new, key=lambda f: float(faces.boxes_xyxy[f, 0])):  # left to right
            pairs.append((self._start(faces, looks, face, time_s), face))
        pairs.sort(key=lambda pair: pair[0].number)
        return TrackedFaces(
            faces[[face for _, face in pairs]],
            np.array([track.number for track, _ in pairs], np.int16),
            np.ones(len(pairs), bool),
        )

    def foresee(self, faces: Faces, looks: npt.NDArray[np.float64], time_s: float) -> dict[int, int]:
        """Which face would continue which track, without changing anything: track number -> index of the face."""
        return {track.number: face for track, face in self._match(faces, looks, time_s)}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as plain JSON values."""
        return {
            "next_number": self._next_number,
            "tracks": [
                {
                    "number": t.number,
                    "centre_xy": t.centre_xy.tolist(),
                    "size_px": t.size_px,
                    "velocity_xy": t.velocity_xy.tolist(),
                    "time_s": t.time_s,
                    "looks": t.looks.tolist(),
                }
                for t in self._tracks
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._next_number = state["next_number"]
        self._tracks = [
            Track(
                t["number"],
                np.array(t["centre_xy"]),
                t["size_px"],
                np.array(t["velocity_xy"]),
                t["time_s"],
                np.array(t["looks"]),
            )
            for t in state["tracks"]
        ]

    def _start(self, faces: Faces, looks: npt.NDArray[np.float64], face: int, time_s: float) -> Track:
        centre, size = _centre_and_size(faces)
        track = Track(self._next_number, centre[face], float(size[face]), np.zeros(2), time_s, looks[face].copy())
        self._tracks.append(track)
        self._next_number += 1
        return track

    def _match(self, faces: Faces, looks: npt.NDArray[np.float64], time_s: float) -> list[tuple[Track, int]]:
        """Pair tracks with faces: first the sure faces with all tracks, then doubtful faces with the tracks left."""
        sure = np.flatnonzero(faces.scores >= START_SCORE)
        doubtful = np.flatnonzero(faces.scores < START_SCORE)
        pairs = self._assign(self._tracks, faces, looks, sure, time_s)
        taken = {track.number for track, _ in pairs}
        # A doubtful face goes on with a track seen a moment ago; it does not bring back one long lost.
        rest = [t for t in self._tracks if t.number not in taken and time_s - t.time_s <= 0.5]
        pairs += self._assign(rest, faces, looks, doubtful, time_s)
        if self._max_faces is not None:
            pairs = sorted(pairs, key=lambda pair: (-pair[0].time_s, pair[0].number))[: self._max_faces]
        return pairs

    @staticmethod
    def _assign(
        tracks: list[Track],
        faces: Faces,
        looks: npt.NDArray[np.float64],
        candidates: npt.NDArray[np.intp],
        time_s: float,
    ) -> list[tuple[Track, int]]:
        if not tracks or not len(candidates):
            return []
        centre, size = _centre_and_size(faces[candidates])
        predicted = np.stack([track.predict_xy(time_s) for track in tracks])
        track_size = np.array([track.size_px for track in tracks])
        lost_s = np.array([time_s - track.time_s for track in tracks])
        distance = np.linalg.norm(centre[None] - predicted[:, None], axis=-1) / np.maximum(
            size[None], track_size[:, None]
        )
        log_size = np.abs(np.log(size[None] / track_size[:, None]))
        unlike = unlikeness(np.stack([track.looks for track in tracks]), looks[candidates])
        gate = np.minimum(GATE_SIZES + GATE_SIZES_PER_S * lost_s, GATE_SIZES_MAX)[:, None]
        allowed = (distance <= gate) & (log_size <= GATE_LOG_SIZE) & (unlike <= GATE_LOOKS)
        cost = distance + log_size + WEIGHT_LOOKS * unlike
        return [(tracks[t], int(candidates[f])) for t, f in cheapest_pairs(cost, allowed)]


def cheapest_pairs(cost: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pair rows with columns so that as many allowed pairs as possible form, at the least total cost."""
    if cost.shape == (1, 1):  # one person: the usual case, and scipy takes a while to import
        return [(0, 0)] if allowed[0, 0] else []
    from scipy.optimize import linear_sum_assignment

    forbidden = 1e6
    rows, columns = linear_sum_assignment(np.where(allowed, cost, forbidden))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]


def describe(frame_rgb: Any, faces: Faces) -> npt.NDArray[np.float64]:
    """What faces look like: a coarse picture of each, upright, free of brightness and contrast.

    Args:
        frame_rgb: (H, W, 3) uint8, numpy or torch (of which only the pixels needed are copied).
        faces: F faces of it.

    Returns:
        (F, 432) float64 of unit length: 12 x 12 cells of RGB, each the mean of nine points; see `unlikeness`.
    """
    if not len(faces):
        return np.zeros((0, LOOKS_CELLS * LOOKS_CELLS * 3))
    size = LOOKS_SPEC.size_px
    to_frame = invert_similarity(similarity_from_landmarks(faces.landmarks_xy, LOOKS_SPEC.template_xy()))
    v, u = np.mgrid[:size, :size] + 0.5
    points = np.stack([u, v, np.ones_like(u)]).reshape(3, -1)
    xy = np.clip(to_frame @ points, -1e6, 1e6).astype(np.int64)
    height, width = frame_rgb.shape[:2]
    x, y = np.clip(xy[:, 0], 0, width - 1), np.clip(xy[:, 1], 0, height - 1)
    pixels = frame_rgb[y, x] if isinstance(frame_rgb, np.ndarray) else frame_rgb[y, x].cpu().numpy()
    step = size // LOOKS_CELLS
    cells = pixels.reshape(len(faces), LOOKS_CELLS, step, LOOKS_CELLS, step, 3).mean(axis=(2, 4), dtype=np.float64)
    return _unit(cells)


def unlikeness(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much faces differ in looks: the least correlation distance of whole, left half and right half.

    A person who comes out from behind another is known by the half that shows.

    Args:
        a: (N, 432) from `describe`.
        b: (M, 432).

    Returns:
        (N, M), 0 (the same picture) to 2.
    """
    cells_a = a.reshape(len(a), LOOKS_CELLS, LOOKS_CELLS, 3)
    cells_b = b.reshape(len(b), LOOKS_CELLS, LOOKS_CELLS, 3)
    parts = (slice(None), slice(0, LOOKS_CELLS // 2), slice(LOOKS_CELLS // 2, None))
    return np.asarray(
        np.min([1.0 - _unit(cells_a[:, :, part]) @ _unit(cells_b[:, :, part]).T for part in parts], axis=0)
    )


def _unit(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Flatten to (N, D), free of mean, of unit length."""
    flat = cells.reshape(len(cells), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9))


def interpolate(before: TrackedFaces, after: TrackedFaces, share: float) -> TrackedFaces:
    """Carry the faces that two frames have in common to a frame between them.

    Args:
        before: faces of the earlier frame.
        after: faces of the later frame.
        share: where between them, 0 (before) to 1 (after).

    Returns:
        Faces with `detected` False: boxes and landmarks in proportion, the lower of the two scores.
    """
    common, i, j = np.intersect1d(before.tracks, after.tracks, return_indices=True)
    a, b = before.faces[i], after.faces[j]
    w = np.float32(share)
    return TrackedFaces(
        Faces(
            a.boxes_xyxy + w * (b.boxes_xyxy - a.boxes_xyxy),
            a.landmarks_xy + w * (b.landmarks_xy - a.landmarks_xy),
            np.minimum(a.scores, b.scores),
        ),
        common.astype(np.int16),
        np.zeros(len(common), bool),
    )


def _move(track: Track, faces: Faces, looks: npt.NDArray[np.float64], face: int, time_s: float, *, learn: bool) -> None:
    centre, size = _centre_and_size(faces)
    elapsed_s = max(time_s - track.time_s, 1e-3)
    speed = (centre[face] - track.centre_xy) / elapsed_s
    track.velocity_xy = 0.5 * track.velocity_xy + 0.5 * speed
    track.centre_xy, track.size_px, track.time_s = centre[face], float(size[face]), time_s
    if learn:
        mixed = 0.9 * track.looks + 0.1 * looks[face]
        track.looks = mixed / max(float(np.linalg.norm(mixed)), 1e-9)


def _centre_and_size(faces: Faces) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    boxes = faces.boxes_xyxy.astype(np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.sqrt(sides.prod(axis=1))


def _crowded(faces: Faces) -> npt.NDArray[np.bool_]:
    margin = CROWDED_MARGIN * (faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2])
    grown = faces.boxes_xyxy + np.concatenate([-margin, margin], axis=1)
    overlaps = intersection_over_union(grown, grown)
    np.fill_diagonal(overlaps, 0.0)
    return np.asarray(overlaps.max(axis=1, initial=0.0) > 0.0)
