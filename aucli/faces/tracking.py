"""Who is who from frame to frame.

Tracking by detection. Three things speak for a face being somebody's: the place, what it looks like, and that the scene
went on. A number is kept

- where the person was expected, in a scene that went on, by a face that looks much the same;
- anywhere else, or after a cut, by a face that looks the same beyond doubt; however long the person was away.

Else a number begins: one person with two numbers is a smaller harm than two people with one. A face needs `START_SCORE`
to begin a number, and only `KEEP_SCORE` to go on with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.faces.appearance import Appearances, Features, Observation, SceneThumbnail, same_person_scores, same_scene
from aucli.faces.values import START_SCORE, Faces, intersection_over_union

GATE_SIZES: Final = 0.6
"""How far, in face sizes, a face may lie from where its person is expected..."""
GATE_SIZES_PER_S: Final = 2.0
"""...and how much farther for every second since the person was seen..."""
GATE_SIZES_MAX: Final = 3.0
"""...at most."""
GATE_LOG_SIZE: Final = 0.5
"""How much larger or smaller (logarithm) a face may have become..."""
GATE_LOG_SIZE_PER_S: Final = 0.2
GATE_LOG_SIZE_MAX: Final = 0.9

SCORE_IN_PLACE: Final = 0.0
"""`same_person_scores` needed where the person is expected."""
SCORE_AT_ONCE: Final = 1.5
"""The same of a person seen `AT_ONCE_S` ago: nobody changes much so fast, but a cut may change everything."""
AT_ONCE_S: Final = 0.25
SCORE_CROWDED: Final = -1.0
"""The same for faces so close that they may hide one another; judged by the half that shows."""
SCORE_DOUBTFUL: Final = -2.0
"""The same for a face below `START_SCORE`, which could not begin a number, and of a person seen `DOUBTFUL_S` ago."""
DOUBTFUL_S: Final = 0.5
SCORE_BACK_IN_PLACE: Final = 1.0
"""Needed where the person is expected but was not there for longer than `AWAY_S`."""
AWAY_S: Final = 3.0
SCORE_ANYWHERE: Final = 2.0
"""Needed without the evidence of a place: after a cut, elsewhere in the picture. docs/people.md has the error rates."""
PLACE_COUNTS: Final = 4.5
"""What a place counts, as a score, less the distance in face sizes and in size."""
NEW_VIEW_DISTANCE: Final = 0.25
"""A face whose colours lie farther than this from all views kept of its person is kept, too."""
VIEWS_KEPT: Final = 3
PEOPLE_REMEMBERED: Final = 32
"""How many people who are not in the picture are remembered: those seen last."""
CROWDED_MARGIN: Final = 0.25
"""Faces whose boxes, grown by this share on every side, meet may hide one another: no view is kept then."""


@dataclass(frozen=True)
class TrackedFaces:
    """The faces of one frame with the numbers of their people, in order of number.

    Attributes:
        faces: boxes, landmarks, scores; F of them.
        tracks: (F,) int32, number of the person, 0-based in order of appearance; none twice.
        detected: (F,) bool, False where boxes were carried from neighbouring frames.
        shot: number of the shot, 0-based: a cut begins a new one.
    """

    faces: Faces
    tracks: npt.NDArray[np.int32]
    detected: npt.NDArray[np.bool_]
    shot: int = 0

    def __post_init__(self) -> None:
        n = len(self.faces)
        if self.tracks.shape != (n,) or self.detected.shape != (n,):
            raise ValueError(f"expected ({n},) tracks and detected, got {self.tracks.shape} and {self.detected.shape}")


@dataclass
class Track:
    """One person: where the face was last, how it moves, what it looks like.

    Attributes:
        number: the person's.
        centre_xy: (2,) pixels, at `time_s`.
        size_px: geometric mean of the box's sides.
        velocity_xy: (2,) pixels a second.
        time_s: when last seen.
        shot: in which shot last seen.
        missed_s: time of the first frame since then that did not show the person; None if there was none.
        crowded: whether another face was close when last seen.
        views: what the face looked like: lately, and up to two views unlike that one.
    """

    number: int
    centre_xy: npt.NDArray[np.float64]
    size_px: float
    velocity_xy: npt.NDArray[np.float64]
    time_s: float
    shot: int
    missed_s: float | None
    crowded: bool
    views: list[KnownView]

    def predict_xy(self, time_s: float) -> npt.NDArray[np.float64]:
        """Where the face should be: it goes on moving for a quarter of a second, then waits."""
        return self.centre_xy + self.velocity_xy * min(time_s - self.time_s, 0.25)


@dataclass(frozen=True)
class KnownView:
    """What one face looked like once, and what that is compared by."""

    appearance: Appearances
    features: Features

    @classmethod
    def of(cls, appearances: Appearances, face: int) -> KnownView:
        """Take one of several faces."""
        return cls(appearances[[face]], appearances.features[[face]])


class Tracker:
    """Gives every face the number of its person.

    Feed the frames in order of time. The state is small and can be saved and restored, so that a run that was cut off
    goes on with the same numbers.
    """

    def __init__(self, *, max_faces: int | None = None) -> None:
        self._max_faces = max_faces
        self._tracks: list[Track] = []
        self._next_number = 0
        self._shot = 0
        self._scene: SceneThumbnail | None = None

    def update(self, observation: Observation, time_s: float) -> TrackedFaces:
        """Assign the faces of the next frame.

        Args:
            observation: what the detector found, down to its lowest confidence, and what the frame looks like.
            time_s: presentation time, later than that of the frame before.

        Returns:
            The faces that have a number; doubtful ones that continue nobody are dropped.
        """
        self._shot = self._shot_of(observation.scene)
        self._resize(observation.scene)
        faces = observation.faces
        pairs = self._match(observation, time_s, self._shot)
        crowded = _crowded(faces)
        for track, face in pairs:
            _move(track, observation, face, time_s, self._shot, crowded=bool(crowded[face]))
        matched = {face for _, face in pairs}
        room = len(faces) if self._max_faces is None else self._max_faces - len(pairs)
        new = [f for f in range(len(faces)) if f not in matched and faces.scores[f] >= START_SCORE]
        if len(new) > room:  # the largest faces first
            areas = np.prod(faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2], axis=1)
            new = sorted(new, key=lambda f: -areas[f])[: max(0, room)]
        for face in sorted(new, key=lambda f: float(faces.boxes_xyxy[f, 0])):  # left to right
            pairs.append((self._start(observation, face, time_s, crowded=bool(crowded[face])), face))
        pairs.sort(key=lambda pair: pair[0].number)
        self._forget({track.number for track, _ in pairs}, time_s)
        self._scene = observation.scene
        return TrackedFaces(
            faces[[face for _, face in pairs]],
            np.array([track.number for track, _ in pairs], np.int32),
            np.ones(len(pairs), bool),
            self._shot,
        )

    def match(self, observation: Observation, time_s: float) -> dict[int, int]:
        """Which face would continue which number, without changing anything: number -> index of the face."""
        shot = self._shot_of(observation.scene)
        return {track.number: face for track, face in self._match(observation, time_s, shot)}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as plain JSON values."""
        return {
            "next_number": self._next_number,
            "shot": self._shot,
            "scene": None if self._scene is None else self._scene.to_json(),
            "tracks": [
                {
                    "number": t.number,
                    "centre_xy": t.centre_xy.tolist(),
                    "size_px": t.size_px,
                    "velocity_xy": t.velocity_xy.tolist(),
                    "time_s": t.time_s,
                    "shot": t.shot,
                    "missed_s": t.missed_s,
                    "crowded": t.crowded,
                    "views": [view.appearance.to_text() for view in t.views],
                }
                for t in self._tracks
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._next_number, self._shot = state["next_number"], state["shot"]
        self._scene = None if state["scene"] is None else SceneThumbnail.from_json(state["scene"])
        self._tracks = [
            Track(
                **dict(
                    known,
                    centre_xy=np.array(known["centre_xy"]),
                    velocity_xy=np.array(known["velocity_xy"]),
                    views=[KnownView.of(Appearances.from_text(text), 0) for text in known["views"]],
                )
            )
            for known in state["tracks"]
        ]

    def _shot_of(self, scene: SceneThumbnail) -> int:
        """The number of the shot that a frame with this scene belongs to."""
        return self._shot + (self._scene is not None and not same_scene(self._scene, scene))

    def _resize(self, scene: SceneThumbnail) -> None:
        """Bring places into the pixels of a frame of another size."""
        if self._scene is not None and self._scene.size_wh != scene.size_wh:
            ratio = np.array(scene.size_wh) / np.array(self._scene.size_wh)
            for track in self._tracks:
                track.centre_xy, track.velocity_xy = track.centre_xy * ratio, track.velocity_xy * ratio
                track.size_px *= float(np.sqrt(ratio.prod()))

    def _start(self, observation: Observation, face: int, time_s: float, *, crowded: bool) -> Track:
        centre, size = _centre_and_size(observation.faces)
        view = KnownView.of(observation.appearances, face)
        where = (centre[face], float(size[face]), np.zeros(2), time_s)
        track = Track(self._next_number, *where, self._shot, None, crowded, [view])
        self._tracks.append(track)
        self._next_number += 1
        return track

    def _forget(self, seen: set[int], time_s: float) -> None:
        """Note who is missing, and forget those who were not seen for the longest time."""
        missing = [track for track in self._tracks if track.number not in seen]
        for track in missing:
            track.missed_s = time_s if track.missed_s is None else track.missed_s
        missing.sort(key=lambda track: (-track.time_s, track.number))
        forgotten = {track.number for track in missing[PEOPLE_REMEMBERED:]}
        self._tracks = [track for track in self._tracks if track.number not in forgotten]

    def _match(self, observation: Observation, time_s: float, shot: int) -> list[tuple[Track, int]]:
        """Pair people with faces so that the most speaks for all pairs together."""
        if not self._tracks or not len(observation.faces):
            return []
        gain = self._gain(observation, time_s, shot)
        pairs = [(self._tracks[t], f) for t, f in best_pairs(gain)]
        if self._max_faces is not None:
            pairs = sorted(pairs, key=lambda pair: (-pair[0].time_s, pair[0].number))[: self._max_faces]
        return pairs

    def _gain(self, observation: Observation, time_s: float, shot: int) -> npt.NDArray[np.float64]:
        """(T, F): how much speaks for a face being a person's; not above 0 where too little does."""
        tracks, faces = self._tracks, observation.faces
        owner = np.repeat(np.arange(len(tracks)), [len(track.views) for track in tracks])
        views = Features.join([view.features for track in tracks for view in track.views])
        lowest = min(SCORE_CROWDED, SCORE_DOUBTFUL)
        of_views = same_person_scores(views, observation.appearances.features, at_least=lowest)
        score = np.full((len(tracks), len(faces), 2), -np.inf)
        np.maximum.at(score, owner, of_views)
        whole, by_half = score[..., 0], score[..., 1]

        centre, size = _centre_and_size(faces)
        predicted = np.stack([track.predict_xy(time_s) for track in tracks])
        track_size = np.array([track.size_px for track in tracks])
        gap_s = np.array([time_s - track.time_s for track in tracks])[:, None]
        away_s = np.array([0.0 if t.missed_s is None else time_s - t.missed_s for t in tracks])[:, None]
        distance = np.linalg.norm(centre[None] - predicted[:, None], axis=-1)
        distance /= np.maximum(size[None], track_size[:, None])
        log_size = np.abs(np.log(size[None] / track_size[:, None]))
        same_shot = np.array([track.shot for track in tracks])[:, None] == shot
        near = distance <= np.minimum(GATE_SIZES + GATE_SIZES_PER_S * gap_s, GATE_SIZES_MAX)
        near &= log_size <= np.minimum(GATE_LOG_SIZE + GATE_LOG_SIZE_PER_S * gap_s, GATE_LOG_SIZE_MAX)
        in_place = same_shot & near

        crowded = np.array([track.crowded for track in tracks])[:, None] | _crowded(faces)[None]
        doubtful = (faces.scores < START_SCORE)[None]
        placed = np.where(crowded, by_half, whole)
        needed = np.where(gap_s <= AT_ONCE_S, SCORE_AT_ONCE, SCORE_IN_PLACE)
        needed = np.where(away_s > AWAY_S, SCORE_BACK_IN_PLACE, np.where(crowded, SCORE_CROWDED, needed))
        needed = np.where(doubtful, np.where(gap_s <= DOUBTFUL_S, SCORE_DOUBTFUL, np.inf), needed)
        gain_in_place = np.where(
            in_place & (placed >= needed), placed - SCORE_DOUBTFUL + PLACE_COUNTS - distance - log_size, -np.inf
        )
        gain_anywhere = np.where(~doubtful & (whole >= SCORE_ANYWHERE), whole - SCORE_DOUBTFUL, -np.inf)
        return np.maximum(gain_in_place, gain_anywhere)


def best_pairs(gain: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows with columns so that the gains of the pairs add up to the most; none is paired for a gain of 0 or less.

    Args:
        gain: (N, M); -inf for pairs that cannot be.

    Returns:
        (row, column), in order of rows; no row and no column twice.
    """
    if gain.shape == (1, 1):  # one person: the usual case, and scipy takes a while to import
        return [(0, 0)] if gain[0, 0] > 0 else []
    if not (gain > 0).any():
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.maximum(gain, 0.0), maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if gain[r, c] > 0]


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
        common.astype(np.int32),
        np.zeros(len(common), bool),
        before.shot,
    )


def _move(track: Track, observation: Observation, face: int, time_s: float, shot: int, *, crowded: bool) -> None:
    centre, size = _centre_and_size(observation.faces)
    elapsed_s = max(time_s - track.time_s, 1e-3)
    speed = (centre[face] - track.centre_xy) / elapsed_s
    track.velocity_xy = 0.5 * track.velocity_xy + 0.5 * speed if shot == track.shot else np.zeros(2)
    track.centre_xy, track.size_px = centre[face], float(size[face])
    track.time_s, track.shot, track.missed_s, track.crowded = time_s, shot, None, crowded
    if not crowded and observation.faces.scores[face] >= START_SCORE:
        _learn(track, KnownView.of(observation.appearances, face))


def _learn(track: Track, view: KnownView) -> None:
    """Keep the newest view, and beside it the first and later ones that looked unlike those kept."""
    last, *others = track.views
    others = others or [last]
    alike = max(float(view.features.colours[0, 0] @ other.features.colours[0, 0]) for other in others)
    if 1.0 - alike > NEW_VIEW_DISTANCE:
        others = [view, *others][: VIEWS_KEPT - 1]
    track.views = [view, *others]


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
